"""What is measured: rows of a report, the cases that give them, and sections of cases."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from tuiface.core.visible import to_visible

if TYPE_CHECKING:
    from tuiface.benchmarks.gpu.bench import Bench

Figures = Mapping[str, float | str]
"""By name; a name ends with its unit."""
_MAX_ERROR = 400


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the report."""

    section: str
    name: str
    figures: Figures = field(default_factory=dict)
    error: str = ""
    """What failed, or which figure is wrong; empty where all is well."""
    skipped: str = ""
    """Why nothing was measured, where that is no failure."""

    def to_json(self) -> dict[str, object]:
        """What `from_json` takes."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Row:
        """A row that another process printed."""
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Case:
    """What gives one row."""

    name: str
    run: Callable[[], Figures]
    needs_s: float = 1.0
    """It is left out where less time is left."""
    limits: Mapping[str, float] = field(default_factory=dict)
    """The largest sound value of figures: one beyond is an error."""
    unfit: str = ""
    """Why it cannot be measured on this device; empty where it can."""


@dataclass(frozen=True, slots=True)
class Section:
    """Cases that are measured in one process, in order."""

    name: str
    cases: Callable[[Bench], Iterable[Case]]
    """Listing them computes nothing."""
    limit_s: float
    """The longest that it takes, starting its process included."""
    least_s: float
    """It is left out where less time is left; kept free for it by the sections before."""
    is_check: bool = False
    """Whether the report is sound only where every case of it was measured."""


def run_section(section: Section, bench: Bench) -> Iterator[Row]:
    """Its rows; a case that fails says so in its place and costs no other."""
    for case in section.cases(bench):
        left = bench.left_s()
        if case.unfit:
            yield Row(section.name, case.name, skipped=case.unfit)
        elif case.needs_s and left < case.needs_s:
            yield Row(section.name, case.name, skipped=f"{max(left, 0):.0f} s left; it needs {case.needs_s:.0f}")
        else:
            yield _run(section.name, case, bench)


def _run(section: str, case: Case, bench: Bench) -> Row:
    try:
        figures = case.run()
    except Exception as error:  # noqa: BLE001  the other cases are worth having
        failed = Row(section, case.name, error=to_visible(f"{type(error).__name__}: {error}", _MAX_ERROR))
    else:
        told = {name: value if _is_plain(value) else str(value) for name, value in figures.items()}
        return Row(section, case.name, told, _judge(case, figures))
    bench.release()  # not while the exception holds what the case had allocated
    return failed


def _is_plain(value: float | str) -> bool:
    """Whether JSON has it: not NaN, nor infinity."""
    return isinstance(value, str) or math.isfinite(value)


def _judge(case: Case, figures: Figures) -> str:
    wrong = [name for name, limit in case.limits.items() if not float(figures[name]) <= limit]  # NaN is wrong too
    return "; ".join(f"{name} {float(figures[name]):.3g}, accepted: {case.limits[name]:g}" for name in wrong)
