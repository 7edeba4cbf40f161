"""What screens say in place of what they are for while no engine answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuiface.core.i18n import tr

if TYPE_CHECKING:
    from tuiface.screens.engine_state import EngineState


def absence_text(engine: EngineState) -> str:
    """Why there is no studio yet, in a few words."""
    return tr("the engine did not start") if engine.phase == "stopped" else tr("starting the engine")


def stopped_lines(engine: EngineState) -> tuple[str, ...]:
    """Why the engine stopped, what helps against that, and the keys that lead on; none while it has not stopped."""
    if engine.phase != "stopped" or engine.error is None:
        return ()
    cause = (engine.error.message, engine.error.hint) if engine.error.hint else (engine.error.message,)
    return (*cause, tr("R tries again, 6 chooses another network, q quits"))
