"""The kernels that this process has loaded, by device: operators ask here which of their twins to run.

Machine code belongs to a process and a device, whoever uses it; so this is kept once for all networks.
"""

from __future__ import annotations

from pathlib import Path

import torch

from tuiface.engine.cuda.build import MIN_ARCHITECTURE, KernelBuild, KernelError, load_or_build
from tuiface.engine.cuda.driver import Driver
from tuiface.engine.cuda.kernels import TRAINING_UNIT_OF, Kernels

LOADED: dict[torch.device, Kernels] = {}


def load_kernels(device: torch.device, cache: Path) -> KernelBuild:
    """Build or find the kernels for a CUDA device, and load them; those that are loaded already are replaced.

    Raises KernelError for a card below compute capability 8.0, without a compiler, or with a driver that refuses them.
    """
    try:
        capability = torch.cuda.get_device_capability(device)
        if capability < MIN_ARCHITECTURE:
            major, minor = capability
            raise KernelError(
                f"{torch.cuda.get_device_name(device)} has compute capability {major}.{minor}; accepted: 8.0 and later"
            )
        # A driver may be too old for what one compiler makes and take what another does: each build is loaded at once.
        return load_or_build(f"sm_{capability[0]}{capability[1]}", cache, lambda build: _load(build, device))
    except RuntimeError as error:  # the device is busy, has failed, or is gone
        raise KernelError(f"{device} does not answer: {first_line(error)}", "nvidia-smi shows its state") from None


def _load(build: KernelBuild, device: torch.device) -> None:
    index = torch.cuda.current_device() if device.index is None else device.index
    LOADED[torch.device(device.type, index)] = Kernels(Driver(build, device))


def first_line(error: Exception) -> str:
    """What an error of PyTorch's says; the lines after it are advice for its developers."""
    return str(error).partition("\n")[0]


def choose_operators(device: torch.device, cache: Path) -> tuple[str, tuple[str, ...]]:
    """What an engine on `device` runs, `torch` or `cuda` and digits of the kernels' digest, and what a user must know.

    On a CUDA device the kernels are loaded, and built where the cache has none; where that fails, torch's operators do.
    """
    if device.type != "cuda":
        return "torch", ()
    try:
        build = load_kernels(device, cache)
    except KernelError as error:
        return "torch", (f"our CUDA kernels are not used, so pictures take several times as long: {error}",)
    return f"cuda {build.source_digest[:12]}", build.notices


def loaded_kernels(device: torch.device) -> Kernels | None:
    """The kernels of a device; None where torch's own operators are to be used."""
    return LOADED.get(device) if LOADED else None


def inference_kernels(x: torch.Tensor) -> Kernels | None:
    """The kernels for an operator without a gradient, on float32; None where torch's own operator is to be used."""
    if not LOADED or torch.is_grad_enabled() or x.dtype != torch.float32:
        return None
    return LOADED.get(x.device)


def training_kernels(x: torch.Tensor, *channels: int) -> Kernels | None:
    """The kernels for differentiable operators on features x [N, C, H, W], and on as many channels as given.

    None where torch's own operators are to be used: also for channels that are no multiple of 16 bytes.
    """
    kernels = loaded_kernels(x.device)
    if kernels is None or x.dtype not in TRAINING_UNIT_OF:
        return None
    return None if any(count * x.element_size() % 16 for count in (x.shape[1], *channels)) else kernels
