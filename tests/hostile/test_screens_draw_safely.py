"""Every screen over hostile files: a terminal obeys nothing of what is drawn, and each row keeps its width."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.segment import ControlType, Segment
from rich.traceback import Traceback
from textual.color import Color
from textual.widgets import Input

from tests.hostile.files import FILE_NAME, SHORT, write_directions, write_library
from tests.hostile.terminal_text import ALL, ATTACKS, BYTES, FORGED, MARKUP, find_obeyed
from tests.tui.conftest import Open, Running, open_app, quick_textual, tui_settings
from tests.tui.fake_engine import INFO, FakeEngine
from tuiface.actions import SCREENS, flag_words, quote_words
from tuiface.cli import build_parser
from tuiface.core.errors import EngineError, ModelError, TuifaceError
from tuiface.core.settings import Settings
from tuiface.engine_api.protocol import JobProgress
from tuiface.faces.recipe import DirectionEdit, ModelRef
from tuiface.screens import models
from tuiface.screens.concepts.browser import ConceptBrowser
from tuiface.screens.dialogs.confirm import ConfirmDialog
from tuiface.screens.dialogs.prompts import LinePrompt, PathPrompt
from tuiface.screens.library.screen import LibraryScreen
from tuiface.screens.log_file import log_to
from tuiface.screens.messages import EngineFailed, JobChanged, WorkFailed
from tuiface.screens.widgets.text import MAX_TEXT, Static, VisibleConsole, VisibleLines, assemble, styled
from tuiface.terminal import kitty

__all__ = ["open_app", "quick_textual", "tui_settings"]
MODEL = ModelRef(sha256=INFO.model.sha256, name=SHORT)
HOSTILE_INFO = replace(INFO, model=MODEL, licence=FORGED, path=FILE_NAME, device_name=FORGED, notices=(FORGED, ALL))


@pytest.fixture
def hostile_settings(tui_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A user who was given hostile files, and whose commands answer with hostile names."""
    library = tui_settings.library / f"l{ATTACKS['clear']}{BYTES}"
    write_library(library, MODEL)
    write_directions(tui_settings.directions, MODEL)

    def answer(arguments: list[str], accepted: tuple[int, ...] = (0,)) -> str:
        if arguments[:2] == ["model", "list"]:
            return "\n".join(json.dumps({"path": f"/m/{name}", "kind": None}) for name in (FILE_NAME, BYTES))
        return json.dumps({"file": FORGED, "format": FORGED, "globals": [FORGED, "x" * 100_000], "refused": FORGED})

    monkeypatch.setattr(models, "run_command", answer)
    return tui_settings.model_copy(update={"library": library})


def set_up(engine: FakeEngine) -> None:
    engine.engine_info = HOSTILE_INFO
    engine.remark = FORGED


def check(tui: Running) -> str:
    """The cells of the screen, which hold nothing that a terminal obeys, in rows of equal width."""
    text = tui.text()
    assert not find_obeyed(text)
    assert not [line for line in text.splitlines() if line.strip().startswith("forged")]
    for strip in tui.app.screen._compositor.render_strips():
        assert sum(Segment.get_line_length([segment]) for segment in strip) == tui.app.size.width
    return text


async def test_no_screen_obeys_a_file(open_app: Open, hostile_settings: Settings) -> None:
    async with open_app(set_up, settings=hostile_settings, size=(120, 40)) as tui:
        state, seen = tui.app.state, {}
        edit = DirectionEdit(direction=SHORT, sha256="d" * 64, amount=1.0)
        assert state.studio is not None
        face = state.studio.current.derive(edits=(edit,))
        state.apply(lambda studio: studio.show(face))
        job = JobProgress(1, FORGED, state="failed", message=FORGED)
        tui.app.on_job_changed(JobChanged(job, is_first_report=True))
        check(tui)
        tui.app.clear_notifications()  # toasts cover what is looked for
        for number, place in enumerate(SCREENS, start=1):
            await tui.press(str(number))
            await tui.until(lambda place=place: place == tui.app.current_work_screen.SCREEN_NAME)  # type: ignore[misc]
            if place == "library":
                screen = tui.app.current_work_screen
                assert isinstance(screen, LibraryScreen)
                await tui.until(lambda: screen.is_read)  # noqa: B023
            if place == "models":
                await tui.until(lambda: "globals" in tui.text())
            seen[place] = check(tui)
        concepts = tui.app.current_work_screen
        assert isinstance(concepts, ConceptBrowser)
        concepts.chosen = ("unfinished", "evil_concept")
        await tui.until(lambda: "evil concept" in check(tui))
        concepts.action_concepts_open()
        await tui.until(lambda: tui.app.current_work_screen.SCREEN_NAME == "answering")
        await tui.until(lambda: "\\x1b]0;" in check(tui))
        ElementTree.fromstring(tui.app.export_screenshot())  # an SVG, whatever stands on the screen
        assert "\\x1b[2J" in seen["face"] + seen["jobs"]
        for place in ("library", "models", "jobs", "concepts"):
            assert "\\x1b" in seen[place], place
        assert "b\\xff" in seen["library"] or "\\xff" in seen["models"], "names that are no UTF-8 are shown"


async def test_dialogs_and_toasts_obey_nothing(open_app: Open, hostile_settings: Settings) -> None:
    async with open_app(set_up, settings=hostile_settings, size=(80, 30)) as tui:
        app = tui.app
        app.on_work_failed(WorkFailed(FORGED, TuifaceError(FORGED, MARKUP)))
        app.on_job_changed(JobChanged(JobProgress(1, FORGED, state="done", message=MARKUP), is_first_report=False))
        app.notify("x" * 100_000, title="x" * 100_000)
        app.screen.notify(f"{MARKUP}[/nothing]", title="\a" + MARKUP)
        await tui.until(lambda: tui.shown_toasts() == 5)  # the engine's remark is one
        text = check(tui)
        assert "[red]r[/red]" in text
        assert "\\x07" in text, "nothing is dropped"
        assert "x" * 1000 not in text.replace("\n", "")
        app.clear_notifications()

        await tui.press("5")
        screen = app.current_work_screen
        assert isinstance(screen, LibraryScreen)
        await tui.until(lambda: len(screen.faces) == 2)
        for keys in (["delete"], ["space", "space", "c"], ["question_mark"]):
            await tui.press(*keys)
            await tui.until(lambda: app.screen is not screen)
            check(tui)
            await tui.press("escape")
            await tui.until(lambda: app.screen is screen)

        for dialog in (
            ConfirmDialog(FORGED, [FORGED, MARKUP], ALL, yes=("y",)),
            LinePrompt(SHORT, FORGED, value=FILE_NAME + BYTES),
            PathPrompt(MARKUP, FORGED, (".png",)),
        ):
            await app.push_screen(dialog)
            await tui.until(lambda dialog=dialog: app.screen is dialog)  # type: ignore[misc]
            check(tui)
            for box in dialog.query(Input):
                box.value = f"{hostile_settings.library}/\x1b]0;"
                await tui.until(lambda: "\\x1b" in check(tui))
            app.pop_screen()
        await tui.press("ctrl+p")
        check(tui)


async def test_an_engine_that_does_not_start_is_quoted(open_app: Open, hostile_settings: Settings) -> None:
    def fail(engine: FakeEngine) -> None:
        engine.start_error = EngineError(FORGED, ALL)

    async with open_app(fail, settings=hostile_settings, ready=False) as tui:
        await tui.until(lambda: tui.app.state.engine.phase == "stopped")
        check(tui)
        tui.app.on_engine_failed(EngineFailed(ModelError(MARKUP, FORGED)))
        await tui.until(lambda: tui.app.state.engine.error is not None)
        check(tui)


# --- the two doors -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ATTACKS)
def test_words_are_escaped_before_they_are_measured(kind: str) -> None:
    text = ATTACKS[kind]
    for content in (styled(text), assemble(text, (text, "bold"), styled(text))):
        assert not find_obeyed(content.plain, layout="")
        assert content.cell_length == len(content.plain)
    assert styled("x" * 100_000).cell_length == MAX_TEXT
    assert styled(MARKUP).plain == Static(MARKUP).content == MARKUP


@pytest.mark.parametrize("kind", ATTACKS)
def test_painted_lines_keep_their_length(kind: str) -> None:
    line = [Segment(f"a{ATTACKS[kind]}"), Segment(" " * 40), Segment("│")]
    shown = VisibleLines().apply(line, Color(0, 0, 0))
    assert not find_obeyed("".join(segment.text for segment in shown), layout="")
    assert Segment.get_line_length(shown) == Segment.get_line_length(line)


def test_pictures_are_painted_as_they_are() -> None:
    placeholder = list(kitty.placeholder_strips(7, 30, 1)[0])
    sixel = [Segment("\x1bPq#0\x1b\\", None, [(ControlType.CURSOR_FORWARD, 0)])]
    blocks = [Segment("▀" * 80), Segment("🬀🬁 ñ 日")]
    for line in (placeholder, sixel, blocks):
        assert VisibleLines().apply(line, Color(0, 0, 0)) is line
    hidden = [Segment("\U0010eeee\x1b[2J")]
    assert not find_obeyed(VisibleLines().apply(hidden, Color(0, 0, 0))[0].text, layout="")


def test_the_traceback_of_a_bug_is_printed_safely() -> None:
    try:
        raise ValueError(ALL)
    except ValueError as error:
        traceback = Traceback.from_exception(ValueError, error, error.__traceback__, show_locals=True)
    page = StringIO()
    VisibleConsole(file=page, width=100).print(traceback)
    assert "\\x1b]0;pwned" in page.getvalue()
    assert not find_obeyed(page.getvalue())


def test_logs_have_lines_of_ours_alone(tmp_path: Path) -> None:
    root = logging.getLogger()
    level, before = logging.getLogger("tuiface").level, list(root.handlers)
    log_to(tmp_path)
    try:
        log = logging.getLogger("tuiface")
        log.error("not saved: %s", FORGED)
        try:
            raise ValueError(FORGED)
        except ValueError:
            log.exception("bug")
        log.error("x" * 100_000)
    finally:
        logging.captureWarnings(capture=False)
        logging.getLogger("tuiface").setLevel(level)
        for handler in set(root.handlers) - set(before):
            root.removeHandler(handler)
            handler.close()
    text = (tmp_path / "tuiface.log").read_text("utf-8")
    assert not find_obeyed(text)
    assert "\\nforged" in text.splitlines()[0]
    assert "ValueError: \\x1b]0;pwned" in text
    assert max(map(len, text.splitlines())) <= 2000


@pytest.mark.parametrize("value", ["-rf", "--force", "-"])
def test_a_value_that_looks_like_a_flag_stays_one(value: str) -> None:
    args = build_parser().parse_args(["library", "list", *flag_words("--series", value), "--", value])
    assert (args.series, args.text) == (value, value)
    assert flag_words("--series", "a") == ["--series", "a"]


@pytest.mark.parametrize(
    ("word", "quoted"),
    [
        ("a b", "'a b'"),
        ("ñ", "'ñ'"),
        ("\x1b[201~\n", "$'\\x1b[201~\\x0a'"),
        ("it's\x07\\", "$'it\\'s\\x07\\\\'"),
        (f"b{BYTES}", "$'b\\xff\\x80'"),
        ("\u202e", "$'\\xe2\\x80\\xae'"),
    ],
)
def test_commands_to_copy_cannot_end_a_paste(word: str, quoted: str) -> None:
    assert quote_words([word]) == quoted
