"""Where the files that ship with tuiface lie: `assets/` in a checkout, `tuiface/_assets/` in an installed wheel.

An edition is an embedded model of before, with the readers and directions that were its own, so that faces saved from
it are rebuilt and measured as they were. In its folder below `editions` its files have the names of today's:
embedded.safetensors, segmenter.safetensors, attributes.safetensors, directions.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

EMBEDDED_MODEL = "embedded.safetensors"
DIRECTIONS = "directions"
EDITIONS = "editions"


_stand_ins: list[Path] = []


@contextlib.contextmanager
def use_assets(folder: Path) -> Iterator[None]:
    """Within the block, what `folder` holds stands in for shipped files of the same names.

    For making the next ones, whose parts are made with each other, and for nothing that users do. It holds for the
    whole process.
    """
    _stand_ins.append(folder)
    try:
        yield
    finally:
        _stand_ins.pop()


def asset_path(name: str) -> Path:
    """Path of a shipped file; it may be absent in a damaged installation, so callers open it with care."""
    for folder in reversed(_stand_ins):
        if (folder / name).exists():
            return folder / name
    package = Path(__file__).parent.parent
    installed = package / "_assets" / name
    return installed if installed.exists() else package.parent / "assets" / name


def embedded_model_path() -> Path:
    """The model that is used when no other one is given."""
    return asset_path(EMBEDDED_MODEL)


def directions_path(model: Path | None = None) -> Path:
    """The folder of directions that ship for the model at `model`; None for the embedded one."""
    return asset_for(model, DIRECTIONS)


def edition_model_paths() -> tuple[Path, ...]:
    """The embedded models of before, by the names of their editions."""
    return tuple(sorted(asset_path(EDITIONS).glob(f"*/{EMBEDDED_MODEL}")))


def asset_for(model: Path | None, name: str) -> Path:
    """The shipped file `name` that belongs to the model at `model`: that of its edition where it has one, else today's.

    `model`: None for the embedded one.
    """
    folder = None if model is None else model.absolute().parent
    if folder is not None and folder.parent == asset_path(EDITIONS).absolute() and (folder / name).exists():
        return folder / name
    return asset_path(name)
