"""Torch tensors without torch: storages in the file's buffer, views checked against them, and the legacy stream.

A tensor is (storage, offset, size, stride) in elements. Nothing is copied or allocated here: a view is refused when
it reaches outside its storage or claims more elements than the storage has (zero strides, overlaps).

The legacy stream (torch.save before 1.6, and every storage inside an NVIDIA pickle) is five parts: the magic number,
1001, a dict about the writer's machine, the pickled object whose storages are persistent ids, the list of storage
keys; then for each key a signed 64-bit element count and the raw elements.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final

import numpy as np
import numpy.typing as npt

from tuiface.core.errors import ModelError, describe_value
from tuiface.engine.checkpoints.accounting import Inventory, Meter
from tuiface.engine.checkpoints.pickle_machine import Constructor, GlobalTable, PickleMachine
from tuiface.engine.checkpoints.source_file import DOWNLOAD_AGAIN
from tuiface.engine.checkpoints.stubs import check_dimensions

MAGIC_NUMBER: Final = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL: Final = 1001


@dataclass(frozen=True, slots=True)
class StorageKind:
    """The element type of a storage."""

    name: str
    dtype: np.dtype[np.generic]
    bfloat16: bool = False
    """The upper half of a float32, which numpy does not know: `dtype` is then its 16 bits."""


STORAGE_KINDS: Final[Mapping[str, StorageKind]] = {
    name: StorageKind(name, np.dtype(code), bfloat16=name == "BFloat16Storage")
    for name, code in {
        "FloatStorage": "<f4",
        "HalfStorage": "<f2",
        "BFloat16Storage": "<u2",
        "DoubleStorage": "<f8",
        "LongStorage": "<i8",
        "IntStorage": "<i4",
        "ShortStorage": "<i2",
        "CharStorage": "|i1",
        "ByteStorage": "|u1",
        "BoolStorage": "|b1",
    }.items()
}


@dataclass(slots=True, eq=False)
class Storage:
    """`count` elements; the data may be bound after the pickle that refers to them has been read."""

    described_as: ClassVar = "torch storage"

    kind: StorageKind
    key: str
    count: int
    data: memoryview | None = None

    @property
    def num_bytes(self) -> int:
        """Size of the data."""
        return self.count * self.kind.dtype.itemsize


@dataclass(frozen=True, slots=True, eq=False)
class TorchTensor:
    """A view of a storage that has been checked to lie inside it; strides in elements."""

    described_as: ClassVar = "tensor"

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def bfloat16(self) -> bool:
        """Whether `array` gives bit patterns instead of numbers."""
        return self.storage.kind.bfloat16

    def array(self) -> npt.NDArray[np.generic]:
        """The values as a read-only view of the file's buffer; 16-bit patterns for bfloat16."""
        if self.storage.data is None:
            raise ModelError(
                f"not a sound checkpoint: storage {describe_value(self.storage.key)} has no data", DOWNLOAD_AGAIN
            )
        if 0 in self.shape:
            return np.empty(0, self.storage.kind.dtype)
        itemsize = self.storage.kind.dtype.itemsize
        return np.ndarray(
            self.shape,
            self.storage.kind.dtype,
            buffer=self.storage.data,
            offset=self.offset * itemsize,
            strides=[stride * itemsize for stride in self.strides],
        )


def view_storage(storage: Storage, offset: object, size: object, stride: object) -> TorchTensor:
    """A tensor as the file claims it, or ModelError if the storage does not hold it."""
    (start,) = check_dimensions((offset,), "a tensor's offset")
    shape, strides = check_dimensions(size, "a tensor's size"), check_dimensions(stride, "a tensor's stride")
    if len(shape) != len(strides):
        raise ModelError(f"a tensor of size {list(shape)} has strides {list(strides)}")
    num_elements = math.prod(shape)
    last = start + sum((side - 1) * step for side, step in zip(shape, strides, strict=True))
    if num_elements > storage.count or (num_elements and last >= storage.count):
        raise ModelError(
            f"a tensor of size {list(shape)}, strides {list(strides)} and offset {start} does not fit its storage of "
            f"{storage.count} elements",
            "the file is damaged or hostile; nothing was allocated",
        )
    if any(step == 0 and side > 1 for side, step in zip(shape, strides, strict=True)):
        raise ModelError(f"a tensor of size {list(shape)} repeats its elements by zero strides {list(strides)}")
    return TorchTensor(storage, start, shape, strides)


@dataclass(slots=True)
class StorageTable:
    """The storages of one torch container, by key: what its persistent ids refer to."""

    find_data: Callable[[str, int], memoryview] | None = None
    """Data of a key that must be so many bytes; None while the data follow behind the pickle."""
    storages: dict[str, Storage] = field(default_factory=dict)

    def load(self, persistent_id: object) -> Storage:
        """The storage of `("storage", kind, key, location, element count[, None])`; the location is ignored."""
        match persistent_id:
            # Both lengths by name: a starred rest would copy a tuple that may be long, each time it is named.
            case ("storage", StorageKind() as kind, str() as key, str(), int() as count) | (
                "storage",
                StorageKind() as kind,
                str() as key,
                str(),
                int() as count,
                None,
            ):
                (num_elements,) = check_dimensions((count,), "a storage's element count")
                return self._find_storage(kind, key, num_elements)
        raise ModelError("not a sound checkpoint: an outside reference that is not a torch storage")

    def _find_storage(self, kind: StorageKind, key: str, count: int) -> Storage:
        known = self.storages.get(key)
        if known is None:
            known = self.storages[key] = Storage(kind, key, count)
            if self.find_data is not None:
                known.data = self.find_data(key, known.num_bytes)
        if known.kind is not kind or known.count != count:
            raise ModelError(f"not a sound checkpoint: storage {describe_value(key)} is described in two ways")
        return known


def _rebuild_tensor(arguments: tuple[object, ...]) -> object:
    # (storage, offset, size, stride, requires_grad, hooks[, metadata])
    match arguments:
        case (Storage() as storage, offset, size, stride, _, _, *_):
            return view_storage(storage, offset, size, stride)
    raise ModelError("not a sound checkpoint: a tensor without a storage")


def _rebuild_parameter(arguments: tuple[object, ...]) -> object:
    match arguments:
        case (TorchTensor() as tensor, *_):
            return tensor
    raise ModelError("not a sound checkpoint: a parameter without a tensor")


def _make_torch_size(arguments: tuple[object, ...]) -> object:
    match arguments:
        case (tuple() as sides,):
            return sides
    raise ModelError("not a sound checkpoint: a torch.Size that is not a tuple")


def torch_globals(meter: Meter, inventory: Inventory) -> GlobalTable:
    """The closed table of torch names. Streams inside bytes are read with storage kinds as their only globals."""

    def load_from_bytes(arguments: tuple[object, ...]) -> object:
        match arguments:
            case (memoryview() as raw,):
                return read_legacy_stream(raw, STORAGE_GLOBALS, meter, inventory)
        raise ModelError("not a sound checkpoint: a nested torch stream that is not bytes")

    makers: dict[tuple[str, str], Callable[[tuple[object, ...]], object]] = {
        ("torch.storage", "_load_from_bytes"): load_from_bytes,
        ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
        ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
        ("torch", "Size"): _make_torch_size,
    }
    constructors = {key: Constructor(f"{key[0]}.{key[1]}", make) for key, make in makers.items()}
    return {**STORAGE_GLOBALS, **constructors}


STORAGE_GLOBALS: Final[GlobalTable] = {("torch", name): kind for name, kind in STORAGE_KINDS.items()}


def read_legacy_stream(data: memoryview, table: GlobalTable, meter: Meter, inventory: Inventory) -> object:
    """The object of a legacy torch stream, its storages bound to their data. The stream must fill `data`."""
    position = 0

    def next_pickle(globals_allowed: GlobalTable, shelf: StorageTable | None = None) -> object:
        nonlocal position
        load = shelf.load if shelf is not None else None
        machine = PickleMachine(data, globals_allowed, meter, inventory, position=position, persistent_load=load)
        value = machine.run()
        position = machine.position
        return value

    if next_pickle({}) != MAGIC_NUMBER:
        raise ModelError("not a sound checkpoint: a torch stream without torch's magic number", DOWNLOAD_AGAIN)
    if (version := next_pickle({})) != LEGACY_PROTOCOL:
        raise ModelError(f"torch stream version {describe_value(version)}: accepted is {LEGACY_PROTOCOL}")
    match next_pickle({}):
        case {"little_endian": True}:
            pass
        case _:
            raise ModelError("a torch stream from a big-endian machine: accepted is little-endian")
    shelf = StorageTable()
    value = next_pickle(table, shelf)
    keys = next_pickle({})
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys) or set(keys) != set(shelf.storages):
        raise ModelError("not a sound checkpoint: a torch stream whose list of storages does not match its tensors")
    for key in keys:
        position = _bind(shelf.storages[key], data, position)
    if position != len(data):
        raise ModelError(f"not a sound checkpoint: {len(data) - position} bytes follow a torch stream", DOWNLOAD_AGAIN)
    return value


def _bind(storage: Storage, data: memoryview, position: int) -> int:
    """Bind the storage to `data[position:]`, a count and its elements; the position behind it."""
    start = position + 8
    count = int.from_bytes(data[position:start], "little", signed=True)
    stop = start + storage.num_bytes
    if storage.data is not None or count != storage.count or stop > len(data):
        raise ModelError(
            f"cut off or damaged: storage {describe_value(storage.key)} needs {storage.count} elements, its data "
            f"announce "
            f"{count}, and {max(0, len(data) - start)} bytes remain",
            DOWNLOAD_AGAIN,
        )
    storage.data = data[start:stop]
    return stop
