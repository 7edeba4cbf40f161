"""The kernels compiled by g++ and run on the CPU: what a GPU would do, in the same order, bit for bit, and slowly."""

from __future__ import annotations

import ctypes
import re
import subprocess
from pathlib import Path
from typing import NoReturn, SupportsIndex

from tuiface.engine.cuda.build import SOURCES, UNITS
from tuiface.engine.cuda.driver import to_pointers
from tuiface.engine.cuda.kernels import Argument, Unit

FLAGS = ("-std=c++20", "-O1", "-fno-gnu-unique", "-ffp-contract=off", "-shared", "-fPIC", "-Wall", "-Werror")
UNUSED = ("-Wno-unknown-pragmas", "-Wno-maybe-uninitialized")


def entries(source: str) -> list[str]:
    """The kernels' names in a source of ours."""
    made = re.findall(r"\b(FILTER|UPSAMPLE|FINISH|CONVOLVE)\((\d+)", source)
    return [f"{name.lower()}_{size}" for name, size in made] + re.findall(
        r"^KERNEL\(256\) (\w+)\(", source, re.MULTILINE
    )


class Emulator:
    """Implements `Launcher`."""

    def __init__(self, folder: Path) -> None:
        """Compiles into `folder` what does not lie there yet."""
        self._libraries = {unit: ctypes.CDLL(str(self._compile(unit, folder))) for unit in UNITS}
        self.launched: list[tuple[str, tuple[int, int, int], int]] = []

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("no more than a driver's handles can this be copied")

    @staticmethod
    def _compile(unit: Unit, folder: Path) -> Path:
        library = folder / f"{unit}.so"
        if library.exists():
            return library
        source, flags = UNITS[unit]
        text = (SOURCES / source).read_text("utf-8")
        exchanges = ["finish", "convolve", "dense", "normalize", "demodulation", "gradients"]
        exports = [
            f"EXPORT({name}, {str(any(name.startswith(word) for word in exchanges)).lower()})" for name in entries(text)
        ]
        program = folder / f"{unit}.cpp"
        program.write_text("\n".join(['#include "emulation.h"', f'#include "{source}"', *exports]))
        folders = (f"-I{Path(__file__).parent}", f"-I{SOURCES}")
        subprocess.run(["g++", *FLAGS, *UNUSED, *flags, *folders, str(program), "-o", str(library)], check=True)
        return library

    def launch(
        self, unit: Unit, name: str, grid: tuple[int, int, int], threads: int, arguments: list[Argument]
    ) -> None:
        self.launched.append((name, grid, threads))
        pointers, _keep = to_pointers(arguments)
        self._libraries[unit][f"launch_{name}"]((ctypes.c_int * 3)(*grid), threads, pointers)
