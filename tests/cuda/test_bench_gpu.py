"""`tuiface bench gpu` where there is no card; test_kernels.py runs its sections on emulated kernels."""

from __future__ import annotations

import pytest
import torch

from tuiface.benchmarks import gpu
from tuiface.cli import main
from tuiface.core.errors import EXIT_ENGINE

pytestmark = pytest.mark.usefixtures("one_thread")


def test_ceilings_are_those_of_each_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu, "_SHORT_S", 0.0)
    assert [row.name for row in gpu.measure_ceilings(torch.device("cpu"))] == ["copy", *gpu.MODES]


def test_without_a_card_it_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(["bench", "gpu"]) == EXIT_ENGINE
    [line] = capsys.readouterr().err.strip().splitlines()
    assert "device 'cuda'" in line
