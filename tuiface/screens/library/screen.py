"""Library: the saved faces as thumbnails, with what is known of the chosen one and where it comes from."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content

from tuiface.actions import flag_words, quote_words
from tuiface.core.errors import TuifaceError
from tuiface.core.i18n import tr, trn
from tuiface.core.visible import to_visible
from tuiface.core.words import check_rating
from tuiface.screens.changes import Drawn
from tuiface.screens.face.words import default_title, home_relative, library_title
from tuiface.screens.grid_screen import GridScreen
from tuiface.screens.widgets.text import Static, assemble, styled
from tuiface.screens.widgets.tile_grid import Tile, TileGrid

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from tuiface.faces.library import Library, LibraryFace
    from tuiface.faces.studio import Face
    from tuiface.screens.state import InterfaceState

MAX_THUMBNAILS = 800


class LibraryScreen(GridScreen):
    """The folder is read in a thread, whenever the screen is shown; so are the thumbnails of a page."""

    SCREEN_NAME = "library"
    FOR_MARKED = ("library_tags", "library_rate", "library_morph", "library_mix", "library_compare", "library_delete")

    faces: Drawn[tuple[LibraryFace, ...]] = Drawn(())
    """Those that are shown, the newest first."""
    everything: Drawn[tuple[LibraryFace, ...]] = Drawn(())
    text: Drawn[str] = Drawn("")
    """What is searched for."""
    series: Drawn[str | None] = Drawn(None)
    """The one that is shown alone."""
    problem: Drawn[str] = Drawn("")
    """Why the folder cannot be read, or not all of it."""
    is_read: Drawn[bool] = Drawn(default=False)

    def __init__(self, state: InterfaceState) -> None:
        super().__init__(state)
        self._thumbnails: dict[tuple[Path, int], np.ndarray | None] = {}
        """By file and side; None for a picture that cannot be read, or is being read."""
        self._num_saved = state.saves.num_saved
        """When the folder was read."""
        self._removed: list[tuple[Path, ...]] = []
        """What was removed, as paths in the trash, newest last."""

    def compose_body(self) -> ComposeResult:
        """What is shown, the grid, and what is known of the chosen face."""
        with Vertical(id="body"):
            yield Static("", id="heading")
            with Horizontal():
                yield TileGrid(self.state.writer, id="grid")
                yield Static("", id="panel")

    def on_screen_resume(self) -> None:
        """Faces may have come."""
        super().on_screen_resume()
        self.read()

    # --- the folder ----------------------------------------------------------------------------------------------

    def open_library(self) -> Library:
        """The folder of the settings."""
        from tuiface.faces.library import Library

        return Library(self.state.settings.library, self.state.settings.cache)

    def read(self, *, again: bool = False) -> None:
        """Look into the folder, in a thread; `again` builds its index anew."""
        text, series = self.text, self.series

        def work() -> Callable[[], None]:
            from tuiface.faces.library import select_faces

            try:
                library = self.open_library()
                problems = library.reindex() if again else []
                listing = library.look()
                everything, problems = listing.faces, problems or list(listing.problems)
                found = tuple(reversed(select_faces(everything, text, series=series)))
            except (TuifaceError, OSError) as error:
                problem = str(error)
                return lambda: self._take((), (), problem)
            problem = str(problems[0]) if problems else ""
            return lambda: self._take(everything, found, problem)

        self.read_files(tr("The library was not read"), work, group="library", latest=True)

    def _take(self, everything: tuple[LibraryFace, ...], found: tuple[LibraryFace, ...], problem: str) -> None:
        self.everything, self.faces, self.problem, self.is_read = everything, found, problem, True
        self.chosen = min(self.chosen, max(len(found) - 1, 0))
        if self.has_widgets:
            self.fit_page()

    def _fetch_thumbnails(self, side: int) -> None:
        """Those of the page that are missing, in a thread."""
        wanted = [(self.faces[index].path, side) for index in self.page]
        missing = [key for key in wanted if key not in self._thumbnails]
        if not missing:
            return
        for key in missing:
            self._thumbnails[key] = None

        def work() -> Callable[[], None]:
            found = {key: read_thumbnail(*key) for key in missing}
            return lambda: self._take_thumbnails(found)

        self.read_files(tr("The library was not read"), work, group="thumbnails", latest=False)

    def _take_thumbnails(self, found: dict[tuple[Path, int], np.ndarray | None]) -> None:
        self._thumbnails.update(found)
        while len(self._thumbnails) > MAX_THUMBNAILS:
            self._thumbnails.pop(next(iter(self._thumbnails)))
        self.changes.mark()

    # --- drawing -------------------------------------------------------------------------------------------------

    @property
    def count(self) -> int:
        """Faces that are shown."""
        return max(len(self.faces), 1)

    def show_body(self) -> None:
        """The page and the panel."""
        if self._num_saved != self.state.saves.num_saved:
            self._num_saved = self.state.saves.num_saved
            self.read()
        self.query_one("#heading", Static).update(self._heading(), layout=False)
        if not all(self.grid.content_size):
            return  # its size comes with the first layout, and with it this call again
        if not self.faces:
            self.grid.show((), 0)
            self.query_one("#panel", Static).update("")
            return
        side = self.grid.tile_px
        self._fetch_thumbnails(side)
        tiles = [
            Tile(self._caption(face), self._thumbnails.get((face.path, side)), str(face.path) in self.marked)
            for face in (self.faces[index] for index in self.page if index < len(self.faces))
        ]
        self.grid.show(tiles, self.chosen - self.first)
        self.query_one("#panel", Static).update(self._panel(self.faces[self.chosen]))

    def _caption(self, face: LibraryFace) -> str:
        return f"{library_title(face)} {self._stars(face)}".rstrip()

    def _stars(self, face: LibraryFace) -> str:
        return ("★" if self._unicode else "*") * (face.rating or 0)

    def _heading(self) -> Content:
        folder = home_relative(self.state.settings.library)
        if not self.is_read:
            return styled(tr("reading {folder}", folder=folder))
        if self.problem:
            return styled(self.problem, "$text-error")
        if not self.everything:
            return styled(tr("Nothing is saved yet: 1 leads to a face, s saves it into {folder}.", folder=folder))
        number = trn("{number} face", "{number} faces", len(self.faces))
        parts = [styled(number, "bold $foreground"), styled(folder)]
        if self.text:
            parts.append(styled(tr("with “{text}”", text=self.text), "$text-warning"))
        if self.series:
            parts.append(styled(tr("series {name}", name=self.series), "$text-warning"))
        if self.marked:
            parts.append(self.marked_text())
        return Content("   ").join(parts)

    def _panel(self, face: LibraryFace) -> Content:
        label = "$foreground 55%"
        rows = [
            (tr("id"), face.id),
            (tr("seed"), tr("latent") if face.seed is None else str(face.seed)),
            ("psi", f"{face.psi:.2f}"),
            (tr("size"), f"{face.width} px"),
            (tr("model"), face.model),
            (tr("saved"), f"{face.time[:16].replace('T', ' ')}"),
            (tr("by"), face.operator),
            (tr("rating"), self._stars(face) or "-"),
            (tr("tags"), " ".join(face.tags) or "-"),
            (tr("series"), face.series or "-"),
        ]
        title = library_title(face)
        title = tr("seed {seed}", seed=title) if title == str(face.seed) else title
        lines = [styled(to_visible(title), "bold $text-primary")]
        if face.title:
            lines.append(styled(to_visible(default_title(face)), "$foreground 85%"))
        lines.append(styled(to_visible(face.path.name), "$foreground 55%"))
        lines += [assemble((f"{name:<10}", label), (to_visible(value), "$foreground 85%")) for name, value in rows]
        lineage = self._lineage(face)
        if lineage:
            lines += [Content(""), styled(tr("Lineage"), "bold $text-primary"), *lineage]
        return Content("\n").join(lines)

    def _lineage(self, face: LibraryFace) -> list[Content]:
        """Ancestors above, then the face, then its children, as far as they lie in the library."""
        by_id = {other.id: other for other in self.everything}
        children = [other for other in self.everything if any(parent.startswith(face.id) for parent in other.parents)]
        if not face.parents and not children:
            return []
        lines = _ancestor_lines(face, by_id, depth=0, seen=set())
        lines.append(
            styled(f"● {_face_label(face)}" if self._unicode else f"* {_face_label(face)}", "bold $foreground")
        )
        branch = "└ " if self._unicode else "\\ "
        lines += [styled(f"  {branch}{_face_label(child)}", "$foreground 70%") for child in children[:8]]
        if len(children) > 8:
            lines.append(styled(tr("  and {number} more", number=len(children) - 8), "$foreground 55%"))
        return lines

    @property
    def _unicode(self) -> bool:
        return self.state.capabilities.unicode

    def command_line(self) -> str:
        """`tuiface library list` with what is searched for."""
        words = ["tuiface", "library", "list", *(flag_words("--series", self.series) if self.series else [])]
        dashes = ["--"] if self.text.startswith("-") else []
        return quote_words([*words, *dashes, *([self.text] if self.text else [])])

    # --- actions -------------------------------------------------------------------------------------------------

    def open_chosen(self) -> None:
        """Large, on the first screen, to go on with it."""
        if not self.faces:
            return
        path = self.faces[self.chosen].path
        if self._run_or_notify(lambda: self.state.open_file(path)):
            self.app.call_later(self.app.run_action, "go_to('face')")

    def action_library_open(self) -> None:
        """Show the chosen face large."""
        self.open_chosen()

    def action_library_search(self) -> None:
        """Ask for a text; what is found shows while it is typed."""
        from tuiface.screens.dialogs.prompts import LinePrompt

        before = self.text

        def search(text: str | None) -> None:
            self.text = before if text is None else text.strip()
            self.chosen = 0
            self.read()

        hint = tr("Enter keeps it, Esc takes it back, empty shows all")
        self.app.push_screen(LinePrompt(tr("Search"), hint, value=self.text, live=search), search)

    def show_text(self, text: str) -> None:
        """The faces that hold a text, of all series."""
        self.text, self.series = text, None
        self.chosen = 0
        self.read()

    def action_library_mark(self) -> None:
        """Mark, and go on to the next."""
        self.toggle_mark()

    def mark_key(self, index: int) -> str | None:
        """The picture's path."""
        return str(self.faces[index].path) if index < len(self.faces) else None

    def action_library_tags(self) -> None:
        """Ask for tags."""
        from tuiface.screens.dialogs.prompts import TagPrompt

        faces = self._selection()
        if not faces:
            return

        def change(text: str | None) -> None:
            words = (text or "").replace(",", " ").split()
            add = tuple(word for word in words if not word.startswith("-"))
            remove = tuple(word[1:] for word in words if word.startswith("-"))
            if words and self._run_or_notify(
                lambda: [self.open_library().set_tags(face, add, remove) for face in faces]
            ):
                self.read()

        known = sorted({tag for face in self.everything for tag in face.tags})
        self.app.push_screen(TagPrompt(known), change)

    def action_library_rename(self) -> None:
        """Ask for the chosen face's name."""
        from tuiface.screens.dialogs.prompts import LinePrompt

        if not self.faces:
            return
        face = self.faces[self.chosen]

        def rename(text: str | None) -> None:
            if text is not None and self._run_or_notify(lambda: self.open_library().rename(face, text)):
                self.read()

        hint = tr("Enter keeps it, Esc does not; empty: {name}", name=default_title(face))
        self.app.push_screen(LinePrompt(tr("Name"), hint, value=face.title or ""), rename)

    def action_library_rate(self) -> None:
        """Ask for a rating of the marked faces, or the chosen one."""
        from tuiface.screens.dialogs.prompts import CheckedPrompt

        faces = self._selection()
        if not faces:
            return

        def rate(text: str | None) -> None:
            if text and self._run_or_notify(lambda: self.open_library().rate(faces, int(text))):
                self.read()

        hint = tr("1 to 5, 0 takes it away; Enter keeps it, Esc does not")
        self.app.push_screen(CheckedPrompt(tr("Rating"), hint, check_rating), rate)

    def action_library_series(self) -> None:
        """The chosen face's series alone, or all."""
        if self.series is None and self.faces:
            self.series = self.faces[self.chosen].series
            if self.series is None:
                self.notify(tr("This face belongs to no series."), timeout=3)
                return
        else:
            self.series = None
        self.chosen = 0
        self.read()

    def action_library_compare(self) -> None:
        """Two marked faces side by side."""
        from tuiface.screens.library.comparison import ComparisonScreen

        faces = [face for key in self.marked for face in self.everything if str(face.path) == key]
        if len(faces) != 2:
            self.notify(tr("Mark two faces to compare, with space: {number} marked.", number=len(faces)), timeout=4)
            return
        self._run_or_notify(lambda: self.app.push_screen(ComparisonScreen(self.state, [face.path for face in faces])))

    def action_library_delete(self) -> None:
        """Into the trash, after a question."""
        from tuiface.screens.dialogs.confirm import ConfirmDialog

        faces = self._selection()
        if not faces:
            return

        def answered(yes: bool | None) -> None:  # noqa: FBT001 - Textual's signature
            if yes:
                self._remove(faces)

        title = trn("Remove {number} face?", "Remove {number} faces?", len(faces))
        names = [face.path.name for face in faces[:5]] + (["…"] if len(faces) > 5 else [])
        lines = [*names, "", tr("They go to the library's trash; u takes them back.")]
        self.app.push_screen(ConfirmDialog(title, lines, tr("y removes, n keeps"), yes=("y",)), answered)

    def _remove(self, faces: list[LibraryFace]) -> None:
        library, trashed = self.open_library(), []

        def remove() -> None:
            for face in faces:
                trashed.append(library.remove(face))

        self._run_or_notify(remove)
        if trashed:
            self._removed.append(tuple(trashed))
            self.marked = ()
            text = trn(
                "{number} face is in the trash; u takes it back.",
                "{number} faces are in the trash; u takes them back.",
                len(trashed),
            )
            self.notify(text, title=tr("Removed"))
        self.read()

    def action_library_undo(self) -> None:
        """Take back what was removed last."""
        if not self._removed:
            self.notify(tr("Nothing was removed in this session."), timeout=3)
            return
        library, trashed = self.open_library(), self._removed.pop()
        if self._run_or_notify(lambda: [library.restore(path) for path in trashed]):
            self.notify(trn("{number} face is back.", "{number} faces are back.", len(trashed)), timeout=3)
        self.read()

    def action_library_mix(self) -> None:
        """The next parent."""
        for face in self._selection()[:2]:
            if not self._run_or_notify(partial(self._use, face.path, self.state.mix.add_parent)):
                return
        text = tr("{number} of 2 parents; 3 shows them.", number=len(self.state.mix.parents))
        self.notify(text, title="Mix", timeout=3)

    def action_library_morph(self) -> None:
        """The transition's next faces."""
        for face in self._selection():
            if not self._run_or_notify(partial(self._use, face.path, self.state.morph.add)):
                return
        self.marked = ()
        number = len(self.state.morph.transition)
        self.notify(tr("Faces: {number}; 4 shows the transition.", number=number), title="Morph", timeout=3)

    def action_library_reload(self) -> None:
        """Look again."""
        self._thumbnails.clear()
        self.read(again=True)

    def _use(self, path: Path, use: Callable[[Face], None]) -> None:
        use(self.state.engine.load_face(path))

    def _selection(self) -> list[LibraryFace]:
        """The marked faces, or the chosen one."""
        marked = [face for key in self.marked for face in self.everything if str(face.path) == key]
        return marked or [self.faces[self.chosen]] * bool(self.faces)

    def _run_or_notify(self, work: Callable[[], object]) -> bool:
        """Do something to files; an error is a toast. Returns whether it was done."""
        try:
            work()
        except (TuifaceError, OSError) as error:
            self.notify(str(error), severity="error", timeout=8)
            return False
        return True


def read_thumbnail(path: Path, side: int) -> np.ndarray | None:
    """uint8 [s, s, 3] with s at most `side` px (or the picture's own); None for a file that cannot be read."""
    import numpy as np
    from PIL.Image import Resampling

    from tuiface.core.pictures import MAX_PICTURE_BYTES, decode_picture
    from tuiface.core.values import read_bytes

    try:
        picture = decode_picture(read_bytes(path, MAX_PICTURE_BYTES), path.name, rgb=False).convert("RGB")
    except TuifaceError:
        return None
    picture.thumbnail((side, side), Resampling.LANCZOS, reducing_gap=2.0)
    return np.asarray(picture)


def _ancestor_lines(face: LibraryFace, by_id: dict[str, LibraryFace], *, depth: int, seen: set[str]) -> list[Content]:
    """The parents of a face, and theirs, indented by generation."""
    from tuiface.faces.recipe import face_id

    lines: list[Content] = []
    for digest in face.parents:
        if digest in seen or depth > 6:
            continue
        seen.add(digest)
        parent = by_id.get(face_id(digest))
        if parent is not None:
            lines += _ancestor_lines(parent, by_id, depth=depth + 1, seen=seen)
        text = _face_label(parent) if parent is not None else tr("{id} (not here)", id=face_id(digest))
        lines.append(styled(f"{'  ' * depth}↑ {text}", "$foreground 70%"))
    return lines


def _face_label(face: LibraryFace) -> str:
    return f"{face.id} {to_visible(library_title(face))}"
