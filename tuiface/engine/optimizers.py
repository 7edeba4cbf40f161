"""PyTorch's optimizers without its compiler, which nothing here uses.

Methods of `torch.optim` are marked for `torch.compile`, and import it when they are first called: 2 s of a processor at
the start of every training. What they wrap is called here directly; the arithmetic and its bits are PyTorch's.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch.optim.optimizer import Optimizer


class _Eager(Optimizer):
    add_param_group = inspect.unwrap(Optimizer.add_param_group)
    load_state_dict = inspect.unwrap(Optimizer.load_state_dict)
    state_dict = inspect.unwrap(Optimizer.state_dict)
    zero_grad = inspect.unwrap(Optimizer.zero_grad)


class EagerAdam(_Eager, torch.optim.Adam):
    """Kingma and Ba, "Adam: a method for stochastic optimization"."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One step by the gradients that are there."""
        return inspect.unwrap(torch.optim.Adam.step)(self, closure)


class EagerAdamW(_Eager, torch.optim.AdamW):
    """Loshchilov and Hutter, "Decoupled weight decay regularization"."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """One step by the gradients that are there."""
        return inspect.unwrap(torch.optim.AdamW.step)(self, closure)


class EagerLBFGS(_Eager, torch.optim.LBFGS):
    """Nocedal and Wright, "Numerical optimization", chapter 7."""
