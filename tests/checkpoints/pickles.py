"""A writer of arbitrary pickles, opcode by opcode, for checkpoints that no library of ours could or should write."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C


@dataclass(frozen=True)
class Named:
    """A global."""

    module: str
    name: str


@dataclass(frozen=True)
class Raw:
    """Opcodes as they are."""

    opcodes: bytes


@dataclass(frozen=True)
class Call:
    """REDUCE of a global with arguments, or NEWOBJ; with a state also BUILD; with items also SETITEMS."""

    target: Named | Raw
    arguments: tuple[Any, ...] = ()
    state: Any = None
    items: Mapping[Any, Any] = field(default_factory=dict)
    new: bool = False


@dataclass(frozen=True)
class OutsideReference:
    """BINPERSID of a tuple."""

    identity: tuple[Any, ...]


def pickled(value: Any, protocol: int = 4) -> bytes:
    """The pickle of a value built from plain Python values and the classes above. No memo, no frames."""
    return b"\x80" + bytes([protocol]) + opcodes(value, protocol) + b"."


def opcodes(value: Any, protocol: int = 4) -> bytes:
    """The opcodes that push a value."""
    parts: list[bytes] = []
    _emit(value, protocol, parts)
    return b"".join(parts)


def _emit(value: Any, protocol: int, parts: list[bytes]) -> None:
    match value:
        case Raw(raw):
            parts.append(raw)
        case None | bool():
            parts.append({None: b"N", True: b"\x88", False: b"\x89"}[value])
        case int():
            parts.append(_integer(value))
        case float():
            parts.append(b"G" + struct.pack(">d", value))
        case str():
            encoded = value.encode()
            parts.append(b"X" + struct.pack("<I", len(encoded)) + encoded)
        case bytes() if protocol >= 3:
            parts.append(b"B" + struct.pack("<I", len(value)))
            parts.append(value)
        case bytes():
            _emit(Call(Named("_codecs", "encode"), (value.decode("latin-1"), "latin1")), protocol, parts)
        case tuple():
            _emit_items(b"(", value, b"t", protocol, parts)
        case list():
            _emit_items(b"](", value, b"e", protocol, parts)
        case dict():
            _emit_items(b"}(", [part for item in value.items() for part in item], b"u", protocol, parts)
        case set():
            _emit(Call(Named("builtins" if protocol >= 3 else "__builtin__", "set"), (list(value),)), protocol, parts)
        case Named(module, name):
            parts.append(f"c{module}\n{name}\n".encode())
        case Call():
            _emit(value.target, protocol, parts)
            _emit(value.arguments, protocol, parts)
            parts.append(b"\x81" if value.new else b"R")
            if value.items:
                _emit_items(b"(", [part for item in value.items.items() for part in item], b"u", protocol, parts)
            if value.state is not None:
                _emit(value.state, protocol, parts)
                parts.append(b"b")
        case OutsideReference(identity):
            _emit(identity, protocol, parts)
            parts.append(b"Q")
        case _:
            raise TypeError(f"cannot write {type(value)}")


def _emit_items(start: bytes, items: Any, stop: bytes, protocol: int, parts: list[bytes]) -> None:
    parts.append(start)
    for item in items:
        _emit(item, protocol, parts)
    parts.append(stop)


def _integer(value: int) -> bytes:
    if 0 <= value < 256:
        return b"K" + bytes([value])
    if -(1 << 31) <= value < 1 << 31:
        return b"J" + struct.pack("<i", value)
    encoded = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(encoded)]) + encoded


def storage_stream(data: bytes, count: int, kind: str = "FloatStorage", *, announced: int | None = None) -> bytes:
    """The legacy torch stream of one bare storage, as `torch.storage._load_from_bytes` takes it."""
    reference = OutsideReference(("storage", Named("torch", kind), "94117", "cpu", count, None))
    header = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    pickles = (MAGIC_NUMBER, 1001, header, reference, ["94117"])
    written = count if announced is None else announced
    return b"".join(pickled(part, 2) for part in pickles) + struct.pack("<q", written) + data


def tensor(array: np.ndarray[Any, Any], kind: str = "FloatStorage", *, parameter: bool = False) -> Call:
    """A torch tensor inside a plain pickle. `kind` must fit the array's type; uint16 bits for BFloat16Storage."""
    contiguous = np.asarray(array, order="C")
    strides = tuple(stride // contiguous.itemsize for stride in contiguous.strides)
    storage = Call(
        Named("torch.storage", "_load_from_bytes"), (storage_stream(contiguous.tobytes(), array.size, kind),)
    )
    return view(storage, 0, array.shape, strides, parameter=parameter)


def view(storage: Any, offset: Any, size: Any, stride: Any, *, parameter: bool = False) -> Call:
    """A torch tensor over a storage, right or wrong."""
    hooks = Call(Named("collections", "OrderedDict"))
    built = Call(Named("torch._utils", "_rebuild_tensor_v2"), (storage, offset, size, stride, False, hooks))
    return Call(Named("torch._utils", "_rebuild_parameter"), (built, False, hooks)) if parameter else built


def numpy_scalar(value: float, protocol: int = 4) -> Call:
    """A numpy float64, as NVIDIA's layers hold their gains."""
    return Call(Named("numpy.core.multiarray", "scalar"), (numpy_dtype("f8"), struct.pack("<d", value)))


def numpy_dtype(code: str, order: str = "<") -> Call:
    """A numpy element type."""
    state = (3, order, None, None, None, -1, -1, 0)
    return Call(Named("numpy", "dtype"), (code, False, True), state)


def numpy_array(array: np.ndarray[Any, Any]) -> Call:
    """A numpy array; zero-dimensional ones as scalars, which is how TensorFlow files hold them."""
    if array.ndim == 0:
        return Call(Named("numpy.core.multiarray", "scalar"), (numpy_dtype("f4"), array.astype("<f4").tobytes()))
    state = (1, array.shape, numpy_dtype("f4"), False, np.asarray(array, "<f4").tobytes())
    return Call(Named("numpy.core.multiarray", "_reconstruct"), (Named("numpy", "ndarray"), (0,), b"b"), state)
