"""Captured plans, by a recorder that runs emulated kernels again in place of a CUDA graph."""

from __future__ import annotations

import itertools
from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.cuda.recorders import FakeRecorder, FullDevice
from tests.engine.networks import small_generator
from tuiface.engine.cuda import graphs
from tuiface.engine.cuda.graphs import GraphedSynthesisPlan
from tuiface.engine.cuda.kernels import Kernels
from tuiface.engine.cuda.synthesis import CudaSynthesisPlan
from tuiface.engine.networks.generator import Generator

pytestmark = pytest.mark.usefixtures("one_thread")


def prepare(kernels: Kernels, recorder: FakeRecorder) -> tuple[Generator, GraphedSynthesisPlan, CudaSynthesisPlan]:
    generator = small_generator((8, 8))
    captured = GraphedSynthesisPlan(generator.synthesis, torch.float32, kernels, recorder)
    return generator, captured, CudaSynthesisPlan(generator.synthesis, torch.float32, kernels)


def sample(generator: Generator, batch: int) -> Tensor:
    return torch.randn(batch, generator.num_ws, generator.config.w_dim)


@pytest.mark.parametrize("order", list(itertools.permutations(["one", "each", "flat"])))
def test_noise_is_taken_in_every_shape_whichever_was_captured(kernels: Kernels, order: tuple[str, ...]) -> None:
    recorder = FakeRecorder()
    generator, captured, plan = prepare(kernels, recorder)
    shapes = {"one": (1, 1), "each": (2, 1), "flat": ()}
    for kind in order:
        noise = generator.noise_maps([torch.randn(*shapes[kind], r, r) for r in (4, 8, 8)], 8)
        styles = generator.synthesis.styles(sample(generator, 2))
        assert captured.synthesize(styles, noise, 8).equal(plan.synthesize(styles, noise, 8))
    assert (recorder.recorded, recorder.replayed) == (1, 3)


def test_one_graph_serves_one_shape_of_work_and_the_oldest_go(
    kernels: Kernels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graphs, "MAX_GRAPHS", 2)
    recorder = FakeRecorder()
    generator, captured, plan = prepare(kernels, recorder)
    steps = {"b8.conv0": torch.randn(1, 8)}
    cases: list[tuple[int, Literal["const", "none"], int]] = [
        (8, "const", 1),
        (8, "none", 2),
        (8, "const", 2),
        (4, "const", 3),
        (8, "none", 4),
    ]
    for until, mode, recorded in cases:
        ws, noise = sample(generator, 1), generator.noise_maps(mode, until)
        assert np.array_equal(captured.draw(ws, steps, noise, until), plan.draw(ws, steps, noise, until))
        assert recorder.recorded == recorded


def test_steps_of_one_and_of_each_picture_may_be_mixed(kernels: Kernels) -> None:
    generator, captured, plan = prepare(kernels, FakeRecorder())
    ws, noise = sample(generator, 2), generator.noise_maps("none", 8)
    shared, each = torch.randn(1, 8), torch.randn(2, 8)
    mixed = {"b8.conv0": shared, "b8.conv1": each}
    expected = plan.draw(ws, {"b8.conv0": shared.expand(2, 8), "b8.conv1": each}, noise, 8)
    np.testing.assert_array_equal(plan.draw(ws, mixed, noise, 8), expected)
    np.testing.assert_array_equal(captured.draw(ws, mixed, noise, 8), expected)


def test_out_of_memory_it_lets_go_and_runs_kernel_by_kernel(kernels: Kernels) -> None:
    recorder = FullDevice()
    generator, captured, plan = prepare(kernels, recorder)
    ws, noise = sample(generator, 2), generator.noise_maps("const", 8)
    assert np.array_equal(captured.draw(ws, {}, noise, 8), plan.draw(ws, {}, noise, 8))
    styles = generator.synthesis.styles(ws)
    assert captured.synthesize(styles, noise, 8).equal(plan.synthesize(styles, noise, 8))
    assert recorder.forgotten == 2


def test_out_of_memory_a_batch_is_halved_until_it_fits(kernels: Kernels, monkeypatch: pytest.MonkeyPatch) -> None:
    generator, captured, plan = prepare(kernels, FullDevice())
    styles = generator.synthesis.styles(sample(generator, 3))
    noise = generator.noise_maps([torch.randn(3, 1, r, r) for r in (4, 8, 8)], 8)
    expected = plan.synthesize(styles, noise, 8)
    synthesize, batches = CudaSynthesisPlan.synthesize_flat, []

    def run_out(plan: CudaSynthesisPlan, flat: Tensor, *rest: object, **options: object) -> Tensor:
        if options:  # of the recorder, which runs out by itself
            return synthesize(plan, flat, *rest, **options)  # type: ignore[arg-type]
        batches.append(len(flat))
        if len(flat) > 1:
            raise torch.OutOfMemoryError
        return synthesize(plan, flat, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(CudaSynthesisPlan, "synthesize_flat", run_out)
    assert captured.synthesize(styles, noise, 8).equal(expected)
    assert batches == [3, 1, 2, 1, 1]


def test_out_of_memory_pictures_are_drawn_in_parts(kernels: Kernels, monkeypatch: pytest.MonkeyPatch) -> None:
    generator, captured, plan = prepare(kernels, FullDevice())
    ws, steps = sample(generator, 3), {"b8.conv0": torch.randn(3, 8), "b8.conv1": torch.randn(3, 8)}
    noise = generator.noise_maps([torch.randn(3, 1, r, r) for r in (4, 8, 8)], 8)
    expected = plan.draw(ws, steps, noise, 8)
    draw, batches = CudaSynthesisPlan.draw, []

    def run_out(plan: CudaSynthesisPlan, ws: Tensor, *rest: object) -> np.ndarray:
        batches.append(len(ws))
        if len(ws) > 1 or batches.count(1) > 3:
            raise torch.OutOfMemoryError
        return draw(plan, ws, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(CudaSynthesisPlan, "draw", run_out)
    assert np.array_equal(captured.draw(ws, steps, noise, 8), expected)
    assert batches == [3, 1, 2, 1, 1]
    with pytest.raises(torch.OutOfMemoryError):
        captured.draw(ws[:1], {}, generator.noise_maps("const", 8), 8)


def test_a_plan_stands_until_weights_or_noise_change(kernels: Kernels) -> None:
    generator, _, _ = prepare(kernels, FakeRecorder())
    for name in ("b8.conv1.noise_const", "b8.conv1.noise_strength", "b4.torgb.bias"):
        plan = GraphedSynthesisPlan(generator.synthesis, torch.float32, kernels, FakeRecorder())
        assert plan.is_current(generator.synthesis, torch.float32)
        generator.synthesis.state_dict()[name].add_(0.1)
        assert not plan.is_current(generator.synthesis, torch.float32)
