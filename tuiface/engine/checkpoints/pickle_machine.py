"""A pickle interpreter that cannot run anything: the opcodes that checkpoints use, over inert values.

Python's own unpickler calls what the file names. This one has nothing to call: a global is looked up by its exact
text in a closed table of stubs, and `REDUCE`, `NEWOBJ` and `BUILD` only work on those. No attribute, import or
type is ever chosen by the file. Opcodes follow CPython's `Lib/pickletools.py`; the textual ones of protocol 0, and
all that no checkpoint writer emits, are refused by name.

Values on the stack: `None`, bool, int, float, str, tuple, list, dict, `memoryview` (for bytes: no copy), stubs.
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from tuiface.core.errors import ModelError, describe_value
from tuiface.core.visible import to_visible
from tuiface.engine.checkpoints.accounting import Inventory, Meter, over_budget_error
from tuiface.engine.checkpoints.source_file import DOWNLOAD_AGAIN, PACK_AGAIN

MAX_PROTOCOL: Final = 5


@dataclass(frozen=True, slots=True, eq=False)
class Constructor:
    """What stands for a callable or class that the file names: our own function of the stacked arguments."""

    name: str
    make: Callable[[tuple[object, ...]], object]


class Stub(ABC):
    """An inert object that may receive a state through `BUILD`."""

    @abstractmethod
    def build(self, state: object) -> None:
        """Keep, or check and keep, the state that the file gives."""


class UnorderedItems(list[object]):
    """A set of the file, as a list: nothing reads these, and hashing what a file says is asking for trouble."""


#: (module, name) -> Constructor or another inert value. Names that are absent are refused.
GlobalTable = Mapping[tuple[str, str], object]


class PickleMachine:
    """Runs one pickle from `position` in `data` up to its STOP; `position` then points behind it."""

    def __init__(
        self,
        data: memoryview,
        table: GlobalTable,
        meter: Meter,
        inventory: Inventory,
        *,
        position: int = 0,
        persistent_load: Callable[[object], object] | None = None,
    ) -> None:
        self.position = position
        self._data = data
        self._table = table
        self._meter = meter
        self._inventory = inventory
        self._persistent_load = persistent_load
        self._stack: list[object] = []
        self._marks: list[list[object]] = []
        self._memo: dict[int, object] = {}

    def run(self) -> object:
        """The value that the pickle describes. Raises ModelError for anything unusual."""
        limit = self._meter.limits.stack_values
        while True:
            opcode = self._read_unsigned(1)
            if opcode == STOP:
                return self._finish()
            operation = OPERATIONS.get(opcode)
            if operation is None:
                raise self._refused_opcode_error(opcode)
            self._meter.use_opcode()
            operation(self)
            if len(self._stack) > limit:
                raise over_budget_error("values waiting on the pickle's stack", limit)

    def _finish(self) -> object:
        if self._marks or len(self._stack) != 1:
            raise self._malformed_error("STOP with unfinished values")
        return self._stack[0]

    # -- bytes of the stream ---------------------------------------------------------------------------------------

    def _take(self, num_bytes: int) -> memoryview:
        """The next bytes as a view, checked against what is there before anything is allocated."""
        remaining = len(self._data) - self.position
        if num_bytes > remaining:
            raise ModelError(
                f"cut off: byte {self.position} announces {num_bytes} more bytes, {remaining} remain", DOWNLOAD_AGAIN
            )
        self.position += num_bytes
        return self._data[self.position - num_bytes : self.position]

    def _read_unsigned(self, width: int) -> int:
        return int.from_bytes(self._take(width), "little")

    def _read_text(self, num_bytes: int) -> str:
        self._meter.use_text(num_bytes)
        try:
            return str(self._take(num_bytes), "utf-8")
        except UnicodeDecodeError:
            raise self._malformed_error("text that is not UTF-8") from None

    def _read_line(self) -> str:
        limit = self._meter.limits.name_characters
        window = bytes(self._data[self.position : self.position + limit])
        length = window.find(b"\n")
        if length < 0:
            raise self._malformed_error(f"a global's name without an end within {limit} bytes")
        text = self._read_text(length)
        self.position += 1
        return text

    # -- the stack -------------------------------------------------------------------------------------------------

    def _push(self, value: object) -> None:
        self._stack.append(value)

    def _pop(self) -> object:
        if not self._stack:
            raise self._malformed_error("an operation without its operand")
        return self._stack.pop()

    def _top(self) -> object:
        if not self._stack:
            raise self._malformed_error("an operation without its operand")
        return self._stack[-1]

    def _pop_to_mark(self) -> list[object]:
        if not self._marks:
            raise self._malformed_error("an operation without its mark")
        items, self._stack = self._stack, self._marks.pop()
        return items

    def _mark(self) -> None:
        if len(self._marks) >= self._meter.limits.marks:
            raise over_budget_error("nested containers", self._meter.limits.marks)
        self._marks.append(self._stack)
        self._stack = []

    # -- operations ------------------------------------------------------------------------------------------------

    def _protocol(self) -> None:
        if (version := self._read_unsigned(1)) > MAX_PROTOCOL:
            raise self._malformed_error(f"pickle protocol {version} (0 to {MAX_PROTOCOL} exist)")

    def _frame(self) -> None:
        # A frame groups bytes for reading ahead. All bytes are here, so only a false promise matters.
        length, remaining = self._read_unsigned(8), len(self._data) - self.position
        if length > remaining:
            raise ModelError(f"cut off: a frame announces {length} bytes, {remaining} remain", DOWNLOAD_AGAIN)

    def _integer(self, layout: struct.Struct) -> None:
        (value,) = layout.unpack(self._take(layout.size))
        self._push(value)

    def _long(self, width: int) -> None:
        length = self._read_unsigned(width)
        if length > (limit := self._meter.limits.integer_bytes):
            raise over_budget_error(f"bytes in one integer ({length} claimed)", limit)
        self._push(int.from_bytes(self._take(length), "little", signed=True))

    def _unicode(self, width: int) -> None:
        self._push(self._read_text(self._read_unsigned(width)))

    def _binary(self, width: int) -> None:
        self._push(self._take(self._read_unsigned(width)))

    def _pack_tuple(self, count: int) -> None:
        if len(self._stack) < count:
            raise self._malformed_error("an operation without its operand")
        self._stack[-count:] = [tuple(self._stack[-count:])]

    def _append(self) -> None:
        value = self._pop()
        self._top_list().append(value)

    def _appends(self) -> None:
        items = self._pop_to_mark()
        self._top_list().extend(items)

    def _add_items(self) -> None:
        items = self._pop_to_mark()
        if not isinstance(target := self._top(), UnorderedItems):
            raise self._malformed_error(f"set items for {describe_value(target)}")
        target.extend(items)

    def _top_list(self) -> list[object]:
        if not isinstance(target := self._top(), list):
            raise self._malformed_error(f"list items for {describe_value(target)}")
        return target

    def _set_item(self) -> None:
        value, key = self._pop(), self._pop()
        self._top_dict()[self._check_key(key)] = value

    def _set_items(self) -> None:
        items = self._pop_to_mark()
        if len(items) % 2:
            raise self._malformed_error("a dict key without a value")
        target = self._top_dict()
        for key, value in zip(items[::2], items[1::2], strict=True):
            target[self._check_key(key)] = value

    def _top_dict(self) -> dict[object, object]:
        if not isinstance(target := self._top(), dict):
            raise self._malformed_error(f"dict items for {describe_value(target)}")
        return target

    def _check_key(self, key: object) -> object:
        # Hashing a deep tuple recurses in C, and wide integers can be chosen to collide; no checkpoint has either.
        if isinstance(key, str) or key is None or (isinstance(key, int) and -(1 << 63) <= key < 1 << 63):
            return key
        raise self._malformed_error(f"a dict key that is {describe_value(key)}; accepted are text and 64-bit integers")

    def _put(self, width: int) -> None:
        self._remember(self._read_unsigned(width))

    def _memoize(self) -> None:
        self._remember(len(self._memo))

    def _remember(self, index: int) -> None:
        if len(self._memo) >= (limit := self._meter.limits.memo_entries):
            raise over_budget_error("remembered objects", limit)
        self._memo[index] = self._top()

    def _get(self, width: int) -> None:
        index = self._read_unsigned(width)
        if index not in self._memo:
            raise self._malformed_error(f"a reference to object {index}, which does not exist")
        self._push(self._memo[index])

    def _global_line(self) -> None:
        module = self._read_line()
        self._push_global(module, self._read_line())

    def _stack_global(self) -> None:
        name, module = self._pop(), self._pop()
        if not isinstance(module, str) or not isinstance(name, str):
            raise self._malformed_error(f"a global named by {describe_value(module)} and {describe_value(name)}")
        self._push_global(module, name)

    def _push_global(self, module: str, name: str) -> None:
        self._inventory.note_global(module, name)
        if (module, name) not in self._table:
            raise ModelError(
                f"names the global '{to_visible(module)}.{to_visible(name)}' at byte {self.position}, which no "
                "StyleGAN2 checkpoint needs; "
                "nothing was executed",
                "the file may be hostile: do not open it with other programs",
            )
        self._push(self._table[module, name])

    def _reduce(self) -> None:
        arguments, target = self._pop(), self._pop()
        if not isinstance(target, Constructor) or not isinstance(arguments, tuple):
            raise self._malformed_error(f"a call of {describe_value(target)} with {describe_value(arguments)}")
        self._push(target.make(arguments))

    def _build(self) -> None:
        state, target = self._pop(), self._top()
        if not isinstance(target, Stub):
            raise self._malformed_error(f"a state for {describe_value(target)}")
        target.build(state)

    def _persistent_id(self) -> None:
        if self._persistent_load is None:
            raise ModelError(
                "an outside reference (BINPERSID): the index of a .pt file that was unpacked, whose tensors lie beside",
                PACK_AGAIN,
            )
        self._push(self._persistent_load(self._pop()))

    # -- refusals --------------------------------------------------------------------------------------------------

    def _malformed_error(self, what: str) -> ModelError:
        return ModelError(f"not a sound checkpoint: its pickle has {what}, at byte {self.position}", DOWNLOAD_AGAIN)

    def _refused_opcode_error(self, opcode: int) -> ModelError:
        name = REFUSED_NAMES.get(opcode, f"0x{opcode:02x}")
        return ModelError(
            f"not a sound checkpoint: pickle operation {name} at byte {self.position - 1} is not one that "
            "checkpoints use; nothing was executed",
            DOWNLOAD_AGAIN,
        )


STOP: Final = ord(".")

_INT32: Final = struct.Struct("<i")
_FLOAT64_BIG_ENDIAN: Final = struct.Struct(">d")

OPERATIONS: Final[Mapping[int, Callable[[PickleMachine], None]]] = {
    0x80: PickleMachine._protocol,  # PROTO
    0x95: PickleMachine._frame,  # FRAME
    ord("("): PickleMachine._mark,  # MARK
    ord("N"): lambda m: m._push(None),  # NONE
    0x88: lambda m: m._push(value=True),  # NEWTRUE
    0x89: lambda m: m._push(value=False),  # NEWFALSE
    ord("J"): lambda m: m._integer(_INT32),  # BININT
    ord("K"): lambda m: m._push(m._read_unsigned(1)),  # BININT1
    ord("M"): lambda m: m._push(m._read_unsigned(2)),  # BININT2
    0x8A: lambda m: m._long(1),  # LONG1
    0x8B: lambda m: m._long(4),  # LONG4
    ord("G"): lambda m: m._integer(_FLOAT64_BIG_ENDIAN),  # BINFLOAT
    ord("X"): lambda m: m._unicode(4),  # BINUNICODE
    0x8C: lambda m: m._unicode(1),  # SHORT_BINUNICODE
    0x8D: lambda m: m._unicode(8),  # BINUNICODE8
    ord("B"): lambda m: m._binary(4),  # BINBYTES
    ord("C"): lambda m: m._binary(1),  # SHORT_BINBYTES
    0x8E: lambda m: m._binary(8),  # BINBYTES8
    ord(")"): lambda m: m._push(()),  # EMPTY_TUPLE
    ord("t"): lambda m: m._push(tuple(m._pop_to_mark())),  # TUPLE
    0x85: lambda m: m._pack_tuple(1),  # TUPLE1
    0x86: lambda m: m._pack_tuple(2),  # TUPLE2
    0x87: lambda m: m._pack_tuple(3),  # TUPLE3
    ord("]"): lambda m: m._push([]),  # EMPTY_LIST
    ord("a"): PickleMachine._append,  # APPEND
    ord("e"): PickleMachine._appends,  # APPENDS
    ord("}"): lambda m: m._push({}),  # EMPTY_DICT
    ord("s"): PickleMachine._set_item,  # SETITEM
    ord("u"): PickleMachine._set_items,  # SETITEMS
    0x8F: lambda m: m._push(UnorderedItems()),  # EMPTY_SET
    0x90: PickleMachine._add_items,  # ADDITEMS
    ord("q"): lambda m: m._put(1),  # BINPUT
    ord("r"): lambda m: m._put(4),  # LONG_BINPUT
    0x94: PickleMachine._memoize,  # MEMOIZE
    ord("h"): lambda m: m._get(1),  # BINGET
    ord("j"): lambda m: m._get(4),  # LONG_BINGET
    ord("c"): PickleMachine._global_line,  # GLOBAL
    0x93: PickleMachine._stack_global,  # STACK_GLOBAL
    ord("R"): PickleMachine._reduce,  # REDUCE
    0x81: PickleMachine._reduce,  # NEWOBJ: for an inert stub the same as a call
    ord("b"): PickleMachine._build,  # BUILD
    ord("Q"): PickleMachine._persistent_id,  # BINPERSID
}

#: Opcodes that exist but are refused, so that the error can say which one it was.
REFUSED_NAMES: Final[Mapping[int, str]] = {
    ord("i"): "INST",
    ord("o"): "OBJ",
    ord("P"): "PERSID",
    0x82: "EXT1",
    0x83: "EXT2",
    0x84: "EXT4",
    0x92: "NEWOBJ_EX",
    0x91: "FROZENSET",
    0x96: "BYTEARRAY8",
    0x97: "NEXT_BUFFER",
    0x98: "READONLY_BUFFER",
    ord("0"): "POP",
    ord("1"): "POP_MARK",
    ord("2"): "DUP",
    ord("F"): "FLOAT",
    ord("I"): "INT",
    ord("L"): "LONG",
    ord("S"): "STRING",
    ord("T"): "BINSTRING",
    ord("U"): "SHORT_BINSTRING",
    ord("V"): "UNICODE",
    ord("p"): "PUT",
    ord("g"): "GET",
    ord("d"): "DICT",
    ord("l"): "LIST",
}
