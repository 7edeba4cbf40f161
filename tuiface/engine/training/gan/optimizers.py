"""Adam as passes of training need it: without numbers of the host."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn


def capturable_adam(parameters: Iterable[nn.Parameter], lr: float, betas: tuple[float, float]) -> torch.optim.Adam:
    """Fused Adam whose count of steps and learning rate are tensors on the device, as a CUDA graph needs them."""
    held = list(parameters)
    device = held[0].device
    # Where it may, as exact as a number of the host: a capture takes float32 alone.
    rate = torch.full((), lr, dtype=torch.float32 if device.type == "cuda" else torch.float64, device=device)
    return torch.optim.Adam(held, lr=rate, betas=betas, eps=1e-8, fused=True, capturable=True)


def set_learning_rate(optimizer: torch.optim.Adam, lr: float) -> None:
    """Of the next steps, those of a graph that was captured before as well."""
    optimizer.param_groups[0]["lr"].fill_(lr)
