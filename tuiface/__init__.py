"""tuiface: make and edit faces for memory research.

The headless studio, for notebooks and scripts:

    import tuiface
    with tuiface.open() as studio:
        face = studio.face(seed=42, psi=0.7)
        pixels = face.render(64).pixels      # uint8 [64, 64, 3]
        face.save("out/")                    # PNG + provenance JSON
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuiface.core.version import __version__

if TYPE_CHECKING:
    import os

    from tuiface.faces.studio import Studio

__all__ = ["__version__", "open"]


def open(model: str | os.PathLike[str] | None = None, device: str | None = None) -> Studio:
    """A studio with its engine in this process; use it as a context manager.

    model: a checkpoint; None takes the one in the settings, else the embedded one. device: "auto", "cpu" or "cuda".
    Raises ModelError or EngineError (`tuiface.core.errors`).
    """
    from tuiface.core.processes import limit_spinning
    from tuiface.core.settings import load_settings
    from tuiface.engine.loading import open_engine
    from tuiface.faces.studio import Studio

    limit_spinning()
    settings = load_settings({"model": None if model is None else str(model), "device": device})
    return Studio(open_engine(settings), settings)
