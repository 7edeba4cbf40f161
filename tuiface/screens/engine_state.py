"""How the engine is: whether it answers, what it works on, why it does not, and what waits for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from tuiface.core.errors import EngineError
from tuiface.screens.changes import Drawn, StatePart

if TYPE_CHECKING:
    from pathlib import Path

    from tuiface.core.errors import TuifaceError
    from tuiface.core.settings import Settings
    from tuiface.faces.studio import Face, Studio
    from tuiface.screens.changes import Changes
    from tuiface.screens.engine_link import EngineLink

Phase = Literal["starting", "ready", "restarting", "stopped"]
StudioAction = Callable[["Studio"], object]
"""One step in the studio."""

MAX_RESTARTS = 1
"""Times in a row that a dead engine is started again without asking."""


class EngineState(StatePart):
    """Steps taken before the engine answers are kept and taken when it does."""

    phase: Drawn[Phase] = Drawn("starting")
    studio: Drawn[Studio | None] = Drawn(None)
    """None until the engine answers for the first time."""
    error: Drawn[TuifaceError | None] = Drawn(None)
    """Why the engine stopped."""
    is_settled: Drawn[bool] = Drawn(default=False)
    """Whether the engine has drawn for the first time, and what could wait until then is done."""
    pending_actions: Drawn[tuple[StudioAction, ...]] = Drawn(())
    """Steps that wait for the first engine."""

    def __init__(self, changes: Changes, settings: Settings, link: EngineLink) -> None:
        super().__init__(changes)
        self.settings = settings
        """With the path of the network in use."""
        self._link = link
        self._num_deaths = 0
        """Ends of the engine since it last delivered a picture."""

    def start(self) -> None:
        """Start the engine, or start it again."""
        self.phase = "starting" if self.studio is None else "restarting"
        self.error = None
        self._link.start(self.studio)

    def attach_studio(self, studio: Studio) -> None:
        """Go on where the last engine ended, or take the steps that were kept for the first one."""
        self.phase = "ready"
        self.studio = studio
        self.is_settled = False
        actions, self.pending_actions = self.pending_actions, ()
        for action in actions:
            action(studio)

    def mark_settled(self) -> None:
        """It has drawn for the first time."""
        self.is_settled = True

    def apply(self, action: StudioAction) -> None:
        """Take a step in the studio; kept for later while there is none."""
        if self.studio is None:
            self.pending_actions = (*self.pending_actions, action)
        else:
            action(self.studio)
            self.changes.mark()

    def open_model(self, path: Path | None) -> None:
        """Start an engine with another network: it begins with the present seed and psi."""
        self.settings = self.settings.model_copy(update={"model": path})
        self.phase = "starting"
        self.error = None
        if self.studio is not None:
            recipe = self.studio.current.recipe
            seed = recipe.source.seed if recipe.source.kind == "seed" else 0
            psi = recipe.truncation.psi
            self.pending_actions = (lambda studio: studio.show(studio.face(seed, psi=psi)),)
        self.studio = None
        self.is_settled = False
        self._link.change_model(self.settings)

    def load_face(self, path: Path) -> Face:
        """The face of a saved picture.

        Raises InputFileError, ModelError for another network's, EngineError, or what the engine stopped with.
        """
        if self.studio is None:
            if self.error is not None:
                raise self.error
            raise EngineError("the engine is still starting", "try again in a moment")
        return self.studio.open_file(path)

    def mark_stopped(self, error: TuifaceError) -> None:
        """The engine could not be started: wait for the user."""
        self.phase = "stopped"
        self.error = error

    def mark_alive(self) -> None:
        """It has delivered a picture: its next end is the first one again."""
        self._num_deaths = 0

    def restart_dead(self, error: TuifaceError) -> bool:
        """The engine ended on its own: start it again, unless it has just been. Returns whether it was."""
        self._num_deaths += 1
        if self._num_deaths > MAX_RESTARTS:
            self.mark_stopped(error)
            return False
        self.start()
        return True
