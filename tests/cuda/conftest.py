"""What the tests of the CUDA kernels share."""

from __future__ import annotations

import shutil

import pytest
import torch

from tests.cuda.emulator import Emulator
from tuiface.engine.cuda import loaded
from tuiface.engine.cuda.kernels import Kernels


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Emulator:
    if shutil.which("g++") is None:
        pytest.skip("the kernels are emulated by g++, which is not installed")
    return Emulator(tmp_path_factory.mktemp("emulated"))


@pytest.fixture
def kernels(emulator: Emulator) -> Kernels:
    emulator.launched.clear()
    return Kernels(emulator)


@pytest.fixture
def on_kernels(kernels: Kernels, monkeypatch: pytest.MonkeyPatch) -> Kernels:
    """The CPU's operators ask for kernels and get the emulated ones."""
    monkeypatch.setitem(loaded.LOADED, torch.device("cpu"), kernels)
    return kernels
