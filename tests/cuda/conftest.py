"""What the tests of the CUDA kernels share."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import torch

from tests.cuda.emulator import Emulator
from tuiface.core.files import lock_folder
from tuiface.engine.cuda import loaded
from tuiface.engine.cuda.kernels import Kernels
from tuiface.engine.device import choose_device


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Emulator:
    if shutil.which("g++") is None:
        pytest.skip("the kernels are emulated by g++, which is not installed")
    folder = tmp_path_factory.getbasetemp()
    folder = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "emulated"  # of all workers
    folder.mkdir(exist_ok=True)
    with lock_folder(folder):
        return Emulator(folder)


@pytest.fixture
def kernels(emulator: Emulator) -> Kernels:
    emulator.launched.clear()
    return Kernels(emulator)


@pytest.fixture
def on_kernels(kernels: Kernels, monkeypatch: pytest.MonkeyPatch) -> Kernels:
    """The CPU's operators ask for kernels and get the emulated ones."""
    monkeypatch.setitem(loaded.LOADED, torch.device("cpu"), kernels)
    return kernels


@pytest.fixture(scope="session")
def kernel_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the kernels of the card at hand are built, once."""
    return tmp_path_factory.mktemp("kernels")


@pytest.fixture
def card(kernel_cache: Path, monkeypatch: pytest.MonkeyPatch) -> torch.device:
    """A CUDA device with our kernels, for this test alone."""
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    monkeypatch.setattr(loaded, "LOADED", dict(loaded.LOADED))
    device = choose_device("cuda")
    loaded.load_kernels(device, kernel_cache)
    return device
