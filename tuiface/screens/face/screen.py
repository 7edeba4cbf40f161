"""The first screen: one face, large, and the rows that change it: seed, psi, noise, concepts, locks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content

from tuiface.core.i18n import tr
from tuiface.screens.engine_words import absence_text
from tuiface.screens.face import studio_actions
from tuiface.screens.face.controls import Control, find_controls, list_controls, locked_regions
from tuiface.screens.face.words import face_title, lock_words
from tuiface.screens.widgets.control_list import ControlList
from tuiface.screens.widgets.face_panel import FacePanel
from tuiface.screens.widgets.face_view import FaceView
from tuiface.screens.widgets.measure_lines import MeasureLines
from tuiface.screens.widgets.text import Static, assemble, styled
from tuiface.screens.work_screen import WorkScreen
from tuiface.terminal.image_view import ImageView

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from textual.timer import Timer

    from tuiface.faces.studio import Face, Studio
    from tuiface.screens.engine_state import StudioAction
    from tuiface.screens.state import InterfaceState


ROOMY_COLUMNS = 150
"""From so many columns on, a large face leaves room for the rows and for what is known of it."""
MIN_ROWS_COLUMNS, PANEL_COLUMNS = 36, 28
"""Of the rows and of what is known; what the picture leaves besides is the rows'."""
QUIET_S = 0.25
"""An edited face is measured, with its locks, once no key has come for so long."""


class FaceScreen(WorkScreen):
    """One face beside what can be turned in it; compared with the face that its changes began with, if asked."""

    SCREEN_NAME = "face"

    def __init__(self, state: InterfaceState) -> None:
        super().__init__(state)
        self._flicker_timer: Timer | None = None
        self._shows_original = False
        self._quiet_timer: Timer | None = None

    def compose_body(self) -> ComposeResult:
        """The picture, another beside it while they are compared, the rows, and what is known."""
        with Horizontal(id="body"):
            with Vertical(id="stage"):
                yield Static("", id="caption")
                with Horizontal(id="pictures"):
                    yield FaceView(self.state.writer, id="original", classes="-hidden")
                    yield FaceView(self.state.writer, id="face")
            with Vertical(id="editing"):
                yield Static("", id="badges")
                yield ControlList(self.state, id="controls")
                yield MeasureLines(self.state, id="measures")
            yield FacePanel(self.state, id="panel")

    def on_resize(self) -> None:
        """The face as large as the terminal allows; more panels where they take nothing from it."""
        self.set_class(self.size.width >= ROOMY_COLUMNS, "-roomy")
        self._fit_stage()

    def _fit_stage(self) -> None:
        """The picture's place is as wide as the picture; what is left is the rows'. Two pictures take all they can."""
        width, height = self.size
        stage = self.query_one("#stage", Vertical)
        is_beside = self.state.face.comparison == "side"
        self.set_class(is_beside, "-beside")
        if self.has_class("-narrow") or is_beside:
            stage.styles.width = "1fr"
            self.query_one("#editing", Vertical).styles.width = MIN_ROWS_COLUMNS
            return
        rows = height - (2 if self.has_class("-wide") and self.has_class("-high") else 1) - 2
        panels = MIN_ROWS_COLUMNS + (PANEL_COLUMNS if width >= ROOMY_COLUMNS else 0)
        columns, _ = self.state.capabilities.fit_square(max(width - panels - 2, 2), rows)
        stage.styles.width = columns + 2
        self.query_one("#editing", Vertical).styles.width = "1fr"

    def on_image_view_resized(self, event: ImageView.Resized) -> None:
        """Previews are rendered for what can be seen."""
        if event.view.id == "face":
            self.state.preview.resize_view(event.view_px)

    # --- drawing -------------------------------------------------------------------------------------------------

    def show_body(self) -> None:
        """The picture and its numbers."""
        self._show_face()
        self._show_badges()
        self.query_one(ControlList).renew()
        self.query_one(MeasureLines).renew()
        self.query_one(FacePanel).renew()
        self._wait_for_quiet()

    def on_screen_resume(self) -> None:
        """Directions may have been learned or imported meanwhile, on another screen or beside this program."""
        self.state.face.read_concepts(self.state.studio)
        super().on_screen_resume()

    def command_line(self) -> str:
        """The command that makes the current face; empty before there is one."""
        studio = self.state.studio
        return "" if studio is None else self.state.commands.render(studio.current)

    def chosen_faces(self) -> Sequence[Face]:
        """The current one."""
        return () if self.state.studio is None else (self.state.studio.current,)

    def _wait_for_quiet(self) -> None:
        """Ask for the final picture after a preview once the keys rest; each new state begins the wait anew."""
        if self._quiet_timer is not None:
            self._quiet_timer.stop()
            self._quiet_timer = None
        if self.state.preview.is_provisional and not self.state.preview.is_behind:
            self._quiet_timer = self.set_timer(QUIET_S, self.state.preview.complete)

    def _show_badges(self) -> None:
        """What is locked, wherever the rows stand."""
        studio, box = self.state.studio, self.query_one("#badges", Static)
        locks = () if studio is None else studio.current.recipe.locks
        box.display = bool(locks)
        if locks:
            badges = [styled(f" {lock_words([lock])} ", "reverse $text-warning") for lock in locks]
            box.update(Content(" ").join([styled(tr("locked"), "$text-warning"), *badges]))

    def _show_face(self) -> None:
        state, view = self.state, self.query_one("#face", FaceView)
        if state.preview.result is not None:
            if state.face.comparison == "off":
                self.query_one("#caption", Static).display = False
                view.show_result(state.preview.result)
            else:
                self._show_comparison()
        elif state.engine.phase == "stopped":
            view.show_problem((absence_text(state.engine),))
        else:
            view.show_waiting(absence_text(state.engine) if state.studio is None else tr("rendering"))

    # --- comparing -----------------------------------------------------------------------------------------------

    def action_compare(self) -> None:
        """Go round: flicker, side by side, map of differences, the face alone."""
        from tuiface.screens.face.comparison import FLICKER_S

        if self.state.preview.result is None:
            return
        face = self.state.face
        face.cycle_comparison()
        self._shows_original = False
        if self._flicker_timer is not None:
            self._flicker_timer.stop()
            self._flicker_timer = None
        original, view = self.query_one("#original", FaceView), self.query_one("#face", FaceView)
        is_beside = face.comparison == "side"
        original.set_class(not is_beside, "-hidden")
        original.twin, view.twin = (view, original) if is_beside else (None, None)
        self._fit_stage()
        if face.comparison == "flicker":
            self._flicker_timer = self.set_interval(FLICKER_S, self._toggle_flicker)

    def redraw_tiles(self) -> None:
        """The original arrived."""
        if self.state.face.comparison != "off":
            self._show_comparison()
            self.query_one(MeasureLines).renew()

    def _toggle_flicker(self) -> None:
        if not self.is_active:
            return
        self._shows_original = not self._shows_original
        self._show_comparison()

    def _show_comparison(self) -> None:
        from tuiface.screens.face.comparison import difference_map, mean_difference

        face, result, before = self.state.face, self.state.preview.result, self._original_pixels()
        if result is None:
            return
        self._show_caption()
        view = self.query_one("#face", FaceView)
        after = result.pixels
        if before is None or before.shape != after.shape:
            view.show_result(result)
            return
        face.record_difference(mean_difference(before, after))
        if face.comparison == "side":
            self.query_one("#original", FaceView).show_pixels(before)
        if face.comparison == "map":
            view.show_derived(difference_map(before, after))
        elif face.comparison == "flicker" and self._shows_original:
            view.show_derived(before)
        else:
            view.show_derived(after)

    def _show_caption(self) -> None:
        """Which picture is which, by name, above them; what the colours of the map mean."""
        from tuiface.screens.face.comparison import DARKER, LIGHTER

        studio, caption = self.state.studio, self.query_one("#caption", Static)
        if studio is None:
            return
        caption.display = True
        before = tr("before: {name}", name=face_title(studio.original.recipe))
        after = tr("after: {name}", name=face_title(studio.current.recipe))
        mode = self.state.face.comparison
        if mode == "map":
            sign = "■" if self.state.capabilities.unicode else "#"
            percent = f"{self.state.face.difference_percent:.1f}"
            caption.update(
                assemble(
                    (f"{sign} ", LIGHTER),
                    tr("lighter"),
                    "   ",
                    (f"{sign} ", DARKER),
                    tr("darker"),
                    "   ",
                    tr("{percent} % changed", percent=percent),
                )
            )
        elif mode == "side":
            half = max(caption.content_size.width // 2, 12)
            caption.update(assemble(before[: half - 1].center(half), (after[: half - 1].center(half), "bold")))
        else:
            shown = before if self._shows_original else after
            first, second = ("reverse", "") if self._shows_original else ("", "reverse")
            caption.update(
                assemble((f" {tr('before')} ", first), (f" {tr('after')} ", second), "  ", shown.partition(": ")[2])
            )

    def _original_pixels(self) -> np.ndarray | None:
        """At the size of the picture; asked for if it is not there yet."""
        state = self.state
        assert state.studio is not None
        assert state.preview.result is not None
        resolution = state.tiles.resolution_of(state.preview.result.pixels)
        recipe = state.studio.original.recipe
        pixels = state.tiles.find(recipe, resolution)
        if pixels is None:
            state.tiles.request([recipe], resolution)
        return pixels

    # --- actions -------------------------------------------------------------------------------------------------

    def action_take_step(self, name: str) -> None:
        """Any action that is one step in the studio."""
        self._apply_and_tell(studio_actions.STUDIO_ACTIONS[name])

    def action_less(self) -> None:
        """The chosen row, a coarse step down."""
        self._adjust_control(-1)

    def action_more(self) -> None:
        """The chosen row, a coarse step up."""
        self._adjust_control(1)

    def action_less_fine(self) -> None:
        """The chosen row, a fine step down."""
        self._adjust_control(-1, fine=True)

    def action_more_fine(self) -> None:
        """The chosen row, a fine step up."""
        self._adjust_control(1, fine=True)

    def action_row_above(self) -> None:
        """From the first row to the last."""
        self._move(-1)

    def action_row_below(self) -> None:
        """From the last row to the first."""
        self._move(1)

    def action_group_above(self) -> None:
        """The first row of this group, or of the one above."""
        self._move_group(-1)

    def action_group_below(self) -> None:
        """The first row of the next group."""
        self._move_group(1)

    def action_choose_row(self, key: str) -> None:
        """A click on a row."""
        row = next((control for control in list_controls(self.state) if control.key == key), None)
        self.state.face.choose(key, among_changed=row is not None and row.heading == tr("Changed"))

    def action_place_row(self, key: str, value: float) -> None:
        """The mouse on a slider: a row at `value` of the way from the middle to an end, -1 to 1."""
        row = next((control for control in list_controls(self.state) if control.key == key), None)
        if row is not None:
            self.action_choose_row(key)
            self._apply_and_tell(studio_actions.set_slider(self.state.face, row, value))

    def action_fold(self) -> None:
        """The group of the chosen row: one row of it, or its rows again."""
        self.action_fold_group(self.chosen_control.heading)

    def action_fold_group(self, heading: str) -> None:
        """A click on a heading."""
        self.state.face.fold(heading)
        group = [control for control in list_controls(self.state) if control.heading == heading]
        if group and self.state.face.control_key not in [control.key for control in group]:
            self.action_choose_row(group[0].key)

    def action_show_all(self) -> None:
        """Leave no row out any more."""
        self.state.face.filter("")

    def action_find_row(self) -> None:
        """Type, and rows that do not fit are left out; Esc goes back to where one was."""
        from tuiface.screens.dialogs.prompts import LinePrompt

        face = self.state.face
        before, filtered = face.control_key, face.filter_text

        def show(text: str) -> None:
            face.filter(text)
            hits = find_controls(self.state, text) if text else []
            self.action_choose_row(hits[0] if hits else before)

        def done(text: str | None) -> None:
            if text is None:
                face.filter(filtered)
                self.action_choose_row(before)

        self.app.push_screen(LinePrompt(tr("Find"), tr("Enter keeps these rows, Esc goes back"), live=show), done)

    def action_reset_row(self) -> None:
        """The chosen row as it was without edits."""
        self.state.apply(studio_actions.reset(self.state.face, self.chosen_control))

    def action_reset_edits(self) -> None:
        """No edits; locks stay."""
        self.state.apply(studio_actions.reset_edits)

    def action_edit_rows(self) -> None:
        """Ask which rows of W+ the chosen edit moves."""
        from tuiface.screens.dialogs.prompts import RowsPrompt, parse_rows

        state, control = self.state, self.chosen_control
        rows = studio_actions.movable_rows(state.face, state.studio, control)
        if rows is None or state.studio is None:
            self.notify(tr("Rows belong to an edit of W+: choose one and give it an amount."), timeout=4)
            return
        num_ws = state.studio.info.num_ws

        def take(text: str | None) -> None:
            if text is not None:
                chosen = parse_rows(text, num_ws)
                state.apply(lambda studio: studio_actions.set_rows(studio, state.face, control, chosen))

        self.app.push_screen(RowsPrompt(num_ws, rows), take)

    def action_exceed(self) -> None:
        """Lift the limits of amounts, or hold them again."""
        self.state.face.toggle_limits()
        if self.state.face.may_exceed:
            text = tr("Amounts may go beyond what this model is known to do; faces may break there.")
        else:
            text = tr("Amounts stop where this model is known to go.")
        self.notify(text, timeout=4)

    def action_lock_frame(self) -> None:
        """Keep contour and hair, or let them go."""
        self.state.apply(lambda studio: studio_actions.toggle_lock(studio, "frame"))

    def action_lock_row(self) -> None:
        """Keep the region of the chosen row, or let it go."""
        region = studio_actions.control_region(self.chosen_control)
        if region is not None:
            self.state.apply(lambda studio: studio_actions.toggle_lock(studio, region))

    def action_guarantee(self) -> None:
        """The next guarantee, of one lock or of all."""
        region = studio_actions.control_region(self.chosen_control)

        def step(studio: Studio) -> None:
            regions = locked_regions(studio.current.recipe) if region is None else (region,)
            studio_actions.cycle_guarantee(studio, regions)

        self.state.apply(step)

    def action_information(self) -> None:
        """What is known in place of the rows, where there is no room for both."""
        self.toggle_class("-information")
        self.changes.mark()

    def action_go_to_seed(self) -> None:
        """Ask for a seed number."""
        from tuiface.screens.dialogs.prompts import SeedPrompt

        def go(seed: str | None) -> None:
            if seed is not None:
                self._apply_and_tell(lambda studio: studio_actions.show_seed(studio, int(seed)))

        self.app.push_screen(SeedPrompt(), go)

    def action_save(self) -> None:
        """Save in the background; the app tells where when it is done."""
        self.state.save_current()

    def action_more_like_this(self) -> None:
        """Neighbours, in Explore."""
        self.state.apply(lambda studio: self.state.explore.explore_near(studio.current))
        self.app.call_later(self.app.run_action, "go_to('explore')")

    def action_use_in_mix(self) -> None:
        """The next parent."""
        self.state.apply(lambda studio: self.state.mix.add_parent(studio.current))
        self.notify(
            tr("{number} of 2 parents; 3 shows them.", number=len(self.state.mix.parents)), title="Mix", timeout=3
        )

    def action_add_to_morph(self) -> None:
        """The transition's next face."""
        self.state.apply(lambda studio: self.state.morph.add(studio.current))
        number = len(self.state.morph.transition)
        self.notify(tr("Faces: {number}; 4 shows the transition.", number=number), title="Morph", timeout=3)

    # --- rows ----------------------------------------------------------------------------------------------------

    @property
    def chosen_control(self) -> Control:
        """The chosen row; the first one where that one is gone."""
        rows = list_controls(self.state)
        return next((control for control in rows if control.key == self.state.face.control_key), rows[0])

    def _adjust_control(self, way: int, *, fine: bool = False) -> None:
        if self.chosen_control.kind == "group":
            self.action_fold()
            return
        self._apply_and_tell(studio_actions.adjust(self.state.face, self.chosen_control, way, fine=fine))

    def _apply_and_tell(self, action: StudioAction) -> None:
        """Take a step; say so where another seed came without the edits and locks of the face before."""
        studio = self.state.studio
        before = None if studio is None else studio.current.recipe
        self.state.apply(action)
        if studio is None or before is None or before.source == studio.current.recipe.source:
            return
        after = studio.current.recipe
        if (before.edits or before.locks) and not (after.edits or after.locks) and after.source.kind == "seed":
            text = tr("Its edits and locks stayed behind: u goes back, N takes them to the next seed.")
            self.notify(text, timeout=4)

    def _move(self, step: int) -> None:
        rows = list_controls(self.state)
        place = rows.index(self.chosen_control) + step
        self.action_choose_row(rows[place % len(rows)].key)

    def _move_group(self, step: int) -> None:
        rows, chosen = list_controls(self.state), self.chosen_control
        firsts = [i for i, control in enumerate(rows) if not i or control.heading != rows[i - 1].heading]
        group = max(place for place, first in enumerate(firsts) if first <= rows.index(chosen))
        is_inside = rows[firsts[group]] != chosen
        target = group if step < 0 and is_inside else group + step
        self.action_choose_row(rows[firsts[target % len(firsts)]].key)
