"""Adam as passes of training need it: without numbers of the host."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from tuiface.engine.optimizers import EagerAdam


def capturable_adam(
    parameters: Iterable[nn.Parameter], lr: float, betas: tuple[float, float], *more: Iterable[nn.Parameter]
) -> torch.optim.Adam:
    """Fused Adam whose count of steps and learning rates are tensors on the device, as a CUDA graph needs them.

    `more` are further groups, each with a learning rate of its own.
    """
    held = [list(group) for group in (parameters, *more)]
    device = held[0][0].device
    # Where it may, as exact as a number of the host: a capture takes float32 alone.
    dtype = torch.float32 if device.type == "cuda" else torch.float64
    groups = [{"params": group, "lr": torch.full((), lr, dtype=dtype, device=device)} for group in held]
    return EagerAdam(groups, betas=betas, eps=1e-8, fused=True, capturable=True)


def set_learning_rate(optimizer: torch.optim.Adam, lr: float, group: int = 0) -> None:
    """Of a group's next steps, those of a graph that was captured before as well."""
    optimizer.param_groups[group]["lr"].fill_(lr)
