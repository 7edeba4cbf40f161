"""Morph: a transition between two faces or more, played here and saved as a series."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content

from tuiface.core.i18n import tr
from tuiface.core.processes import find_program
from tuiface.screens.changes import Drawn
from tuiface.screens.companions import make_edited_companion, seed_after
from tuiface.screens.engine_words import absence_text
from tuiface.screens.face.words import face_title, home_relative, source_text
from tuiface.screens.jobs.resident import JobCommand, engine_flags, keep_faces
from tuiface.screens.widgets.face_view import FaceView
from tuiface.screens.widgets.text import Static, assemble, styled
from tuiface.screens.work_screen import FittedStatic, WorkScreen
from tuiface.terminal.image_view import ImageView

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from textual.timer import Timer

    from tuiface.faces.studio import Face
    from tuiface.screens.jobs.runner import ProgressCallback
    from tuiface.screens.state import InterfaceState
    from tuiface.stimuli.morph import Space

PLAY_S = 0.08
FRAMES_RANGE = (2, 300)
"""More are made by the command: here each is kept to be played."""
MAX_RESOLUTION = 256
"""Of a frame, in pixels: larger ones come too slowly to be played."""
FILMS = ((), ("gif",), ("mp4",))
_MIN_TIMELINE = 24
"""Columns, before the panel was laid out."""


def _edits_text(face: Face) -> str:
    """What was done to a face, behind the seed that it was made from."""
    recipe = face.recipe
    is_plain = not (recipe.edits or recipe.locks or recipe.mixes)
    return "" if is_plain else " · " + face_title(recipe).partition(" · ")[2]


class MorphScreen(WorkScreen):
    """Draws the transition; frames are worked out in a thread and rendered in their order."""

    SCREEN_NAME = "morph"

    space: Drawn[Space] = Drawn("w+")
    chosen_number: Drawn[int | None] = Drawn(None)
    """Of frames; None for the usual number in the space."""
    film: Drawn[int] = Drawn(0)
    """Of FILMS."""
    frame_index: Drawn[int] = Drawn(0)
    """Of the frame that is shown."""
    frames: Drawn[tuple[Face, ...]] = Drawn(())
    """Empty until they are worked out."""
    problem: Drawn[str] = Drawn("")
    """Why there are no frames."""
    view_px: Drawn[int] = Drawn(0)

    def __init__(self, state: InterfaceState) -> None:
        super().__init__(state)
        self._frames_key: tuple[object, ...] = ()
        """What the frames are of, or are being made of."""
        self._play_timer: Timer | None = None
        self._play_direction = 1

    @property
    def is_playing(self) -> bool:
        """Whether frames follow each other by themselves."""
        return self._play_timer is not None

    def compose_body(self) -> ComposeResult:
        """The frame, and beside it what the transition is."""
        with Horizontal(id="body"):
            yield FaceView(self.state.writer, id="face")
            with Vertical(id="panel"):
                yield FittedStatic("", id="plan")

    # --- what it is ----------------------------------------------------------------------------------------------

    def faces(self) -> tuple[Face, ...]:
        """Those that were chosen; for want of them the current face and the seed after it."""
        studio = self.state.studio
        assert studio is not None
        chosen = self.state.morph.transition or (studio.current,)
        if len(chosen) > 1:
            return chosen
        return (*chosen, make_edited_companion(chosen[0], seed_after(chosen[0])))

    @property
    def num_frames(self) -> int:
        """Frames in all."""
        from tuiface.stimuli.morph import DEFAULT_FRAMES

        return DEFAULT_FRAMES[self.space] if self.chosen_number is None else self.chosen_number

    def _update_frames(self) -> None:
        """Work the frames out anew if they are of something else."""
        if self.state.studio is None:
            return
        faces, number, space = self.faces(), self.num_frames, self.space
        made_of = (tuple(face.recipe.digest for face in faces), number, space)
        if made_of == self._frames_key:
            return
        self._frames_key, self.frames, self.problem = made_of, (), ""
        self.frame_index = min(self.frame_index, number - 1)

        def work() -> Callable[[], None]:
            from tuiface.core.errors import TuifaceError
            from tuiface.stimuli.morph import Morph

            try:
                frames = tuple(Morph(faces, number, space).frames())
            except TuifaceError as error:
                problem = str(error)
                return lambda: self._take_problem(made_of, problem)
            return lambda: self._take(made_of, frames)

        self.state.link.run(tr("No transition"), work)

    def _take(self, made_of: tuple[object, ...], frames: tuple[Face, ...]) -> None:
        if self._frames_key == made_of:
            self.frames = frames

    def _take_problem(self, made_of: tuple[object, ...], problem: str) -> None:
        if self._frames_key == made_of:
            self.problem = problem

    def _request_pictures(self) -> None:
        """Ask for the frames without one, the shown one and its neighbours first: other screens took the queue."""
        if self.view_px:
            nearest = sorted(range(len(self.frames)), key=lambda frame: abs(frame - self.frame_index))
            self.state.tiles.request([self.frames[frame].recipe for frame in nearest], self._resolution)

    def _picture_of(self, frame: int) -> np.ndarray | None:
        """uint8 [r, r, 3]; None until it was rendered."""
        return self.state.tiles.find(self.frames[frame].recipe, self._resolution)

    # --- drawing -------------------------------------------------------------------------------------------------

    def on_image_view_resized(self, event: ImageView.Resized) -> None:
        """Frames are rendered for what can be seen."""
        self.view_px = event.view_px

    def show_body(self) -> None:
        """The frame and the plan."""
        plan = self.query_one("#plan", Static)
        if self.state.studio is None:
            plan.update(absence_text(self.state.engine))
            return
        self._update_frames()
        self._request_pictures()
        self._show_frame()
        plan.update(self._plan(), layout=False)

    def redraw_tiles(self) -> None:
        """One frame more, perhaps the shown one."""
        if self.state.studio is not None:
            self._show_frame()
            self.query_one("#plan", Static).update(self._plan(), layout=False)

    @property
    def _resolution(self) -> int | None:
        return self.state.tiles.fit_resolution(self.view_px or 64, MAX_RESOLUTION)

    def _show_frame(self) -> None:
        view = self.query_one("#face", FaceView)
        pixels = self._picture_of(self.frame_index) if self.frames else None
        if pixels is not None:
            view.show_derived(pixels)
            return
        view.remove_picture()
        if self.problem:
            view.show_problem((self.problem,))
        else:
            view.show_waiting(tr("rendering"))

    def _plan(self) -> Content:
        label, value = "$foreground 55%", "$foreground 85%"
        lines = [styled(tr("Transition"), "bold $text-primary")]
        faces = self.faces()
        for number, face in enumerate(faces, start=1):
            lines.append(
                assemble((f"{number:>2}  ", label), (source_text(face), "bold $foreground"), (_edits_text(face), value))
            )
        lines.append(Content(""))
        num_ready = sum(self._picture_of(frame) is not None for frame in range(len(self.frames)))
        rows = [
            (tr("frame"), f"{self.frame_index + 1} / {self.num_frames}"),
            ("", tr("{number} of {count} ready", number=num_ready, count=self.num_frames)),
            (tr("space"), self.space.upper()),
            (tr("film"), " ".join(FILMS[self.film]).upper() or tr("none")),
        ]
        lines += [assemble((f"{name:<9}", label), (text, value)) for name, text in rows]
        lines.append(self._timeline(self.query_one("#plan", Static).content_size.width or _MIN_TIMELINE))
        if self.problem:
            lines += [Content(""), styled(self.problem, "$text-error")]
        return Content("\n").join(lines)

    def _timeline(self, width: int) -> Content:
        """A line with a mark at the frame."""
        line, sign = ("─", "●") if self.state.capabilities.unicode else ("-", "o")
        mark = round((width - 1) * self.frame_index / max(1, self.num_frames - 1))
        return assemble(
            (line * mark, "$foreground 55%"),
            (sign, "bold $text-primary"),
            (line * (width - 1 - mark), "$foreground 55%"),
        )

    def command_line(self) -> str:
        """`tuiface morph` with the faces as commands name them."""
        if self.state.studio is None:
            return ""
        flags = ["--space", self.space, "--frames", str(self.num_frames), *(f"--{kind}" for kind in FILMS[self.film])]
        return self.state.commands.of_faces("morph", self.faces(), *flags)

    def chosen_faces(self) -> Sequence[Face]:
        """The frame that is shown."""
        return self.frames[self.frame_index : self.frame_index + 1]

    # --- actions -------------------------------------------------------------------------------------------------

    def action_morph_back(self) -> None:
        """One frame back."""
        self._go_to_frame(self.frame_index - 1)

    def action_morph_forward(self) -> None:
        """One frame on."""
        self._go_to_frame(self.frame_index + 1)

    def action_morph_play(self) -> None:
        """There and back again, until it is pressed once more."""
        if self._play_timer is not None:
            self._play_timer.stop()
            self._play_timer = None
        else:
            self._play_timer = self.set_interval(PLAY_S, self._play)

    def on_screen_suspend(self) -> None:
        """Nothing is played that nobody sees."""
        if self.is_playing:
            self.action_morph_play()

    def action_morph_add(self) -> None:
        """Ask for a seed."""
        from tuiface.screens.dialogs.prompts import SeedPrompt

        def go(seed: str | None) -> None:
            if seed is not None and self.state.studio is not None:
                faces = self.state.morph.transition or self.faces()[:1]
                self.state.morph.set_transition((*faces, make_edited_companion(faces[-1], int(seed))))

        self.app.push_screen(SeedPrompt(), go)

    def action_morph_remove(self) -> None:
        """The last one."""
        self.state.morph.set_transition(self.state.morph.transition[:-1])

    def action_morph_space(self) -> None:
        """The next one."""
        from tuiface.stimuli.morph import SPACES

        self.space = SPACES[(SPACES.index(self.space) + 1) % len(SPACES)]

    def action_morph_fewer(self) -> None:
        """Ten fewer."""
        self._change_number(-10)

    def action_morph_more(self) -> None:
        """Ten more."""
        self._change_number(10)

    def action_morph_film(self) -> None:
        """None, GIF, MP4 where ffmpeg exists."""
        kinds = len(FILMS) if find_program("ffmpeg") else len(FILMS) - 1
        self.film = (self.film + 1) % kinds

    def action_morph_open(self) -> None:
        """The frame, large."""
        if self.frames:
            face = self.frames[self.frame_index]
            self.state.apply(lambda studio: studio.show(face))
            self.app.call_later(self.app.run_action, "go_to('face')")

    def action_morph_save(self) -> None:
        """In the background, as a job."""
        if not self.frames or self.state.studio is None:
            return
        from tuiface.stimuli.morph import series_name

        frames, films = self.frames, FILMS[self.film]
        name = series_name(self.faces(), self.space, self.num_frames)
        folder = self.state.settings.library

        def work(report: ProgressCallback) -> str:
            from tuiface.stimuli.series import save_series

            saved = save_series(frames, folder, name, films=films, tags=("morph",), progress=report)
            return home_relative(saved.films[0] if saved.films else saved.pictures[0].parent)

        label = tr("Series of {number} frames: {name}", number=len(frames), name=name)
        command = self._make_job_command(name, folder / f"{name}.{films[0]}" if films else folder)
        self.state.jobs.submit_resident(label, command, work, len(frames) + len(films))
        self.notify(tr("It is being saved; 7 shows how far it is."), title="Morph", timeout=3)

    def _make_job_command(self, name: str, result: Path) -> JobCommand:
        """The same as `tuiface morph`."""
        faces, settings = self.faces(), self.state.settings
        flags = ["--space", self.space, "--frames", str(len(self.frames)), "--name", name]
        flags += ["--out", str(settings.library.absolute()), *(f"--{kind}" for kind in FILMS[self.film])]
        return JobCommand(
            lambda: ["morph", *keep_faces(faces), *flags, *engine_flags(settings)],
            home_relative(result),
        )

    def _go_to_frame(self, frame: int) -> None:
        if self.frames:
            self.frame_index = min(max(frame, 0), len(self.frames) - 1)

    def _play(self) -> None:
        """The next frame, once its picture is there."""
        if not self.frames:
            return
        if not 0 <= self.frame_index + self._play_direction < len(self.frames):
            self._play_direction = -self._play_direction
        frame = self.frame_index + self._play_direction
        if self._picture_of(frame) is not None:
            self._go_to_frame(frame)

    def _change_number(self, step: int) -> None:
        low, high = max(FRAMES_RANGE[0], len(self.faces())), FRAMES_RANGE[1]
        self.chosen_number = min(max(self.num_frames + step, low), high)
