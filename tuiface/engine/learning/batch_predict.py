"""What a set of edited faces shows: attributes by name, read in batches.

Shape legend: N = faces, L = num_ws, w = w_dim, A = attributes.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from tuiface.engine.networks.generator import Generator
from tuiface.engine.scheduler import Pause, no_pause
from tuiface.engine_api.protocol import Dtype

BATCH = 16


class SupportsAttributePrediction(Protocol):
    """Reads named attributes from pictures of faces."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns of `read`."""
        ...

    def read(self, images: Tensor) -> Tensor:
        """float32 [N, 3, R, R] in [-1, 1] -> [N, A]; differentiable."""
        ...

    def features(self, images: Tensor) -> Tensor:
        """float32 [N, 3, R, R] in [-1, 1] -> [N, F]: what the attributes are read from."""
        ...


@torch.no_grad()
def synthesize_images(
    generator: Generator, ws: Tensor, dtype: Dtype = "float32", resolution: int | None = None
) -> Tensor:
    """float32 [N, 3, R, R] in [-1, 1] of ws [N, L, w], for measuring; saved pictures are rendered one at a time."""
    until = generator.check_resolution(resolution)
    plan, noise = generator.plan(getattr(torch, dtype)), generator.noise_maps("const", until)
    chunks = [
        plan.synthesize(generator.synthesis.styles(chunk, until), noise, until).clamp(-1, 1)
        for chunk in torch.split(ws, BATCH)
    ]
    return torch.cat(chunks)


def synthesize_differentiable(generator: Generator, ws: Tensor, dtype: Dtype) -> Tensor:
    """float32 [N, 3, R, R] in [-1, 1] of ws [N, L, w], all at once, with gradients where they are enabled."""
    until = generator.config.img_resolution
    styles, noise = generator.synthesis.styles(ws), generator.noise_maps("const", until)
    images: Tensor = generator.synthesis(styles, noise, until, getattr(torch, dtype))
    return images.clamp(-1, 1)


@torch.no_grad()
def predict_attributes(
    generator: Generator,
    predictor: SupportsAttributePrediction,
    ws: Tensor,
    dtype: Dtype = "float32",
    pause: Pause = no_pause,
) -> Tensor:
    """float32 [N, A] of the faces of ws [N, L, w]."""
    found = []
    for chunk in torch.split(ws, BATCH):
        found.append(predictor.read(synthesize_images(generator, chunk, dtype)))
        pause()
    return torch.cat(found)
