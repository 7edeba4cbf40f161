"""Passes of training as graphs: the same steps as without, whatever changes or fails on the way."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from tests.training.conftest import tiny_limits, tiny_settings, write_pictures
from tests.training.fake_graphs import FakeGraphs, RefusingGraphs
from tests.training.test_resume import assert_same_run
from tuiface.engine.training import SNAPSHOT_NAME, open_warm_start, train
from tuiface.engine.training.data.feed import Batch, BatchFeed
from tuiface.engine.training.gan import adversarial
from tuiface.engine.training.gan.settings import AdversarialSettings
from tuiface.engine.training.gan.state import TrainingState
from tuiface.engine.training.passes import Passes
from tuiface.engine.training.report import Report
from tuiface.engine.training.rng import RandomGenerator

pytestmark = pytest.mark.usefixtures("few_projections")
CPU = torch.device("cpu")


class Counter:
    """Passes that add up what they are given and what they draw, in place, as a step of an optimizer does."""

    def __init__(self) -> None:
        self.rng, self.total, self.notes = RandomGenerator(0), torch.zeros([]), list[str]()

    def add(self, x: Tensor) -> Tensor:
        self.total.add_(x.sum() + self.rng.normal(1)[0])
        return self.total * 2

    def double(self, x: Tensor) -> None:
        self.total.mul_(2).add_(x.sum())

    def passes(self, recorder: FakeGraphs | None) -> Passes:
        return Passes(self.rng, self.notes.append, recorder)


def run_both(counter: Counter, recorder: FakeGraphs | None, steps: int = 4) -> list[float]:
    passes, results = counter.passes(recorder), []
    for i in range(steps):
        results.append(float(passes.run(counter.add, torch.full((2,), float(i)))))
        passes.run(counter.double, torch.ones(3))
    return [*results, float(counter.total)]


def test_a_pass_is_rehearsed_by_a_step_that_counts_then_captured_and_replayed() -> None:
    graphs = FakeGraphs()
    assert run_both(Counter(), graphs) == run_both(Counter(), None)
    names = ("add", "double")
    captured = [(what, name) for name in names for what in ("capture", "replay")]
    replayed = [("replay", name) for name in names]
    assert graphs.calls == [("rehearse", "add"), ("rehearse", "double"), *captured, *replayed, *replayed]


def test_another_shape_or_kind_makes_another_graph_and_the_old_one_goes() -> None:
    graphs, counter = FakeGraphs(), Counter()
    passes = counter.passes(graphs)
    for shape, kind in ((2, 1), (2, 1), (3, 1), (3, 1), (3, 2), (3, 2)):
        passes.run(counter.add, torch.ones(shape), kind=kind)
    again = [("rehearse", "add"), ("capture", "add"), ("replay", "add")]
    assert graphs.calls == [*again, ("forget", ""), *again, ("forget", ""), *again]


def test_memory_is_forgotten_only_when_its_last_graph_goes() -> None:
    graphs, counter = FakeGraphs(), Counter()
    passes = counter.passes(graphs)
    for shape in (2, 2, 3):
        passes.run(counter.add, torch.ones(shape))
        passes.run(counter.double, torch.ones(1))
    assert ("forget", "") not in graphs.calls


def test_closed_it_gives_memory_back_and_calls_passes_as_they_are() -> None:
    graphs, counter = FakeGraphs(), Counter()
    passes = counter.passes(graphs)
    passes.run(counter.add, torch.ones(2))
    passes.close()
    passes.run(counter.add, torch.ones(2))
    assert graphs.calls == [("rehearse", "add"), ("forget", "")]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("operation not permitted\nCUDA says"), "operation not permitted"),
        (torch.OutOfMemoryError(), "out"),
    ],
)
def test_what_cannot_be_captured_is_called_as_it_is_with_one_note(error: RuntimeError, reason: str) -> None:
    counter = Counter()
    graphs = RefusingGraphs("double", error, counter.rng.generator)
    assert run_both(counter, graphs) == run_both(Counter(), None)
    assert graphs.calls[-1] == ("forget", "")
    [note] = counter.notes
    assert "without CUDA graphs" in note
    assert reason in note
    assert "\n" not in note


def test_a_rehearsal_without_memory_lets_all_graphs_go_first() -> None:
    class FullAtLast(FakeGraphs):
        def rehearse(self, run):  # type: ignore[no-untyped-def]
            if run.func.__name__ == "double":
                raise torch.OutOfMemoryError
            return super().rehearse(run)

    counter, graphs = Counter(), FullAtLast()
    assert run_both(counter, graphs) == run_both(Counter(), None)
    assert graphs.calls == [("rehearse", "add"), ("forget", "")]
    assert len(counter.notes) == 1


def test_gradients_that_a_failed_capture_left_do_not_count(tmp_path: Path) -> None:
    state, weight = TrainingState(tiny_settings(tmp_path)), torch.nn.Parameter(torch.ones(2))
    weight.grad = torch.full((2,), 100.0)
    state.descend((weight * 3).sum(), torch.optim.SGD([weight], lr=0.1))
    assert torch.allclose(weight, torch.full((2,), 0.7))
    assert weight.grad is None


def read(position: int) -> Batch:
    if position < 0:
        raise OSError("gone")
    return (torch.tensor([position]),)


@pytest.mark.parametrize("reads_ahead", [False, True])
def test_a_feed_gives_what_is_asked_for_whatever_was_expected(reads_ahead: bool) -> None:
    feed = BatchFeed(read, CPU, reads_ahead=reads_ahead)
    asked = [(1, 2), (2, 3), (7, 8), (8, -1), (9, 10)]
    assert [int(feed.take(*positions)[0]) for positions in asked] == [1, 2, 7, 8, 9]
    with pytest.raises(OSError, match="gone"):
        feed.take(-1, 0)
    feed.close()


@pytest.fixture
def ahead_in_graphs(monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[FakeGraphs]]:
    """Trains from now on as on a GPU: batches are read ahead, passes are captured."""

    def begin() -> list[FakeGraphs]:
        recorders: list[FakeGraphs] = []

        def passes_on(rng: RandomGenerator, note: Callable[[str], None]) -> Passes:
            recorders.append(FakeGraphs())
            return Passes(rng, note, recorders[-1])

        monkeypatch.setattr(Passes, "on", passes_on)
        monkeypatch.setattr(adversarial, "BatchFeed", partial(BatchFeed, reads_ahead=True))
        return recorders

    return begin


def test_a_grown_run_in_graphs_is_the_same_run_and_resumes_exactly(
    tmp_path: Path, ahead_in_graphs: Callable[[], list[FakeGraphs]]
) -> None:
    small, large = write_pictures(tmp_path / "small"), write_pictures(tmp_path / "large", side=16)
    train(tiny_settings(small), tiny_limits(tmp_path / "first", kimg=0.016))
    start = open_warm_start(tmp_path / "first")
    changes = {"fade_kimg": 0.05, "r1_interval": 3, "path_length_interval": 2, "generator_ramp_kimg": 0.04}
    settings = tiny_settings(
        large,
        resolution=16,
        start=start.sha256,
        adversarial=AdversarialSettings(**changes),  # type: ignore[arg-type]
    )
    train(settings, tiny_limits(tmp_path / "eager", kimg=0.104, sample_kimg=0.048), start=start)
    recorders = ahead_in_graphs()
    for kimg in (0.048, 0.104):
        snapshot = tmp_path / "graphs" / SNAPSHOT_NAME
        limits = tiny_limits(tmp_path / "graphs", kimg=kimg, sample_kimg=0.048)
        train(settings, limits, start=start, resume=snapshot if snapshot.exists() else None)
    assert_same_run(tmp_path / "eager", tmp_path / "graphs")
    rehearsed = [name for what, name in recorders[-1].calls if what == "rehearse"]
    assert rehearsed.count("update_discriminator") == 2, "one while the new block fades in, one after"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("precision", ["float32", "tf32", "bfloat16"])
def test_captured_passes_train_as_those_that_are_called(
    precision: str, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, notes = tiny_settings(pictures, precision=precision), list[str]()

    def passes_on(rng: RandomGenerator, note: Callable[[str], None]) -> Passes:
        return Passes(rng, note, None)

    monkeypatch.setattr(Report, "note", lambda _, text: notes.append(text))
    train(settings, tiny_limits(tmp_path / "captured", device="cuda", kimg=0.08))
    monkeypatch.setattr(Passes, "on", passes_on)
    train(settings, tiny_limits(tmp_path / "called", device="cuda", kimg=0.08))
    one, other = (load_file(tmp_path / name / SNAPSHOT_NAME) for name in ("captured", "called"))
    assert [name for name in one if not torch.allclose(one[name].double(), other[name].double(), 1e-2, 1e-3)] == []
    assert torch.equal(one["chance"], other["chance"])
    assert [note for note in notes if "without CUDA graphs" in note] == []


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_graph_draws_what_calls_would_draw() -> None:
    drawn: list[list[list[float]]] = []
    for is_captured in (True, False):
        rng = RandomGenerator(3, "cuda")
        passes = Passes.on(rng, print) if is_captured else Passes(rng, print, None)
        draw = partial(rng.normal, 5)
        drawn.append([*(passes.run(draw).tolist() for _ in range(4)), rng.uniform(3).tolist()])
    assert drawn[0] == drawn[1]
