"""Batches that are captured once and replayed, by a recorder that draws them again in place of a CUDA graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest
import torch
from torch import Tensor

from tuiface.core.errors import EngineError, UsageError
from tuiface.heads import HeadBatch, HeadParameters, HeadRenderer, capture, render_heads, sample_parameters
from tuiface.heads.lists import FixedLists

RESOLUTION = 32
Result = TypeVar("Result")


class FakeRecorder:
    """Implements `Recorder`; a recording gives its own memory, as a graph does."""

    def __init__(self, error: Exception | None = None, *, errors: int = 1) -> None:
        self.error, self.errors = error, errors
        self.captured = self.replayed = self.forgotten = 0

    def rehearse(self, run: Callable[[], Result]) -> Result:
        return run()

    def capture(self, run: Callable[[], Result]) -> tuple[Callable[[], object], Result]:
        if self.error is not None and self.errors:
            self.errors -= 1
            raise self.error
        self.captured += 1
        drawn = run()
        assert isinstance(drawn, tuple)
        result: tuple[Tensor, ...] = tuple(torch.zeros_like(tensor) for tensor in drawn)

        def replay() -> None:
            self.replayed += 1
            again = run()
            assert isinstance(again, tuple)
            for kept, fresh in zip(result, again, strict=True):
                kept.copy_(fresh)

        return replay, result  # type: ignore[return-value]

    def forget(self) -> None:
        self.forgotten += 1


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "_GPU_BATCH", 2)
    monkeypatch.setattr(capture, "FixedLists", lambda: FixedLists(slack=2))


def assert_same(heads: HeadBatch, parameters: HeadParameters) -> None:
    expected = render_heads(parameters, RESOLUTION)
    assert torch.equal(heads.pixels, expected.pixels)
    assert torch.equal(heads.regions, expected.regions)
    assert torch.equal(heads.parameters.values, parameters.values)
    assert torch.equal(heads.parameters.seeds, parameters.seeds)


def test_captured_batches_give_every_head_in_order() -> None:
    recorder = FakeRecorder()
    renderer = HeadRenderer(RESOLUTION, recorder=recorder)
    parameters = sample_parameters(3, seed=4)
    assert_same(renderer.render(parameters), parameters)
    assert_same(renderer.render(parameters.select(slice(1, 2))), parameters.select(slice(1, 2)))
    assert (recorder.captured, recorder.replayed) == (1, 3)
    assert (renderer.notice, renderer.rendered_again) == ("", 0)


def test_what_does_not_fit_is_rendered_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "FixedLists", lambda: FixedLists(slack=0.2))
    parameters = sample_parameters(2, seed=4)
    renderer = HeadRenderer(RESOLUTION, recorder=FakeRecorder())
    assert_same(renderer.render(parameters), parameters)
    assert renderer.rendered_again == 1


def test_without_a_recorder_nothing_is_captured() -> None:
    parameters = sample_parameters(2, seed=5)
    assert_same(HeadRenderer(RESOLUTION).render(parameters), parameters)
    assert_same(HeadRenderer(RESOLUTION).render(parameters.select(slice(0, 0))), parameters.select(slice(0, 0)))


def test_what_cannot_be_captured_is_drawn_all_the_same_and_says_so() -> None:
    renderer = HeadRenderer(RESOLUTION, recorder=FakeRecorder(RuntimeError("operation not permitted\nmore")))
    parameters = sample_parameters(2, seed=4)
    assert_same(renderer.render(parameters), parameters)
    assert renderer.notice.endswith("cannot be captured on cpu: operation not permitted")


def test_where_memory_is_short_batches_are_smaller() -> None:
    recorder = FakeRecorder(torch.OutOfMemoryError("full"))
    renderer = HeadRenderer(RESOLUTION, recorder=recorder)
    parameters = sample_parameters(2, seed=4)
    assert_same(renderer.render(parameters), parameters)
    assert (renderer.batch_size, recorder.forgotten, recorder.replayed) == (1, 1, 2)


def test_where_no_head_fits_it_is_one_line() -> None:
    renderer = HeadRenderer(RESOLUTION, recorder=FakeRecorder(torch.OutOfMemoryError("full"), errors=2))
    with pytest.raises(EngineError, match="a head of 32 px does not fit into the memory of cpu: full"):
        renderer.render(sample_parameters(1, seed=4))


def test_a_resolution_is_checked_at_once() -> None:
    with pytest.raises(UsageError, match="resolution 33"):
        HeadRenderer(33)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("resolution", [64, 128])
def test_a_gpu_gives_the_heads_of_the_cpu(monkeypatch: pytest.MonkeyPatch, resolution: int) -> None:
    """Within the bounds of `test_lists`; captured, the same bits as operator by operator, in any batch."""
    from tuiface.engine.cuda.recording import CudaRecorder

    monkeypatch.undo()
    device = torch.device("cuda:0")
    renderer = HeadRenderer(resolution, device, CudaRecorder(device))
    parameters = sample_parameters(80, seed=7)
    heads = renderer.render(parameters)
    assert renderer.notice == ""
    again = renderer.render(parameters.select(slice(5, 25)))
    assert torch.equal(heads.pixels[5:25], again.pixels)
    few = render_heads(parameters.select(slice(5, 9)).to(device), resolution)
    assert torch.equal(heads.pixels[5:9], few.pixels.cpu())
    on_cpu = render_heads(parameters.select(slice(0, 16)), resolution)
    difference = (heads.pixels[:16].int() - on_cpu.pixels.int()).abs()
    assert difference.float().mean() < 0.1
    assert (difference > 1).float().mean() < 0.005
    assert (heads.regions[:16] != on_cpu.regions).float().mean() < 0.005
