"""The first screen: one face, large, and the rows that change it: seed, psi, noise, concepts, locks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from tuiface.actions import command_line
from tuiface.core.i18n import tr
from tuiface.screens.face import edit_actions
from tuiface.screens.face.controls import Control, find_controls, list_controls
from tuiface.screens.face.face_actions import STUDIO_ACTIONS, show_seed
from tuiface.screens.widgets.control_list import ControlList
from tuiface.screens.widgets.face_panel import FacePanel
from tuiface.screens.widgets.face_view import FaceView
from tuiface.screens.widgets.measure_lines import MeasureLines
from tuiface.screens.work_screen import WorkScreen
from tuiface.terminal.image_view import ImageView

if TYPE_CHECKING:
    import numpy as np
    from textual.timer import Timer

    from tuiface.faces.studio import Studio
    from tuiface.screens.face.comparison import ComparisonMode
    from tuiface.screens.session import Session


ROOMY_COLUMNS = 150
"""From so many columns on, a large face leaves room for the rows and for what is known of it."""
QUIET_S = 0.25
"""An edited face is measured, with its locks, once no key has come for so long."""


class FaceScreen(WorkScreen):
    """One face beside what can be turned in it; compared with the face that its changes began with, if asked."""

    SCREEN_NAME = "face"

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._mode: ComparisonMode = "off"
        self._flicker_timer: Timer | None = None
        self._shows_original = False
        self._quiet_timer: Timer | None = None

    def compose_body(self) -> ComposeResult:
        """The picture, another beside it while they are compared, the rows, and what is known."""
        with Horizontal(id="body"):
            yield FaceView(self.session.writer, id="original", classes="-hidden")
            yield FaceView(self.session.writer, id="face")
            with Vertical(id="editing"):
                yield ControlList(self.session, id="knobs")
                yield MeasureLines(self.session, id="measures")
            yield FacePanel(self.session, id="panel")

    def on_resize(self) -> None:
        """More panels where they take nothing from the face."""
        self.set_class(self.size.width >= ROOMY_COLUMNS, "-roomy")

    def on_image_view_resized(self, event: ImageView.Resized) -> None:
        """Previews are rendered for what can be seen."""
        if event.view.id == "face":
            self.session.resize_view(event.view_px)
            self.show_state()

    # --- drawing -------------------------------------------------------------------------------------------------

    def show_body(self) -> None:
        """The picture and its numbers."""
        self._show_face()
        self.query_one(ControlList).renew()
        self.query_one(MeasureLines).renew()
        self.query_one(FacePanel).renew()
        self._wait_for_quiet()

    def on_screen_resume(self) -> None:
        """Directions may have been learned or imported meanwhile, on another screen or beside this program."""
        self.session.read_concepts()
        super().on_screen_resume()

    def command_line(self) -> str:
        """The command that makes the current face; empty before there is one."""
        studio = self.session.studio
        if studio is None:
            return ""
        return command_line(studio.current.recipe, self.session.settings, studio.catalogue)

    def _wait_for_quiet(self) -> None:
        """Ask for the final picture after a preview once the keys rest; each new state begins the wait anew."""
        if self._quiet_timer is not None:
            self._quiet_timer.stop()
            self._quiet_timer = None
        if self.session.is_preview and not self.session.is_behind:
            self._quiet_timer = self.set_timer(QUIET_S, self._complete)

    def _complete(self) -> None:
        self.session.complete_preview()
        self.show_state()

    def _show_face(self) -> None:
        session, view = self.session, self.query_one("#face", FaceView)
        if session.frame is not None:
            if self._mode == "off":
                view.show_result(session.frame)
            else:
                self._show_comparison()
        elif session.phase == "stopped" and session.error is not None:
            view.show_problem((session.error.message, session.error.hint, "", tr("R tries again, q quits")))
        else:
            view.show_waiting(tr("starting the engine") if session.studio is None else tr("rendering"))

    # --- comparing -----------------------------------------------------------------------------------------------

    def action_compare(self) -> None:
        """Go round: flicker, side by side, map of differences, the face alone."""
        from tuiface.screens.face.comparison import COMPARISON_MODES, FLICKER_S

        if self.session.frame is None:
            return
        self._mode = COMPARISON_MODES[(COMPARISON_MODES.index(self._mode) + 1) % len(COMPARISON_MODES)]
        if self._flicker_timer is not None:
            self._flicker_timer.stop()
            self._flicker_timer = None
        self._shows_original = False
        self.query_one("#original", FaceView).set_class(self._mode != "side", "-hidden")
        if self._mode == "flicker":
            self._flicker_timer = self.set_interval(FLICKER_S, self._toggle_flicker)
        self.session.comparison = self._mode
        self.show_state()

    def redraw_tiles(self) -> None:
        """The original arrived."""
        if self._mode != "off":
            self.show_state()

    def _toggle_flicker(self) -> None:
        self._shows_original = not self._shows_original
        self._show_comparison()

    def _show_comparison(self) -> None:
        from tuiface.screens.face.comparison import difference_map, mean_difference

        frame, before = self.session.frame, self._original_pixels()
        if frame is None:
            return
        view = self.query_one("#face", FaceView)
        after = frame.pixels
        if before is None or before.shape != after.shape:
            view.show_result(frame)
            return
        self.session.difference_percent = mean_difference(before, after)
        if self._mode == "side":
            self.query_one("#original", FaceView).show_pixels(before)
        if self._mode == "map":
            view.show_derived(difference_map(before, after))
        elif self._mode == "flicker" and self._shows_original:
            view.show_derived(before)
        else:
            view.show_derived(after)

    def _original_pixels(self) -> np.ndarray | None:
        """At the size of the frame; asked for if it is not there yet."""
        session = self.session
        assert session.studio is not None
        assert session.frame is not None
        side = session.frame.pixels.shape[0]
        resolution = None if side == session.studio.info.resolution else side
        recipe = session.studio.original.recipe
        pixels = session.tile(recipe, resolution)
        if pixels is None:
            session.request_tiles([recipe], resolution)
        return pixels

    # --- actions -------------------------------------------------------------------------------------------------

    def action_take_step(self, name: str) -> None:
        """Any action that is one step in the studio."""
        self.session.apply(STUDIO_ACTIONS[name])
        self.show_state()

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
        self.session.control_key = key
        self.show_state()

    def action_find_row(self) -> None:
        """Type, and the first row that fits is chosen; Esc goes back to where one was."""
        from tuiface.screens.dialogs.prompts import LinePrompt

        before = self.session.control_key

        def show(text: str) -> None:
            hits = find_controls(self.session, text) if text else []
            self.action_choose_row(hits[0] if hits else before)

        def done(text: str | None) -> None:
            if text is None:
                self.action_choose_row(before)

        self.app.push_screen(LinePrompt(tr("Find"), tr("Enter stays there, Esc goes back"), live=show), done)

    def action_reset_row(self) -> None:
        """The chosen row as it was without edits."""
        self.session.apply(edit_actions.reset(self.session, self._chosen))
        self.show_state()

    def action_reset_edits(self) -> None:
        """No edits; locks stay."""
        self.session.apply(edit_actions.reset_edits)
        self.show_state()

    def action_edit_rows(self) -> None:
        """Ask which rows of W+ the chosen edit moves."""
        from tuiface.screens.dialogs.prompts import RowsPrompt, parse_rows

        session, knob = self.session, self._chosen
        rows = edit_actions.movable_rows(session, knob)
        if rows is None or session.studio is None:
            self.notify(tr("Rows belong to an edit of W+: choose one and give it an amount."), timeout=4)
            return
        num_ws = session.studio.info.num_ws

        def take(text: str | None) -> None:
            if text is not None:
                chosen = parse_rows(text, num_ws)
                session.apply(lambda studio: edit_actions.set_rows(studio, session, knob, chosen))
                self.show_state()

        self.app.push_screen(RowsPrompt(num_ws, rows), take)

    def action_exceed(self) -> None:
        """Lift the limits of amounts, or hold them again."""
        self.session.may_exceed = not self.session.may_exceed
        if self.session.may_exceed:
            text = tr("Amounts may go beyond what this model is known to do; faces may break there.")
        else:
            text = tr("Amounts stop where this model is known to go.")
        self.notify(text, timeout=4)

    def action_lock_frame(self) -> None:
        """Keep contour and hair, or let them go."""
        self.session.apply(lambda studio: edit_actions.toggle_lock(studio, "frame"))
        self.show_state()

    def action_lock_row(self) -> None:
        """Keep the region of the chosen row, or let it go."""
        region = edit_actions.control_region(self._chosen)
        if region is not None:
            self.session.apply(lambda studio: edit_actions.toggle_lock(studio, region))
            self.show_state()

    def action_guarantee(self) -> None:
        """The next guarantee, of one lock or of all."""
        region = edit_actions.control_region(self._chosen)

        def step(studio: Studio) -> None:
            regions = edit_actions.locked_regions(studio.current.recipe) if region is None else (region,)
            edit_actions.cycle_guarantee(studio, regions)

        self.session.apply(step)
        self.show_state()

    def action_information(self) -> None:
        """What is known in place of the rows, where there is no room for both."""
        self.toggle_class("-information")
        self.show_state()

    def action_go_to_seed(self) -> None:
        """Ask for a seed number."""
        from tuiface.screens.dialogs.prompts import SeedPrompt

        def go(seed: str | None) -> None:
            if seed is not None:
                self.session.apply(lambda studio: show_seed(studio, int(seed)))
                self.show_state()

        self.app.push_screen(SeedPrompt(), go)

    def action_save(self) -> None:
        """Save in the background; the app tells where when it is done."""
        self.session.save()
        self.show_state()

    def action_more_like_this(self) -> None:
        """Neighbours, in Explore."""
        self.session.apply(lambda studio: self.session.explore_near(studio.current))
        self.app.call_later(self.app.run_action, "go_to('explore')")

    def action_use_in_mix(self) -> None:
        """The next parent."""
        self.session.apply(lambda studio: self.session.use_in_mix(studio.current))
        self.notify(
            tr("{number} of 2 parents; 3 shows them.", number=len(self.session.parents)), title="Mix", timeout=3
        )

    def action_add_to_morph(self) -> None:
        """The transition's next face."""
        self.session.apply(lambda studio: self.session.transition.append(studio.current))
        number = len(self.session.transition)
        self.notify(tr("Faces: {number}; 4 shows the transition.", number=number), title="Morph", timeout=3)

    # --- rows ----------------------------------------------------------------------------------------------------

    @property
    def _chosen(self) -> Control:
        """The chosen row; the first one where that one is gone."""
        rows = list_controls(self.session)
        return next((knob for knob in rows if knob.key == self.session.control_key), rows[0])

    def _adjust_control(self, way: int, *, fine: bool = False) -> None:
        self.session.apply(edit_actions.adjust(self.session, self._chosen, way, fine=fine))
        self.show_state()

    def _move(self, step: int) -> None:
        rows = list_controls(self.session)
        place = rows.index(self._chosen) + step
        self.action_choose_row(rows[place % len(rows)].key)

    def _move_group(self, step: int) -> None:
        rows, chosen = list_controls(self.session), self._chosen
        firsts = [i for i, knob in enumerate(rows) if not i or knob.heading != rows[i - 1].heading]
        group = max(place for place, first in enumerate(firsts) if first <= rows.index(chosen))
        is_inside = rows[firsts[group]] != chosen
        target = group if step < 0 and is_inside else group + step
        self.action_choose_row(rows[firsts[target % len(firsts)]].key)
