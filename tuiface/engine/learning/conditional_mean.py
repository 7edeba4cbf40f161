"""Choosing a part of a network's faces by what the attribute predictor sees in them."""

from __future__ import annotations

import numpy as np
import torch

from tuiface.core.errors import ModelError, UsageError, quote, suggest_nearest
from tuiface.directions.concepts import direction_name
from tuiface.engine.latents import draw_w
from tuiface.engine.learning.batch_predict import Precision, SupportsAttributePrediction, predict_attributes
from tuiface.engine.networks.generator import Generator
from tuiface.engine.scheduler import Pause, no_pause
from tuiface.engine_api.protocol import Dtype
from tuiface.engine_api.requests import ConditionalMean, ConditionalMeanRequest

CONDITIONAL_MEAN_SEED = 6_000_003


def estimate_conditional_mean(
    generator: Generator,
    predictor: SupportsAttributePrediction,
    request: ConditionalMeanRequest,
    dtype: Dtype = "float32",
    pause: Pause = no_pause,
) -> ConditionalMean:
    """The mean of w over those of `request.draws` faces, at psi 1, whose readings lie within the bounds.

    Raises UsageError for an unknown name and ModelError where fewer than `request.min_faces` faces are found.
    """
    known = {name: i for i, name in enumerate(predictor.names)}
    known |= {direction_name(name): i for i, name in enumerate(predictor.names)}
    for name in request.bounds:
        if name not in known:
            raise UsageError(
                f"no attribute {quote(name)}", suggest_nearest(name, known) or f"accepted: {', '.join(known)}"
            )
    w = draw_w(generator, CONDITIONAL_MEAN_SEED, request.draws, pause)
    ws = w[:, None].expand(-1, generator.num_ws, -1)
    values = predict_attributes(generator, predictor, ws, Precision(dtype), pause)
    inside = torch.ones(request.draws, dtype=torch.bool, device=w.device)
    for name, (low, high) in request.bounds.items():
        column = values[:, known[name]]
        inside &= (column >= (-np.inf if low is None else low)) & (column <= (np.inf if high is None else high))
    count = int(inside.sum())
    if count < request.min_faces:
        spans = [f"{name} {_span(values[:, known[name]])}" for name in request.bounds]
        raise ModelError(
            f"{count} of {request.draws} faces read so; accepted: {request.min_faces} and more",
            f"nine in ten lie at {', '.join(spans)}",
        )
    centre: np.ndarray = w[inside].double().mean(dim=0).float().cpu().numpy()
    return ConditionalMean(centre, count)


def _span(values: torch.Tensor) -> str:
    low, high = torch.quantile(values.float(), torch.tensor([0.05, 0.95], device=values.device)).tolist()
    return f"{low:.2g}..{high:.2g}"
