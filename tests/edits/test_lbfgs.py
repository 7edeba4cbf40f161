"""The L-BFGS that asks the host for nothing goes through the points of PyTorch's."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tests.host_traffic import watch_host_traffic
from tuiface.engine.edits.lbfgs import DeviceLBFGS

Cost = Callable[[Tensor], Tensor]
ITERATIONS, PAIRS = 30, 5


def rosenbrock(x: Tensor) -> Tensor:
    """From (-1.2, ...): its valley makes line searches zoom."""
    x = x - 1.2
    return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def ill_conditioned(x: Tensor) -> Tensor:
    return (torch.logspace(-2, 2, len(x)) * (x - 1).square()).sum()


def flat_and_steep(x: Tensor) -> Tensor:
    """Steps must be stretched before they are long enough."""
    return torch.log1p((1e-2 * (x - 50)).square()).sum()


def at_its_minimum(x: Tensor) -> Tensor:
    return x.square().sum()


def slope_of(cost: Cost, x: Tensor) -> tuple[Tensor, Tensor]:
    x = x.detach().requires_grad_()
    value = cost(x)
    return value.detach(), torch.autograd.grad(value, x)[0]


def points_of_torch(cost: Cost, num: int) -> list[Tensor]:
    x = torch.zeros(num, requires_grad=True)
    points = []

    def closure() -> Tensor:
        points.append(x.detach().clone())
        value, x.grad = slope_of(cost, x)
        return value

    torch.optim.LBFGS([x], max_iter=ITERATIONS, history_size=PAIRS, line_search_fn="strong_wolfe").step(closure)  # type: ignore[no-untyped-call]
    return [*points, x.detach()]


def points_of_ours(cost: Cost, num: int) -> list[Tensor]:
    search = DeviceLBFGS(num, PAIRS, torch.device("cpu"))
    search.advance(*slope_of(cost, search.trial + 3))  # what it did before does not count
    search.reset(ITERATIONS)
    points = []
    while not search.is_finished:
        points.append(search.trial.clone())
        search.advance(*slope_of(cost, search.trial))
    return [*points, search.trial]


@pytest.mark.parametrize(
    ("cost", "num"),
    [(rosenbrock, 2), (rosenbrock, 6), (ill_conditioned, 8), (flat_and_steep, 3), (at_its_minimum, 4)],
)
def test_it_goes_through_the_points_of_pytorch(cost: Cost, num: int) -> None:
    theirs, ours = points_of_torch(cost, num), points_of_ours(cost, num)
    assert len(theirs) - 1 <= DeviceLBFGS.max_evaluations(ITERATIONS)
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-2, atol=1e-3)


def test_once_finished_nothing_moves() -> None:
    search = DeviceLBFGS(3, PAIRS, torch.device("cpu"))
    search.reset(4)
    for _ in range(DeviceLBFGS.max_evaluations(4)):
        search.advance(*slope_of(ill_conditioned, search.trial))
    assert search.is_finished
    before = {name: state.clone() for name, state in vars(search).items()}
    search.advance(torch.tensor(-1.0), torch.ones(3))
    assert all(torch.equal(state, before[name]) for name, state in vars(search).items())


def test_it_ends_at_the_best_point_when_evaluations_run_out() -> None:
    for allowed in range(1, 12):
        search = DeviceLBFGS(2, PAIRS, torch.device("cpu"))
        search.reset(allowed)
        costs = []
        while not search.is_finished:
            costs.append(slope_of(rosenbrock, search.trial)[0])
            search.advance(*slope_of(rosenbrock, search.trial))
        assert slope_of(rosenbrock, search.trial)[0] <= min(costs) + 1e-6


def test_a_step_asks_the_host_for_nothing() -> None:
    device = torch.device("meta")
    search = DeviceLBFGS(6, PAIRS, device)
    with watch_host_traffic() as traffic:
        search.advance(torch.zeros((), device=device), torch.zeros(6, device=device))
    assert (traffic.reads, traffic.moves) == ([], [])
    assert traffic.num_operators
