"""Inert objects for the Python, numpy and dnnlib names in checkpoints, and the table that maps the names to them.

None of them runs, imports or looks up anything that the file names: they keep checked values for the format readers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from tuiface.core.errors import ModelError, describe_value
from tuiface.engine.checkpoints.accounting import Inventory, Meter
from tuiface.engine.checkpoints.pickle_machine import Constructor, GlobalTable, Stub, UnorderedItems

#: Element types that appear in checkpoints, as numpy's dtype codes without the byte order.
ELEMENT_CODES: Final = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1")
MAX_DIMENSIONS: Final = 8
REFERENCE_BYTES: Final = 8


class DictStub(dict[object, object], Stub):
    """An OrderedDict or EasyDict: its items, and nothing of its attributes (`_metadata` of a state dict)."""

    def build(self, state: object) -> None:
        """Drop the attributes."""


class Instance(Stub):
    """An object of a class that checkpoints store by its attributes: argparse.Namespace, dnnlib's Network."""

    def __init__(self, class_name: str) -> None:
        self.class_name = self.described_as = class_name
        self.state: Mapping[object, object] = {}

    def build(self, state: object) -> None:
        """Keep the attributes."""
        if not isinstance(state, dict):
            raise ModelError(f"not a sound checkpoint: the state of a {self.class_name} is {describe_value(state)}")
        self.state = state


class UnreadValue(Stub):
    """A value of a known harmless kind that no network needs: a device, an element type, a path."""

    def __init__(self, kind: str) -> None:
        self.described_as = kind

    def build(self, state: object) -> None:
        """Drop the state."""


#: Kinds of values that programs leave among a run's arguments.
UNREAD_KINDS: Final = (
    ("torch", "device"),
    *(("pathlib", f"{pure}{family}Path") for pure in ("", "Pure") for family in ("", "Posix", "Windows")),
    *(("pathlib._local", f"{pure}{family}Path") for pure in ("", "Pure") for family in ("", "Posix", "Windows")),
)
#: Element types of torch, which pickles name without a call.
UNREAD_TYPES: Final = tuple(
    ("torch", name)
    for name in (
        *("float", "float16", "float32", "float64", "half", "double", "bfloat16"),
        *("uint8", "int8", "int16", "int32", "int64", "bool", "complex64", "complex128"),
    )
)


class PersistentModule:
    """A module object of NVIDIA's `torch_utils.persistence`: class name and state; the source text is only hashed."""

    described_as = "network module"

    def __init__(self, class_name: str, state: Mapping[object, object]) -> None:
        self.class_name = class_name
        self.state = state

    def attribute(self, name: str) -> object:
        """An attribute of the instance, None where it is absent."""
        return self.state.get(name)

    def children(self, group: str) -> Mapping[object, object]:
        """The named members of `_modules`, `_parameters` or `_buffers`."""
        members = self.state.get(group)
        return members if isinstance(members, dict) else {}


class NumpyDtype(Stub):
    """A numpy element type, little-endian unless its state says otherwise."""

    described_as = "numpy type"

    def __init__(self, code: str) -> None:
        if code not in ELEMENT_CODES:
            raise ModelError(
                f"numpy type {describe_value(code)} is not a number type; accepted are {', '.join(ELEMENT_CODES)}"
            )
        self.dtype = np.dtype("<" + code)

    def build(self, state: object) -> None:
        """Check the byte order."""
        # (3, byte order, subtype, names, fields, size, alignment, flags)
        order = state[1] if isinstance(state, tuple) and len(state) >= 2 else None
        if order not in ("<", "|"):
            raise ModelError(f"numpy byte order {describe_value(order)}: accepted is '<' (little-endian)")


class NumpyArray(Stub):
    """A numpy array whose data stay in the file's buffer."""

    described_as = "numpy array"

    def __init__(self) -> None:
        self._array: npt.NDArray[np.generic] | None = None

    def build(self, state: object) -> None:
        """Bind the data of `(version, shape, type, Fortran order, bytes)`."""
        match state:
            case (int(), tuple() as shape, NumpyDtype() as element, bool() | int() as fortran, memoryview() as raw):
                self._array = self._view_data(shape, element.dtype, raw, "F" if fortran else "C")
            case _:
                raise ModelError(f"not a sound checkpoint: the state of a numpy array is {describe_value(state)}")

    @staticmethod
    def _view_data(
        shape: tuple[object, ...], dtype: np.dtype[np.generic], raw: memoryview, order: str
    ) -> npt.NDArray[np.generic]:
        sides = check_dimensions(shape, "a numpy array's shape")
        if math.prod(sides) * dtype.itemsize != len(raw):
            raise ModelError(f"a numpy array of shape {list(sides)} and type {dtype} comes with {len(raw)} bytes")
        if 0 in sides:
            return np.empty(0, dtype)
        return np.frombuffer(raw, dtype).reshape(sides, order="F" if order == "F" else "C")

    @classmethod
    def of_numbers(cls, values: list[float]) -> NumpyArray:
        """float64 [len(values)]."""
        made = cls()
        made._array = np.array(values, np.float64)
        return made

    def array(self) -> npt.NDArray[np.generic]:
        """The values as a read-only view, any shape and number type."""
        if self._array is None:
            raise ModelError("not a sound checkpoint: a numpy array without data")
        return self._array


def check_dimensions(values: object, what: str) -> tuple[int, ...]:
    """Sizes or strides from the file: at most eight whole numbers from 0 to 2^48."""
    if not isinstance(values, tuple | list) or len(values) > MAX_DIMENSIONS:
        raise ModelError(f"{what} is {describe_value(values)}; accepted are up to {MAX_DIMENSIONS} whole numbers")
    checked = []
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 48:
            raise ModelError(f"{what} has the entry {describe_value(value)}; accepted are whole numbers from 0 to 2^48")
        checked.append(value)
    return tuple(checked)


def _make_dict(arguments: tuple[object, ...]) -> object:
    # Python 2 wrote OrderedDict's items as one list of pairs; today they follow as SETITEMS.
    if arguments and arguments != ([],):
        raise ModelError(f"not a sound checkpoint: a dict made from {describe_value(arguments[0])}")
    return DictStub()


def _set_maker(meter: Meter) -> Callable[[tuple[object, ...]], object]:
    def make(arguments: tuple[object, ...]) -> object:
        match arguments:
            case ():
                return UnorderedItems()
            case (list() as items,):
                meter.use_copy(REFERENCE_BYTES * len(items))
                return UnorderedItems(items)
        raise ModelError("not a sound checkpoint: a set made from something else than one list")

    return make


def _make_numpy_dtype(arguments: tuple[object, ...]) -> object:
    match arguments:
        case (str() as code, *_):
            return NumpyDtype(code)
    raise ModelError("not a sound checkpoint: a numpy type without its code")


def _make_numpy_scalar(arguments: tuple[object, ...]) -> object:
    match arguments:
        case (NumpyDtype() as element, memoryview() as raw) if len(raw) == element.dtype.itemsize:
            value: object = np.frombuffer(raw, element.dtype)[0].item()
            return value
    raise ModelError("not a sound checkpoint: a numpy scalar whose bytes do not fit its type")


def _latin1_encoder(meter: Meter) -> Callable[[tuple[object, ...]], object]:
    def encode(arguments: tuple[object, ...]) -> object:
        # Protocols below 3 have no bytes: Python 3 writes them as text to be encoded.
        match arguments:
            case (str() as text, "latin1"):
                meter.use_copy(len(text))
                try:
                    return memoryview(text.encode("latin-1"))
                except UnicodeEncodeError:
                    pass
        raise ModelError("not a sound checkpoint: bytes written as text that is not latin1")

    return encode


def _persistent_module_maker(inventory: Inventory) -> Callable[[tuple[object, ...]], object]:
    def make(arguments: tuple[object, ...]) -> object:
        match arguments:
            case ({"type": "class", "module_src": str() as source, "class_name": str() as name, "state": dict(state)},):
                inventory.note_source(source)
                inventory.class_names.add(name)
                return PersistentModule(name, state)
        raise ModelError("not a sound checkpoint: a persistent object that is not a class with source, name and state")

    return make


def _instance_maker(class_name: str) -> Callable[[tuple[object, ...]], object]:
    def make(arguments: tuple[object, ...]) -> object:
        if arguments:
            raise ModelError(f"not a sound checkpoint: a {class_name} made with arguments")
        return Instance(class_name)

    return make


def python_globals(meter: Meter, inventory: Inventory) -> GlobalTable:
    """The closed table of all names outside torch that a StyleGAN2 checkpoint may hold."""
    makers: dict[tuple[str, str], Callable[[tuple[object, ...]], object]] = {
        ("torch_utils.persistence", "_reconstruct_persistent_obj"): _persistent_module_maker(inventory),
        ("dnnlib.util", "EasyDict"): _make_dict,
        ("dnnlib.tflib.network", "Network"): _instance_maker("Network"),
        ("argparse", "Namespace"): _instance_maker("Namespace"),
        ("collections", "OrderedDict"): _make_dict,
        ("builtins", "set"): _set_maker(meter),
        ("__builtin__", "set"): _set_maker(meter),
        ("_codecs", "encode"): _latin1_encoder(meter),
        ("numpy", "dtype"): _make_numpy_dtype,
        ("numpy", "ndarray"): lambda _: NumpyArray(),
    }
    # numpy 2 renamed its core package.
    for package in ("numpy.core.multiarray", "numpy._core.multiarray"):
        makers[package, "scalar"] = _make_numpy_scalar
        makers[package, "_reconstruct"] = lambda _: NumpyArray()
    for key in UNREAD_KINDS:
        makers[key] = _unread_maker(".".join(key))
    types = {key: UnreadValue(".".join(key)) for key in UNREAD_TYPES}
    return {**types, **{key: Constructor(f"{key[0]}.{key[1]}", make) for key, make in makers.items()}}


def _unread_maker(kind: str) -> Callable[[tuple[object, ...]], object]:
    return lambda _: UnreadValue(kind)
