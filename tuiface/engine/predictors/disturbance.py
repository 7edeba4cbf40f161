"""Pictures as a reader must see them while anything is fitted to what it reads.

A reader has blind spots: changes that it reads and nobody sees. Gradients through it lead there, unless no picture
lies twice in the same place and in the same grain.
"""

from __future__ import annotations

import torch
from torch import Tensor

MAX_SHIFT = 1 / 32
"""How far pictures are moved at most, as a share of their side."""


def augment_images(images: Tensor, chance: torch.Generator, noise: float) -> Tensor:
    """Pictures [N, C, R, R], each moved by its own few pixels and with noise of this deviation; differentiable.

    Much of it closes more blind spots and hides fine detail: of an open mouth, the shipped reader still sees 72 % under
    0.12, and 84 % under 0.06.
    """
    most = round(MAX_SHIFT * images.shape[-1])
    shifts = torch.randint(-most, most + 1, (len(images), 2), generator=chance, device=chance.device).tolist()
    moved = torch.stack([torch.roll(image, shift, (1, 2)) for image, shift in zip(images, shifts, strict=True)])
    return moved + noise * torch.randn(images.shape, generator=chance, device=chance.device).to(images.device)
