"""All sections in order of worth, and the process that one of them runs in.

Run as a module it is such a process, given what it is to do as JSON, and prints a row a line:
`python -m tuiface.benchmarks.gpu.sections ORDER`.
"""

from __future__ import annotations

import sys
import time
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tuiface.benchmarks.gpu import card, ceilings, digests, kernel_times, parity, pictures, work
from tuiface.benchmarks.gpu.bench import Bench, Ceilings
from tuiface.benchmarks.gpu.rows import Section, run_section
from tuiface.benchmarks.gpu.workload import WORKLOADS
from tuiface.core.console import print_json
from tuiface.core.settings import Settings
from tuiface.core.strict_json import parse_strict_json

SECTIONS = (
    Section("card", card.cases, limit_s=60, least_s=12),
    Section("parity", parity.cases, limit_s=45, least_s=15, is_check=True),
    Section("digests", digests.cases, limit_s=150, least_s=60, is_check=True),
    Section(ceilings.SECTION, ceilings.cases, limit_s=20, least_s=8),
    Section("synthesis", pictures.synthesis_cases, limit_s=40, least_s=12),
    Section("memory", pictures.memory_cases, limit_s=15, least_s=8),
    Section("faces", pictures.face_cases, limit_s=40, least_s=12),
    Section("training", work.training_cases, limit_s=60, least_s=20),
    Section("heads", work.head_cases, limit_s=20, least_s=8),
    Section("learning", work.learning_cases, limit_s=60, least_s=15),
    Section("kernels", kernel_times.cases, limit_s=40, least_s=12),
)
"""What comes late still gets its least."""

SECTION_NAMES = tuple(section.name for section in SECTIONS)


@dataclass(frozen=True, slots=True)
class Order:
    """What a section's process is to do."""

    section: str
    device: str
    workload: str
    cache: str
    ends: float
    """When, by the system's monotonic clock."""
    ceilings: Ceilings

    def to_json(self) -> dict[str, Any]:
        """What `from_json` takes."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Order:
        """An order that was given as JSON."""
        return cls(**{**values, "ceilings": Ceilings(**values["ceilings"])})


def _main(order: Order) -> None:
    from tuiface.engine.cuda.loaded import choose_operators
    from tuiface.engine.device import open_device

    device = open_device(order.device, None)
    choose_operators(device, Path(order.cache))  # the section "card" says so where they cannot be built or loaded
    settings = Settings(device="cuda" if device.type == "cuda" else "cpu", cache=Path(order.cache))
    bench = Bench(settings, device, WORKLOADS[order.workload], order.ends - time.monotonic(), order.ceilings)
    [section] = [one for one in SECTIONS if one.name == order.section]
    rows = sys.stdout
    with redirect_stdout(sys.stderr):  # what is measured may talk
        for row in run_section(section, bench):
            with redirect_stdout(rows):
                print_json(row.to_json())


if __name__ == "__main__":
    _main(Order.from_json(parse_strict_json(sys.argv[1])))
