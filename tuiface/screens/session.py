"""What every screen shows: the studio, the last frame, and how the engine is. Screens draw this and keep nothing.

Threads: the app's alone. Steps taken before the engine answers are kept and taken when it does.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from tuiface.actions import Registry
from tuiface.core.errors import EngineError, TuifaceError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from tuiface.core.settings import Settings
    from tuiface.directions.direction import Direction
    from tuiface.engine_api.protocol import JobProgress, Quality, RenderResult
    from tuiface.engine_api.requests import SearchRequest
    from tuiface.faces.recipe import Recipe
    from tuiface.faces.studio import Face, Studio
    from tuiface.screens.concepts.questionnaire_session import QuestionnaireSession
    from tuiface.screens.engine_link import EngineLink
    from tuiface.screens.face.controls import Concept
    from tuiface.screens.face.face_actions import StudioAction
    from tuiface.screens.jobs.lasting import JobCommand
    from tuiface.screens.jobs.runner import JobRunner, Work
    from tuiface.terminal.capabilities import Capabilities
    from tuiface.terminal.writer import TerminalWriter

Phase = Literal["starting", "ready", "restarting", "stopped"]

MAX_TILES = 600
MAX_RESTARTS = 1
"""Times in a row that a dead engine is started again without asking."""


class Session:
    """One user's session as the interface sees it."""

    def __init__(self, settings: Settings, wire: TerminalWriter, link: EngineLink, runner: JobRunner) -> None:
        self.settings = settings
        self.actions = Registry.with_keys(settings.keys)
        self.writer = wire
        self.link = link
        self._runner = runner
        self.phase: Phase = "starting"
        self.studio: Studio | None = None
        """None until the engine answers for the first time."""
        self.frame: RenderResult | None = None
        """The newest picture there is, of the current face or one shortly before it."""
        self.error: TuifaceError | None = None
        """Why the engine stopped."""
        self.pending_actions: list[StudioAction] = []
        """Steps that wait for the first engine."""
        self.pending_saves: list[Face] = []
        """Faces on their way into the library."""
        self.num_saved = 0
        self._interrupted_saves: list[Face] = []
        """Faces whose save the engine's end interrupted; saved when it is back."""
        self.tiles: OrderedDict[tuple[str, int | None], np.ndarray] = OrderedDict()
        """Small pictures by recipe digest and resolution: the newest of them."""
        self.parents: list[Face] = []
        """The faces that Mix exchanges between: none, one or two."""
        self.transition: list[Face] = []
        """The faces that Morph goes through."""
        self.origin: Face | None = None
        """The face whose neighbours Explore shows; None for seeds."""
        self.questionnaire_session: QuestionnaireSession | None = None
        """The questionnaire under way."""
        self.pool_features: np.ndarray | None = None
        """float64 [N, F] of the faces that questionnaires ask about; None until they were read."""
        self.search: SearchRequest | None = None
        self.found: tuple[Direction, ...] = ()
        """What that search found and nobody kept yet."""
        self.comparison = "off"
        """How the face is compared with its original (tuiface.screens.face.comparison)."""
        self.difference_percent = 0.0
        """Mean difference of the compared pictures."""
        self.concepts: tuple[Concept, ...] = ()
        """Directions of the open network."""
        self.is_settled = False
        """Whether the engine has answered, and concepts are known."""
        self.control_key = "seed"
        """Key of the chosen row of the edit panel (tuiface.screens.face.controls)."""
        self.may_exceed = False
        """Whether amounts may go past what the network is known to do."""
        self.jobs: dict[int, JobProgress] = {}
        """Long work by its number."""
        self._view_px = 0
        """Pixels along the longer side that the view can show."""
        self._deaths = 0
        """Ends of the engine since it last delivered a frame."""
        self._sequence = 0
        self._refused_sequence = 0
        """Sequence of the last request when the engine refused one: it will not be answered."""
        self._requested_preview: tuple[Recipe, int, Quality] | None = None
        """Face, size, and how well it was asked for."""

    @property
    def capabilities(self) -> Capabilities:
        """How pictures are drawn now."""
        return self.writer.capabilities

    # --- what keys do --------------------------------------------------------------------------------------------

    def apply(self, step: StudioAction) -> None:
        """Take a step in the studio and ask for its picture; kept for later while there is no studio."""
        if self.studio is None:
            self.pending_actions.append(step)
            return
        step(self.studio)
        self._request_preview()

    def save(self) -> None:
        """Save the current face in the background."""
        self.apply(lambda studio: self._save(studio.current))

    def resize_view(self, view_px: int) -> None:
        """Previews are rendered for a view of `view_px` pixels from now on."""
        self._view_px = view_px
        self._request_preview()

    def save_face(self, face: Face) -> None:
        """Save `face` in the background."""
        self._save(face)

    def load_face(self, path: Path) -> Face:
        """The face of a saved picture. Raises InputFileError, ModelError for another network's, or EngineError."""
        if self.studio is None:
            raise EngineError("the engine is still starting", "try again in a moment")
        return self.studio.open_file(path)

    def open_file(self, path: Path) -> None:
        """Go on with a saved face; raises as `load_face` does."""
        face = self.load_face(path)
        self.apply(lambda studio: studio.show(face))

    def submit_job(self, label: str, work: Work, total: int = 0) -> int:
        """Do long work in the background; returns its number."""
        progress = self._runner.submit(label, work, total)
        self.jobs[progress.id] = progress
        return progress.id

    def submit_resident_job(self, label: str, lasting: JobCommand, work: Work, total: int = 0) -> None:
        """Do `lasting` beside a resident engine, so that it outlives this app; without one, do `work` here."""
        if not self._runner.resident_jobs.begin(label, lasting, total):
            self.submit_job(label, work, total)

    def cancel_job(self, number: int) -> None:
        """Ask long work to end."""
        self._runner.cancel(number)

    def clear_jobs(self) -> None:
        """Forget long work that is over."""
        self.jobs = {number: job for number, job in self.jobs.items() if not job.is_over}
        self._runner.resident_jobs.forget()

    def use_in_mix(self, face: Face) -> None:
        """Make `face` the next parent in Mix: the second, or the first where there is none."""
        self.parents = [self.parents[0], face] if self.parents else [face]

    def explore_near(self, face: Face | None) -> None:
        """Let Explore show neighbours of `face`, or seeds again."""
        self.origin = face

    def request_tiles(self, recipes: Sequence[Recipe], resolution: int | None) -> None:
        """Render those of `recipes` that are not known at this size; what was asked for before is forgotten."""
        if self.studio is None or self.phase != "ready":
            return
        from tuiface.engine_api.protocol import RenderRequest

        missing = dict.fromkeys(r for r in recipes if (r.digest, resolution) not in self.tiles)
        self.link.render_tiles([RenderRequest(recipe, resolution, quality="draft") for recipe in missing])

    def tile(self, recipe: Recipe, resolution: int | None) -> np.ndarray | None:
        """uint8 [r, r, 3] of a small picture; None until it was rendered."""
        return self.tiles.get((recipe.digest, resolution))

    def add_tile(self, frame: RenderResult) -> None:
        """Keep a small picture, and throw away the oldest beyond 600."""
        assert self.studio is not None
        side = frame.pixels.shape[0]
        resolution = None if side == self.studio.info.resolution else side
        self.tiles[frame.recipe.digest, resolution] = frame.pixels
        while len(self.tiles) > MAX_TILES:
            self.tiles.popitem(last=False)

    def open_model(self, path: Path | None) -> None:
        """Go on with another network: the present seed and psi, but none of the faces of the old one."""
        self.settings = self.settings.model_copy(update={"model": path})
        self.phase = "starting"
        self.error = None
        if self.studio is not None:
            recipe = self.studio.current.recipe
            seed = recipe.source.seed if recipe.source.kind == "seed" else 0
            psi = recipe.truncation.psi
            self.pending_actions = [lambda studio: studio.show(studio.face(seed, psi=psi))]
        self.studio = self.frame = self._requested_preview = None
        self.parents, self.transition = [], []
        self.questionnaire_session = self.pool_features = self.search = None
        self.found = ()
        self.concepts, self.is_settled = (), False
        self.tiles.clear()
        self.link.change_model(self.settings)

    # --- what threads tell ---------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the engine, or start it again."""
        self.phase = "starting" if self.studio is None else "restarting"
        self.error = None
        self.link.start(self.studio)

    def attach_studio(self, studio: Studio) -> None:
        """Go on where the last engine ended, or take the steps that were kept for the first one."""
        self.phase = "ready"
        self.studio = studio
        steps, self.pending_actions = self.pending_actions, []
        for step in steps:
            step(studio)
        faces, self._interrupted_saves = self._interrupted_saves, []
        for face in faces:
            self.link.save(face)
        self._requested_preview = None
        self._request_preview()
        self.is_settled = False

    def settle(self) -> None:
        """What can wait until the engine has answered for the first time."""
        if not self.is_settled and self.phase == "ready":
            self.is_settled = True
            self._runner.resident_jobs.attach(self.link.shared_jobs)
            self.read_concepts()

    def mark_stopped(self, error: TuifaceError) -> None:
        """The engine could not be started: wait for the user."""
        self.phase = "stopped"
        self.error = error

    def restart_dead_engine(self, error: TuifaceError) -> bool:
        """The engine ended on its own: start it again, unless it has just been. Returns whether it was."""
        self._deaths += 1
        if self._deaths > MAX_RESTARTS:
            self.mark_stopped(error)
            return False
        self.start()
        return True

    def accept(self, frame: RenderResult) -> bool:
        """Take a frame, unless it is older than the one on the screen; returns whether it was taken.

        A frame of a request that was replaced while it was rendered is newer than the picture on the screen: with a
        key held down, such frames are the progress.
        """
        if self.frame is not None and frame.sequence <= self.frame.sequence:
            return False
        self.frame = frame
        self._deaths = 0
        return True

    def abandon_preview(self) -> None:
        """The engine told why it cannot render: nothing is awaited any more."""
        self._refused_sequence = self._sequence
        self._requested_preview = None

    def saved(self, face: Face, *, existed: bool) -> None:
        """A face lies in the library."""
        assert self.studio is not None
        self.pending_saves.remove(face)
        self.num_saved += not existed
        self.studio.mark_saved(face.recipe)

    def record_failed_save(self, face: Face, *, try_again: bool) -> None:
        """A face could not be saved; with `try_again` it is as soon as the engine is back."""
        if try_again:
            self._interrupted_saves.append(face)
        else:
            self.pending_saves.remove(face)

    # --- what is shown -------------------------------------------------------------------------------------------

    @property
    def has_begun(self) -> bool:
        """Whether anything was done that is worth going back to."""
        return self.studio is not None and (len(self.studio.history[0]) > 1 or bool(self.parents or self.transition))

    @property
    def is_behind(self) -> bool:
        """Whether the picture on the screen is of an earlier face than the current one."""
        is_awaited = self.phase == "ready" and self._refused_sequence < self._sequence
        return is_awaited and (self.frame is None or self.frame.sequence < self._sequence)

    @property
    def is_preview(self) -> bool:
        """Whether only a preview of the current face was asked for so far: it has no measures yet."""
        return self.phase == "ready" and self._requested_preview is not None and self._requested_preview[2] == "preview"

    def refresh_preview(self) -> None:
        """Ask for the current face's picture, if it is another one now."""
        self._request_preview()

    def complete_preview(self) -> None:
        """No key has come for a while: ask for the current face with its locks and measures."""
        self._request_preview(complete=True)

    def read_concepts(self) -> None:
        """Look at the files of directions again: others may have been learned or imported."""
        from tuiface.screens.face.controls import concepts_of

        if self.studio is not None:
            self.concepts = concepts_of(self.studio)

    def _save(self, face: Face) -> None:
        self.pending_saves.append(face)
        if self.phase == "ready":
            self.link.save(face)
        else:
            self._interrupted_saves.append(face)

    def _request_preview(self, *, complete: bool = False) -> None:
        """Ask for the current face at the smallest size that fills the view: large networks stay quick.

        Of edited faces a preview first, the final picture when the keys are quiet; others have nothing to leave out.
        """
        if self.studio is None or self.phase != "ready" or not self._view_px:
            return
        from tuiface.engine_api.protocol import RenderRequest

        recipe = self.studio.current.recipe
        resolution = block_resolution(self._view_px, self.studio.info.resolution)
        best: Quality = "final" if recipe.edits else "draft"
        quality: Quality = "preview" if recipe.edits and not complete else best
        if self._requested_preview in ((recipe, resolution, quality), (recipe, resolution, best)):
            return
        self._requested_preview = (recipe, resolution, quality)
        self._sequence += 1
        self.link.submit(RenderRequest(recipe, resolution, quality, sequence=self._sequence))


def block_resolution(view_px: int, full: int) -> int:
    """The smallest block of the network (4, 8, ... `full`) with at least `view_px` pixels, or the last one."""
    resolution = 4
    while resolution < min(view_px, full):
        resolution *= 2
    return min(resolution, full)
