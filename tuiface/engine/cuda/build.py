"""From the kernels' sources to machine code for one card, kept in the cache.

By nvcc where there is one, its units side by side through ninja, else by the NVRTC that torch's own wheels bring, which
needs neither a header nor a compiler; both give the same bits. A build is kept under a digest of the sources, the
architecture and the compiler, in a folder that appears at once and whole: a process killed while it builds leaves
nothing that another would load, and of several that need the same build one makes it while the others wait.

No torch is loaded here: NVRTC is looked for where it lies.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import importlib.util
import json
import os
import shlex
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tuiface.core.errors import EngineError
from tuiface.core.files import try_lock
from tuiface.core.processes import find_program, run
from tuiface.core.reading import read_regular
from tuiface.core.strict_json import parse_strict_json

if TYPE_CHECKING:
    from tuiface.engine.cuda.kernels import Unit

SOURCES = Path(__file__).parent
HEADER = "elements.cuh"
UNITS: dict[Unit, tuple[str, tuple[str, ...]]] = {
    "Float32": ("features.cu", ("-DELEMENT=Float32",)),
    "Float16": ("features.cu", ("-DELEMENT=Float16",)),
    "BFloat16": ("features.cu", ("-DELEMENT=BFloat16",)),
    "TrainFloat32": ("training.cu", ("-DELEMENT=Float32",)),
    "TrainFloat16": ("training.cu", ("-DELEMENT=Float16",)),
    "TrainBFloat16": ("training.cu", ("-DELEMENT=BFloat16",)),
    "convolve": ("convolve.cu", ()),
    "latents": ("latents.cu", ()),
}
"""Source and flags of what is compiled by itself."""

MIN_ARCHITECTURE = (8, 0)
"""Compute capability: bfloat16 conversions begin there."""

_EXACT = "-fmad=false"  # a product and a sum are fused where the source says so and nowhere else
_TIMEOUT_S = 180.0
_MANIFEST = "build.json"
MAX_IMAGE_BYTES = 1 << 26
_LOG = "build.log"


class KernelError(EngineError):
    """Kernels that cannot be built or loaded: the engine goes on without them, and says so."""


@dataclass(frozen=True, slots=True)
class KernelBuild:
    """Machine code of every unit."""

    images: dict[Unit, bytes]
    """Cubins."""
    digest: str
    """What they were made of: 64 hexadecimal digits over sources, flags, architecture and compiler."""
    source_digest: str
    """Over sources and flags alone, which determine every bit that the kernels compute."""
    architecture: str
    """`sm_90`."""
    compiler: str
    """`nvcc 13.0` or `NVRTC 13.0`."""
    notices: tuple[str, ...] = ()
    """What a user should know: a cache that cannot be written to."""


class Compiler(Protocol):
    """What makes cubins."""

    @property
    def name(self) -> str:
        """With its version."""
        ...

    def compile(self, architecture: str, folder: Path) -> None:
        """Write a cubin of every unit, and a log, into `folder`, which holds the sources. Raises KernelError."""
        ...


def load_or_build(
    architecture: str, cache: Path, use: Callable[[KernelBuild], object] = lambda build: None
) -> KernelBuild:
    """The build for a card of `architecture` ("sm_90"): of the cache, or made now, which takes some ten seconds.

    A cached one that is damaged is made again. `use` is given each build, and refuses it by a KernelError: the next
    compiler's is tried. Raises KernelError with the next step where no compiler is found, or all
    fail; what they said is in build.log of `cache`/kernels.
    """
    failures = []
    for compiler in find_compilers():
        try:
            build = _load_or_build(compiler, architecture, cache / "kernels")
            use(build)
            return build
        except KernelError as error:
            failures.append(error.message)
    if not failures:
        raise KernelError("no CUDA compiler: neither nvcc nor torch's NVRTC is found", _REMEDY)
    raise KernelError("; ".join(failures), f"{cache / 'kernels' / _LOG} has what the compiler said")


_REMEDY = "install the CUDA toolkit, or a PyTorch that brings nvidia-cuda-nvrtc; then: tuiface doctor --build"


def find_compilers() -> list[Compiler]:
    """nvcc, then NVRTC, those that there are and that start."""
    import subprocess

    found: list[Compiler] = []
    makers: tuple[tuple[Callable[[Path], Compiler], Path | None], ...] = ((Nvcc, find_nvcc()), (Nvrtc, find_nvrtc()))
    for make, path in makers:
        if path is not None:
            with contextlib.suppress(OSError, subprocess.SubprocessError, AttributeError):  # a library of another kind
                found.append(make(path))
    return found


def find_nvcc() -> Path | None:
    """nvcc of CUDA_HOME, of PATH, or of where its installer puts it. A relative folder is not looked into."""
    homes = [os.environ.get("CUDA_HOME"), os.environ.get("CUDA_PATH")]
    names = [*(f"{home}/bin/nvcc" for home in homes if home), find_program("nvcc"), "/usr/local/cuda/bin/nvcc"]
    paths = (Path(name) for name in names if name)
    return next((path for path in paths if path.is_absolute() and path.is_file() and os.access(path, os.X_OK)), None)


def find_nvrtc() -> Path | None:
    """The library that torch's wheels bring; None where torch was built without CUDA."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return None
    torch = Path(spec.origin).parent
    folders = [torch / "lib", *sorted((torch.parent / "nvidia").glob("*/lib"))]
    found = (path for folder in folders for path in sorted(folder.glob("libnvrtc.so.*")))
    return next((path for path in found if ".alt." not in path.name), None)


# ---- the cache


def _load_or_build(compiler: Compiler, architecture: str, folder: Path) -> KernelBuild:
    digest = _digest(compiler, architecture)
    kept = folder / digest[:32]
    build = _load(kept, digest, architecture, compiler.name)
    if build is not None:
        return build
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _claim(folder):
            build = _load(kept, digest, architecture, compiler.name)  # another process may have made it meanwhile
            return build or _build(compiler, digest, architecture, folder, kept)
    except OSError as error:
        notice = f"the CUDA kernels are built at each start: cannot write {folder}: {error.strerror}"
        return replace(_build_privately(compiler, digest, architecture), notices=(notice,))


def _build_privately(compiler: Compiler, digest: str, architecture: str) -> KernelBuild:
    try:
        with tempfile.TemporaryDirectory(prefix="tuiface-kernels-") as private:
            return _build(compiler, digest, architecture, Path(private), Path(private) / digest[:32])
    except OSError as error:
        raise KernelError(
            f"{compiler.name}: no folder to build in: {error.strerror or error}", "set TMPDIR to one with 20 MB"
        ) from None


def _build(compiler: Compiler, digest: str, architecture: str, folder: Path, kept: Path) -> KernelBuild:
    with tempfile.TemporaryDirectory(prefix=".building-", dir=folder) as name:
        work = Path(name)
        for source in _sources():
            shutil.copyfile(SOURCES / source, work / source)
        try:
            compiler.compile(architecture, work)
        finally:
            with contextlib.suppress(OSError):
                shutil.copyfile(work / _LOG, folder / _LOG)
        images = {unit: (work / f"{unit}.cubin").read_bytes() for unit in UNITS}
        manifest = {unit: hashlib.sha256(image).hexdigest() for unit, image in images.items()}
        (work / _MANIFEST).write_text(json.dumps({"digest": digest, "images": manifest}), "utf-8")
        if kept.exists():  # it was damaged, else it had been loaded
            shutil.rmtree(kept)
        work.rename(kept)
        work.mkdir()  # what the context manager takes away
    return KernelBuild(images, digest, source_digest(), architecture, compiler.name)


def _load(kept: Path, digest: str, architecture: str, compiler: str) -> KernelBuild | None:
    """A build of the cache; None where there is none, or one whose files are not what was built."""
    try:
        manifest = parse_strict_json(read_regular(kept / _MANIFEST, MAX_IMAGE_BYTES))
        images = {unit: read_regular(kept / f"{unit}.cubin", MAX_IMAGE_BYTES) for unit in UNITS}
        wanted = {unit: hashlib.sha256(image).hexdigest() for unit, image in images.items()}
        sound = manifest == {"digest": digest, "images": wanted}
    except (OSError, ValueError):
        return None
    return KernelBuild(images, digest, source_digest(), architecture, compiler) if sound else None


def source_digest() -> str:
    """64 hexadecimal digits over the kernels' sources and flags."""
    parts = [_EXACT, repr(UNITS), *((SOURCES / source).read_text("utf-8") for source in _sources())]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _digest(compiler: Compiler, architecture: str) -> str:
    return hashlib.sha256("\0".join((source_digest(), architecture, compiler.name)).encode()).hexdigest()


def _sources() -> list[str]:
    return sorted({HEADER, *(source for source, _ in UNITS.values())})


@contextlib.contextmanager
def _claim(folder: Path) -> Iterator[None]:
    """Be the one process that builds; waits for another, and raises KernelError when that takes too long."""
    with (folder / ".lock").open("a") as lock:
        deadline = time.monotonic() + 2 * _TIMEOUT_S
        while not try_lock(lock.fileno()):
            if time.monotonic() > deadline:
                raise KernelError(
                    f"another process has been building the CUDA kernels for {2 * _TIMEOUT_S:.0f} s",
                    f"end it, or remove {folder}",
                )
            time.sleep(0.1)
        yield  # closing the file lets go


# ---- compilers


class Nvcc:
    """NVIDIA's compiler, called by ninja for all units at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        said = run((str(path), "--version"), timeout_s=_TIMEOUT_S).stdout.decode(errors="replace")
        version = said.rpartition("release ")[2].partition(",")[0].strip()
        self._name = f"nvcc {version}"

    @property
    def name(self) -> str:
        """As `Compiler`."""
        return self._name

    def compile(self, architecture: str, folder: Path) -> None:
        """As `Compiler`."""
        import subprocess

        try:
            import ninja
        except ImportError:
            raise KernelError("nvcc is there, ninja is not", "pip install ninja") from None
        (folder / "build.ninja").write_text(self._rules(architecture), "utf-8")
        command = (str(Path(ninja.BIN_DIR) / "ninja"), "-C", str(folder), "-v")
        try:
            done = run(command, timeout_s=_TIMEOUT_S)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise KernelError(f"{self.name}: {type(error).__name__}") from None
        (folder / _LOG).write_bytes(done.stdout + done.stderr)
        if done.returncode:
            raise KernelError(f"{self.name} failed with exit code {done.returncode}")

    def _rules(self, architecture: str) -> str:
        nvcc = shlex.quote(str(self._path)).replace("$", "$$")
        lines = ["rule cubin", f"  command = {nvcc} -cubin -O3 {_EXACT} -arch={architecture} $flags $in -o $out"]
        for unit, (source, flags) in UNITS.items():
            lines += [f"build {unit}.cubin: cubin {source} | {HEADER}", f"  flags = {' '.join(flags)}"]
        return "\n".join(lines) + "\n"


class Nvrtc:
    """NVIDIA's compiler as a library."""

    def __init__(self, path: Path) -> None:
        for builtins in sorted(path.parent.glob("libnvrtc-builtins.so.*")):
            if ".alt." not in builtins.name:
                ctypes.CDLL(str(builtins))  # the other opens it by its bare name
        self._library = ctypes.CDLL(str(path))
        major, minor = ctypes.c_int(), ctypes.c_int()
        self._library.nvrtcVersion(ctypes.byref(major), ctypes.byref(minor))
        self._name = f"NVRTC {major.value}.{minor.value}"

    @property
    def name(self) -> str:
        """As `Compiler`."""
        return self._name

    def compile(self, architecture: str, folder: Path) -> None:
        """As `Compiler`."""
        sources = {source: (folder / source).read_bytes() for source in _sources()}
        said = b""
        try:
            for unit, (source, flags) in UNITS.items():
                options = (f"--gpu-architecture={architecture}", _EXACT, *flags)
                ok, image, log = self._compile_one(source, sources, options)
                said += f"{unit}: {'built' if ok else 'failed'}\n".encode() + log
                if not ok:
                    raise KernelError(f"{self.name} failed on {unit}")
                (folder / f"{unit}.cubin").write_bytes(image)
        finally:
            (folder / _LOG).write_bytes(said)

    def _compile_one(
        self, source: str, sources: Mapping[str, bytes], options: tuple[str, ...]
    ) -> tuple[bool, bytes, bytes]:
        """(whether it went well, cubin, log)."""
        program = ctypes.c_void_p()
        headers = (ctypes.c_char_p * 1)(sources[HEADER])
        names = (ctypes.c_char_p * 1)(HEADER.encode())
        text, title = ctypes.c_char_p(sources[source]), ctypes.c_char_p(source.encode())
        if self._library.nvrtcCreateProgram(ctypes.byref(program), text, title, 1, headers, names):
            return False, b"", b"nvrtcCreateProgram failed\n"
        try:
            given = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
            failed = self._library.nvrtcCompileProgram(program, len(options), given)
            log = self._read(program, "ProgramLog").rstrip(b"\0")
            return not failed, b"" if failed else self._read(program, "CUBIN"), log
        finally:
            self._library.nvrtcDestroyProgram(ctypes.byref(program))

    def _read(self, program: ctypes.c_void_p, what: str) -> bytes:
        size = ctypes.c_size_t()
        self._library[f"nvrtcGet{what}Size"](program, ctypes.byref(size))
        buffer = ctypes.create_string_buffer(size.value)
        self._library[f"nvrtcGet{what}"](program, buffer)
        return buffer.raw
