"""What an interface that starts knows of its terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuiface.terminal.capabilities import Capabilities, detect_capabilities, parse_tmux_line
from tuiface.terminal.probe import drop_coerced_locale

if TYPE_CHECKING:
    from tuiface.core.settings import Settings
    from tuiface.terminal.probe import Probe


def capabilities_of(settings: Settings, probe: Probe | None = None) -> Capabilities:
    """What the environment says of the terminal, with its answers and the settings."""
    environment = drop_coerced_locale()
    if probe is None:
        return detect_capabilities(environment, settings.graphics, cells=settings.cells)
    answers, tmux = probe.answers(), parse_tmux_line(probe.wait_for_tmux_line())
    return detect_capabilities(environment, settings.graphics, cells=settings.cells, answers=answers, tmux=tmux)
