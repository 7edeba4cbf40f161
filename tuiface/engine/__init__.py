"""The StyleGAN2 engine. Importing it loads neither torch nor a model; names are resolved when first used.

from tuiface.engine import load_checkpoint
ckpt = load_checkpoint(path, device="cpu")
ws = ckpt.generator.truncate(ckpt.generator.map(z), psi=0.7)
img = ckpt.generator.synthesize(ws)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuiface.engine.checkpoint import Checkpoint, CheckpointInfo
    from tuiface.engine.loading import load_checkpoint, open_engine
    from tuiface.engine.local_engine import LocalEngine
    from tuiface.engine.networks.discriminator import Discriminator
    from tuiface.engine.networks.generator import Generator

__all__ = [
    "Checkpoint",
    "CheckpointInfo",
    "Discriminator",
    "Generator",
    "LocalEngine",
    "load_checkpoint",
    "open_engine",
]

_HOMES = {
    "Checkpoint": "checkpoint",
    "CheckpointInfo": "checkpoint",
    "load_checkpoint": "loading",
    "open_engine": "loading",
    "Generator": "networks.generator",
    "Discriminator": "networks.discriminator",
    "LocalEngine": "local_engine",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tuiface.engine' has no attribute '{name}'")
    import importlib

    return getattr(importlib.import_module(f"tuiface.engine.{_HOMES[name]}"), name)
