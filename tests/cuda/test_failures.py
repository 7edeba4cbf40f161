"""A GPU, a driver or a cache that is not as it should be: the engine goes on, or says one line. All of them faked."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
import torch

from tests.cuda.test_build import FakeCompiler
from tuiface.core.errors import EngineError
from tuiface.engine import device, local_engine
from tuiface.engine.cuda import build, kernels, loaded
from tuiface.engine.cuda.build import KernelBuild, KernelError
from tuiface.engine.cuda.driver import Driver
from tuiface.engine.cuda.kernels import Kernels, Terms
from tuiface.engine_api.protocol import EngineInfo

CARD = torch.device("cuda:1")


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    monkeypatch.setattr(loaded, "LOADED", {})


def test_a_driver_that_refuses_one_compilers_build_takes_the_next(
    card: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """nvcc may be newer than the driver; torch's NVRTC never is."""
    monkeypatch.setattr(build, "find_compilers", lambda: [FakeCompiler("nvcc 99.0"), FakeCompiler("NVRTC 13.0")])

    def drive(made: KernelBuild, device: torch.device) -> str:
        if made.compiler.startswith("nvcc"):
            raise KernelError("the CUDA driver refuses cuModuleLoadData: CUDA_ERROR_UNSUPPORTED_PTX_VERSION")
        return f"driver of {device}"

    monkeypatch.setattr(loaded, "Driver", drive)
    name, notices = loaded.choose_operators(CARD, tmp_path)
    assert (name[:5], notices) == ("cuda ", ())
    assert list(loaded.LOADED) == [CARD]

    loaded.LOADED.clear()
    monkeypatch.setattr(build, "find_compilers", lambda: [FakeCompiler("nvcc 99.0")])
    name, [notice] = loaded.choose_operators(CARD, tmp_path)
    assert name == "torch"
    assert "UNSUPPORTED_PTX_VERSION" in notice
    assert len(notice.splitlines()) == 1
    assert not loaded.LOADED


def test_kernels_are_found_by_the_device_of_tensors(
    card: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which is never "cuda" without its number."""
    monkeypatch.setattr(build, "find_compilers", lambda: [FakeCompiler()])
    monkeypatch.setattr(loaded, "Driver", lambda made, device: None)
    loaded.load_kernels(torch.device("cuda"), tmp_path)
    assert loaded.loaded_kernels(CARD) is not None
    assert loaded.loaded_kernels(torch.device("cuda:0")) is None


def test_a_device_that_fails_while_kernels_are_loaded_is_a_notice(
    card: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(device: torch.device) -> tuple[int, int]:
        raise RuntimeError("CUDA error: all CUDA-capable devices are busy\nadvice for developers")

    monkeypatch.setattr(torch.cuda, "get_device_capability", fail)
    name, [notice] = loaded.choose_operators(CARD, tmp_path)
    assert name == "torch"
    assert "cuda:1 does not answer: CUDA error: all CUDA-capable devices are busy (nvidia-smi" in notice


def test_without_a_drivers_library_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr("ctypes.CDLL", missing)
    with pytest.raises(KernelError, match=r"driver's library is not found: libcuda\.so\.1"):
        Driver(KernelBuild({}, "", "", "sm_90", "fake"), CARD)


def test_a_device_that_does_not_answer_is_one_line(card: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*size: int, device: torch.device) -> None:
        raise RuntimeError("CUDA error: out of memory\nadvice for developers")

    monkeypatch.setattr(torch, "zeros", fail)
    with pytest.raises(EngineError, match=r"'cuda:0' does not answer: CUDA error: out of memory; accepted") as caught:
        device.open_device("auto", None)
    assert len(str(caught.value).splitlines()) == 1


def test_where_no_device_is_visible_the_processor_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    """As CUDA_VISIBLE_DEVICES="" makes it."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device.choose_device("auto") == torch.device("cpu")
    with pytest.raises(EngineError, match=r"'cuda': .*; accepted here: auto, cpu"):
        device.choose_device("cuda")


def test_running_out_of_memory_and_failing_are_told_with_amounts(monkeypatch: pytest.MonkeyPatch) -> None:
    info = cast(EngineInfo, SimpleNamespace(device="cuda:1", device_name="a card", resolution=1024))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (512 << 20, 81920 << 20))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 300 << 20)
    with (
        pytest.raises(EngineError, match=r"1024 px, 512 of 81920 MB are free, this process holds 300"),
        local_engine._translate_device_errors(info),
    ):
        raise torch.OutOfMemoryError
    with (
        pytest.raises(EngineError, match=r"^cuda:1 \(a card\) failed: CUDA error: device lost \(start again"),
        local_engine._translate_device_errors(info),
    ):
        raise RuntimeError("CUDA error: device lost\nadvice for developers")
    with pytest.raises(RuntimeError, match="a bug"), local_engine._translate_device_errors(info):
        raise RuntimeError("a bug of ours")


def test_where_there_is_no_folder_at_all_to_build_in_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kernels").touch()

    def full(**options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(build, "find_compilers", lambda: [FakeCompiler()])
    monkeypatch.setattr(tempfile, "TemporaryDirectory", full)
    with pytest.raises(KernelError, match="no folder to build in: No space left on device"):
        build.load_or_build("sm_90", tmp_path)


def test_features_that_cannot_be_counted_are_refused() -> None:
    """At 1024 px and 32 channels in float32: 255 pictures are counted, and 256 are one line."""
    launched: list[str] = []

    class Looks:
        def launch(self, unit: str, name: str, *rest: object) -> None:
            launched.append(name)

    ours = Kernels(Looks())

    def features(num: int) -> torch.Tensor:
        return torch.empty(num, 1024, 1024, 32, device="meta").permute(0, 3, 1, 2)

    ours.filter(features(250), 2, 1.0)
    ours.gradients(features(250), Terms(), kept=None, x=None)
    assert launched == ["filter_8", "gradients"]
    with pytest.raises(EngineError, match=r"features of 32 GB; accepted: up to 31 GB"):
        ours.filter(features(256), 2, 1.0)
    assert kernels._MAX_VECTORS + 2**20 == 2**31
