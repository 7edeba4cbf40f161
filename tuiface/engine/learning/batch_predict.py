"""What a set of edited faces shows: attributes by name, read in batches.

Shape legend: N = faces, L = num_ws, w = w_dim, A = attributes, r = side of the block that pictures stop at.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from tuiface.core.bounds import Side
from tuiface.engine.networks.generator import Generator
from tuiface.engine.scheduler import Pause, no_pause
from tuiface.engine_api.protocol import Dtype

BATCH = 16
_BATCH_PIXELS = BATCH * 256**2
"""Of one batch: at 1024 px it is a single picture, since whoever waits for the next pause waits for all of it."""
_DEVICE_BATCH = 64
_DEVICE_BATCH_PIXELS = 8 * 1024**2
"""The same on a GPU, which is idle between small ones."""
_GRADIENT_PIXELS = 32 * 256**2
"""Of a batch with gradients, which keeps what every layer gave: two pictures of 1024 px, some two gigabytes."""


class SupportsAttributePrediction(Protocol):
    """Reads named attributes from pictures of faces."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns of `read`."""
        ...

    @property
    def resolution(self) -> int:
        """Side in pixels at which pictures are looked at; others are resampled to it."""
        ...

    def read(self, images: Tensor) -> Tensor:
        """float32 [N, 3, R, R] in [-1, 1] -> [N, A]; differentiable."""
        ...

    def features(self, images: Tensor) -> Tensor:
        """float32 [N, 3, R, R] in [-1, 1] -> [N, F]: what the attributes are read from."""
        ...


@dataclass(frozen=True, slots=True)
class Precision:
    """How exactly faces are drawn and read where only what is read of them counts."""

    dtype: Dtype = "float32"
    """Of the synthesis network's activations."""
    reader_dtype: Dtype = "float32"
    """Of the reader's."""
    resolution: Side | None = None
    """Side of the block whose RGB sum is read; None for the full picture."""

    def for_gradients(self) -> Precision:
        """The same for activations that gradients go back through: in float16 those of a single pixel would vanish."""
        wide: Dtype = "bfloat16"
        return replace(
            self,
            dtype=wide if self.dtype == "float16" else self.dtype,
            reader_dtype=wide if self.reader_dtype == "float16" else self.reader_dtype,
        )


EXACT = Precision()
"""Full pictures in float32."""


@torch.no_grad()
def synthesize_images(
    generator: Generator,
    ws: Tensor,
    dtype: Dtype = "float32",
    resolution: int | None = None,
    pause: Pause = no_pause,
) -> Tensor:
    """float32 [N, 3, r, r] in [-1, 1] of ws [N, L, w], for measuring; saved pictures are rendered one at a time.

    `pause` is called between two batches.
    """
    until = generator.check_resolution(resolution)
    noise = generator.noise_maps("const", until)
    chunks: list[Tensor] = []
    for chunk in torch.split(ws, batch_size(until, ws.device)):
        if chunks:
            pause()
        styles = generator.synthesis.styles(chunk, until)
        chunks.append(generator.plan(getattr(torch, dtype)).synthesize(styles, noise, until).clamp(-1, 1))
    return torch.cat(chunks)


def batch_size(side: int, device: torch.device) -> int:
    """Pictures of `side` px that are made at once on `device`."""
    count, pixels = (BATCH, _BATCH_PIXELS) if device.type == "cpu" else (_DEVICE_BATCH, _DEVICE_BATCH_PIXELS)
    return max(1, min(count, pixels // side**2))


def gradient_batch_size(side: int, most: int, each: int = 1) -> int:
    """Faces of which `each` pictures of `side` px are made at once, with gradients; at most `most`."""
    return max(1, min(most, _GRADIENT_PIXELS // (each * side**2)))


def synthesize_differentiable(generator: Generator, ws: Tensor, dtype: Dtype, resolution: int | None = None) -> Tensor:
    """float32 [N, 3, r, r] in [-1, 1] of ws [N, L, w], all at once, with gradients where they are enabled."""
    until = generator.check_resolution(resolution)
    styles, noise = generator.synthesis.styles(ws, until), generator.noise_maps("const", until)
    images: Tensor = generator.synthesis(styles, noise, until, getattr(torch, dtype))
    return images.clamp(-1, 1)


def read_images(predictor: SupportsAttributePrediction, images: Tensor, dtype: Dtype = "float32") -> Tensor:
    """float32 [N, A] of pictures [N, 3, r, r], with the reader's activations in `dtype`; differentiable."""
    with torch.autocast(images.device.type, getattr(torch, dtype), enabled=dtype != "float32"):
        return predictor.read(images).float()


@torch.no_grad()
def predict_attributes(
    generator: Generator,
    predictor: SupportsAttributePrediction,
    ws: Tensor,
    precision: Precision = EXACT,
    pause: Pause = no_pause,
) -> Tensor:
    """float32 [N, A] of the faces of ws [N, L, w]; `pause` is called after every batch."""
    found = []
    for chunk in torch.split(ws, batch_size(generator.check_resolution(precision.resolution), ws.device)):
        images = synthesize_images(generator, chunk, precision.dtype, precision.resolution)
        found.append(read_images(predictor, images, precision.reader_dtype))
        pause()
    return torch.cat(found)
