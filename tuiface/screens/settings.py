"""Settings: what is set once, where each value comes from, and another one for it, written into the settings file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content

from tuiface.actions import quote_words
from tuiface.core.errors import TuifaceError
from tuiface.core.i18n import tr
from tuiface.screens.changes import Drawn
from tuiface.screens.widgets.text import Static, assemble, styled
from tuiface.screens.work_screen import FittedStatic, WorkScreen

if TYPE_CHECKING:
    from tuiface.core.settings_file import SettingRow

_AT_ONCE = ("theme",)
"""Settings that hold as soon as they are changed."""


class SettingsScreen(WorkScreen):
    """A list on the left; on the right what the chosen one means."""

    SCREEN_NAME = "settings"

    rows: Drawn[tuple[SettingRow, ...]] = Drawn(())
    chosen: Drawn[int] = Drawn(0)
    problem: Drawn[str] = Drawn("")
    """Why the settings cannot be read."""
    _flags: set[str] | None = None
    """Names of those that flags of this start gave; None before the first look."""

    def compose_body(self) -> ComposeResult:
        """The list and the meaning."""
        with Horizontal(id="body"):
            yield FittedStatic("", id="list")
            yield Static("", id="report")

    def on_screen_resume(self) -> None:
        """The file may have been edited."""
        super().on_screen_resume()
        self._read()

    def _read(self) -> None:
        def work() -> Callable[[], None]:
            from tuiface.core.settings_file import list_settings

            try:
                rows, problem = tuple(list_settings()), ""
            except TuifaceError as error:
                rows, problem = (), str(error)
            return lambda: self._take(rows, problem)

        self.read_files(tr("The settings were not read"), work, group="settings", latest=True)

    def _take(self, rows: tuple[SettingRow, ...], problem: str) -> None:
        """Rows as they are in file and environment; those that this start was given otherwise came by a flag."""
        held = {row.name: getattr(self.state.settings, row.name) for row in rows}
        if self._flags is None:
            self._flags = {row.name for row in rows if row.value != held[row.name]}
        self.rows = tuple(
            replace(row, value=held[row.name], source="flag") if row.name in self._flags else row for row in rows
        )
        self.problem = problem

    @property
    def _row(self) -> SettingRow | None:
        return self.rows[self.chosen] if self.chosen < len(self.rows) else None

    # --- drawing -------------------------------------------------------------------------------------------------

    def show_body(self) -> None:
        """The list, and what the chosen one means."""
        self.query_one("#list", Static).update(self._list())
        self.query_one("#report", Static).update(self._report())

    def _list(self) -> Content:
        lines = [styled(tr("Settings"), "bold $text-primary")]
        if self.problem:
            return Content("\n").join([*lines, styled(self.problem, "$text-error")])
        width = self.query_one("#list", Static).content_size.width
        for number, row in enumerate(self.rows):
            style = "bold $foreground" if row.source != "default" else "$foreground 85%"
            name = (f" {row.name:<11}", "reverse" if number == self.chosen else style)
            line = assemble(name, (f" {_show_value(row)}", "$foreground 70%"))
            lines.append(line.truncate(width, ellipsis=self.state.capabilities.unicode) if width else line)
        return Content("\n").join(lines)

    def _report(self) -> Content:
        from tuiface.core.settings import settings_path
        from tuiface.screens.face.words import home_relative

        row = self._row
        if row is None:
            return Content("")
        sources = {
            "default": tr("the default"),
            "file": tr("from the settings file"),
            "environment": tr("from the environment, which goes before the file"),
            "flag": tr("from a flag"),
        }
        lines = [
            styled(row.name, "bold $text-primary"),
            styled(meaning_of(row.name), "$foreground 85%"),
            Content(""),
            styled(_show_value(row), "bold $foreground"),
            styled(sources[row.source], "$text-warning" if row.source == "environment" else "$foreground 70%"),
            styled(home_relative(settings_path()), "$foreground 55%"),
        ]
        return Content("\n").join(lines)

    def command_line(self) -> str:
        """What lists them."""
        return "tuiface settings"

    # --- actions -------------------------------------------------------------------------------------------------

    def action_settings_up(self) -> None:
        """The setting above."""
        self.chosen = max(self.chosen - 1, 0)

    def action_settings_down(self) -> None:
        """The setting below."""
        self.chosen = min(self.chosen + 1, max(len(self.rows) - 1, 0))

    def action_settings_change(self) -> None:
        """Ask for another value."""
        from tuiface.core.settings_file import check_setting, format_value
        from tuiface.screens.dialogs.prompts import CheckedPrompt

        row = self._row
        if row is None:
            return
        if row.name == "keys":
            self.notify(tr("Keys are a table in the file: ? shows the actions, docs/keys.md their ids."), timeout=6)
            return

        def change(text: str | None) -> None:
            if text:
                self._write(row.name, text)

        value = "" if row.value is None else format_value(row.value)
        hint = tr("Enter writes it into the file, Esc does not")
        self.app.push_screen(
            CheckedPrompt(row.name, hint, lambda text: self._check(row.name, text, check_setting), value=value), change
        )

    def action_settings_reset(self) -> None:
        """Its default."""
        row = self._row
        if row is not None and row.name != "keys":
            self._write(row.name, None)

    def _check(self, name: str, text: str, check: Callable[[str, str], object]) -> None:
        """Raises UsageError for a value that there is not, a theme as well."""
        check(name, text)
        if name == "theme" and text not in self.app.available_themes:
            from tuiface.core.errors import UsageError, quote, suggest_nearest

            names = sorted(self.app.available_themes)
            raise UsageError(f"no theme {quote(text)}", suggest_nearest(text, names) or ", ".join(names))

    def _write(self, name: str, text: str | None) -> None:
        from tuiface.core.settings_file import write_setting

        try:
            write_setting(name, text)
        except TuifaceError as error:
            self.notify(str(error), severity="error", timeout=8)
            return
        if name == "theme" and text is not None:
            self.app.theme = text
        if name not in _AT_ONCE:
            words = (
                ["tuiface", "settings", "unset", name] if text is None else ["tuiface", "settings", "set", name, text]
            )
            self.notify(tr("It holds from the next start."), title=quote_words(words), timeout=4)
        self._read()


def _show_value(row: SettingRow) -> str:
    from tuiface.core.settings_file import format_value
    from tuiface.screens.face.words import home_relative

    return home_relative(row.value) if isinstance(row.value, Path) else format_value(row.value)


def meaning_of(name: str) -> str:
    """What a setting is for, in the user's language."""
    return {
        "model": tr("Checkpoint to open; the embedded model when not set."),
        "library": tr("Folder that faces are saved to and listed from."),
        "directions": tr("Folder of your own directions."),
        "regions": tr("Folder of the regions that you named."),
        "device": tr("Where the engine runs: auto, cpu or cuda."),
        "threads": tr("CPU threads of the engine; 0 takes all."),
        "psi": tr("Truncation of new faces: 0 is the mean face, 1 none."),
        "graphics": tr("How pictures are shown: auto, kitty, sixel, block or none."),
        "cells": tr("Characters of coloured cells: auto, half, quadrant or sextant."),
        "theme": tr("Colours: tuiface-dark, tuiface-light, tuiface-contrast and more."),
        "language": tr("Language of the interface: auto, en or es."),
        "keys": tr("Other keys for actions: a table in the file."),
        "cache": tr("Folder of what can be made again."),
        "state": tr("Folder of logs and sessions."),
        "engine": tr("Which engine renders: auto, private, resident or a user's name."),
        "runtime": tr("Folder of your resident engine's socket."),
    }[name]
