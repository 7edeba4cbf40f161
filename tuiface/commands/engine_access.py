"""The engine that a command works with: its own, in this process, or the resident one, as the settings say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuiface.core.errors import EngineError

if TYPE_CHECKING:
    from tuiface.core.settings import Settings
    from tuiface.engine_api.protocol import Engine
    from tuiface.faces.recipe import ModelRef


def wants_resident(settings: Settings) -> bool:
    """Whether the settings name a resident engine: the user's own, or another user's."""
    return settings.engine not in ("auto", "private")


def open_engine_for(settings: Settings) -> Engine:
    """The engine of the settings, which is the caller's to close.

    Raises EngineError where they name a resident one and none runs that fits, ModelError for the checkpoint of one of
    the command's own.
    """
    if wants_resident(settings):
        from tuiface.service.client import ResidentEngine

        engine = ResidentEngine(settings, resident="required")
        engine.start()
        return engine
    from tuiface.engine.loading import open_engine

    return open_engine(settings)


def model_of(settings: Settings) -> ModelRef:
    """The network that the settings name: the resident engine's, or what the checkpoint's header says.

    Raises as `open_engine_for` does.
    """
    if wants_resident(settings):
        from contextlib import closing

        with closing(open_engine_for(settings)) as engine:
            return engine.info().model
    from tuiface.core.assets import embedded_model_path
    from tuiface.engine.checkpoint import prepare_checkpoint
    from tuiface.faces.recipe import ModelRef

    info = prepare_checkpoint(settings.model or embedded_model_path(), settings.cache).info
    return ModelRef(sha256=info.network_sha256, name=info.name)


def refuse_resident(settings: Settings, what: str) -> None:
    """Raise EngineError for a resident engine where `what` looks inside the network, which no engine lets out."""
    if wants_resident(settings):
        raise EngineError(f"{what} looks inside the network, so it needs an engine of its own", "--engine private")
