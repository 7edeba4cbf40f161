"""Files that name faces for commands: the picture of a saved one, a small JSON in the state folder for any other."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tuiface.core.errors import TuifaceError
from tuiface.core.i18n import tr
from tuiface.screens.changes import Drawn, StatePart

if TYPE_CHECKING:
    from tuiface.faces.studio import Face
    from tuiface.screens.changes import Changes
    from tuiface.screens.engine_link import EngineLink

MAX_KEPT_AGE_S = 7 * 24 * 3600


class KeptFaces(StatePart):
    """Those that shown commands name. Each is written once, in a thread, when a command names it first."""

    can_keep: Drawn[bool] = Drawn(default=True)
    """Whether the state folder took what was kept so far."""

    def __init__(self, changes: Changes, link: EngineLink) -> None:
        super().__init__(changes)
        self._link = link
        self._asked: set[Path] = set()

    def path_of(self, face: Face) -> Path | None:
        """The file that a command may name for `face`, which lies there in a moment; None where none can be kept."""
        picture = saved_picture(face)
        if picture is not None:
            return picture
        if not self.can_keep:
            return None
        path = kept_path(face)
        if path not in self._asked:
            self._asked.add(path)
            self._link.run(tr("Not kept"), lambda: self._keep(face))
        return path

    def _keep(self, face: Face) -> Callable[[], None]:
        try:
            keep_face(face)
        except TuifaceError:  # a command that names no file would be shown: there is none, then
            return self._give_up
        return lambda: None

    def _give_up(self) -> None:
        self.can_keep = False


def saved_picture(face: Face) -> Path | None:
    """Its picture in the library; None where it was not saved there."""
    picture = face.studio.settings.library.absolute() / f"{face.file_stem()}.png"
    return picture if face.saved and picture.exists() else None


def kept_path(face: Face) -> Path:
    """Where a face is kept that lies in no picture."""
    return face.studio.settings.state.absolute() / "kept-faces" / f"{face.recipe.digest}.json"


def keep_face(face: Face) -> Path:
    """Write an UnsavedFace there; what was kept a week ago and before is removed. Raises OutputError."""
    from tuiface.core.files import make_folder, write_file
    from tuiface.faces.provenance import UnsavedFace

    path = kept_path(face)
    make_folder(path.parent)
    for other in path.parent.glob("*.json"):
        with contextlib.suppress(OSError):
            if other.stat().st_mtime < time.time() - MAX_KEPT_AGE_S:
                other.unlink()
    kept = UnsavedFace(recipe=face.recipe, parents=(face.recipe.digest,) if face.saved else face.parents)
    write_file(path, kept.model_dump_json().encode(), force=True)
    return path
