"""Where the files that ship with tuiface lie: `assets/` in a checkout, `tuiface/_assets/` in an installed wheel."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

EMBEDDED_MODEL = "embedded.safetensors"


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


def directions_path() -> Path:
    """The folder of the embedded model's directions."""
    return asset_path("directions")
