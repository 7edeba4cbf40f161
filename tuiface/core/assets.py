"""Where the files that ship with tuiface lie: `assets/` in a checkout, `tuiface/_assets/` in an installed wheel."""

from __future__ import annotations

from pathlib import Path

EMBEDDED_MODEL = "embedded.safetensors"


def asset_path(name: str) -> Path:
    """Path of a shipped file; it may be absent in a damaged installation, so callers open it with care."""
    package = Path(__file__).parent.parent
    installed = package / "_assets" / name
    return installed if installed.exists() else package.parent / "assets" / name


def embedded_model_path() -> Path:
    """The model that is used when no other one is given."""
    return asset_path(EMBEDDED_MODEL)


def directions_path() -> Path:
    """The folder of the embedded model's directions."""
    return asset_path("directions")
