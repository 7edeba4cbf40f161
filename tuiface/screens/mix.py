"""Mix: two faces, the rows that change places or the inner faces that do, and both children."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content

from tuiface.core.errors import TuifaceError, UsageError
from tuiface.core.i18n import tr
from tuiface.screens.changes import Drawn
from tuiface.screens.companions import make_companion, seed_after
from tuiface.screens.engine_words import absence_text
from tuiface.screens.face.words import source_name, source_text
from tuiface.screens.widgets.face_view import FaceView
from tuiface.screens.widgets.text import Static, assemble, styled
from tuiface.screens.work_screen import WorkScreen
from tuiface.terminal.image_view import ImageView

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tuiface.faces.studio import Face
    from tuiface.screens.state import InterfaceState
    from tuiface.stimuli.exchange import Cells

PICTURE_NAMES = ("a", "first", "second", "b")
"""The pictures from left to right: a parent on each side, their children between them."""


class MixScreen(WorkScreen):
    """Draws the parents that were chosen, here or elsewhere; the rows are its own."""

    SCREEN_NAME = "mix"

    chosen_rows: Drawn[tuple[int, int] | None] = Drawn(None)
    """None for the usual ones."""
    is_cross: Drawn[bool] = Drawn(default=False)
    """Whether inner faces change places, not rows."""
    cells: Drawn[Cells | None] = Drawn(None)
    """What the engine found for the parents crossed last."""
    baked: Drawn[tuple[tuple[Face, Face], tuple[Face, Face]] | None] = Drawn(None)
    """The parents with mixes or edits that were asked for last, and both as rows of W+."""
    view_px: Drawn[int] = Drawn(0)
    """Pixels along the longer side of a picture; all four have one size."""

    def __init__(self, state: InterfaceState) -> None:
        super().__init__(state)
        self._is_crossing = False
        self._baking: tuple[Face, Face] | None = None
        """Parents whose rows the engine works out."""
        self._refused: tuple[tuple[Face, Face], str] | None = None
        """Parents without such rows, and why."""

    def compose_body(self) -> ComposeResult:
        """Four pictures with captions, and the scale of the rows."""
        with Vertical(id="body"):
            with Horizontal(id="quartet"):
                for name in PICTURE_NAMES:
                    with Vertical(classes="column"):
                        yield Static("", id=f"caption-{name}", classes="caption")
                        yield FaceView(self.state.writer, id=f"view-{name}", at_top=True)
            yield Static("", id="scale")

    # --- the faces -----------------------------------------------------------------------------------------------

    def both_parents(self) -> tuple[Face, Face] | None:
        """Those that were chosen; for want of them the current face and the seed after it."""
        studio = self.state.studio
        if studio is None:
            return None
        chosen = self.state.mix.parents
        first = chosen[0] if chosen else studio.current
        if len(chosen) > 1:
            return first, chosen[1]
        return first, make_companion(first, seed_after(first))

    @property
    def rows(self) -> tuple[int, int]:
        """Rows that change places."""
        from tuiface.stimuli.exchange import default_rows

        assert self.state.studio is not None
        return default_rows(self.state.studio.info.num_ws) if self.chosen_rows is None else self.chosen_rows

    def both_children(self) -> tuple[Face, Face] | None:
        """Both, None while the engine looks for them; raises UsageError for parents that cannot have any."""
        from tuiface.stimuli.exchange import exchange_rows

        parents = self.both_parents()
        assert parents is not None
        if not self.is_cross:
            ready = self._request_baked(*parents)
            return None if ready is None else exchange_rows(*ready, self.rows)
        cells = self._request_cross(*parents)
        return None if cells is None else (cells[1].face, cells[2].face)

    def _request_baked(self, a: Face, b: Face) -> tuple[Face, Face] | None:
        """Parents whose rows can change places; None while the engine works rows out."""
        from tuiface.stimuli.exchange import bake_where_needed, needs_baking

        wanted = (a, b)
        if not needs_baking(a, b):
            return wanted
        if self.baked is not None and self.baked[0] == wanted:
            return self.baked[1]
        if self._refused is not None and self._refused[0] == wanted:
            raise UsageError(self._refused[1])
        if self._baking is None:  # one pair at a time; what was chosen meanwhile is asked for when it is there
            self._baking = wanted

            def work() -> Callable[[], None]:
                try:
                    ready = bake_where_needed(a, b)
                except TuifaceError as error:
                    told = str(error)
                    return lambda: self._give_up_baking(wanted, told)
                return lambda: self._take_baked(wanted, ready)

            self.state.link.run(tr("The faces were not mixed"), work)
        return None

    def _take_baked(self, wanted: tuple[Face, Face], ready: tuple[Face, Face]) -> None:
        self._baking, self.baked = None, (wanted, ready)

    def _give_up_baking(self, wanted: tuple[Face, Face], told: str) -> None:
        self._baking, self._refused = None, (wanted, told)
        self.show_body()

    def _request_cross(self, a: Face, b: Face) -> Cells | None:
        from tuiface.stimuli.exchange import check_cross, cross

        check_cross(a, b)
        cells = self.cells
        if cells is not None and (cells[0].face.recipe, cells[3].face.recipe) == (a.recipe, b.recipe):
            return cells
        if not self._is_crossing:  # one pair at a time: the engine does nothing else meanwhile
            self._is_crossing = True

            def work() -> Callable[[], None]:
                try:
                    found = cross(a, b)
                except TuifaceError as error:
                    told = str(error)
                    return lambda: self._give_up_cross(told)
                return lambda: self._take_cells(found)

            self.state.link.run(tr("The faces were not crossed"), work)
        return None

    def _take_cells(self, cells: Cells) -> None:
        self.cells, self._is_crossing = cells, False

    def _give_up_cross(self, told: str) -> None:
        self._is_crossing = self.is_cross = False
        self.notify(told, title=tr("The faces were not crossed"), severity="error")

    # --- drawing -------------------------------------------------------------------------------------------------

    def on_image_view_resized(self, event: ImageView.Resized) -> None:
        """All four have one size."""
        self.view_px = event.view_px

    def show_body(self) -> None:
        """The parents, their children, the scale."""
        state, parents = self.state, self.both_parents()
        scale = self.query_one("#scale", Static)
        if parents is None or state.studio is None:
            scale.update(absence_text(state.engine))
            return
        try:
            children = self.both_children()
        except TuifaceError as error:
            for name, face in zip(("a", "b"), parents, strict=True):
                self._show(name, face, source_text(face))
            scale.update(styled(str(error), "$text-error"))
            return
        a, b = parents
        names = source_text(a), source_text(b)
        self._show("a", a, names[0])
        self._show("first", children and children[0], self._caption(a, b))
        self._show("second", children and children[1], self._caption(b, a))
        self._show("b", b, names[1])
        state.tiles.request([face.recipe for face in (a, *(children or ()), b)], self._resolution)
        scale.update(self._cross_words(is_found=children is not None) if self.is_cross else self._scale())

    def redraw_tiles(self) -> None:
        """One of the four, perhaps."""
        self.show_body()

    @property
    def _resolution(self) -> int | None:
        return self.state.tiles.fit_resolution(self.view_px or 64)

    def _caption(self, face: Face, other: Face) -> str:
        names = {"face": source_name(face.recipe.source), "other": source_name(other.recipe.source)}
        if self.is_cross:
            return tr("{face}, inner face of {other}", **names)
        return tr("{face} + rows of {other}", **names)

    def _show(self, name: str, face: Face | None, caption: str) -> None:
        self.query_one(f"#caption-{name}", Static).update(caption, layout=False)
        pixels = None if face is None else self.state.tiles.find(face.recipe, self._resolution)
        view = self.query_one(f"#view-{name}", FaceView)
        if pixels is None:
            looking = tr("crossing") if self.is_cross else tr("working rows out")
            view.show_waiting(looking if face is None else tr("rendering"))
        else:
            view.show_derived(pixels)

    def _scale(self) -> Content:
        """Rows above the size of what they draw: those that change places stand out."""
        from tuiface.stimuli.exchange import needs_baking

        assert self.state.studio is not None
        start, stop = self.rows
        unicode = self.state.capabilities.unicode
        full, empty = ("━━", "──") if unicode else ("##", "--")
        numbers, bar, sizes = Content(""), Content(""), Content("")
        last_px = 0
        for row in range(self.state.studio.info.num_ws):
            chosen = start <= row < stop
            style = "bold $text-primary" if chosen else "$foreground 45%"
            numbers += styled(f"{row:<4}", style)
            bar += styled((full if chosen else empty) * 2, style)
            px = min(row_px(row), self.state.studio.info.resolution)  # the last row drives the last toRGB alone
            sizes += styled(f"{px if px != last_px else '':<4}", style)
            last_px = px
        label = "$foreground 55%"
        lines = [
            assemble((f"{tr('row'):<8}", label), numbers),
            assemble((" " * 8, label), bar),
            assemble((f"{tr('px'):<8}", label), sizes),
        ]
        words = tr(
            "Rows {start}-{last} change, {px} px and finer: low rows shape, high rows colour.",
            start=start,
            last=stop - 1,
            px=row_px(start),
        )
        if needs_baking(*self.both_parents() or ()):
            words += " " + tr("Edits, mixes and locks are in the rows; edits of style channels stay with their face.")
        return Content("\n").join([*lines, styled(words, "$foreground 85%")])

    def _cross_words(self, *, is_found: bool) -> Content:
        """What became of contours and inner faces."""
        lines = [tr("Each child has one face's contour and the other's inner face.")]
        if not is_found or self.cells is None:
            lines.append(tr("Both are looked for: seconds on a GPU, half a minute on a processor."))
        else:
            lines += [
                tr(
                    "{face}, inner face of {other}: frame variation {frame} %, inner face {left} % short.",
                    face=source_name(cell.contour.recipe.source),
                    other=source_name(cell.inner.recipe.source),
                    frame=f"{cell.frame_variation_percent:.2f}",
                    left=f"{cell.inner_difference_percent:.0f}",
                )
                for cell in self.cells[1:3]
            ]
        return Content("\n").join([styled(line, "$foreground 85%") for line in lines])

    def command_line(self) -> str:
        """`tuiface swap` with the parents as commands name them."""
        parents = self.both_parents()
        if parents is None:
            return ""
        start, stop = self.rows
        how = ["--cross"] if self.is_cross else ["--rows", f"{start}-{stop}"]
        return self.state.commands.of_faces("swap", parents, *how)

    def chosen_faces(self) -> Sequence[Face]:
        """Both children."""
        return self._children_or_toast()

    # --- actions -------------------------------------------------------------------------------------------------

    def action_mix_start_down(self) -> None:
        """One row more."""
        self._change_rows(-1, 0)

    def action_mix_start_up(self) -> None:
        """One row fewer."""
        self._change_rows(1, 0)

    def action_mix_stop_down(self) -> None:
        """One row fewer."""
        self._change_rows(0, -1)

    def action_mix_stop_up(self) -> None:
        """One row more."""
        self._change_rows(0, 1)

    def action_mix_cross(self) -> None:
        """The other way to have children."""
        self.is_cross = not self.is_cross

    def action_mix_reset(self) -> None:
        """The usual ones."""
        self.chosen_rows, self.is_cross = None, False

    def action_mix_a(self) -> None:
        """Ask for the first parent's seed."""
        self._ask(0)

    def action_mix_b(self) -> None:
        """Ask for the second parent's seed."""
        self._ask(1)

    def action_mix_next(self) -> None:
        """The seed after the second parent's."""
        parents = self.both_parents()
        if parents is not None:
            self._set_seed(1, seed_after(parents[1]))

    def action_mix_turn(self) -> None:
        """Change places."""
        parents = self.both_parents()
        if parents is not None:
            self.state.mix.set_parents((parents[1], parents[0]))

    def action_mix_open(self) -> None:
        """The first child, large."""
        self._open(0)

    def action_mix_open_second(self) -> None:
        """The second child, large."""
        self._open(1)

    def action_mix_save(self) -> None:
        """Both children, in the background."""
        for child in self._children_or_toast():
            self.state.saves.save(child)

    def _change_rows(self, start_step: int, stop_step: int) -> None:
        if self.state.studio is None:
            return
        start, stop = self.rows
        start = min(max(start + start_step, 0), stop - 1)
        stop = min(max(stop + stop_step, start + 1), self.state.studio.info.num_ws)
        self.chosen_rows, self.is_cross = (start, stop), False

    def _ask(self, number: int) -> None:
        from tuiface.screens.dialogs.prompts import SeedPrompt

        def go(seed: str | None) -> None:
            if seed is not None:
                self._set_seed(number, int(seed))

        self.app.push_screen(SeedPrompt(), go)

    def _set_seed(self, number: int, seed: int) -> None:
        parents = self.both_parents()
        if parents is None:
            return
        faces = list(parents)
        faces[number] = make_companion(faces[number], seed)
        self.state.mix.set_parents(faces)

    def _children_or_toast(self) -> tuple[Face, ...]:
        if self.state.studio is None:
            return ()
        try:
            children = self.both_children()
        except TuifaceError as error:
            self.notify(str(error), severity="error")
            return ()
        if children is None:
            self.notify(tr("Both are looked for: seconds on a GPU, half a minute on a processor."))
        return children or ()

    def _open(self, number: int) -> None:
        children = self._children_or_toast()
        if children:
            self.state.apply(lambda studio: studio.show(children[number]))
            self.app.call_later(self.app.run_action, "go_to('face')")


def row_px(row: int) -> int:
    """Side of the block that a row of W+ drives: row 0 is b4.conv1, then two convolutions a block."""
    return int(4 * 2 ** ((row + 1) // 2))
