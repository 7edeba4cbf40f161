"""How exactly a network's faces must be drawn and read for directions to be learned from them: measured, not assumed.

A direction is learned from tens of thousands of pictures of which nothing is kept but what the reader sees. Half
precision, and stopping at the block of the reader's own resolution, may make no difference to it; but the RGB sum of an
inner block is not the full picture averaged, and how much a reader minds depends on the network. So the cheapest way is
taken whose readings differ little from those of full float32 pictures, on faces that directions are not learned from.

Shape legend: N = faces, A = attributes.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from tuiface.core.values import Value
from tuiface.engine.latents import draw_w
from tuiface.engine.learning.batch_predict import (
    EXACT,
    Precision,
    SupportsAttributePrediction,
    predict_attributes,
)
from tuiface.engine.opened_network import OpenedNetwork
from tuiface.engine.scheduler import Pause, no_pause

TOLERANCE = 0.05
"""Root mean square difference of a reading, in standard deviations over faces, that no attribute may exceed.

The 48 directions of the embedded network were learned in bfloat16, which differs by 0.04 at most.
"""
NUM_FACES = 64
_SEED = 5_000_003


class MeasuredPrecision(Value):
    """A precision, and what it costs."""

    precision: Precision
    error: float
    """Of the attribute that differs most, in standard deviations; 0 for full float32 pictures."""


def measure_precision(
    network: OpenedNetwork,
    predictor: SupportsAttributePrediction,
    *,
    full: bool,
    faces: int = NUM_FACES,
    pause: Pause = no_pause,
) -> MeasuredPrecision:
    """The cheapest precision within `TOLERANCE` on so many faces; with `full`, of those that read full pictures."""
    generator = network.generator
    w = draw_w(generator, _SEED, faces)
    ws = w[:, None].expand(-1, generator.num_ws, -1)
    exact = predict_attributes(generator, predictor, ws, EXACT, pause)
    for precision in _candidates(network, predictor, full=full):
        error = _largest_error(predict_attributes(generator, predictor, ws, precision, pause), exact)
        if error <= TOLERANCE:
            return MeasuredPrecision(precision=precision, error=error)
    return MeasuredPrecision(precision=EXACT, error=0.0)


def _candidates(network: OpenedNetwork, predictor: SupportsAttributePrediction, *, full: bool) -> Iterator[Precision]:
    """From the cheapest; `EXACT` is none of them."""
    draft, sides = network.draft_dtype, network.generator.config.block_resolutions
    inner = [] if full else [side for side in sides[:-1] if side >= predictor.resolution]
    for resolution in (*inner, None):
        if draft != "float32":
            yield Precision(draft, draft, resolution)
            yield Precision(draft, "float32", resolution)
        if resolution is not None:
            yield Precision(resolution=resolution)


def _largest_error(found: Tensor, exact: Tensor) -> float:
    """Over attributes, of readings [N, A]; what is the same on all faces, or is not finite, does not count."""
    deviation = exact.std(dim=0)
    error = (found - exact).square().mean(dim=0).sqrt() / deviation.clamp(min=1e-9)
    counted = error[(deviation > 1e-9) & exact.isfinite().all(dim=0)].nan_to_num(torch.inf)
    return float(counted.max()) if len(counted) else 0.0
