"""What a card would wait for, found out without one: on torch's meta device nothing has a value to be read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

READS = ("_local_scalar_dense", "nonzero", "masked_select", "is_nonzero", "equal")
"""Operators that end on the host."""
FROM_HOST = (torch.tensor, torch.as_tensor, torch.from_numpy)
"""What makes tensors of the host's numbers."""


@dataclass
class HostTraffic:
    """What a piece of work had to do with the host, operator by operator."""

    reads: list[str] = field(default_factory=list)
    moves: list[str] = field(default_factory=list)
    """Of numbers between the host and a device."""
    num_operators: int = 0


@contextlib.contextmanager
def watch_host_traffic() -> Iterator[HostTraffic]:
    """Notes it while the block runs."""
    traffic = HostTraffic()
    with _Calls(traffic), _Operators(traffic):
        yield traffic


class _Operators(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self, traffic: HostTraffic) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._traffic = traffic

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        self._traffic.num_operators += 1
        name = func.name().removeprefix("aten::").partition(".")[0]
        result = func(*args, **(kwargs or {}))
        if name in READS or (name == "index" and _has_mask(args[1])):
            self._traffic.reads.append(name)
        if len({tensor.device for tensor in _tensors((args, kwargs, result))}) > 1:
            self._traffic.moves.append(name)
        return result


class _Calls(TorchFunctionMode):
    def __init__(self, traffic: HostTraffic) -> None:
        super().__init__()
        self._traffic = traffic

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func in FROM_HOST:
            self._traffic.moves.append(func.__name__)
        return func(*args, **(kwargs or {}))


def _has_mask(indices: object) -> bool:
    """The shape of what a mask chooses depends on its values."""
    return any(tensor.dtype == torch.bool for tensor in _tensors(indices))


def _tensors(tree: object) -> Iterator[Tensor]:
    return (leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor))
