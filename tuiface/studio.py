"""The headless studio: new faces, and a session with undo and redo. Faces change and save themselves (face.py).

Both front ends, the command line and the interface, work through this module and hold no recipe of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import numpy as np

from tuiface.assets import directions_path
from tuiface.directions.catalogue import Catalogue
from tuiface.directions.populations import Populations
from tuiface.errors import ModelError, UsageError
from tuiface.face import ID_LENGTH, Face
from tuiface.limits import MAX_SEED
from tuiface.protocol import Engine, EngineInfo
from tuiface.provenance import read_face
from tuiface.recipe import ChannelEdit, Edit, LatentSource, Recipe, SeedSource, Truncation
from tuiface.settings import Settings

MIN_RESOLUTION = 4


class Studio:
    """One user's session with one engine: the current face, its history, and new faces.

    A context manager: leaving it closes the engine.
    """

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self.engine = engine
        self.settings = settings
        self.info: EngineInfo = engine.info()
        self.catalogue = Catalogue(directions_path(), settings.directions)
        self.populations = Populations(settings.directions)
        first = self.face(seed=0)
        self._history: tuple[Face, ...] = (first,)
        self._position = 0

    def __enter__(self) -> Studio:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the engine."""
        self.engine.close()

    def block_within(self, size: int | None) -> int | None:
        """The largest resolution of the network's blocks that is at most `size`; None, the full picture, for None."""
        if size is None or size >= self.info.resolution:
            return None
        if size < MIN_RESOLUTION:
            raise UsageError(f"size {size}; accepted: {MIN_RESOLUTION} px and more")
        return 1 << (size.bit_length() - 1)

    def moves_rows(self, edit: Edit) -> bool:
        """Whether an edit moves rows of W+, rather than styles."""
        if isinstance(edit, ChannelEdit):
            return False
        direction = self.catalogue.by_digest(edit.sha256)
        return direction is None or direction.header.space != "styles"

    # --- new faces -----------------------------------------------------------------------------------------------

    def face(self, seed: int, psi: float | None = None, cutoff: int | None = None, label: int | None = None) -> Face:
        """The face of a seed number; psi defaults to the setting, `label` is the class for a network with labels."""
        if not 0 <= seed <= MAX_SEED:
            raise UsageError(f"seed {seed}; accepted: 0 to {MAX_SEED}")
        if label is None and self.info.c_dim:
            label = 0
        recipe = Recipe(
            model=self.info.model,
            source=SeedSource(seed=seed, label=label),
            truncation=Truncation(psi=float(self.settings.psi if psi is None else psi), cutoff=cutoff),
        )
        return Face(self, recipe)

    def face_from_latent(self, w: np.ndarray, psi: float = 1.0) -> Face:
        """The face of float numbers [w_dim] in W or [num_ws, w_dim] in W+."""
        source = LatentSource.from_array(w)
        return Face(self, Recipe(model=self.info.model, source=source, truncation=Truncation(psi=psi)))

    def open_file(self, path: Path, *, foreign: bool = False) -> Face:
        """The face of a saved PNG, its JSON, a bare recipe JSON or a kept face's.

        Raises InputFileError, and ModelError when it was made with another network, unless `foreign` is set.
        """
        recipe, parents, saved = read_face(path)
        if recipe.model.sha256 != self.info.model.sha256:
            if not foreign:
                raise ModelError(
                    f"{path.name} was made with the model '{recipe.model.name}' ({recipe.model.sha256[:ID_LENGTH]}), "
                    f"opened is '{self.info.model.name}' ({self.info.model.sha256[:ID_LENGTH]})",
                    "open that one with --model, or use --foreign to apply the recipe to this one",
                )
            return Face(self, recipe.derive(model=self.info.model), (recipe.digest,) if saved else parents)
        return Face(self, recipe, parents, saved=saved)

    # --- the session ---------------------------------------------------------------------------------------------

    @property
    def current(self) -> Face:
        """The face on the screen."""
        return self._history[self._position]

    @property
    def can_undo(self) -> bool:
        """Whether an earlier face is there to go back to."""
        return self._position > 0

    @property
    def can_redo(self) -> bool:
        """Whether a face was undone and nothing else done since."""
        return self._position + 1 < len(self._history)

    @property
    def history(self) -> tuple[tuple[Face, ...], int]:
        """All faces of the session, oldest first, and the place of the current one."""
        return self._history, self._position

    @property
    def original(self) -> Face:
        """The current face without its edits; where it has none, the earliest before it with the same source."""
        if self.current.recipe.edits:
            return self.current.derive(edits=(), locks=())
        position = self._position
        while position and self._history[position - 1].recipe.source == self.current.recipe.source:
            position -= 1
        return self._history[position]

    def restore(self, faces: Sequence[Face], position: int) -> None:
        """Go on with another session's history, at one of its faces."""
        assert 0 <= position < len(faces)
        self._history, self._position = tuple(faces), position

    def show(self, face: Face) -> Face:
        """Make `face` the current one; what was undone before is forgotten. The same recipe again changes nothing."""
        if face.recipe != self.current.recipe:
            self._history = (*self._history[: self._position + 1], face)
            self._position += 1
        return self.current

    def amend(self, face: Face) -> Face:
        """Put `face` in the current one's place in the history; as the one before it again, that step never was."""
        kept = self._history[: self._position]
        self._history = kept if kept and face.recipe == kept[-1].recipe else (*kept, face)
        self._position = len(self._history) - 1
        return self.current

    def undo(self) -> Face:
        """Go back one face, if there is one."""
        self._position = max(0, self._position - 1)
        return self.current

    def redo(self) -> Face:
        """Go forward again, if something was undone."""
        self._position = min(len(self._history) - 1, self._position + 1)
        return self.current

    def mark_saved(self, recipe: Recipe) -> None:
        """Note that `recipe` lies in a file now, so that what is derived from it names it as parent."""
        self._history = tuple(replace(f, saved=True) if f.recipe == recipe else f for f in self._history)
