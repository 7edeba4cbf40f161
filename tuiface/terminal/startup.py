"""What an interface that starts knows of its terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuiface.terminal.capabilities import Capabilities, detect, tmux_facts
from tuiface.terminal.probe import given_environment

if TYPE_CHECKING:
    from tuiface.core.settings import Settings
    from tuiface.terminal.probe import Probe


def capabilities_of(settings: Settings, probe: Probe | None = None) -> Capabilities:
    """What the environment says of the terminal, with its answers and the settings."""
    environment = given_environment()
    if probe is None:
        return detect(environment, settings.graphics, cells=settings.cells)
    answers, tmux = probe.answers(), tmux_facts(probe.tmux_line())
    return detect(environment, settings.graphics, cells=settings.cells, answers=answers, tmux=tmux)
