"""Data parallelism: processes ("ranks") that train one network together, each on its rows of every batch.

A step is the same step whatever the number of ranks K:

    random numbers   every rank draws those of the whole batch, from one generator in one state, and keeps its own rows
    gradients        each loss is a mean over rows, so the whole batch's gradient is the mean of the ranks'
    state            moving averages and controllers follow means over all rows: it is equal on all ranks, bit by bit

So a snapshot is one process' snapshot, and goes on with any number of ranks. What depends on K: the order of sums, that
is, the last bits; and, where a rank's N / K rows are no multiple of `GROUP`, which pictures the discriminator's
minibatch standard deviation compares, since it is taken within a rank. With the same K a run is exactly reproducible as
far as the collectives are; those of gloo, and of NCCL on one machine, add in a fixed order.

torch's DistributedDataParallel is not used: two of the four passes differentiate twice, and none calls a network as a
whole. One sum over all gradients in one buffer, after the backward pass, serves all four.

Shape legend: K = ranks, N = rows of the whole batch.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch._C._distributed_c10d import FileStore

from tuiface.core.errors import LostProcessError, UsageError, quote

T = TypeVar("T")

GROUP = 4
"""Rows that one standard deviation is taken over (`DiscriminatorConfig.mbstd_group_size`); they lie N / GROUP apart."""
_TIMEOUT = timedelta(minutes=60)
"""Until a rank that neither answers nor ends counts as lost. One that ends is noticed at once; rank 0 may render heads
or evaluate for long while the others wait."""


@dataclass(frozen=True, slots=True)
class RankPlace:
    """Where one process stands among those that are to train together."""

    rank: int
    count: int
    """Of all, on all machines."""
    local_rank: int
    """Among those of this machine: the number of its GPU."""
    local_count: int
    meeting: Path | None
    """File by which they find each other on one machine; None under torchrun, whose variables name an address."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> RankPlace | None:
        """The place that `torchrun` gave this process; None outside it. Raises UsageError for numbers that are none."""
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
        if not all(name in environment for name in (*names, "MASTER_ADDR", "MASTER_PORT")):
            return None
        if wrong := [name for name in names if not re.fullmatch("[0-9]{1,9}", environment[name])]:
            raise UsageError(f"{wrong[0]}={quote(environment[wrong[0]])}: torchrun sets it to a whole number")
        rank, count, local_rank, local_count = (int(environment[name]) for name in names)
        if not (rank < count and local_rank < local_count <= count):
            raise UsageError(f"RANK={rank} of WORLD_SIZE={count}, LOCAL_RANK={local_rank} of {local_count}: not a rank")
        return cls(rank, count, local_rank, local_count, None)


@dataclass(frozen=True, slots=True)
class Ranks:
    """All ranks as one of them sees them. By default there is one, and every method leaves things as they are.

    The methods are collectives: all ranks call the same ones in the same order, from one thread. They raise
    LostProcessError where another rank is gone. Tensors stay on their device; `mean` and `average_gradients` can be
    captured in a CUDA graph.
    """

    rank: int = 0
    """Of this process."""
    count: int = 1
    num_adjacent: int = 0
    """Rows of a rank that are neighbours in the batch (`sharing`); 0: all are."""

    @property
    def leads(self) -> bool:
        """Whether this is the one that writes files, reports and evaluates."""
        return self.rank == 0

    def share_of(self, batch: int) -> int:
        """Rows of each rank; raises UsageError for a batch that is not divisible, or leaves a rank one row."""
        if batch % self.count or batch < 2 * self.count:
            accepted = f"multiples of {self.count} from {2 * self.count} up"
            raise UsageError(
                f"batch {batch} among {self.count} processes; accepted: {accepted}",
                "choose another --batch or --gpus",
            )
        return batch // self.count

    def sharing(self, batch: int) -> Ranks:
        """The same ranks, with the rows that each takes of a batch; raises UsageError as `share_of` does.

        They are chosen so that the groups of the standard deviation within a rank are groups of the whole batch. Where
        the rank's share is no multiple of GROUP, that cannot be, and its rows are consecutive.
        """
        share = self.share_of(batch)
        return replace(self, num_adjacent=0 if share % GROUP else share // GROUP)

    def own_rows(self, whole: Tensor) -> Tensor:
        """This rank's rows [N / K, ...] of those of the whole batch [N, ...], or of the first so many rows of it."""
        if self.count == 1:
            return whole
        own = len(whole) // self.count
        adjacent = self.num_adjacent if self.num_adjacent and own % self.num_adjacent == 0 else own
        return whole.view(-1, self.count, adjacent, *whole.shape[1:])[:, self.rank].flatten(0, 1)

    def mean(self, value: Tensor) -> Tensor:
        """The mean over ranks of a tensor of any shape."""
        return value if self.count == 1 else self._sum_in_place(value.clone()) / self.count

    def average(self, losses: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Means over ranks of scalars by name, all at once."""
        if self.count == 1 or not losses:
            return losses
        means = self.mean(torch.stack([value.detach().float() for value in losses.values()]))
        return dict(zip(losses, means.unbind(), strict=True))

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace each gradient by its mean over ranks; those that are None here must be None everywhere."""
        if self.count == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = self._sum_in_place(torch.cat([gradient.flatten() for gradient in gradients])).div_(self.count)
        parts = torch.split(flat, [gradient.numel() for gradient in gradients])
        torch._foreach_copy_(gradients, [part.view(g.shape) for part, g in zip(parts, gradients, strict=True)])

    def largest(self, number: int) -> int:
        """The largest of the ranks' numbers. Waits for all of them, on the CPU."""
        if self.count == 1:
            return number
        held = torch.tensor(number)
        with _explain_loss():
            dist.all_reduce(held, dist.ReduceOp.MAX)
        return int(held)

    def smallest(self, number: int) -> int:
        """The smallest of the ranks' numbers. Waits for all of them, on the CPU."""
        return -self.largest(-number)

    def have_equal(self, tensors: Iterable[Tensor]) -> bool:
        """Whether every rank has the same of these tensors, by the bits of their sums."""
        if self.count == 1:
            return True
        bits = torch.stack([tensor.sum(dtype=torch.float64) for tensor in tensors]).cpu().view(torch.int64)
        largest = torch.stack([bits, ~bits])  # the complement of the smallest is the largest complement
        with _explain_loss():
            dist.all_reduce(largest, dist.ReduceOp.MAX)
        return torch.equal(largest[0], ~largest[1])

    def share(self, text: bytes) -> bytes:
        """Rank 0's `text`, on every rank; what the others give is not looked at."""
        if self.count == 1:
            return text
        held = torch.empty(self.largest(len(text) if self.leads else 0), dtype=torch.uint8)
        if self.leads:
            held.copy_(torch.frombuffer(bytearray(text), dtype=torch.uint8))
        with _explain_loss():
            dist.broadcast(held, 0)
        return held.numpy().tobytes()

    def make_in_turn(self, make: Callable[[], T]) -> T:
        """What `make` returns, called by rank 0 first, and then by the others: they find what it left in files."""
        if not self.leads:
            self.wait()
        made = make()
        if self.leads:
            self.wait()
        return made

    def wait(self) -> None:
        """Go on when all ranks are here."""
        self.largest(0)

    @staticmethod
    def _sum_in_place(value: Tensor) -> Tensor:
        with _explain_loss():
            dist.all_reduce(value)
        return value


ALONE = Ranks()
"""The only process of its run."""


@contextlib.contextmanager
def join_ranks(place: RankPlace | None, device: torch.device) -> Iterator[Ranks]:
    """Meet the other ranks, and part from them when the block is through.

    Sums of CUDA tensors go over NCCL, all others over gloo. None is a process of its own.
    """
    if place is None or place.count == 1:
        yield ALONE
        return
    if place.meeting is not None:  # all on this machine: no other may reach them
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
        os.environ.setdefault("NCCL_SOCKET_IFNAME", "lo")
    with _explain_loss():
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo",
            store=None if place.meeting is None else FileStore(str(place.meeting), place.count),
            rank=place.rank,
            world_size=place.count,
            timeout=_TIMEOUT,
            device_id=device if device.type == "cuda" else None,
        )
    yield Ranks(place.rank, place.count)
    dist.destroy_process_group()  # after an error the others may be gone, and this would wait for them


@contextlib.contextmanager
def _explain_loss() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        text = re.sub(r"^\[[^]]*] *", "", str(error))  # the place in torch's sources comes first
        reason = text.partition("\n")[0].partition(". ")[0]
        raise LostProcessError(
            f"another process of this training ended or does not answer: {reason}",
            "go on from the last snapshot: tuiface train --resume RUN",
        ) from None
