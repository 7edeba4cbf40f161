"""Another implementation of the synthesis network beside ours: the same weights and latents, taken in turn.

An adapter is a Python file of the user's, which is run:

    def open_network(checkpoint, device):
        '''A function from ws, float32 [1, num_ws, w_dim] on `device`, to the picture, float [1, 3, R, R] in [-1, 1],
        with the network's own noise maps.'''

The two are called in alternation, so that whatever else the machine does falls on both alike.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import TYPE_CHECKING

from tuiface.core.errors import InputFileError, quote

if TYPE_CHECKING:
    from torch import Tensor

    from tuiface.engine.networks.generator import Generator

Draw = Callable[["Tensor"], "Tensor"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Medians of `rounds` pictures each, and how far the pictures lie apart."""

    ours_ms: float
    theirs_ms: float
    ratio: float
    """Median of theirs / ours, pair by pair: how many times as fast ours is."""
    max_levels: int
    """Largest difference of a colour value, of 255."""
    differing_percent: float
    """Share of colour values that differ."""


def load_adapter(path: Path, checkpoint: Path, device: str) -> Draw:
    """What the adapter's `open_network` returns. Raises InputFileError for a file that is no adapter, or fails."""
    spec = spec_from_file_location("tuiface_adapter", path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise InputFileError(f"--against {quote(path)}; accepted: a Python file", "docs/performance.md shows one")
    module = module_from_spec(spec)
    sys.modules["tuiface_adapter"] = module
    try:
        spec.loader.exec_module(module)
        draw: Draw = module.open_network(str(checkpoint), device)
    except Exception as error:
        raise InputFileError(
            f"{quote(path)} failed: {type(error).__name__}: {error}", "docs/performance.md shows an adapter"
        ) from error
    return draw


def compare(generator: Generator, theirs: Draw, rounds: int) -> Comparison:
    """Pictures of `rounds` latents by both: ours as it saves, theirs with cuDNN as the adapter left it.

    Raises InputFileError where the adapter's picture has another shape.
    """
    import torch

    from tuiface.engine.pixels import to_levels
    from tuiface.engine.renderer import exact_convolutions, remember_convolutions

    device = generator.mapping.w_avg.device
    resolution = generator.config.img_resolution

    def time_one(draw: Draw, ws: Tensor) -> tuple[float, Tensor]:
        begun = time.perf_counter()
        image = draw(ws)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return (time.perf_counter() - begun) * 1000, image

    ours_ms, theirs_ms, largest, differing = [], [], 0, []
    rng, as_they_like = torch.Generator().manual_seed(0), remember_convolutions()
    with torch.no_grad(), exact_convolutions():
        for number in range(-1, rounds):  # the first of each is not counted: libraries are loaded then
            ws = generator.map(torch.randn(1, generator.config.z_dim, generator=rng).to(device))
            our_time, our_image = time_one(generator.synthesize, ws)
            with as_they_like():
                their_time, their_image = time_one(theirs, ws)
            if tuple(their_image.shape) != (1, 3, resolution, resolution):
                raise InputFileError(
                    f"the adapter's picture has the shape {list(their_image.shape)}; "
                    f"accepted: [1, 3, {resolution}, {resolution}]"
                )
            if number < 0:
                continue
            ours_ms.append(our_time)
            theirs_ms.append(their_time)
            apart = (to_levels(our_image).int() - to_levels(their_image.float()).int()).abs()
            largest = max(largest, int(apart.max()))
            differing.append(100 * float((apart > 0).float().mean()))
    ratios = [theirs / ours for ours, theirs in zip(ours_ms, theirs_ms, strict=True)]
    return Comparison(
        statistics.median(ours_ms), statistics.median(theirs_ms), statistics.median(ratios), largest, max(differing)
    )
