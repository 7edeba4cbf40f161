"""Learning a concept by answering: one face after the other, a key an answer, and how sure they make it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content

from tuiface.core.errors import OutputError, TuifaceError
from tuiface.core.i18n import current_language, tr, trn
from tuiface.core.limits import MAX_ANSWERS, MIN_ANSWERS
from tuiface.core.visible import to_visible
from tuiface.directions.concepts import concept_word
from tuiface.directions.direction import labels_of
from tuiface.directions.questionnaire import RECOMMENDED_ANSWERS, Questionnaire
from tuiface.screens.changes import Drawn
from tuiface.screens.concepts.work import check_replacement, submit_direction_job
from tuiface.screens.widgets.bars import KeyLine
from tuiface.screens.widgets.face_view import FaceView
from tuiface.screens.widgets.text import Static, assemble, styled
from tuiface.screens.work_screen import FittedStatic, WorkScreen
from tuiface.terminal.image_view import ImageView

if TYPE_CHECKING:
    from tuiface.directions.direction import Ends, Labels
    from tuiface.directions.questionnaire import Scale
    from tuiface.faces.studio import Face
    from tuiface.screens.concepts.open_questionnaire import OpenQuestionnaire
    from tuiface.screens.state import InterfaceState

MAX_RESOLUTION = 256
"""Of a face that is asked about, in pixels: the next ones are rendered meanwhile."""
_UNUSED_KEYS: dict[Scale, frozenset[str]] = {
    "yes-no": frozenset(f"answer_{number}" for number in range(1, 8)),
    "1-7": frozenset(("answer_yes", "answer_no")),
}
"""Answers of the other scale, which are not taken."""
_MIN_BAR = 24
"""Columns, before the panel was laid out."""
_LABEL, _VALUE, _KEY = "$foreground 55%", "$foreground 85%", "bold $foreground"


class QuestionnaireScreen(WorkScreen):
    """Draws the questionnaire under way."""

    SCREEN_NAME = "answering"
    TAB = "concepts"

    view_px: Drawn[int] = Drawn(0)

    def __init__(self, state: InterfaceState) -> None:
        super().__init__(state)
        self._shown_seed: int | None = None
        """Seed of the face on the screen."""

    def compose_body(self) -> ComposeResult:
        """The face, and beside it what the answers say so far."""
        with Horizontal(id="body"):
            yield FaceView(self.state.writer, id="face")
            with Vertical(id="panel"):
                yield FittedStatic("", id="plan")

    @property
    def is_asking(self) -> bool:
        """Whether the face that is asked about is on the screen."""
        questionnaire = self.state.concepts.questionnaire
        return questionnaire is not None and questionnaire.seed is not None and self._shown_seed == questionnaire.seed

    # --- drawing -------------------------------------------------------------------------------------------------

    def on_image_view_resized(self, event: ImageView.Resized) -> None:
        """Faces are rendered for what can be seen."""
        self.view_px = event.view_px

    def show_body(self) -> None:
        """The face that is asked about, and the panel."""
        questionnaire = self.state.concepts.questionnaire
        if questionnaire is None or self.state.studio is None:
            self.query_one("#plan", Static).update(tr("No question is asked: 8 leads to the concepts."))
            return
        self.query_one(KeyLine).leave_out(_UNUSED_KEYS[questionnaire.file.scale])
        seed = questionnaire.seed
        seeds = [] if seed is None else [seed, *questionnaire.predict_next_seeds()]
        faces = [self._face(number) for number in seeds]
        if faces and self.view_px:
            self.state.tiles.request([face.recipe for face in faces], self._resolution)
        self._show_face()
        self.query_one("#plan", Static).update(self._panel(questionnaire))

    def redraw_tiles(self) -> None:
        """The face, perhaps."""
        self._show_face()

    def _show_face(self) -> None:
        questionnaire, view = self.state.concepts.questionnaire, self.query_one("#face", FaceView)
        if questionnaire is None or self.state.studio is None:
            return
        if questionnaire.seed is None:
            self._shown_seed = None
            view.clear()
            text = questionnaire.problem or tr("reading the faces that can be asked about")
            if questionnaire.problem:
                view.show_problem([text])
            else:
                view.show_waiting(text)
            return
        pixels = self.state.tiles.find(self._face(questionnaire.seed).recipe, self._resolution)
        if pixels is not None:
            view.show_derived(pixels)
            self._shown_seed = questionnaire.seed
        elif self._shown_seed != questionnaire.seed:
            view.clear()
            view.show_waiting(tr("rendering"))

    def _face(self, seed: int) -> Face:
        assert self.state.studio is not None
        return self.state.studio.face(seed)

    @property
    def _resolution(self) -> int | None:
        return self.state.tiles.fit_resolution(self.view_px or 64, MAX_RESOLUTION)

    def _panel(self, questionnaire: OpenQuestionnaire) -> Content:
        low, high = localize_ends(questionnaire.file.labels or labels_of(questionnaire.file.concept))
        lines = [
            styled(concept_word(questionnaire.file.concept, current_language()), "bold $text-primary"),
            assemble((tr("from"), _LABEL), f" {low}"),
            assemble((tr("to"), _LABEL), f" {high}"),
            Content(""),
        ]
        if questionnaire.answering is not None:
            lines += self._progress(questionnaire.answering)
            lines += [Content(""), *self._answer_lines(questionnaire)]
        else:
            job = None if questionnaire.job is None else self.state.jobs.listed.get(questionnaire.job)
            if job is not None and job.total:
                text = tr("faces read: {done} of {total}", done=job.done, total=job.total)
                lines.append(styled(text, _VALUE))
        return Content("\n").join(lines)

    def _progress(self, questionnaire: Questionnaire) -> list[Content]:
        count, accuracy = questionnaire.num_given, questionnaire.accuracy()
        alike, repeated = questionnaire.agreement()
        rows = [(tr("answers"), str(count), _KEY), ("", self._advice(count), _LABEL)]
        if accuracy is None:
            rows.append((tr("foreseen"), tr("not known yet"), _LABEL))
        else:
            rows.append((tr("foreseen"), f"{accuracy.fraction:.0%}", _KEY))
            interval = tr(
                "{low}-{high} %, of {number}",
                low=round(100 * accuracy.low),
                high=round(100 * accuracy.high),
                number=accuracy.count,
            )
            rows.append(("", interval, _LABEL))
        if repeated:
            text = tr("{alike} of {number} alike", alike=alike, number=repeated)
            rows.append((tr("repeated"), text, "$text-warning" if alike < repeated else _VALUE))
        lines = [assemble((f"{name:<10}", _LABEL), (text, style)) for name, text, style in rows]
        return [*lines[:1], self._bar(count), *lines[1:]]

    def _advice(self, count: int) -> str:
        """What is still missing."""
        if count < MIN_ANSWERS:
            number = MIN_ANSWERS - count
            return trn("{number} more at least", "{number} more at least", number)
        if count < RECOMMENDED_ANSWERS:
            return tr("enough; {number} are better", number=RECOMMENDED_ANSWERS)
        return tr("as many as recommended")

    def _bar(self, count: int) -> Content:
        """Answers on a line to the most that are taken, with marks at the least and at the recommended number."""
        width = self.query_one("#plan", Static).content_size.width or _MIN_BAR
        full, empty, mark = ("━", "─", "┼") if self.state.capabilities.unicode else ("#", "-", "|")
        done = round(width * min(count, MAX_ANSWERS) / MAX_ANSWERS)
        marks = {round(width * n / MAX_ANSWERS) for n in (MIN_ANSWERS, RECOMMENDED_ANSWERS)}
        signs = [mark if i in marks else full if i < done else empty for i in range(width)]
        return assemble(("".join(signs[:done]), "$text-primary"), ("".join(signs[done:]), _LABEL))

    def _answer_lines(self, questionnaire: OpenQuestionnaire) -> list[Content]:
        assert questionnaire.answering is not None
        answers = questionnaire.answering.answers
        lines = []
        if answers:
            lines.append(assemble((f"{tr('last'):<10}", _LABEL), (self._answer_word(answers[-1].value), _VALUE)))
        if questionnaire.file.scale == "yes-no":
            lines.append(styled(tr("y yes, n no, s skip, u undo"), _LABEL))
        else:
            lines.append(styled(tr("1 least … 7 most, s skip, u undo"), _LABEL))
        return lines

    def _answer_word(self, value: float | None) -> str:
        if value is None:
            return tr("skipped")
        if self.state.concepts.questionnaire is not None and self.state.concepts.questionnaire.file.scale == "1-7":
            return f"{value:g}"
        return tr("yes") if value else tr("no")

    def command_line(self) -> str:
        """What asks the same in the shell, and goes on with the same answers."""
        questionnaire = self.state.concepts.questionnaire
        if questionnaire is None:
            return ""
        words = ["directions", "learn", "--ask", questionnaire.file.concept]
        if questionnaire.file.scale != "yes-no":
            words += ["--scale", questionnaire.file.scale]
        labels = questionnaire.file.labels
        if labels is not None:
            words += ["--ends", "/".join(labels.en), "--ends-es", "/".join(labels.es)]
        return self.state.commands.of_network(*words)

    # --- actions -------------------------------------------------------------------------------------------------

    def action_answer_yes(self) -> None:
        """It shows."""
        self._answer(1.0, "yes-no")

    def action_answer_no(self) -> None:
        """It does not."""
        self._answer(0.0, "yes-no")

    def action_answer_rating(self, value: int) -> None:
        """From 1 to 7."""
        self._answer(float(value), "1-7")

    def action_answer_skip(self) -> None:
        """Nothing is said."""
        self._answer(None, None)

    def action_answer_undo(self) -> None:
        """The last one."""
        if self.state.concepts.questionnaire is not None:
            self._apply_change(self.state.concepts.questionnaire.undo)

    def action_answer_pause(self) -> None:
        """Back to the concepts."""
        self.app.call_later(self.app.run_action, "go_to('concepts')")

    def action_answer_finish(self) -> None:
        """A direction of the answers, as a job."""
        questionnaire, studio = self.state.concepts.questionnaire, self.state.studio
        if questionnaire is None or studio is None:
            return
        try:
            request = questionnaire.to_request()
            force = check_replacement(studio, request)
        except TuifaceError as error:
            self.notify(str(error), title=tr("No direction yet"), severity="warning", timeout=8)
            return
        submit_direction_job(self.state, request, force=force)
        self.state.concepts.close_questionnaire()
        self.action_answer_pause()

    def _answer(self, value: float | None, scale: str | None) -> None:
        """Note an answer, unless it is one of the other scale, or of a face that nobody sees yet."""
        questionnaire = self.state.concepts.questionnaire
        if questionnaire is None or not self.is_asking:
            return
        if scale in (None, questionnaire.file.scale):
            self._apply_change(lambda: questionnaire.answer(value))

    def _apply_change(self, change: Callable[[], None]) -> None:
        """Make a change and draw; it stays on the screen also where it could not be written."""
        try:
            change()
        except OutputError as error:
            self.notify(str(error), title=tr("The answer is not written"), severity="error")
        self.changes.mark()


def localize_ends(labels: Labels) -> Ends:
    """Both ends in the user's language, as they are shown."""
    low, high = labels.es if current_language() == "es" else labels.en
    return to_visible(low), to_visible(high)
