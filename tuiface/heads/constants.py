"""What is the same for all heads: made once, then kept on its device.

A copy to a GPU makes the program wait for it and cannot be captured, so the numbers of the code go there only once.
Nobody writes to what is kept.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar

import torch
from torch import Tensor

Numbers = float | tuple["Numbers", ...]
"""A number, a row of them, a row of rows."""

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class Keeper(Protocol):
    """What keeps results that follow from it alone, as long as it is there itself."""

    @property
    def kept(self) -> dict[tuple[object, ...], object]:
        """Results by what computed them, and its other arguments."""


Owner = TypeVar("Owner", bound=Keeper)


@functools.cache
def constant(values: Numbers, device: torch.device) -> Tensor:
    """Numbers of the code as float32 on a device."""
    return torch.tensor(values, device=device, dtype=torch.float32)


def kept_by_first(
    compute: Callable[Concatenate[Owner, Arguments], Result],
) -> Callable[Concatenate[Owner, Arguments], Result]:
    """`compute`, whose first argument keeps each result: other arguments are positional and hashable."""

    @functools.wraps(compute)
    def look_up(owner: Owner, /, *arguments: Arguments.args, **named: Arguments.kwargs) -> Result:
        assert not named, named
        key = (compute, *arguments)
        if key not in owner.kept:
            owner.kept[key] = compute(owner, *arguments, **named)
        return owner.kept[key]  # type: ignore[return-value]

    return look_up
