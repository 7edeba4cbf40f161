"""What the user sees on each screen, as rows of characters that lie beside this file.

`WRITE_SNAPSHOTS=1 pytest tests/tui/test_snapshots.py` writes them anew: read the difference before it is committed.
Pictures are half blocks whose colours are not compared: tests/tui/test_halfblock.py does that. Characters, not the SVGs
of pytest-textual-snapshot: a changed word is one line in a review, and that plugin holds pytest below 9.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.tui.conftest import Open, Running
from tests.tui.directions import with_directions
from tests.tui.test_concepts import ask_about, strip_there
from tests.tui.test_screens import current, no_processes, saved_faces, tiles_there
from tuiface.actions import SCREENS
from tuiface.core.settings import Settings

__all__ = ["no_processes"]

FOLDER = Path(__file__).with_name("__snapshots__")


@pytest.fixture(autouse=True)
def settings_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths of the test's folder are shown as `~/...`."""
    monkeypatch.setenv("HOME", str(tmp_path))


async def assert_looks_as_before(tui: Running, name: str) -> None:
    """The screen's rows are those of the file `name`: without toasts, with neither clock nor user's name."""
    tui.app.clear_notifications()
    await tui.until(lambda: not tui.shown_toasts())
    rows = "\n".join(line.rstrip() for line in tui.text().splitlines()) + "\n"
    rows = re.sub(r"\d{4}-\d\d-\d\d|\d\d:\d\d", lambda match: re.sub(r"\d", "0", match[0]), rows)
    rows = re.sub(r"(  by +)\w+", r"\1anna", rows)
    path = FOLDER / f"{name}.txt"
    if os.environ.get("WRITE_SNAPSHOTS"):
        FOLDER.mkdir(exist_ok=True)
        path.write_text(rows, "utf-8")
    assert rows == path.read_text("utf-8")


async def go_to(tui: Running, place: str) -> None:
    """Open a screen by its number."""
    await tui.press(str(SCREENS.index(place) + 1))
    await tui.until(lambda: place == current(tui).SCREEN_NAME)
    await tui.until(lambda: "q quit" in tui.text())


@pytest.mark.parametrize("size", [(80, 24), (160, 50)], ids=lambda size: f"{size[0]}x{size[1]}")
async def test_face(open_app: Open, size: tuple[int, int], tui_settings: Settings, tmp_path: Path) -> None:
    """A face fills the screen, beside it stand its seed, psi and a row for each concept, below the command that makes
    it and the keys."""
    async with open_app(size=size, settings=with_directions(tui_settings, tmp_path / "directions")) as tui:
        await tui.press("right", "down", "right")
        await tui.settled()
        await assert_looks_as_before(tui, f"face-{size[0]}x{size[1]}")


async def test_explore(open_app: Open) -> None:
    """Small faces in rows, each with its seed below it; the first is chosen."""
    async with open_app() as tui:
        await go_to(tui, "explore")
        await tiles_there(tui)
        await assert_looks_as_before(tui, "explore")


async def test_mix(open_app: Open) -> None:
    """Two faces above the two that exchange their rows, and a ladder of the rows that are exchanged."""
    async with open_app() as tui:
        await go_to(tui, "mix")
        await tui.settled()
        await tui.until(lambda: "rendering" not in tui.text())
        await assert_looks_as_before(tui, "mix")


async def test_morph(open_app: Open) -> None:
    """The two ends of the way, the face in between, and where on the way it stands."""
    async with open_app() as tui:
        await go_to(tui, "morph")
        await tui.settled()
        await tui.until(lambda: "50 of 50 ready" in tui.text())
        await assert_looks_as_before(tui, "morph")


async def test_library(open_app: Open) -> None:
    """The saved face as a thumbnail, its name, when it was made, and how to open, tag and remove it."""
    async with open_app() as tui:
        await saved_faces(tui, 1)
        await tiles_there(tui)
        await assert_looks_as_before(tui, "library")


async def test_models(open_app: Open) -> None:
    """The networks that were found on the left; on the right what the chosen file holds."""
    async with open_app() as tui:
        await go_to(tui, "models")
        await tui.until(lambda: "pickle" in tui.text())
        await assert_looks_as_before(tui, "models")


async def test_jobs(open_app: Open) -> None:
    """A sentence that says what will be listed here."""
    async with open_app() as tui:
        await go_to(tui, "jobs")
        await assert_looks_as_before(tui, "jobs")


async def test_concepts(open_app: Open, tui_settings: Settings, tmp_path: Path) -> None:
    """The directions by name, and the chosen one's faces from one end to the other with what is known of it."""
    async with open_app(settings=with_directions(tui_settings, tmp_path / "directions")) as tui:
        await go_to(tui, "concepts")
        await strip_there(tui)
        await assert_looks_as_before(tui, "concepts")


async def test_questionnaire(open_app: Open) -> None:
    """A face, the question whether the word fits it, the keys that answer, and how many answers there are."""
    async with open_app() as tui:
        await ask_about(tui, "kind")
        await tui.settled()
        await assert_looks_as_before(tui, "questionnaire")
