"""From a path to what runs: `load_checkpoint` gives its networks, `open_engine` an engine in this process.

Both first prepare the file, which loads no torch: one that is not a sound checkpoint is refused in a moment.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from tuiface.core.assets import directions_path, embedded_model_path
from tuiface.core.processes import limit_spinning
from tuiface.core.settings import APP, Settings
from tuiface.directions.catalogue import Catalogue
from tuiface.engine.checkpoint import Checkpoint, prepare_checkpoint

if TYPE_CHECKING:
    from tuiface.engine.local_engine import LocalEngine


def load_checkpoint(path: str | os.PathLike[str], device: str = "cpu", cache: Path | None = None) -> Checkpoint:
    """Open a checkpoint of any supported format on `device` ("cpu", "cuda", "cuda:1").

    Nothing in the file is executed. `cache` defaults to the user's cache folder. Raises ModelError, one clear line, for
    anything that is not a sound StyleGAN2 checkpoint.
    """
    folder = platformdirs.user_cache_path(APP) if cache is None else cache
    prepared = prepare_checkpoint(Path(path), folder)
    limit_spinning()
    from tuiface.engine.networks.build import build_checkpoint

    return build_checkpoint(prepared, device, folder)


def open_engine(settings: Settings) -> LocalEngine:
    """The engine of `settings` in this process. Raises ModelError for the checkpoint, EngineError for the device."""
    prepared = prepare_checkpoint(settings.model or embedded_model_path(), settings.cache)
    limit_spinning()
    from tuiface.engine.cuda.loaded import choose_operators
    from tuiface.engine.device import open_device
    from tuiface.engine.local_engine import LocalEngine
    from tuiface.engine.networks.build import build_checkpoint

    device = open_device(settings.device, settings.threads)
    operators = choose_operators(device, settings.cache)
    checkpoint = build_checkpoint(prepared, str(device), settings.cache)
    catalogue = Catalogue(directions_path(settings.model), settings.directions)
    return LocalEngine(checkpoint, device, catalogue, settings.regions, settings.cache, operators)
