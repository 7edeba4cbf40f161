"""What a file claims to hold: networks described by a configuration, their tensors still views of the file's buffer.

A format's reader gives a CheckpointDescription; `materialise` checks a network's claim against the shapes that its
configuration means (presence, exact shape, finiteness) before the first tensor is allocated.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Generic

import numpy as np
import numpy.typing as npt

from tuiface.core.errors import ModelError
from tuiface.core.safetensors_header import Shape
from tuiface.core.tensor_file import all_finite
from tuiface.core.visible import to_visible
from tuiface.engine.checkpoints.accounting import Meter
from tuiface.engine.checkpoints.architecture import Shapes
from tuiface.engine.checkpoints.contents import CheckpointFormat, ConfigT, GeneratorSource
from tuiface.engine.checkpoints.storages import TorchTensor
from tuiface.engine.checkpoints.stubs import NumpyArray
from tuiface.engine.networks.config import RESAMPLE_TAPS, DiscriminatorConfig, GeneratorConfig

View = npt.NDArray[np.generic]

FILTER_SUFFIX: Final = "resample_filter"
#: Comparing a filter takes as long as looking at so many entries of a dict, and a file may name thousands.
PLACES_PER_FILTER: Final = 200
NUM_COPIERS: Final = 2
"""Threads that copy tensors: most of the time the kernel provides fresh pages, up to 0.2 s for a network of 133 MB."""


@dataclass(frozen=True, slots=True)
class Arrangement:
    """How a format stores a tensor, as the step from its axes to ours: transposes, flips and dropped axes only."""

    num_axes: int
    """Axes of the stored tensor."""
    apply: Callable[[View], View]
    """View to view: copies nothing."""
    unit_axes: int = 0
    """So many leading axes must have size 1; `apply` drops them."""

    def fits(self, shape: Shape) -> bool:
        """Whether `apply` is meant for a tensor of this shape."""
        return len(shape) == self.num_axes and shape[: self.unit_axes] == (1,) * self.unit_axes


@dataclass(frozen=True, slots=True, eq=False)
class TensorSource:
    """Where a tensor of ours lies in the file, and how."""

    tensor: TorchTensor | NumpyArray | float
    stored_name: str
    arrangement: Arrangement | None = None
    """None where the file stores it as we do."""
    addend: float = 0.0
    """Added to every value."""
    filter_sum: float = 1.0
    """Sum of a stored low-pass filter; 4 where a format folds the gain of up-sampling into it."""

    def view(self) -> View:
        """The values, arranged as ours, still in the file's element type."""
        stored = np.asarray(self.tensor) if isinstance(self.tensor, float) else self.tensor.array()
        if self.arrangement is None:
            return stored
        if not self.arrangement.fits(stored.shape):
            units = f", the first {self.arrangement.unit_axes} of size 1" if self.arrangement.unit_axes else ""
            raise ModelError(
                f"tensor {to_visible(self.stored_name)} has shape {list(stored.shape)}; "
                f"expected are {self.arrangement.num_axes} axes{units}"
            )
        return self.arrangement.apply(stored)

    def float32(self) -> npt.NDArray[np.float32]:
        """A fresh C-contiguous copy as float32."""
        view = self.view()
        if isinstance(self.tensor, TorchTensor) and self.tensor.bfloat16:
            # bfloat16 is the upper half of a float32.
            view = (view.astype(np.uint32) << 16).view(np.float32)
        elif view.dtype.kind != "f":
            raise ModelError(
                f"tensor {to_visible(self.stored_name)} holds {view.dtype}; accepted are floating point types"
            )
        values = np.array(view, np.float32, order="C")
        if self.addend:
            values += np.float32(self.addend)
        return values


Sources = Mapping[str, TensorSource]


@dataclass(frozen=True, eq=False)  # without slots: Generic sets __orig_class__ on instances
class NetworkDescription(Generic[ConfigT]):
    """A network that the file claims to hold; `materialise` checks the claim."""

    network: str
    """The file's name for it, for errors."""
    config: ConfigT
    sources: Sources
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class CheckpointDescription:
    """The networks of a file in one of the known formats."""

    format: CheckpointFormat
    generator_source: GeneratorSource
    generator: NetworkDescription[GeneratorConfig]
    discriminator: Callable[[], NetworkDescription[DiscriminatorConfig]] | None
    """Called when the generator is sound, so that a discriminator of another kind costs a notice and not the file."""
    notices: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    """What the file leaves open and the picture depends on."""


def shapes_of(sources: Sources) -> dict[str, Shape]:
    """The shapes of all sources, under our names."""
    return {name: source.view().shape for name, source in sources.items()}


def materialise(network: str, expected: Shapes, sources: Sources, meter: Meter) -> dict[str, npt.NDArray[np.float32]]:
    """The tensors that `expected` names, in its order, as fresh float32 arrays.

    `network` is the file's name for it, for errors. Stored low-pass filters are checked and dropped. Raises ModelError
    for a tensor that is missing, surplus, mis-shaped or not finite, and for a filter other than the stock one.
    """
    for name, source in sources.items():
        if name.endswith(FILTER_SUFFIX):
            meter.visit(PLACES_PER_FILTER)
            _check_filter(network, source)
        elif name not in expected:
            raise not_stock_error(f"{network} has the additional tensor '{to_visible(source.stored_name)}'")
    for name, shape in expected.items():
        _check_shape(network, name, shape, sources)
    meter.use_tensors(sum(4 * math.prod(shape) for shape in expected.values()))
    with ThreadPoolExecutor(NUM_COPIERS, "copying") as pool:
        arrays = pool.map(lambda name: _read_finite(network, name, sources[name]), expected)
        return dict(zip(expected, arrays, strict=True))


def not_stock_error(reason: str) -> ModelError:
    """The refusal of a network whose arithmetic differs from the published one."""
    return ModelError(
        f"not a stock StyleGAN2 architecture: {reason}", "tuiface model inspect FILE shows what the file holds"
    )


def _check_shape(network: str, name: str, shape: Shape, sources: Sources) -> None:
    source = sources.get(name)
    if source is None:
        raise ModelError(
            f"{network}: tensor {name} {list(shape)} is missing", "the file is incomplete or of another kind"
        )
    held = source.view().shape
    if held != shape:
        stored = "" if source.stored_name == name else f" (stored as '{to_visible(source.stored_name)}')"
        raise ModelError(f"{network}: tensor {name}{stored} has shape {list(held)}; expected is {list(shape)}")


def _read_finite(network: str, name: str, source: TensorSource) -> npt.NDArray[np.float32]:
    # A float64 beyond float32's range becomes infinite, and is then refused by name.
    with np.errstate(over="ignore", invalid="ignore"):
        values = source.float32()
    if not all_finite(values):
        raise ModelError(f"{network}: tensor {name} holds values that are not finite", "the training run has diverged")
    return values


def _check_filter(network: str, source: TensorSource) -> None:
    """The filter must be the product of [1, 3, 3, 1] with itself, scaled to the sum of its format."""
    taps = np.outer(RESAMPLE_TAPS, RESAMPLE_TAPS)
    held = source.view().shape
    if held != taps.shape or not np.allclose(source.float32(), taps / taps.sum() * source.filter_sum, rtol=1e-5):
        name = to_visible(source.stored_name)
        raise not_stock_error(f"{network}: filter {name} {list(held)} is not the product of [1, 3, 3, 1] with itself")
