"""What the tests of the CUDA kernels share."""

from __future__ import annotations

import shutil

import pytest

from tests.cuda.emulator import Emulator
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
