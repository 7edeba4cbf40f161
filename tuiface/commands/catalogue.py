"""What the commands about directions share: the catalogue, and keeping a new direction."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tuiface.commands.output import emit, note
from tuiface.core.errors import quote

if TYPE_CHECKING:
    from tuiface.core.settings import Settings
    from tuiface.directions.catalogue import Catalogue
    from tuiface.directions.direction import Direction


def save_direction(
    args: argparse.Namespace, settings: Settings, direction: Direction, out: str | None = None, **measures: float
) -> None:
    """Write a new direction into the folder `out`, or the user's own, and say where it lies.

    A file that holds just this direction already, as of work that was interrupted, is left as it is.
    """
    from tuiface.core.files import make_folder
    from tuiface.directions.direction import SUFFIX, is_written, write_direction

    catalogue = open_catalogue(settings)
    path = catalogue.path_for(direction) if out is None else Path(out) / f"{direction.name}{SUFFIX}"
    if not is_written(direction, path):
        make_folder(path.parent)
        write_direction(direction, path, force=args.force)
        if out is None and catalogue.hides_shipped(direction):
            note(
                f"note: tuiface has a direction {quote(direction.name)} for this model too; yours is taken from now on "
                f"(tuiface directions remove {direction.name} brings it back)"
            )
    told = f"{direction.name}  {path}"
    emit(args, told, name=direction.name, file=str(path), sha256=direction.sha256, **measures)


def open_catalogue(settings: Settings) -> Catalogue:
    """The shipped directions and the user's."""
    from tuiface.core.assets import directions_path
    from tuiface.directions.catalogue import Catalogue

    return Catalogue(directions_path(settings.model), settings.directions)
