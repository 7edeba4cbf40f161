"""Machine code to functions, and their launch, by the CUDA driver's own interface through ctypes.

Launches go to torch's current stream, so that they keep their order with torch's operators and a CUDA graph captures
them.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import torch
from torch import Tensor

from tuiface.engine.cuda.build import KernelBuild, KernelError
from tuiface.engine.cuda.kernels import Argument, Unit


class Driver:
    """A build, loaded on one device. Implements `Launcher`."""

    def __init__(self, build: KernelBuild, device: torch.device) -> None:
        """Raises KernelError for a build that the driver refuses, as one older than the compiler's toolkit does."""
        self._device = device
        try:
            self._driver = ctypes.CDLL("libcuda.so.1")
        except OSError as error:
            raise KernelError(f"the CUDA driver's library is not found: {error}") from None
        with torch.cuda.device(device):
            torch.cuda.synchronize()  # makes torch's context this thread's
            self._context = ctypes.c_void_p()
            self._check("cuCtxGetCurrent", ctypes.byref(self._context))
            self._modules = {unit: self._load(image) for unit, image in build.images.items()}
        self._functions: dict[tuple[Unit, str], ctypes.c_void_p] = {}

    def launch(
        self, unit: Unit, name: str, grid: tuple[int, int, int], threads: int, arguments: list[Argument]
    ) -> None:
        """As `Launcher`. Raises KernelError for what the driver refuses."""
        if 0 in grid:  # a batch of none
            return
        function = self._functions.get((unit, name)) or self._find(unit, name)
        pointers, _keep = to_pointers(arguments)
        stream = ctypes.c_void_p(torch.cuda.current_stream(self._device).cuda_stream)
        self._check("cuCtxPushCurrent_v2", self._context)  # a thread of autograd's may have none, or another device's
        try:
            self._check("cuLaunchKernel", function, *grid, threads, 1, 1, 0, stream, pointers, None)
        finally:
            self._driver.cuCtxPopCurrent_v2(ctypes.byref(ctypes.c_void_p()))

    def _load(self, image: bytes) -> ctypes.c_void_p:
        module = ctypes.c_void_p()
        self._check("cuModuleLoadData", ctypes.byref(module), image)
        return module

    def _find(self, unit: Unit, name: str) -> ctypes.c_void_p:
        function = ctypes.c_void_p()
        self._check("cuModuleGetFunction", ctypes.byref(function), self._modules[unit], name.encode())
        self._functions[unit, name] = function
        return function

    def _check(self, function: str, *arguments: object) -> None:
        code = self._driver[function](*arguments)
        if code:
            text = ctypes.c_char_p()
            self._driver.cuGetErrorName(code, ctypes.byref(text))
            said = text.value.decode() if text.value else str(code)
            raise KernelError(f"the CUDA driver refuses {function}: {said}", "tuiface doctor says more")


def to_pointers(arguments: Sequence[Argument]) -> tuple[ctypes.Array[ctypes.c_void_p], list[ctypes._CData]]:
    """Addresses of a kernel's arguments, as cuLaunchKernel takes them, and what must live until it has been called."""
    values = [_to_c(argument) for argument in arguments]
    return (ctypes.c_void_p * len(values))(*map(ctypes.addressof, values)), values


def _to_c(argument: Argument) -> ctypes._CData:
    if argument is None or isinstance(argument, Tensor):
        return ctypes.c_void_p(None if argument is None else argument.data_ptr())
    if isinstance(argument, ctypes.Structure):
        return argument
    return ctypes.c_float(argument) if isinstance(argument, float) else ctypes.c_int(argument)
