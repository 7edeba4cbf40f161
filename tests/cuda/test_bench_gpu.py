"""What `tuiface bench gpu` measures, on the CPU and emulated: its figures mean nothing there, its sections run."""

from __future__ import annotations

import pytest
import torch

from tests.engine.networks import small_generator
from tuiface.benchmarks import gpu
from tuiface.cli import main
from tuiface.core.errors import EXIT_ENGINE
from tuiface.core.settings import Settings
from tuiface.engine.cuda import loaded
from tuiface.engine.cuda.kernels import Kernels

pytestmark = pytest.mark.usefixtures("one_thread")


def test_kernels_are_compared_and_timed(kernels: Kernels, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(loaded.LOADED, torch.device("cpu"), kernels)
    monkeypatch.setattr(gpu, "_SHORT_S", 0.0)
    generator = small_generator((8, 8))
    rows = list(gpu.check_parity(generator))
    assert [row.name for row in rows] == list(gpu.MODES)
    assert float(rows[0].figures["relative_error"]) < 1e-5
    assert rows[0].figures["same_bits_in_a_batch"] == "yes"
    assert 1e-5 < float(rows[1].figures["relative_error"]) < 1e-2
    [*_, last] = gpu.time_synthesis(generator, [(4, 1), (8, 2)])
    assert last.name == "bfloat16 8 px x 2"
    assert float(last.figures["ms"]) > 0
    assert gpu.draw_digest(generator) == gpu.draw_digest(generator)
    other = small_generator((8, 8), seed=1)
    assert gpu.draw_digest(generator) != gpu.draw_digest(other)


def test_what_users_meet_is_timed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "_SHORT_S", 0.0)
    assert [row.name for row in gpu.measure_ceilings(torch.device("cpu"))] == ["copy", *gpu.MODES]


def test_without_a_card_it_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(["bench", "gpu"]) == EXIT_ENGINE
    [line] = capsys.readouterr().err.strip().splitlines()
    assert "device 'cuda'" in line
