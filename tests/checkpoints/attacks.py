"""Attempts to abuse the reader, each with the words of the refusal that it must meet.

Payloads call `os.system("touch tuiface_pwned")`; run as intended they would leave that file in the working directory.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .pickles import (
    MAGIC_NUMBER,
    Call,
    Named,
    OutsideReference,
    Raw,
    numpy_array,
    numpy_dtype,
    opcodes,
    pickled,
    storage_stream,
    tensor,
    view,
)
from .writers import (
    FILTER,
    generator_config,
    generator_pickle,
    network_pickle,
    persistent,
    random_tensors,
)

MARKER = "tuiface_pwned"
COMMAND = f"touch {MARKER}"
SYSTEM = Named("posix", "system")
PAYLOAD = Call(SYSTEM, (COMMAND,))
SCALAR_STREAM = storage_stream(np.zeros(16, "<f4").tobytes(), 16)
STORAGE = Call(Named("torch.storage", "_load_from_bytes"), (SCALAR_STREAM,))


@dataclass(frozen=True)
class Attack:
    """One hostile file; it is built when it is needed, because some are large."""

    name: str
    build: Callable[[], bytes]
    refusal: str
    """A regular expression for the message."""
    suffix: str = ".pkl"


def attacks() -> list[Attack]:
    """All attacks; names are unique."""
    return [*_code(), *_nested_streams(), *_tensors(), *_numbers_and_sizes(), *_structures(), *_arrays(), *_zips()]


def _of(name: str, value: Any, refusal: str) -> Attack:
    return Attack(name, lambda: pickled(value), refusal)


def _raw(name: str, body: bytes, refusal: str) -> Attack:
    return Attack(name, lambda: b"\x80\x04" + body, refusal)


def _code() -> list[Attack]:
    """Ways to reach something that runs."""
    memo_names = opcodes("posix") + b"q\x01" + opcodes("system") + b"q\x02h\x01h\x02\x93"
    argument = opcodes((COMMAND,))
    ordered = Call(Named("collections", "OrderedDict"))
    return [
        _raw("names pushed from the memo", memo_names + argument + b"R.", r"posix\.system"),
        _of(
            "a dotted name below a listed module",
            Call(Named("collections", "OrderedDict.get"), ()),
            r"OrderedDict\.get",
        ),
        _of("another name of a listed module", Call(Named("numpy", "load"), (COMMAND,)), r"numpy\.load"),
        _of("getattr", Call(Named("builtins", "getattr"), (1, "real")), r"builtins\.getattr"),
        _of("an empty module name", Named("", "eval"), "global '.eval'"),
        _of("control characters in a name", Named("os\x1b[2J", "system"), r"os\\x1b\[2J\.system"),
        _of("a payload inside persistent state", persistent("Generator", {"x": PAYLOAD}), r"posix\.system"),
        _of("a payload in a key's place", {"G_ema": {"state": [PAYLOAD]}}, r"posix\.system"),
        _raw("INST", b"(" + opcodes(COMMAND) + b"iposix\nsystem\n.", "operation INST"),
        _raw("OBJ", b"(" + opcodes(SYSTEM) + opcodes(COMMAND) + b"o.", r"posix\.system"),
        _raw("OBJ of a listed name", b"(" + opcodes(Named("collections", "OrderedDict")) + b"o.", "operation OBJ"),
        _raw("EXT1", b"\x82\x01.", "operation EXT1"),
        _raw("EXT4", b"\x84\x01\x00\x00\x00.", "operation EXT4"),
        _raw("PERSID", b"Pabc\n.", "operation PERSID"),
        _raw("an outer BINPERSID", opcodes("x") + b"Q.", "BINPERSID"),
        _raw("NEWOBJ_EX", opcodes((Named("collections", "OrderedDict"), (), {})) + b"\x92.", "operation NEWOBJ_EX"),
        _raw("NEXT_BUFFER", b"\x97.", "operation NEXT_BUFFER"),
        _raw("an unknown opcode", b"\xff.", "operation 0xff"),
        _raw("BUILD on a dict", b"}" + opcodes({"__class__": 1}) + b"b.", "a state for a dict of 0"),
        _raw("BUILD on a constructor", opcodes(Named("numpy", "dtype")) + b"}b.", "a state for a Constructor"),
        _raw("BUILD on an element type", opcodes(Named("torch", "FloatStorage")) + b"}b.", "a state for a StorageKind"),
        _of("a call of text", Call(Raw(opcodes("posix.system")), (COMMAND,)), "a call of 'posix.system'"),
        _of("a call of a stand-in", Call(Raw(opcodes(ordered)), (COMMAND,)), "a call of a dict"),
        _of("a call of an element type", Call(Named("torch", "FloatStorage"), ()), "a call of a StorageKind"),
        _of("another codec", Call(Named("_codecs", "encode"), (COMMAND, "zlib")), "latin1"),
        _of("a second pickle behind the first", None, "holds None"),
        _raw("a payload behind the STOP", b"N." + pickled(PAYLOAD), "holds None"),
        _of(
            "source that is no text",
            Call(Named("torch_utils.persistence", "_reconstruct_persistent_obj"), ({},)),
            "not a class",
        ),
    ]


def _nested_streams() -> list[Attack]:
    """Abuse of the torch streams inside bytes, and of the legacy container."""

    def load(raw: bytes) -> Call:
        return Call(Named("torch.storage", "_load_from_bytes"), (raw,))

    head = pickled(MAGIC_NUMBER, 2) + pickled(1001, 2) + pickled({"little_endian": True}, 2)
    bomb = SCALAR_STREAM
    for _ in range(3):
        bomb = pickled(load(bomb), 2)
    reference = pickled(OutsideReference(("storage", Named("torch", "FloatStorage"), "1", "cpu", 4, None)), 2)
    return [
        _of("a payload as nested magic number", load(pickled(PAYLOAD, 2)), r"posix\.system"),
        _of("a payload as nested header", load(pickled(MAGIC_NUMBER, 2) + pickled(PAYLOAD, 2)), r"posix\.system"),
        _of("a payload as nested object", load(head + pickled(PAYLOAD, 2)), r"posix\.system"),
        _of("a payload as nested keys", load(head + reference + pickled([PAYLOAD], 2)), r"posix\.system"),
        _of("streams in streams", load(head + bomb), r"torch\.storage\._load_from_bytes"),
        _of("a nested tensor", load(head + pickled(tensor(FILTER), 2)), r"torch\._utils\._rebuild_tensor_v2"),
        _of("a nested plain pickle", load(pickled({}, 2)), "magic number"),
        _of("a nested zip", load(b"PK\x03\x04"), "operation"),
        _of("a stream that is text", Call(Named("torch.storage", "_load_from_bytes"), ("x",)), "not bytes"),
        _of(
            "a nested big-endian stream",
            load(pickled(MAGIC_NUMBER, 2) + pickled(1001, 2) + pickled({}, 2)),
            "big-endian",
        ),
        _of(
            "a storage with a view",
            load(head + pickled(OutsideReference(("storage", 1, "1", "cpu", 4)), 2)),
            "not a torch",
        ),
        _of("keys that do not match", load(head + reference + pickled(["2"], 2)), "does not match"),
        _of("the same key twice", load(head + reference + pickled(["1", "1"], 2) + bytes(64)), "data announce|damaged"),
        _of("bytes behind a stream", load(SCALAR_STREAM + b"x"), "1 bytes follow"),
        Attack(
            "a legacy container with a payload", lambda: head + pickled({"g_ema": PAYLOAD}, 2), r"posix\.system", ".pt"
        ),
        Attack("a legacy container cut off", lambda: head + reference + pickled(["1"], 2) + b"xx", "cut off", ".pt"),
    ]


def _tensors() -> list[Attack]:
    """Claims about storages and views."""

    def stream(count: int, announced: int | None = None) -> Call:
        raw = storage_stream(bytes(64), count, announced=announced)
        return view(Call(Named("torch.storage", "_load_from_bytes"), (raw,)), 0, (4,), (1,))

    return [
        _of("a storage of 2^40 elements", stream(1 << 40), "needs 1099511627776 elements"),
        _of("a storage of 2^62 elements", stream(1 << 62), "element count has the entry"),
        _of("a storage of -1 elements", stream(-1), "element count has the entry -1"),
        _of("an announced count that differs", stream(16, announced=1 << 61), "its data announce"),
        _of("a negative announced count", stream(16, announced=-1), "its data announce -1"),
        _of("a negative offset", view(STORAGE, -4, (4,), (1,)), "offset has the entry -4"),
        _of("an offset behind the end", view(STORAGE, 13, (4,), (1,)), "does not fit its storage of 16"),
        _of("a negative stride", view(STORAGE, 8, (4,), (-1,)), "stride has the entry -1"),
        _of("a stride over the end", view(STORAGE, 0, (4,), (6,)), "does not fit"),
        _of("a stride of 2^47", view(STORAGE, 0, (2, 2), (1 << 47, 1)), "does not fit"),
        _of("zero strides within the storage", view(STORAGE, 0, (4, 4), (0, 1)), "zero strides"),
        _of("zero strides far beyond", view(STORAGE, 0, (1 << 40,), (0,)), "does not fit"),
        _of("overlapping rows", view(STORAGE, 0, (8, 8), (1, 1)), "does not fit"),
        _of("sizes whose product overflows", view(STORAGE, 0, (1 << 32, 1 << 32), (1, 1)), "does not fit"),
        _of("sizes and strides of two lengths", view(STORAGE, 0, (4, 4), (1,)), "has strides"),
        _of("nine dimensions", view(STORAGE, 0, (1,) * 9, (1,) * 9), "up to 8 whole numbers"),
        _of("true as a size", view(STORAGE, 0, (True,), (1,)), "the entry True"),
        _of("a fraction as a size", view(STORAGE, 0, (1.5,), (1,)), r"the entry 1\.5"),
        _of("a dict as sizes", view(STORAGE, 0, {}, {}), "size is a dict"),
        _of("text as a storage", view("x", 0, (4,), (1,)), "without a storage"),
        Attack("one storage under many tensors", _shared_storage, "several tensors share one storage"),
    ]


def _shared_storage() -> bytes:
    """A sound network whose 9 MB of values are claimed again by every layer."""
    config = generator_config(64, channels=(512,) * 5, w_dim=8, mapping_features=(8,))
    data = np.zeros(512 * 512 * 9, "<f4")
    raw = storage_stream(data.tobytes(), data.size)
    stored: dict[str, Any] = {}
    first = True
    for name, array in random_tensors(config).items():
        if array.ndim == 4 and array.shape[-1] == 3:
            storage = Call(Named("torch.storage", "_load_from_bytes"), (raw,))
            shared = Raw(opcodes(storage) + b"r\x00\x00\x01\x00") if first else Raw(b"j\x00\x00\x01\x00")
            stored[name], first = view(shared, 0, array.shape, (512 * 9, 9, 3, 1)), False
    return pickled(generator_pickle(config, random_tensors(config), stored=stored))


def _numbers_and_sizes() -> list[Attack]:
    """Claims about lengths, and files that are many small things."""
    return [
        _raw("bytes of 2^63", b"\x8e" + struct.pack("<Q", 1 << 63), "announces 9223372036854775808 more bytes"),
        _raw("text of 2^62", b"\x8d" + struct.pack("<Q", 1 << 62), "bytes in one string"),
        _raw("text of 4 GiB", b"X" + struct.pack("<I", (1 << 32) - 1), "bytes in one string"),
        _raw("bytes of 4 GiB", b"B" + struct.pack("<I", (1 << 32) - 1), "announces 4294967295"),
        _raw("an integer of 2^31 bytes", b"\x8b" + struct.pack("<I", (1 << 31) - 1), "bytes in one integer"),
        _raw("an integer of 255 bytes", b"\x8a\xff" + bytes(255) + b".", "bytes in one integer"),
        _raw("a frame of 2^63", b"\x95" + struct.pack("<Q", 1 << 63), "a frame announces"),
        _raw("a global without an end", b"c" + b"x" * 10_000, "without an end"),
        _raw("a text that is no text", b"X\x02\x00\x00\x00\xed\xa0.", "not UTF-8"),
        _raw("protocol 255", b"\x80\xff.", "protocol 255"),
        _raw("POP", b"NN0.", "operation POP"),
        Attack("endless opcodes", lambda: b"\x80\x04" + b"(t\x85" * 400_000, "values waiting|pickle operations"),
        Attack("endless nesting", lambda: b"\x80\x04)" + b"\x85" * 600_000 + b".", "500000 pickle operations"),
        Attack("endless memo", lambda: b"\x80\x04N" + b"\x94" * 500_000 + b".", "200000 remembered"),
        Attack("endless sets", lambda: b"\x80\x04" + b"\x8f" * 30_000, "20000 values waiting"),
        Attack("endless marks", lambda: b"\x80\x04" + b"(" * 2_000, "1000 nested containers"),
        Attack("endless text", _text_flood, "bytes of text"),
        Attack(
            "text that quadruples",
            lambda: b"\x80\x04" + (opcodes("\U0001f600" + "a" * 4_000_000) + b"\x85") * 9,
            "of text",
        ),
    ]


def _text_flood() -> bytes:
    return b"\x80\x04]" + b"".join(opcodes(f"{index:08d}" + "x" * 1_000_000) + b"a" for index in range(20))


def _structures() -> list[Attack]:
    """Values that are small in the file and endless, deep or circular in memory."""
    deep = b")" + b"\x85" * 200_000
    level = persistent("SynthesisBlock", {"_modules": {}})
    shared = Raw(opcodes(level) + b"q\x00")
    for _ in range(40):
        children = {str(index): Raw(b"h\x00") for index in range(9)}
        shared = Raw(opcodes(persistent("SynthesisBlock", {"_modules": {"first": shared, **children}})) + b"q\x00")
    itself = b"]q\x00h\x00a"
    return [
        _raw("a deep tuple as a dict key", b"}" + deep + b"Ns.", "a dict key that is a tuple of 1"),
        _raw("a list as a dict key", b"}]Ns.", "a dict key that is a list"),
        _raw("bytes as a dict key", b"}C\x01xNs.", "a dict key that is a memoryview"),
        _raw("not a number as a dict key", b"}" + opcodes(float("nan")) + b"Ns.", "a dict key that is nan"),
        _raw(
            "integers that collide",
            b"}\x8a\x0a" + b"\xff" * 9 + b"\x00Ns.",
            "a dict key that is 4722366482869645213695",
        ),
        _raw("a list that holds itself", b"}" + opcodes("G_ema") + itself + b"s.", "no StyleGAN2 generator found"),
        _raw("a list that holds itself as top", itself + b".", "holds a list of 1"),
        Attack("modules in a circle", _circle, "more than 2000 modules"),
        _of("a tree of 10^40 modules", {"G_ema": shared}, "more than 2000 modules"),
        _of("a deep state dict", {"G_ema": Raw(deep)}, "no StyleGAN2 generator found"),
        _of("a deep attribute", persistent("Generator", {"z_dim": Raw(deep)}), "no tensor is named|missing"),
        _of("a resolution of 2^30", _huge_block(), r"additional tensor 'synthesis\.b1073741824\.const'"),
        _of("a w of 10^9", _generator({"": {"w_dim": 10**9}}), r"w_dim is 1000000000"),
        _of("numbers as module names", persistent("Generator", {"_modules": {1: None, 2: level}}), "a member named 2"),
        _of(
            "a thousand-letter module name",
            persistent("Generator", {"_modules": {"x" * 1000: level}}),
            "a member named",
        ),
        _of("G_ema as a number", {"G_ema": 3}, "a dict with 'G_ema'"),
        _of("three empty networks", (network_pickle("G", 4, {}, []),) * 3, "no synthesis and mapping"),
    ]


def _circle() -> bytes:
    """A Generator whose `_modules` come to hold the Generator itself, through the memo."""
    state = b"}q\x05" + opcodes("_modules") + b"}q\x06s"
    meta = opcodes({"type": "class", "module_src": "", "class_name": "Generator"}) + opcodes("state") + state + b"s"
    module = opcodes(Named("torch_utils.persistence", "_reconstruct_persistent_obj")) + meta + b"\x85Rq\x07"
    link = b"h\x06" + opcodes("again") + b"h\x07s"
    return b"\x80\x04}" + opcodes("G_ema") + module + b"s" + opcodes("more") + link + b"s."


def _generator(overrides: Any) -> Call:
    config = generator_config()
    return generator_pickle(config, random_tensors(config), overrides)


def _huge_block() -> Call:
    """A sound generator with one more block, whose name claims 2^30 pixels."""
    pickle = _generator({})
    blocks = pickle.arguments[0]["state"]["_modules"]["synthesis"].arguments[0]["state"]["_modules"]
    blocks["b1073741824"] = persistent(
        "SynthesisBlock", {"_parameters": {"const": tensor(FILTER)}, "architecture": "skip"}
    )
    return pickle


def _arrays() -> list[Attack]:
    """Claims about numpy values."""

    def array(shape: Any, element: Any, raw: Any = b"1234") -> Call:
        built = Call(Named("numpy.core.multiarray", "_reconstruct"), (), (1, shape, element, False, raw))
        return network_pickle("G", 4, {"x": built}, [])

    object_array = Call(Named("numpy", "dtype"), ("O8", False, True))
    return [
        _of("an array of objects", array((1,), object_array), "numpy type 'O8'"),
        _of("an array of structures", array((1,), Call(Named("numpy", "dtype"), ("V100",))), "numpy type 'V100'"),
        _of("a big-endian array", array((1,), numpy_dtype("f4", ">")), "byte order '>'"),
        _of("an array of 2^44 elements", array((1 << 44,), numpy_dtype("f4")), "comes with 4 bytes"),
        _of("an array whose size overflows", array((1 << 40,) * 4, numpy_dtype("f4")), "comes with 4 bytes"),
        _of("an array of negative size", array((-1,), numpy_dtype("f4")), "the entry -1"),
        _of("an array of text", array((1,), numpy_dtype("f4"), "1234"), "the state of a numpy array"),
        _of("an element type as text", array((1,), "f4"), "the state of a numpy array"),
        _of("a scalar of objects", Call(Named("numpy.core.multiarray", "scalar"), (object_array, b"x")), "numpy type"),
        _of("a scalar cut short", Call(Named("numpy.core.multiarray", "scalar"), (numpy_dtype("f8"), b"x")), "scalar"),
        _of(
            "networks with an array of no size",
            (network_pickle("G", 4, {}, [("x", np.zeros((0, 3)))]),) * 3,
            "components",
        ),
        _of("an array as a network", {"G_ema": numpy_array(FILTER)}, "no StyleGAN2 generator found"),
    ]


def _zips() -> list[Attack]:
    """Torch zip containers that lie or swell."""
    empty = pickled({}, 2)
    reference = OutsideReference(("storage", Named("torch", "FloatStorage"), "0", "cpu", 4))
    with_storage = pickled({"g_ema": view(reference, 0, (4,), (1,))}, 2)
    sound = _zip({"a/data.pkl": empty, "a/data/0": bytes(16)})
    count_at = sound.rfind(b"PK\x05\x06") + 8
    many = sound[:count_at] + b"\xff\xfe\xff\xfe" + sound[count_at + 4 :]

    def attack(name: str, build: Callable[[], bytes], refusal: str) -> Attack:
        return Attack(name, build, refusal, ".pt")

    return [
        attack("a payload in a zip", lambda: _zip({"a/data.pkl": pickled(PAYLOAD, 2)}), r"posix\.system"),
        attack("two members of one name", lambda: _zip({"a/data.pkl": empty}, again="a/data.pkl"), "two members"),
        attack("two pickles", lambda: _zip({"a/data.pkl": empty, "b/data.pkl": empty}), r"2 members named data\.pkl"),
        attack(
            "a compressed bomb",
            lambda: _zip({"a/data.pkl": b"\x80\x02" + bytes(64 << 20)}, zipfile.ZIP_DEFLATED),
            "compressed",
        ),
        attack(
            "a compressed storage", lambda: _zip({"a/data.pkl": with_storage}, also_packed="a/data/0"), "is compressed"
        ),
        attack("an absent storage", lambda: _zip({"a/data.pkl": with_storage}), "its zip member is absent"),
        attack("a short storage", lambda: _zip({"a/data.pkl": with_storage, "a/data/0": bytes(8)}), "has 8 bytes"),
        attack("compiled code", lambda: _zip({"a/data.pkl": empty, "a/constants.pkl": empty}), "TorchScript"),
        attack("big-endian data", lambda: _zip({"a/data.pkl": empty, "a/byteorder": b"big"}), "big-endian"),
        attack("members that are not there", lambda: many, "zip members|damaged"),
        attack("a header that is not there", lambda: b"PK\x03\x04" + sound, "damaged"),
        attack("a zip cut in the middle", lambda: sound[: len(sound) // 2], "damaged"),
        attack("a zip of nothing", lambda: _zip({}), r"0 members named data\.pkl"),
        attack("an end record alone", lambda: b"PK\x05\x06" + b"\xff" * 18, "damaged"),
    ]


def _zip(
    members: dict[str, bytes], method: int = zipfile.ZIP_STORED, *, again: str = "", also_packed: str = ""
) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
        if also_packed:
            archive.writestr(also_packed, bytes(16), zipfile.ZIP_DEFLATED)
        if again:
            info = archive.getinfo(again)
            archive.filelist.append(info)
    return buffer.getvalue()
