"""The interface's state as a whole: its parts, each written by its own methods, and what concerns several of them.

engine          whether it answers, the studio, why it stopped
preview         the large picture: asked for, shown, behind
tiles, saves    small pictures; faces on their way into the library
jobs            long work
face, mix, morph, explore, concepts
                what lasts of a screen while others are shown, and what others hand to it
commands        what does the same in a shell

Threads: the app's alone. What a screen keeps for itself lies in the screen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuiface.actions import Registry
from tuiface.screens.changes import Changes, Drawn, StatePart
from tuiface.screens.commands import Commands
from tuiface.screens.concepts.state import ConceptsState
from tuiface.screens.engine_state import EngineState
from tuiface.screens.face.state import FaceState
from tuiface.screens.jobs.job_list import JobList
from tuiface.screens.kept_faces import KeptFaces
from tuiface.screens.preview import Preview
from tuiface.screens.saves import Saves
from tuiface.screens.tiles import Tiles

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tuiface.core.settings import Settings
    from tuiface.faces.studio import Face, Studio
    from tuiface.screens.engine_link import EngineLink
    from tuiface.screens.engine_state import StudioAction
    from tuiface.screens.jobs.runner import JobRunner
    from tuiface.terminal.capabilities import Capabilities
    from tuiface.terminal.writer import TerminalWriter


class MixState(StatePart):
    """The faces that Mix exchanges between."""

    parents: Drawn[tuple[Face, ...]] = Drawn(())
    """None, one or two."""

    def add_parent(self, face: Face) -> None:
        """Make `face` the next parent: the second, or the first where there is none."""
        self.parents = (*self.parents[:1], face)

    def set_parents(self, parents: Sequence[Face]) -> None:
        """None, one or two."""
        self.parents = tuple(parents)


class MorphState(StatePart):
    """The faces that Morph goes through."""

    transition: Drawn[tuple[Face, ...]] = Drawn(())

    def add(self, *faces: Face) -> None:
        """Put faces at its end."""
        self.transition = (*self.transition, *faces)

    def set_transition(self, faces: Sequence[Face]) -> None:
        """Go through these."""
        self.transition = tuple(faces)


class ExploreState(StatePart):
    """What Explore begins with."""

    origin: Drawn[Face | None] = Drawn(None)
    """The face whose neighbours it shows; None for seeds."""

    def explore_near(self, face: Face | None) -> None:
        """Show neighbours of `face`, or seeds again."""
        self.origin = face


@dataclass(frozen=True, slots=True)
class InterfaceState:
    """All that screens draw, and the ways to the engine and to the terminal."""

    actions: Registry
    writer: TerminalWriter
    link: EngineLink
    changes: Changes
    engine: EngineState
    preview: Preview
    tiles: Tiles
    saves: Saves
    jobs: JobList
    face: FaceState
    mix: MixState
    morph: MorphState
    explore: ExploreState
    concepts: ConceptsState
    commands: Commands

    @classmethod
    def begin(cls, settings: Settings, writer: TerminalWriter, link: EngineLink, runner: JobRunner) -> InterfaceState:
        """Before there is an engine.

        Raises UsageError for keys of the settings that name no action, or two on one screen.
        """
        changes = Changes()
        engine = EngineState(changes, settings, link)
        return cls(
            actions=Registry.with_keys(settings.keys),
            writer=writer,
            link=link,
            changes=changes,
            engine=engine,
            preview=Preview(changes, engine, link),
            tiles=Tiles(changes, engine, link),
            saves=Saves(changes, engine, link),
            jobs=JobList(changes, runner),
            face=FaceState(changes),
            mix=MixState(changes),
            morph=MorphState(changes),
            explore=ExploreState(changes),
            concepts=ConceptsState(changes),
            commands=Commands(engine, KeptFaces(changes, link)),
        )

    @property
    def settings(self) -> Settings:
        """Those that the engine runs with."""
        return self.engine.settings

    @property
    def studio(self) -> Studio | None:
        """None until the engine answers for the first time."""
        return self.engine.studio

    @property
    def capabilities(self) -> Capabilities:
        """How pictures are drawn now."""
        return self.writer.capabilities

    @property
    def has_begun(self) -> bool:
        """Whether anything was done that is worth going back to."""
        studio = self.studio
        return studio is not None and (len(studio.history[0]) > 1 or bool(self.mix.parents or self.morph.transition))

    # --- what concerns several parts -----------------------------------------------------------------------------

    def apply(self, action: StudioAction) -> None:
        """Take a step in the studio and ask for its picture; kept for later while there is no studio."""
        self.engine.apply(action)
        self.preview.request()

    def save_current(self) -> None:
        """Save the current face in the background."""
        self.apply(lambda studio: self.saves.save(studio.current))

    def open_file(self, path: Path) -> None:
        """Go on with a saved face; raises as EngineState.load_face does."""
        face = self.engine.load_face(path)
        self.apply(lambda studio: studio.show(face))

    def attach_studio(self, studio: Studio) -> None:
        """The engine answers, for the first time or again."""
        self.engine.attach_studio(studio)
        self.saves.resume()
        self.preview.request_again()

    def settle(self) -> None:
        """What can wait until the engine has answered for the first time."""
        if not self.engine.is_settled and self.engine.phase == "ready":
            self.engine.mark_settled()
            self.jobs.attach(self.link.shared_jobs)
            self.face.read_concepts(self.studio)

    def open_model(self, path: Path | None) -> None:
        """Go on with another network: the present seed and psi, but none of the faces of the old one."""
        self.preview.clear()
        self.mix.set_parents(())
        self.morph.set_transition(())
        self.concepts.clear()
        self.face.forget_concepts()
        self.tiles.clear()
        self.engine.open_model(path)
