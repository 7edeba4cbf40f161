"""The list of concepts, the present face along the chosen one, and what is known of it: looking, without changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content

from tuiface.actions import format_key, format_key_ascii
from tuiface.core.errors import TuifaceError
from tuiface.core.i18n import tr
from tuiface.core.limits import MAX_SEED
from tuiface.directions.direction import labels_of
from tuiface.directions.questionnaire import AnswersFile, list_answers
from tuiface.engine_api.requests import search_flags
from tuiface.screens.changes import Drawn
from tuiface.screens.concepts.questionnaire import localize_ends
from tuiface.screens.concepts.rows import ConceptRow, concept_rows, list_lines, report_lines, row_word
from tuiface.screens.engine_words import absence_text
from tuiface.screens.face.words import source_text
from tuiface.screens.widgets.text import Static, assemble, styled
from tuiface.screens.widgets.tile_grid import Tile, TileGrid, TileStrip
from tuiface.screens.work_screen import WorkScreen

if TYPE_CHECKING:
    import numpy as np

    from tuiface.directions.questionnaire import Answers
    from tuiface.faces.studio import Face


class ConceptBrowser(WorkScreen):
    """A strip above, the list and what is known of the chosen row below."""

    SCREEN_NAME = "concepts"

    chosen: Drawn[tuple[str, str]] = Drawn(("", ""))
    """Section and name of the chosen row; the first one where there is none of these."""
    amount_steps: Drawn[int] = Drawn(0)
    """Steps of the strip away from its middle."""
    kept_answers: Drawn[tuple[tuple[AnswersFile, Answers], ...]] = Drawn(())
    """Questionnaires on the disk, read whenever the screen is shown."""
    face_ws: Drawn[tuple[str, np.ndarray | None]] = Drawn(("", None))
    """Digest of a recipe, and its rows of W+; None while they are asked for."""

    def compose_body(self) -> ComposeResult:
        """The ends of the chosen concept, the strip, the list and the report."""
        with Vertical(id="body"):
            yield Static("", id="heading")
            yield TileStrip(self.state.writer, id="strip")
            with Horizontal():
                yield Static("", id="list")
                yield Static("", id="report")

    def on_screen_resume(self) -> None:
        """Answers may have been given."""
        studio = self.state.studio
        self.kept_answers = (
            () if studio is None else tuple(list_answers(self.state.settings.directions, studio.info.model))
        )
        super().on_screen_resume()

    # --- rows ----------------------------------------------------------------------------------------------------

    def rows(self) -> list[ConceptRow]:
        """Those of the list; none while there is no engine."""
        studio = self.state.studio
        if studio is None:
            return []
        return concept_rows(studio.catalogue.entries(studio.info.model), self.state.concepts.found, self.kept_answers)

    @property
    def row(self) -> ConceptRow | None:
        """The chosen one; None where the list is empty."""
        return self.chosen_row(self.rows())[1]

    def chosen_row(self, rows: list[ConceptRow]) -> tuple[int, ConceptRow | None]:
        """The chosen row and its place; None where the list is empty."""
        place = next((i for i, row in enumerate(rows) if (row.section, row.name) == self.chosen), None)
        if place is None:  # a name that moved to another section is still the one that was chosen
            place = next((i for i, row in enumerate(rows) if row.name == self.chosen[1]), 0)
        return place, rows[place] if rows else None

    @property
    def _num_tiles(self) -> int:
        return 7 if self.has_class("-wide") else 5

    def _amounts(self, row: ConceptRow) -> tuple[float, ...]:
        from tuiface.stimuli.neighbours import amounts_of_strip

        assert row.direction is not None
        return amounts_of_strip(row.direction.header.limit, self._num_tiles)

    def _faces(self, row: ConceptRow) -> list[Face | None]:
        """The present face at each amount; None while the engine is asked for its rows."""
        from tuiface.stimuli.neighbours import apply_direction

        studio, direction = self.state.studio, row.direction
        assert studio is not None
        assert direction is not None
        face = studio.current
        if row.path is not None:
            return [face.edit(row.name, amount) if amount else face for amount in self._amounts(row)]
        ws = self._request_ws(face)
        return [None if ws is None else apply_direction(face, ws, direction, amount) for amount in self._amounts(row)]

    def _request_ws(self, face: Face) -> np.ndarray | None:
        digest = face.recipe.digest
        if self.face_ws[0] != digest:
            self.face_ws = (digest, None)

            def work() -> Callable[[], None]:
                ws = face.studio.engine.ws(face.recipe)
                return lambda: self._take_ws(digest, ws)

            self.state.link.run(tr("No strip"), work)
        return self.face_ws[1]

    def _take_ws(self, digest: str, ws: np.ndarray) -> None:
        if self.face_ws[0] == digest:
            self.face_ws = (digest, ws)

    # --- drawing -------------------------------------------------------------------------------------------------

    def show_body(self) -> None:
        """Everything."""
        rows = self.rows()
        place, row = self.chosen_row(rows)
        box = self.query_one("#list", Static)
        if row is None:
            has_none = self.state.studio is not None
            text = styled(tr("No directions for this network") if has_none else absence_text(self.state.engine))
            ways = self._ways_to_directions() if has_none else Content("")
            box.update(Content("\n").join([text, ways]) if self.has_class("-narrow") else text)
            self.query_one("#report", Static).update(ways)
            self.query_one("#heading", Static).update("")
            self.query_one(TileStrip).show_strip((), 0, self._num_tiles)
            return
        self.chosen = (row.section, row.name)
        box.update(Content("\n").join(list_lines(rows, place, max(3, box.content_size.height))))
        unicode = self.state.capabilities.unicode
        self.query_one("#report", Static).update(Content("\n").join(report_lines(row, unicode=unicode)))
        self.query_one("#heading", Static).update(self._heading(row), layout=False)
        self._show_strip(row)

    def _ways_to_directions(self) -> Content:
        """What there is to do for a network without directions, each with its key."""
        actions = (self.state.actions.by_id(f"concepts_{name}") for name in ("read", "learn", "find", "import"))
        format_any = format_key if self.state.capabilities.unicode else format_key_ascii
        lines = [
            assemble((f"{format_any(action.keys[0]):<3}", "bold $text-primary"), tr(action.help))
            for action in actions
            if action.keys
        ]
        return Content("\n").join([styled(tr("What can be done"), "bold $text-primary"), *lines])

    def redraw_tiles(self) -> None:
        """A picture of the strip, perhaps."""
        row = self.row
        if row is not None:
            self._show_strip(row)

    def on_tile_grid_chosen(self, event: TileGrid.Chosen) -> None:
        """A click chooses an amount; two take it."""
        self.amount_steps = event.index - self._num_tiles // 2
        if event.twice:
            self.action_concepts_open()

    def on_tile_grid_reshaped(self) -> None:
        """Pictures of another size are wanted."""
        self.changes.mark()

    def _show_strip(self, row: ConceptRow) -> None:
        strip, studio = self.query_one(TileStrip), self.state.studio
        if row.direction is None or studio is None or not all(strip.content_size):
            strip.show_strip((), 0, self._num_tiles)
            return
        try:
            faces = self._faces(row)
        except TuifaceError as error:
            strip.show_strip((), 0, self._num_tiles)
            self.query_one("#heading", Static).update(styled(str(error), "$text-error"))
            return
        wanted = self.state.tiles.fit_resolution(strip.tile_px)
        self.state.tiles.request([face.recipe for face in faces if face is not None], wanted)
        tiles = [
            Tile(
                f"{amount:+g}" if amount else "0", None if face is None else self.state.tiles.find(face.recipe, wanted)
            )
            for amount, face in zip(self._amounts(row), faces, strict=True)
        ]
        strip.show_strip(tiles, self._amount_index, self._num_tiles)

    @property
    def _amount_index(self) -> int:
        """Of the chosen amount on the strip."""
        half = self._num_tiles // 2
        return half + max(-half, min(half, self.amount_steps))

    def _heading(self, row: ConceptRow) -> Content:
        assert self.state.studio is not None
        name = styled(row_word(row), "bold $foreground")
        labels = labels_of(row.name) if row.answers is None else row.answers[0].labels or labels_of(row.name)
        low, high = localize_ends(labels if row.direction is None else row.direction.header.labels)
        arrow = "→" if self.state.capabilities.unicode else "to"
        ends = styled(f"{low} {arrow} {high}", "$foreground 70%")
        face = styled(source_text(self.state.studio.current), "$foreground 55%")
        return Content("   ").join([name, ends, face])

    def command_line(self) -> str:
        """The chosen face as a command makes it, or what lists, keeps or learns the chosen row."""
        studio = self.state.studio
        row = self.row
        commands = self.state.commands
        if row is None or studio is None:
            return commands.of_network("directions", "list")
        if row.direction is None:
            return commands.of_network("directions", "learn", "--ask", row.name)
        if row.section == "found" and self.state.concepts.search is not None:
            number = row.direction.header.origin.settings["number"]
            flags = search_flags(self.state.concepts.search)
            return commands.of_network("directions", "discover", *flags, "--keep", f"{number}=found_{number}")
        amount = self._amounts(row)[self._amount_index]
        if not amount:
            return commands.of_network("directions", "show", row.name)
        try:
            face = self._faces(row)[self._amount_index]
        except TuifaceError:  # shown in place of the strip
            return ""
        return "" if face is None else commands.render(face)

    # --- looking -------------------------------------------------------------------------------------------------

    def action_concepts_up(self) -> None:
        """The row above."""
        self._move(-1)

    def action_concepts_down(self) -> None:
        """The row below."""
        self._move(1)

    def action_concepts_less(self) -> None:
        """A smaller amount."""
        self._change_amount(-1)

    def action_concepts_more(self) -> None:
        """A greater amount."""
        self._change_amount(1)

    def action_concepts_previous_face(self) -> None:
        """The seed before."""
        self._walk(-1)

    def action_concepts_next_face(self) -> None:
        """The seed after."""
        self._walk(1)

    def open_questionnaire(self, file: AnswersFile) -> None:
        """Go on with unfinished answers."""
        raise NotImplementedError

    def action_concepts_open(self) -> None:
        """Go on with the chosen face, or with unfinished answers."""
        row = self.row
        if row is None:
            return
        if row.answers is not None:
            self.open_questionnaire(row.answers[0])
            return
        try:
            face = self._faces(row)[self._amount_index]
        except TuifaceError as error:
            self.notify(str(error), severity="error")
            return
        if face is not None:
            self.state.apply(lambda studio: studio.show(face))
            self.app.call_later(self.app.run_action, "go_to('face')")

    def _move(self, step: int) -> None:
        rows = self.rows()
        place, row = self.chosen_row(rows)
        if row is not None:
            next_row = rows[max(0, min(place + step, len(rows) - 1))]
            self.chosen = (next_row.section, next_row.name)

    def _change_amount(self, step: int) -> None:
        half = self._num_tiles // 2
        self.amount_steps = max(-half, min(half, self.amount_steps + step))

    def _walk(self, step: int) -> None:
        if self.state.studio is None:
            return
        recipe = self.state.studio.current.recipe
        seed = recipe.source.seed if recipe.source.kind == "seed" else 0
        label = recipe.source.label if recipe.source.kind == "seed" else None
        number = (seed + step) % (MAX_SEED + 1)
        self.state.apply(lambda studio: studio.show(studio.face(number, recipe.truncation.psi, label=label)))
