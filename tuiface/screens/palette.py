"""The palette: all that can be done, on every screen, found by its name; shortcuts stand at the right.

Actions of another screen lead to it first. Rows of the Face screen, seeds by number (`seed 42`), themes, and the faces
and tags of the library are found too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from tuiface.actions import SCREENS, Action, ScreenName
from tuiface.core.errors import TuifaceError
from tuiface.core.i18n import tr
from tuiface.core.visible import to_visible
from tuiface.screens.bindings import GRID_MOVES, handler
from tuiface.screens.face import studio_actions
from tuiface.screens.face.controls import list_controls
from tuiface.screens.widgets.bars import TAB_WORDS
from tuiface.screens.widgets.text import assemble, styled
from tuiface.screens.work_screen import WorkScreen

if TYPE_CHECKING:
    from pathlib import Path

    from textual.content import Content
    from textual.dom import DOMNode
    from textual.geometry import Size
    from textual.notifications import SeverityLevel

    from tuiface.faces.library import LibraryFace
    from tuiface.screens.state import InterfaceState


class PaletteApp(Protocol):
    """What the palette needs of the app."""

    state: InterfaceState
    theme: Any
    """Name of the theme; Textual's own attribute."""

    @property
    def available_themes(self) -> Mapping[str, object]:
        """Themes by name."""

    @property
    def size(self) -> Size:
        """Of the terminal, in cells."""

    @property
    def current_work_screen(self) -> WorkScreen:
        """The screen of work that is shown, whatever dialogs lie over it."""

    def action_go_to(self, name: ScreenName) -> None:
        """Show another one."""

    async def run_action(self, action: str, default_namespace: DOMNode | None = None) -> bool:
        """Textual's own."""

    def notify(
        self, message: str, *, title: str = "", severity: SeverityLevel = "information", timeout: float | None = None
    ) -> None:
        """Textual's own."""


MAX_FACES = 2000
"""Of the library that are looked through: the newest ones."""
_MARGIN = 4
"""Columns that Textual's list leaves free at its sides, with its scrollbar."""
_HERE, _EVERYWHERE, _ELSEWHERE = 1.0, 0.97, 0.9
"""What a match counts, by how far what it names lies from the shown screen."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that the palette offers."""

    title: str
    """What is searched."""
    help: str
    """One line below it."""
    run: Callable[[], object]
    keys: str = ""
    """As people write them; at the right."""
    weight: float = _ELSEWHERE


class PaletteProvider(Provider):
    """Answers what is typed into Textual's palette."""

    async def startup(self) -> None:
        """List what there is; the library's folder in a thread."""
        self._entries = list(list_entries(self._tuiface))
        self._files: list[Entry] = []
        self._reading = asyncio.create_task(self._read_library())

    async def shutdown(self) -> None:
        """Wait for no folder."""
        self._reading.cancel()

    async def discover(self) -> Hits:
        """Everything but the library's faces, before anything is typed."""
        for entry in self._entries:
            display = self._line(entry, styled(entry.title))
            yield DiscoveryHit(display, entry.run, text=entry.title, help=_help(entry))

    async def search(self, query: str) -> Hits:
        """What fits, nearest first."""
        seed = find_seed(query)
        if seed is not None:
            entry = seed_entry(self._tuiface, seed)
            yield Hit(2.0, self._line(entry, styled(entry.title)), entry.run, entry.title, _help(entry))
        for hit in self._match(query, self._entries):
            yield hit
        await asyncio.wait([self._reading])
        for hit in self._match(query, self._files):
            yield hit

    def _match(self, query: str, entries: Iterable[Entry]) -> Iterator[Hit]:
        matcher = self.matcher(query)
        for entry in entries:
            match = matcher.match(entry.title)
            if match > 0:
                display = self._line(entry, matcher.highlight(entry.title.replace("[", "\\[")))
                yield Hit(match * entry.weight, display, entry.run, entry.title, _help(entry))

    @property
    def _tuiface(self) -> PaletteApp:
        return cast("PaletteApp", self.app)

    def _line(self, entry: Entry, title: Content) -> Content:
        """The title, and the keys at the right edge where there is room."""
        if not entry.keys:
            return title
        free = self.app.size.width - _MARGIN - title.cell_length - styled(entry.keys).cell_length
        return assemble(title, " " * max(2, free), (entry.keys, "$accent"))

    async def _read_library(self) -> None:
        try:
            faces = await asyncio.to_thread(_look, self._tuiface)
        except (TuifaceError, OSError):
            return  # the Library says what is wrong with its folder
        self._files = [*_tag_entries(self._tuiface, faces), *_face_entries(self._tuiface, faces)]


def list_entries(app: PaletteApp) -> Iterator[Entry]:
    """Actions of the shown screen, those of everywhere, rows of the face, actions of other screens, themes."""
    shown = app.current_work_screen.SCREEN_NAME
    actions, unicode = app.state.actions, app.state.capabilities.unicode
    for action in actions.on_screen(shown):
        if action.id != "command_palette":
            yield _action_entry(app, action, shown, unicode=unicode)
    for control in list_controls(app.state):
        word = control.word[:1].upper() + control.word[1:]
        title = f"{tr(control.heading)}: {to_visible(word)}"
        text = tr("Choose this row of the face. Now: {value}", value=to_visible(control.value))
        yield Entry(title, text, partial(_choose_row, app, control.key), weight=_EVERYWHERE)
    for screen in SCREENS:
        for action in actions.in_scope(screen) if screen != shown else ():
            if action.id.removeprefix(f"{screen}_") not in GRID_MOVES:
                yield _action_entry(app, action, shown, unicode=unicode)
    for name in sorted(app.available_themes):
        title = tr("Theme: {name}", name=name)
        yield Entry(title, tr("Colours of the interface; kept for the next start."), partial(_set_theme, app, name))


def find_seed(query: str) -> int | None:
    """The number in `42`, `seed 42` or the same in the interface's language; None for any other text."""
    words = query.split()
    if len(words) == 2 and words[0].casefold() in ("seed", tr("seed").casefold()):
        words = words[1:]
    is_number = len(words) == 1 and words[0].isascii() and words[0].isdecimal() and len(words[0]) <= 24
    return int(words[0]) if is_number else None


def seed_entry(app: PaletteApp, seed: int) -> Entry:
    """The face of a seed; one that is too large is refused by its value."""
    from tuiface.screens.dialogs.prompts import seed_problem

    title = tr("Seed {seed}", seed=seed)
    problem = seed_problem(str(seed))
    if problem:
        return Entry(title, problem, lambda: app.notify(problem, title=title, severity="warning"))
    return Entry(title, tr("Show the face of this seed."), partial(_show_seed, app, seed))


def _action_entry(app: PaletteApp, action: Action, shown: ScreenName, *, unicode: bool) -> Entry:
    from tuiface.actions import format_key, format_key_ascii

    keys = " ".join(map(format_key if unicode else format_key_ascii, action.keys))
    title, text = tr(action.label), tr(action.help)
    if action.scope in ("everywhere", shown):
        weight = _HERE if action.scope == shown else _EVERYWHERE
        return Entry(title, text, partial(_run, app, action), keys, weight)
    screen = cast("ScreenName", action.scope)
    return Entry(f"{tr(TAB_WORDS[screen])}: {title}", text, partial(_go_and, app, screen, action), keys)


def _face_entries(app: PaletteApp, faces: tuple[LibraryFace, ...]) -> Iterator[Entry]:
    for face in tuple(reversed(faces))[:MAX_FACES]:
        title = tr("Face: {name}", name=to_visible(face.path.stem))
        yield Entry(title, tr("Open this face of the library."), partial(_open_file, app, face.path))


def _tag_entries(app: PaletteApp, faces: tuple[LibraryFace, ...]) -> Iterator[Entry]:
    for tag in sorted({tag for face in faces for tag in face.tags}):
        title = tr("Tag: {name}", name=to_visible(tag))
        yield Entry(title, tr("Show the faces of the library with this tag."), partial(_show_tag, app, tag))


def _look(app: PaletteApp) -> tuple[LibraryFace, ...]:
    from tuiface.faces.library import Library

    return Library(app.state.settings.library, app.state.settings.cache).look().faces


def _help(entry: Entry) -> str:
    """Textual reads markup here."""
    return entry.help.replace("[", "\\[")


# --- what they do -------------------------------------------------------------------------------------------------


async def _run(app: PaletteApp, action: Action) -> None:
    await app.run_action(handler(action), None if action.scope == "everywhere" else app.current_work_screen)


def _go_and(app: PaletteApp, screen: ScreenName, action: Action) -> None:
    """Go there, and act once the screen is laid out: a page must know how many faces fit."""
    app.action_go_to(screen)
    app.current_work_screen.call_after_refresh(_run, app, action)


def _choose_row(app: PaletteApp, key: str) -> None:
    app.action_go_to("face")
    app.state.face.choose(key)


def _show_seed(app: PaletteApp, seed: int) -> None:
    app.action_go_to("face")
    app.state.apply(lambda studio: studio_actions.show_seed(studio, seed))


def _set_theme(app: PaletteApp, name: str) -> None:
    app.theme = name


def _open_file(app: PaletteApp, path: Path) -> None:
    try:
        app.state.open_file(path)
    except (TuifaceError, OSError) as error:
        app.notify(str(error), severity="error", timeout=8)
    else:
        app.action_go_to("face")


def _show_tag(app: PaletteApp, tag: str) -> None:
    from tuiface.screens.library.screen import LibraryScreen

    app.action_go_to("library")
    library: WorkScreen = app.current_work_screen
    if isinstance(library, LibraryScreen):
        library.show_text(tag)
