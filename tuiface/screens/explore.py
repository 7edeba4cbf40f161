"""Explore: a grid of seeds, in order or at random, or of faces near one face."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content

from tuiface.core.i18n import tr
from tuiface.core.limits import MAX_SEED, PSI_RANGE, W_AVG
from tuiface.screens.changes import Drawn
from tuiface.screens.engine_words import absence_text
from tuiface.screens.face.words import source_text
from tuiface.screens.grid_screen import GridScreen
from tuiface.screens.widgets.text import Static, styled
from tuiface.screens.widgets.tile_grid import Tile, TileGrid

if TYPE_CHECKING:
    from tuiface.faces.studio import Face
    from tuiface.screens.state import InterfaceState

DISTANCES = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75)
NUM_NEIGHBOURS = 120
ExploreMode = Literal["seeds", "random", "near"]


class ExploreScreen(GridScreen):
    """Faces are worked out a page at a time; their pictures come as they are rendered."""

    SCREEN_NAME = "explore"
    FOR_MARKED = ("explore_keep", "explore_morph")

    start: Drawn[int] = Drawn(0)
    """The first seed."""
    chosen_psi: Drawn[float | None] = Drawn(None)
    """None until it is changed here: that of the face on the first screen."""
    chosen_center: Drawn[str | None] = Drawn(None)
    """The population; None until it is changed here, like psi."""
    mode: Drawn[ExploreMode] = Drawn("seeds")
    distance: Drawn[int] = Drawn(2)
    """Of DISTANCES."""
    neighbours: Drawn[tuple[Face, ...]] = Drawn(())
    random_seeds: Drawn[tuple[int, ...]] = Drawn(())
    """As many as were shown so far."""

    def __init__(self, state: InterfaceState) -> None:
        super().__init__(state)
        self._rng = random.Random()  # noqa: S311 - any seed is as good as another
        self._neighbours_key: tuple[str, int] | None = None
        """Digest of the face, and distance, that the neighbours are of or are being computed for."""
        self._faces: dict[str, Face] = {}
        """Marked faces, by digest: they may lie on another page, or in another mode."""

    def compose_body(self) -> ComposeResult:
        """What is shown, in words, and the grid."""
        with Vertical(id="body"):
            yield Static("", id="heading")
            yield TileGrid(self.state.writer, id="grid")

    # --- faces ---------------------------------------------------------------------------------------------------

    @property
    def count(self) -> int | None:
        """There is no end to seeds, but to neighbours."""
        return max(len(self.neighbours), 1) if self.mode == "near" else None

    @property
    def psi(self) -> float:
        """Truncation of all faces here."""
        assert self.state.studio is not None
        return self.state.studio.current.recipe.truncation.psi if self.chosen_psi is None else self.chosen_psi

    @property
    def center(self) -> str:
        """What all faces here are truncated towards: `w_avg` or a population's name."""
        assert self.state.studio is not None
        return self.state.studio.current.recipe.truncation.center if self.chosen_center is None else self.chosen_center

    def face_at(self, index: int) -> Face | None:
        """The face at a place of the grid; None while neighbours are computed."""
        studio = self.state.studio
        assert studio is not None
        if self.mode == "near":
            return self.neighbours[index] if index < len(self.neighbours) else None
        label = self._label()
        if self.mode == "random":
            missing = index + 1 - len(self.random_seeds)
            if missing > 0:
                drawn = (self._rng.randint(0, MAX_SEED) for _ in range(missing))
                self.random_seeds = (*self.random_seeds, *drawn)
            return self._truncate(studio.face(self.random_seeds[index], self.psi, label=label))
        return self._truncate(studio.face(min(self.start + index, MAX_SEED), self.psi, label=label))

    def _truncate(self, face: Face) -> Face:
        """Towards the population of all; that of the face on the first screen may be known from its recipe alone."""
        current = face.studio.current.recipe.truncation
        if self.chosen_center is None and current.center_w is not None:
            return face.derive(truncation=face.recipe.truncation.towards(current.center, current.centre()))
        return face if self.center == W_AVG else face.towards(self.center)

    def _label(self) -> int | None:
        assert self.state.studio is not None
        source = self.state.studio.current.recipe.source
        return source.label if source.kind == "seed" else None

    # --- drawing -------------------------------------------------------------------------------------------------

    def show_body(self) -> None:
        """The page."""
        state = self.state
        self._follow_origin()
        if state.studio is None:
            self.query_one("#heading", Static).update(absence_text(self.state.engine))
            return
        if not all(self.grid.content_size):
            return  # its size comes with the first layout, and with it this call again
        wanted = state.tiles.fit_resolution(self.grid.tile_px)
        faces = [self.face_at(index) for index in self.page]
        state.tiles.request([face.recipe for face in faces if face is not None], wanted)
        tiles = [
            Tile(
                self._caption(face),
                state.tiles.find(face.recipe, wanted),
                face.recipe.digest in self.marked,
            )
            for face in faces
            if face is not None
        ]
        self.grid.show(tiles, self.chosen - self.first)
        self.query_one("#heading", Static).update(self._heading(), layout=False)

    def redraw_tiles(self) -> None:
        """A picture of the page, perhaps."""
        self.show_body()

    def _caption(self, face: Face) -> str:
        source = face.recipe.source
        return str(source.seed) if source.kind == "seed" else face.id

    def _heading(self) -> Content:
        where = self._where()
        psi = f"psi {self.psi:.2f}"
        if self.center != W_AVG:
            psi += f" {tr('towards {population}', population=self.center)}"
        return Content("   ").join([styled(where, "bold $foreground"), styled(psi), self.marked_text()])

    def _where(self) -> str:
        origin = self.state.explore.origin
        if self.mode == "seeds":
            return tr("seeds from {first}", first=self.start + self.first)
        if self.mode == "random" or origin is None:
            return tr("random seeds")
        if not self.neighbours:
            return tr("looking for faces near {face}", face=source_text(origin))
        return tr("near {face}, distance {distance}", face=source_text(origin), distance=DISTANCES[self.distance])

    def command_line(self) -> str:
        """The page of seeds, or the chosen face."""
        if self.state.studio is None:
            return ""
        commands, face = self.state.commands, self.face_at(self.chosen)
        if self.mode == "seeds":
            first = self.face_at(self.first)
            assert first is not None
            line = commands.render_seeds(first, min(len(self.page), MAX_SEED + 1 - (self.start + self.first)))
            if line:
                return line
        return "" if face is None else commands.render(face)

    def chosen_faces(self) -> Sequence[Face]:
        """Those that are marked, or the chosen one."""
        return self._marked_faces()

    # --- neighbours ----------------------------------------------------------------------------------------------

    def _follow_origin(self) -> None:
        """Show neighbours of the face that was chosen for it; computed in a thread."""
        origin = self.state.explore.origin
        if origin is None:
            if self.mode == "near":
                self.mode = "seeds"
            self._neighbours_key = None
            return
        key = (origin.recipe.digest, self.distance)
        if self._neighbours_key == key or self.state.studio is None:
            return
        self.mode, self._neighbours_key, self.neighbours = "near", key, ()
        self.chosen = self.first = 0
        distance = DISTANCES[self.distance]

        def work() -> Callable[[], None]:
            from tuiface.stimuli.neighbours import draw_neighbours

            found = tuple(draw_neighbours(origin, NUM_NEIGHBOURS, distance))
            return lambda: self._take_neighbours(key, found)

        self.state.link.run(tr("No neighbours"), work)

    def _take_neighbours(self, key: tuple[str, int], found: tuple[Face, ...]) -> None:
        if self._neighbours_key == key:
            self.neighbours = found

    # --- actions -------------------------------------------------------------------------------------------------

    def open_chosen(self) -> None:
        """Large, on the first screen."""
        face = self._chosen_face()
        if face is not None:
            self.state.apply(lambda studio: studio.show(face))
            self.app.call_later(self.app.run_action, "go_to('face')")

    def action_explore_open(self) -> None:
        """Show the chosen face large."""
        self.open_chosen()

    def action_explore_mark(self) -> None:
        """Mark, and go on to the next."""
        self.toggle_mark()

    def mark_key(self, index: int) -> str | None:
        """The recipe's digest; the face is held as long as it may be marked."""
        face = None if self.state.studio is None else self.face_at(index)
        if face is None:
            return None
        self._faces[face.recipe.digest] = face
        return face.recipe.digest

    def action_explore_keep(self) -> None:
        """Save the marked faces, or the chosen one; marks are taken away."""
        faces = self._marked_faces()
        for face in faces:
            self.state.saves.save(face)
        self.marked = ()

    def action_explore_near(self) -> None:
        """Neighbours of the chosen face."""
        face = self._chosen_face()
        if face is not None:
            self.state.explore.explore_near(face)

    def action_explore_nearer(self) -> None:
        """A smaller distance."""
        self._change_distance(-1)

    def action_explore_farther(self) -> None:
        """A greater distance."""
        self._change_distance(1)

    def action_explore_seeds(self) -> None:
        """Seeds in order, from the chosen one."""
        face = self._chosen_face()
        seed = face.recipe.source.seed if face is not None and face.recipe.source.kind == "seed" else self.start
        self._show_seeds("seeds", seed)

    def action_explore_random(self) -> None:
        """Other random seeds each time."""
        self.random_seeds = ()
        self._show_seeds("random", self.start)

    def action_explore_go_to(self) -> None:
        """Ask for the first seed."""
        from tuiface.screens.dialogs.prompts import SeedPrompt

        def go(seed: str | None) -> None:
            if seed is not None:
                self._show_seeds("seeds", int(seed))

        self.app.push_screen(SeedPrompt(tr("Seeds from")), go)

    def action_explore_psi_down(self) -> None:
        """Towards the mean face."""
        self._change_psi(-0.1)

    def action_explore_psi_up(self) -> None:
        """Towards full variety."""
        self._change_psi(0.1)

    def action_explore_population(self) -> None:
        """The next named population."""
        studio = self.state.studio
        if studio is None:
            return
        names = [W_AVG, *(population.name for population in studio.populations.of(studio.info.model))]
        if len(names) == 1:
            text = tr("This network has no named populations; tuiface population make names one.")
            self.notify(text, title=tr("Population"), severity="warning")
            return
        place = names.index(self.center) if self.center in names else -1
        self.chosen_center = names[(place + 1) % len(names)]
        origin = self.state.explore.origin
        if origin is not None:
            self.state.explore.explore_near(origin.towards(self.chosen_center))

    def action_explore_mix(self) -> None:
        """The next parent."""
        face = self._chosen_face()
        if face is not None:
            self.state.mix.add_parent(face)
            text = tr("{number} of 2 parents; 3 shows them.", number=len(self.state.mix.parents))
            self.notify(text, title="Mix", timeout=3)

    def action_explore_morph(self) -> None:
        """The transition's next faces."""
        self.state.morph.add(*self._marked_faces())
        self.marked = ()
        number = len(self.state.morph.transition)
        self.notify(tr("Faces: {number}; 4 shows the transition.", number=number), title="Morph", timeout=3)

    def _show_seeds(self, mode: ExploreMode, start: int) -> None:
        self.state.explore.explore_near(None)
        self.mode, self.start = mode, start
        self.chosen = self.first = 0

    def _change_distance(self, step: int) -> None:
        if self.state.explore.origin is not None:
            self.distance = min(max(self.distance + step, 0), len(DISTANCES) - 1)

    def _change_psi(self, step: float) -> None:
        if self.state.studio is None:
            return
        low, high = PSI_RANGE
        self.chosen_psi = min(max(round(self.psi + step, 2), low), high)
        psi = self.chosen_psi
        origin = self.state.explore.origin
        if origin is not None:
            self.state.explore.explore_near(origin.truncate(psi, origin.recipe.truncation.cutoff))

    def _chosen_face(self) -> Face | None:
        return None if self.state.studio is None else self.face_at(self.chosen)

    def _marked_faces(self) -> list[Face]:
        if self.marked:
            return [self._faces[digest] for digest in self.marked]
        face = self._chosen_face()
        return [] if face is None else [face]
