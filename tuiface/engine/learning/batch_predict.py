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
_BATCH_PIXELS = BATCH * 256**2
"""Of one batch: at 1024 px it is a single picture, since whoever waits for the next pause waits for all of it."""


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
    generator: Generator,
    ws: Tensor,
    dtype: Dtype = "float32",
    resolution: int | None = None,
    pause: Pause = no_pause,
) -> Tensor:
    """float32 [N, 3, R, R] in [-1, 1] of ws [N, L, w], for measuring; saved pictures are rendered one at a time.

    `pause` is called between two batches.
    """
    until = generator.check_resolution(resolution)
    noise = generator.noise_maps("const", until)
    chunks: list[Tensor] = []
    for chunk in torch.split(ws, _batch_size(until)):
        if chunks:
            pause()
        styles = generator.synthesis.styles(chunk, until)
        chunks.append(generator.plan(getattr(torch, dtype)).synthesize(styles, noise, until).clamp(-1, 1))
    return torch.cat(chunks)


def _batch_size(side: int) -> int:
    """Pictures of `side` px that are made at once."""
    return max(1, min(BATCH, _BATCH_PIXELS // side**2))


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
    for chunk in torch.split(ws, _batch_size(generator.config.img_resolution)):
        found.append(predictor.read(synthesize_images(generator, chunk, dtype)))
        pause()
    return torch.cat(found)
