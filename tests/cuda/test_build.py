"""Building the kernels and keeping them: by several at once, half-way, damaged, where nothing may be written."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
import torch

from tuiface.cli import main
from tuiface.core.errors import EXIT_CHECK_FAILED, EXIT_DONE
from tuiface.engine.cuda import build, loaded
from tuiface.engine.cuda.build import UNITS, KernelError, Nvcc, find_nvcc, load_or_build


class FakeCompiler:
    """Writes the architecture in place of machine code."""

    def __init__(self, name: str = "fake 1.0", *, fails: bool = False) -> None:
        self.name = name
        self.fails = fails
        self.compiled: list[str] = []

    def compile(self, architecture: str, folder: Path) -> None:
        self.compiled.append(architecture)
        (folder / "build.log").write_text(f"{self.name} says so")
        if self.fails:
            raise KernelError(f"{self.name} failed")
        for unit in UNITS:
            (folder / f"{unit}.cubin").write_text(f"{unit} {architecture}")


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch) -> FakeCompiler:
    fake = FakeCompiler()
    monkeypatch.setattr(build, "find_compilers", lambda: [fake])
    return fake


def test_a_build_is_kept(tmp_path: Path, compiler: FakeCompiler) -> None:
    first, again = load_or_build("sm_90", tmp_path), load_or_build("sm_90", tmp_path)
    assert first == again
    assert first.images["latents"] == b"latents sm_90"
    assert load_or_build("sm_80", tmp_path).digest != first.digest
    assert load_or_build("sm_80", tmp_path).source_digest == first.source_digest
    assert compiler.compiled == ["sm_90", "sm_80"]
    assert sorted(path.name for path in (tmp_path / "kernels").iterdir() if path.is_file()) == [".lock", "build.log"]


def test_another_compiler_or_source_is_another_build(
    tmp_path: Path, compiler: FakeCompiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load_or_build("sm_90", tmp_path)
    compiler.name = "fake 2.0"
    second = load_or_build("sm_90", tmp_path)
    monkeypatch.setitem(UNITS, "latents", ("latents.cu", ("-DOTHER",)))
    third = load_or_build("sm_90", tmp_path)
    assert len({first.digest, second.digest, third.digest}) == 3
    assert first.source_digest == second.source_digest != third.source_digest


@pytest.mark.parametrize("damage", ["image", "manifest", "missing", "no json"])
def test_a_damaged_build_is_made_again(tmp_path: Path, compiler: FakeCompiler, damage: str) -> None:
    first = load_or_build("sm_90", tmp_path)
    folder = tmp_path / "kernels" / first.digest[:32]
    if damage == "image":
        (folder / "Float16.cubin").write_bytes(b"latents sm_80")
    elif damage == "manifest":
        manifest = json.loads((folder / "build.json").read_text())
        (folder / "build.json").write_text(json.dumps({**manifest, "digest": "0" * 64}))
    elif damage == "missing":
        (folder / "latents.cubin").unlink()
    else:
        (folder / "build.json").write_bytes(b"\xff")
    assert load_or_build("sm_90", tmp_path) == first
    assert len(compiler.compiled) == 2
    assert load_or_build("sm_90", tmp_path) == first
    assert len(compiler.compiled) == 2


def test_of_several_that_need_a_build_one_makes_it(tmp_path: Path, compiler: FakeCompiler) -> None:
    found = []
    threads = [threading.Thread(target=lambda: found.append(load_or_build("sm_90", tmp_path))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert compiler.compiled == ["sm_90"]
    assert len({one.digest for one in found}) == 1
    assert len(found) == 6


def test_what_was_not_finished_is_not_loaded(
    tmp_path: Path, compiler: FakeCompiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(architecture: str, folder: Path) -> None:
        (folder / "Float32.cubin").write_text("half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(compiler, "compile", stop)
        with pytest.raises(KeyboardInterrupt):
            load_or_build("sm_90", tmp_path)
    assert [path.name for path in (tmp_path / "kernels").iterdir()] == [".lock"]
    assert load_or_build("sm_90", tmp_path).images["Float32"] == b"Float32 sm_90"


def test_where_nothing_may_be_written_it_is_built_each_time(tmp_path: Path, compiler: FakeCompiler) -> None:
    (tmp_path / "kernels").write_text("a file is in the way")
    for _ in range(2):
        made = load_or_build("sm_90", tmp_path)
        assert made.images["latents"] == b"latents sm_90"
        [notice] = made.notices
        assert "built at each start" in notice
    assert len(compiler.compiled) == 2


def test_the_next_compiler_is_tried_and_all_failures_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compilers = [FakeCompiler("nvcc", fails=True), FakeCompiler("NVRTC")]
    monkeypatch.setattr(build, "find_compilers", lambda: compilers)
    assert load_or_build("sm_90", tmp_path).compiler == "NVRTC"
    compilers[1].fails = True
    with pytest.raises(KernelError, match=r"nvcc failed; NVRTC failed.*build\.log") as caught:
        load_or_build("sm_80", tmp_path)
    assert len(str(caught.value).splitlines()) == 1
    assert (tmp_path / "kernels" / "build.log").read_text() == "NVRTC says so"
    compilers.clear()
    with pytest.raises(KernelError, match=r"no CUDA compiler.*doctor --build"):
        load_or_build("sm_80", tmp_path)


@pytest.mark.parametrize("text", [b"", b"\x7fELF", b"#!/nowhere/nvcc\n"])
def test_a_compiler_that_does_not_start_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: bytes
) -> None:
    path = tmp_path / "nvcc"
    path.write_bytes(text)
    path.chmod(0o755)
    monkeypatch.setattr(build, "find_nvcc", lambda: path)
    monkeypatch.setattr(build, "find_nvrtc", lambda: path)
    assert build.find_compilers() == []
    with pytest.raises(KernelError, match="no CUDA compiler"):
        load_or_build("sm_90", tmp_path)


def test_without_kernels_an_engine_goes_on_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "an old card")
    name, notices = loaded.choose_operators(torch.device("cuda:0"), tmp_path)
    assert name == "torch"
    assert "an old card has compute capability 7.5; accepted: 8.0 and later" in notices[0]
    assert loaded.choose_operators(torch.device("cpu"), tmp_path) == ("torch", ())


def test_nvcc_is_looked_for_in_absolute_folders_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One in the working folder is not run, whatever PATH says."""
    (tmp_path / "nvcc").touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CUDA_HOME", raising=False)
    monkeypatch.delenv("CUDA_PATH", raising=False)
    monkeypatch.setenv("PATH", ":.:")
    assert find_nvcc() in (None, Path("/usr/local/cuda/bin/nvcc"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_nvcc() == tmp_path / "nvcc"


def test_doctor_builds(
    tmp_path: Path, compiler: FakeCompiler, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TUIFACE_CACHE", str(tmp_path))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(["doctor", "--build"]) == EXIT_DONE
    assert capsys.readouterr().out.count("built by fake 1.0 for sm_") == 2
    compiler.fails = True
    compiler.name = "fake 3.0"
    assert main(["doctor", "--build"]) == EXIT_CHECK_FAILED
    assert "fake 3.0 failed" in capsys.readouterr().out


@pytest.mark.skipif(find_nvcc() is None, reason="nvcc is not installed")
@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
def test_nvcc_compiles_everything(tmp_path: Path, architecture: str) -> None:
    nvcc = find_nvcc()
    assert nvcc is not None
    for source in build._sources():
        (tmp_path / source).write_bytes((build.SOURCES / source).read_bytes())
    Nvcc(nvcc).compile(architecture, tmp_path)
    for unit in UNITS:
        assert (tmp_path / f"{unit}.cubin").read_bytes()[:4] == b"\x7fELF"
    assert "warning" not in (tmp_path / "build.log").read_text()
