"""Choosing a part of a network's faces by what the attribute reader sees in them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from tuiface.core.errors import ModelError, UsageError, quote, suggest_nearest
from tuiface.directions.concepts import direction_name
from tuiface.engine.latents import draw_w
from tuiface.engine.learning.batch_predict import SupportsAttributePrediction, predict_attributes
from tuiface.engine.learning.workshop import Workshop

CONDITIONAL_MEAN_SEED = 6_000_003


def estimate_conditional_mean(
    workshop: Workshop,
    reader: SupportsAttributePrediction,
    bounds: Mapping[str, tuple[float, float]],
    draws: int,
    least: int,
) -> tuple[np.ndarray, int]:
    """float32 [w_dim], the mean of w over `draws` faces whose readings lie within `bounds`, and how many do.

    bounds: (low, high) by attribute or direction name, in the reader's units. Raises UsageError for an unknown name and
    ModelError where fewer than `least` faces are found.
    """
    known = {name: i for i, name in enumerate(reader.names)}
    known |= {direction_name(name): i for i, name in enumerate(reader.names)}
    for name in bounds:
        if name not in known:
            raise UsageError(
                f"no attribute {quote(name)}", suggest_nearest(name, known) or f"accepted: {', '.join(known)}"
            )
    w = draw_w(workshop.generator, CONDITIONAL_MEAN_SEED, draws)
    ws = w[:, None].expand(-1, workshop.generator.num_ws, -1)
    values = predict_attributes(workshop.generator, reader, ws, workshop.draft_dtype)
    inside = torch.ones(draws, dtype=torch.bool, device=w.device)
    for name, (low, high) in bounds.items():
        inside &= (values[:, known[name]] >= low) & (values[:, known[name]] <= high)
    count = int(inside.sum())
    if count < least:
        spans = [f"{name} {_span(values[:, known[name]])}" for name in bounds]
        raise ModelError(
            f"{count} of {draws} faces read so; accepted: {least} and more", f"nine in ten lie at {', '.join(spans)}"
        )
    centre: np.ndarray = w[inside].double().mean(dim=0).float().cpu().numpy()
    return centre, count


def _span(values: torch.Tensor) -> str:
    low, high = torch.quantile(values.float(), torch.tensor([0.05, 0.95], device=values.device)).tolist()
    return f"{low:.2g}..{high:.2g}"
