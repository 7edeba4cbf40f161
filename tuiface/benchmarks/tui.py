"""How the interface feels: from a key to the painted face, over a local pty and over a slow link.

The real program runs under a pty with a terminal that decodes what is drawn (pty_terminal). A key is answered when the
command line names the new seed and a picture was painted after it; in full when that picture is no draft.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from tuiface.benchmarks.terminal import KITTY, PLAIN, PtyTerminal, Screen, TerminalModel
from tuiface.core.processes import python_command
from tuiface.core.settings import Settings
from tuiface.screens.dialogs.welcome import remember_welcome
from tuiface.service.daemon import start, stop

SIZE = (120, 36)
RIGHT = "\x1b[C"
LINK_BYTES_PER_S, LINK_DELAY_S = 10e6 / 8, 0.025
"""10 Mbit/s and 50 ms there and back."""
HOLD_S, HOLD_HZ = 2.0, 30.0
QUIET_S = 0.6
"""Without a byte for so long, everything has been painted."""


def measure(rounds: int = 50) -> dict[str, float]:
    """Medians, by name and unit."""
    result = {"first_paint_ms": 0.0, "first_face_ms": 0.0}
    starts = [measure_start_ms() for _ in range(max(1, rounds // 10))]
    result["first_paint_ms"], result["first_face_ms"] = (
        statistics.median(column) for column in zip(*starts, strict=True)
    )
    result["first_face_resident_ms"] = statistics.median(_measure_resident_starts_ms(max(1, rounds // 10)))
    for name, model in (("block", PLAIN), ("kitty", KITTY)):
        draft, full = _measure_key_ms(model, rounds)
        result[f"{name}_key_to_draft_ms"], result[f"{name}_key_to_full_ms"] = draft, full
    for name, model in (("block", PLAIN), ("kitty", KITTY)):
        rate, late = _measure_held_key(model)
        result[f"{name}_link_frames_per_s"], result[f"{name}_link_full_after_release_ms"] = rate, late
    result["idle_cpu_percent"] = _measure_idle_percent()
    return result


def open_interface(
    model: TerminalModel, folder: Path, variables: Mapping[str, str] | None = None, **link: float
) -> PtyTerminal:
    """The program in a terminal of 120 x 36 cells, with state of its own and further variables of its environment."""
    remember_welcome(folder)
    own = {"COLORTERM": "truecolor", "TUIFACE_STATE": str(folder), "TUIFACE_ENGINE": "private"}
    command = python_command("tuiface.cli")
    return PtyTerminal(command, size=SIZE, model=model, environment={**own, **(variables or {})}, **link)


def has_face(screen: Screen) -> bool:
    """Whether a picture is painted: placeholders, or many cells whose ink and paper are both colours of their own."""
    return len(screen.placeholders()) > 100 or _num_painted(screen) > 200


def _num_painted(screen: Screen) -> int:
    return sum(cell.text in "▘▝▀▖▌▞▛▗▚▐▜▄▙▟█" for cell in screen.cells.values())


def measure_start_ms(variables: Mapping[str, str] | None = None) -> tuple[float, float]:
    """From the start of the process to the painted screen, and to the first face."""
    with tempfile.TemporaryDirectory() as folder:
        begin = time.monotonic()
        with open_interface(PLAIN, Path(folder), variables) as terminal:
            paint = terminal.until(lambda screen: "seed" in screen.text(), 60)
            face = terminal.until(has_face, 120)
        return (paint - begin) * 1000, (face - begin) * 1000


def _measure_resident_starts_ms(rounds: int) -> list[float]:
    """Milliseconds to the first face with an engine that runs already, started for this alone."""
    with tempfile.TemporaryDirectory(prefix="tuiface-") as folder:
        settings = Settings(runtime=Path(folder) / "runtime", state=Path(folder) / "state")
        start(settings, idle_minutes=5)
        variables = {"TUIFACE_RUNTIME": str(settings.runtime), "TUIFACE_ENGINE": "resident"}
        try:
            return [measure_start_ms(variables)[1] for _ in range(rounds)]
        finally:
            stop(settings, force=True)


def _measure_key_ms(model: TerminalModel, rounds: int) -> tuple[float, float]:
    """Medians from a key to the first picture painted after it, and to the last byte of what it caused."""
    drafts, fulls = [], []
    with tempfile.TemporaryDirectory() as folder, open_interface(model, Path(folder)) as terminal:
        terminal.until(has_face, 120)
        _run_until_quiet(terminal)
        for _ in range(rounds):
            before = _picture_mark(terminal.screen)
            begin = time.monotonic()
            terminal.press(RIGHT)
            drafts.append((terminal.until(lambda screen, seen=before: _picture_mark(screen) != seen) - begin) * 1000)  # type: ignore[misc]
            fulls.append((_run_until_quiet(terminal) - begin) * 1000)
    return statistics.median(drafts), statistics.median(fulls)


def _picture_mark(screen: Screen) -> object:
    """Changes when another picture is shown, whole: its number, or the colours of one of its last rows."""
    placeholders = screen.placeholders()
    if placeholders:
        numbers = {number for number, _, _ in placeholders.values()}
        return next(iter(numbers)) if len(numbers) == 1 else None
    return _last_row(screen)


def _last_row(screen: Screen) -> object:
    """What stands in one of the picture's last rows, which are painted last."""
    row = SIZE[1] * 3 // 4
    return tuple(screen.cells.get((row, column)) for column in range(SIZE[0] // 2))


def _run_until_quiet(terminal: PtyTerminal) -> float:
    """Run until nothing was written for a while; the time of the last byte."""
    last, seen = time.monotonic(), terminal.num_bytes
    while time.monotonic() - last < QUIET_S:
        terminal.step()
        if terminal.num_bytes != seen:
            last, seen = time.monotonic(), terminal.num_bytes
    return last


def _measure_held_key(model: TerminalModel) -> tuple[float, float]:
    """Pictures a second while a key is held on a slow link, and milliseconds from its release to the last byte."""
    with (
        tempfile.TemporaryDirectory() as folder,
        open_interface(model, Path(folder), bytes_per_s=LINK_BYTES_PER_S, delay_s=LINK_DELAY_S) as terminal,
    ):
        terminal.until(has_face, 120)
        _run_until_quiet(terminal)
        begin, pressed, pictures = time.monotonic(), 0, 0
        mark, asked = _last_row(terminal.screen), terminal.screen.num_position_queries
        while time.monotonic() - begin < HOLD_S:
            if (time.monotonic() - begin) * HOLD_HZ > pressed:
                terminal.press(RIGHT)
                pressed += 1
            terminal.step()
            if terminal.screen.num_position_queries != asked:  # a picture was painted to its end
                before, mark, asked = mark, _last_row(terminal.screen), terminal.screen.num_position_queries
                pictures += mark != before
        release = time.monotonic()
        return pictures / HOLD_S, (_run_until_quiet(terminal) - release) * 1000


def _measure_idle_percent(seconds: float = 5.0) -> float:
    """Share of one processor that the interface takes while nothing is done."""
    with tempfile.TemporaryDirectory() as folder, open_interface(PLAIN, Path(folder)) as terminal:
        terminal.until(has_face, 120)
        _run_until_quiet(terminal)
        before = _cpu_s(terminal.pid)
        terminal.run_for(seconds)
        return (_cpu_s(terminal.pid) - before) / seconds * 100


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
