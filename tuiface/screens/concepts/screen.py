"""Concepts: what can be done with directions: learn, find, import, keep, rename and delete them."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tuiface.core.errors import TuifaceError, UsageError, quote
from tuiface.core.files import translate_os_errors
from tuiface.core.i18n import tr
from tuiface.core.reading import expand_user
from tuiface.directions.catalogue import refuse_invalid_name, rename_direction
from tuiface.directions.direction import labels_from, labels_of
from tuiface.directions.import_options import ImportOptions, parse_import_options
from tuiface.directions.questionnaire import AnswersFile, answers_path
from tuiface.engine_api.requests import METHODS, parse_search
from tuiface.screens.concepts import work
from tuiface.screens.concepts.browser import ConceptBrowser
from tuiface.screens.dialogs.confirm import ConfirmDialog
from tuiface.screens.dialogs.prompts import CheckedPrompt, PathPrompt
from tuiface.screens.face.words import home_relative

if TYPE_CHECKING:
    from tuiface.directions.questionnaire import Scale
    from tuiface.screens.concepts.rows import ConceptRow, ConceptSection

SUFFIXES = (".npy", ".npz", ".pt", ".pth", ".pkl")
"""Of files that can be imported."""


class ConceptsScreen(ConceptBrowser):
    """The browser with what changes things; each asks for what it needs in a line at the bottom."""

    # --- learning ------------------------------------------------------------------------------------------------

    def action_concepts_learn(self) -> None:
        """Ask for a name first, then for both ends and the kind of answers."""

        def named(name: str | None) -> None:
            if name is None or self.state.studio is None:
                return
            kept = next((file for file, answers in self.kept_answers if answers.concept == name), None)
            if kept is not None:
                self.open_questionnaire(kept)
            else:
                self._ask_ends(name)

        hint = tr("small letters, as in trustworthy; then both ends and the kind of answers")
        self.app.push_screen(CheckedPrompt(tr("Concept"), hint, refuse_invalid_name), named)

    def _ask_ends(self, name: str) -> None:
        given: list[tuple[str, str]] = []

        def answered(text: str | None) -> None:
            if text is None:
                return
            given.append(parse_ends(text))
            if len(given) == 1:
                hint = tr("the same in Spanish, or nothing")
                self.app.push_screen(CheckedPrompt(tr("Ends, Spanish"), hint, parse_ends), answered)
            else:
                self._ask_scale(name, given)

        hint = tr("what both ends look like: colder / warmer; or nothing")
        self.app.push_screen(CheckedPrompt(tr("Ends, English"), hint, parse_ends), answered)

    def _ask_scale(self, name: str, ends: list[tuple[str, str]]) -> None:
        def answered(text: str | None) -> None:
            studio = self.state.studio
            if text is None or studio is None:
                return
            path = answers_path(self.state.settings.directions, name)
            labels = labels_from(name, ends[0], ends[1])
            self.open_questionnaire(AnswersFile(path, name, parse_scale(text), studio.info.model, labels))

        hint = tr("y: yes or no; 7: from 1 to 7")
        self.app.push_screen(CheckedPrompt(tr("Answers"), hint, parse_scale, value="y"), answered)

    def open_questionnaire(self, file: AnswersFile) -> None:
        """Read the faces if nobody did yet, and go to the questionnaire."""
        work.start_questionnaire(self.app, self.state, file)
        self.app.call_later(self.app.run_action, "go_to('answering')")

    def action_concepts_read(self) -> None:
        """Learn all that the reader sees where there is no direction yet; else ask for names first."""
        studio = self.state.studio
        if studio is None:
            return
        known = studio.info.attributes
        if not known:
            self.notify(tr("No attribute reader is installed: n learns from your answers, f finds some."), timeout=5)
        elif not self.rows():
            self._learn_attributes(())
        else:

            def answered(text: str | None) -> None:
                if text is not None:
                    self._learn_attributes(parse_attributes(text, known))

            hint = tr("names with commas: {names}", names=", ".join(known))
            self.app.push_screen(
                CheckedPrompt(tr("Attributes"), hint, lambda text: parse_attributes(text, known)), answered
            )

    def _learn_attributes(self, names: tuple[str, ...]) -> None:
        work.learn_attributes(self.state, names)
        self.notify(tr("Directions are being learned; 7 shows how far it is."), timeout=3)

    # --- finding, importing, keeping -----------------------------------------------------------------------------

    def action_concepts_find(self) -> None:
        """Ask how, then search as a job."""

        def answered(text: str | None) -> None:
            if text is not None and self.state.studio is not None:
                work.search(self.app, self.state, parse_search(text.split()))
                self.notify(tr("It is being looked for; 7 shows how far it is."), timeout=3)

        hint = tr("{methods}; regional mouth, sefa 2-8 12", methods=", ".join(METHODS))
        prompt = CheckedPrompt(tr("Method"), hint, lambda text: parse_search(text.split()), value="ganspace")
        self.app.push_screen(prompt, answered)

    def action_concepts_import(self) -> None:
        """Ask for a path and a name, then import as a job."""

        def chosen(text: str | None) -> None:
            if text is None:
                return
            path = expand_user(text).absolute()
            value = path.stem.lower().replace("-", "_")
            hint = tr("then, if needed: --legacy first, --rows 0-8, --key K, --raw, --licence TEXT")
            prompt = CheckedPrompt(tr("Name"), hint, lambda text: parse_import_words(path, text), value=value)
            self.app.push_screen(prompt, lambda text: self._import(path, text))

        hint = tr("path of a .npy, .npz or .pt; → completes, Enter goes on, Esc closes")
        self.app.push_screen(PathPrompt(tr("File"), hint, SUFFIXES), chosen)

    def _import(self, path: Path, text: str | None) -> None:
        if text is not None and self.state.studio is not None:
            options = parse_import_words(path, text)
            work.import_file(self.app, self.state, path, options, lambda: self._choose("own", options.name))
            self.notify(tr("It is being imported; 7 shows how far it is."), timeout=3)

    def _choose(self, section: ConceptSection, name: str) -> None:
        self.chosen = (section, name)

    def action_concepts_keep(self) -> None:
        """Ask for a name for what was found."""
        row = self.row
        studio = self.state.studio
        if row is None or row.section != "found" or row.direction is None or studio is None:
            self.notify(tr("Only what was found needs to be kept; f finds some."), timeout=3)
            return
        direction = row.direction

        def named(name: str | None) -> None:
            if name is None:
                return
            made = rename_direction(direction, name, labels_of(name))
            if self._apply_and_notify(lambda: studio.catalogue.add(made), tr("Kept")):
                self.state.concepts.drop_candidate(direction)
                self._choose("own", name)

        self.app.push_screen(CheckedPrompt(tr("Keep as"), tr("small letters, as in smile"), refuse_invalid_name), named)

    def action_concepts_rename(self) -> None:
        """Ask for another name of one's own."""
        row = self.row
        studio = self.state.studio
        if row is None or row.direction is None or not row.is_own or studio is None:
            self.notify(tr("Only a direction of your own can have another name."), timeout=3)
            return
        old = row.name

        def named(name: str | None) -> None:
            if name in (None, old):
                return
            assert name is not None
            if self._apply_and_notify(lambda: studio.catalogue.rename(old, name, studio.info.model), tr("Renamed")):
                self._choose("own", name)

        hint = tr("another name for {name}", name=old)
        self.app.push_screen(CheckedPrompt(tr("Rename"), hint, refuse_invalid_name, value=old), named)

    def action_concepts_remove(self) -> None:
        """Ask, then delete; what was found and not kept is dropped at once."""
        row = self.row
        if row is None:
            return
        if row.section == "found":
            self.state.concepts.drop_candidate(row.direction)
            return
        if not row.is_own or row.path is None:
            self.notify(tr("{name} ships with tuiface; your own can be deleted.", name=row.name), timeout=3)
            return

        def answered(yes: bool | None) -> None:  # noqa: FBT001 - Textual's signature
            if yes:
                self._remove(row)

        if row.answers is not None:
            lines = [home_relative(row.path), "", tr("The answers are lost with it.")]
        else:
            lines = [home_relative(row.path), "", tr("Faces made with it cannot be rendered again without it.")]
        title = tr("Delete {name}?", name=row.name)
        self.app.push_screen(ConfirmDialog(title, lines, tr("y deletes, n keeps"), yes=("y",)), answered)

    def _remove(self, row: ConceptRow) -> None:
        path = row.path
        assert path is not None

        def remove() -> Path:
            with translate_os_errors(path):
                path.unlink()
            return path

        if self._apply_and_notify(remove, tr("Deleted")):
            self.kept_answers = tuple(kept for kept in self.kept_answers if kept[0].path != path)

    def _apply_and_notify(self, change: Callable[[], Path], title: str) -> bool:
        """Make a change to a file and name it, or say why not; whether it was made."""
        try:
            path = change()
        except TuifaceError as error:
            self.notify(str(error), severity="error", timeout=8)
            return False
        self.notify(home_relative(path), title=title)
        return True


def parse_ends(text: str) -> tuple[str, str]:
    """`colder / warmer` as both ends; two empty words for an empty text. Raises UsageError."""
    low, slash, high = (part.strip() for part in text.partition("/"))
    if text.strip() and not (slash and low and high):
        raise UsageError(f"ends {quote(text)}; accepted: LOW / HIGH, or nothing")
    return low, high


def parse_attributes(text: str, known: Sequence[str]) -> tuple[str, ...]:
    """`smile, age` as attributes of the reader. Raises UsageError."""
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    unknown = next((name for name in names if name not in known), None)
    if unknown is not None or not names:
        raise UsageError(f"attribute {quote(unknown or '')}; accepted: {', '.join(known)}")
    return names


def parse_scale(text: str) -> Scale:
    """`y` or `7`. Raises UsageError."""
    scales: dict[str, Scale] = {"y": "yes-no", "7": "1-7"}
    if text.strip() not in scales:
        raise UsageError(f"answers {quote(text)}; accepted: y, or 7")
    return scales[text.strip()]


def parse_import_words(path: Path, text: str) -> ImportOptions:
    """A name, and the flags of `tuiface directions import` after it. Raises UsageError."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"{quote(text)}: {error}") from None
    refuse_invalid_name(words[0] if words else "")
    return parse_import_options(path, ["--name", *words])
