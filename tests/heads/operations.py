"""What rendering asks of a device: operators that are launched, answers that are waited for, and how each rounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

_VIEWS = {
    "_unsafe_view", "alias", "as_strided", "detach", "expand", "permute", "reshape", "select", "slice", "split",
    "split_with_sizes", "squeeze", "t", "transpose", "unbind", "unsqueeze", "view",
}  # fmt: skip
_WAITING = {
    "_local_scalar_dense", "bincount", "item", "lift_fresh", "masked_select", "nonzero", "repeat_interleave", "unique",
}  # fmt: skip
"""Reads of a value or a length, and numbers that are sent."""


class CountedOperations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts what a GPU would be given inside the block."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.launches = 0
        self.waits: list[str] = []

    def __torch_dispatch__(
        self,
        function: Any,
        types: Sequence[type],
        arguments: Sequence[Any] = (),
        named: Mapping[str, Any] | None = None,
    ) -> Any:
        name = _name_of(function)
        by_mask = name.startswith("index") and any(
            isinstance(index, Tensor) and index.dtype == torch.bool
            for index in (arguments[1] if isinstance(arguments[1], Sequence) else [])
        )
        self.launches += name not in _VIEWS
        if name in _WAITING or by_mask:
            self.waits.append(name)
        return function(*arguments, **(named or {}))


class OtherRounding(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Every float32 result that is not a whole number moves by an ulp or not at all, as on another device."""

    def __init__(self, seed: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._rng = torch.Generator().manual_seed(seed)

    def __torch_dispatch__(
        self,
        function: Any,
        types: Sequence[type],
        arguments: Sequence[Any] = (),
        named: Mapping[str, Any] | None = None,
    ) -> Any:
        result = function(*arguments, **(named or {}))
        name = _name_of(function)
        if not isinstance(result, Tensor) or result.dtype != torch.float32 or name not in _ROUNDING:
            return result
        ulps = torch.randint(-1, 2, result.shape, generator=self._rng, dtype=torch.int8)
        return torch.where(result == result.round(), result, result * (1 + ulps * 2.0**-23))


_ROUNDING = {
    "add", "atan2", "avg_pool2d", "cos", "div", "erfinv", "exp", "grid_sampler_2d", "hypot", "lerp", "mul", "pow",
    "rsub", "sigmoid", "sin", "sqrt", "sub", "tanh", "upsample_bicubic2d", "upsample_bilinear2d",
}  # fmt: skip


def _name_of(function: Any) -> str:
    return str(function.overloadpacket.__name__)


def count_operations(run: Callable[[], object]) -> CountedOperations:
    """What `run` asks for, once what is kept has been made."""
    run()
    counted = CountedOperations()
    with counted:
        run()
    return counted
