"""The app with the fake engine, to be run under a pty: `python -m tests.tui.pty_app FOLDER GRAPHICS`."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.tui.fake_engine import FakeEngine
from tuiface.app import TuifaceApp
from tuiface.core.settings import load_settings
from tuiface.screens.dialogs.welcome import remember_welcome
from tuiface.terminal.capabilities import capabilities_of
from tuiface.terminal.probe import Probe, drop_coerced_locale


def pty_command(folder: Path, graphics: str) -> list[str]:
    """What the Python of a pty runs."""
    return ["-m", "tests.tui.pty_app", str(folder), graphics]


def main(folder: Path, graphics: str) -> int:
    settings = load_settings(
        {"graphics": graphics, "library": folder / "library", "cache": folder / "cache", "state": folder / "state"}
    )
    remember_welcome(settings.state)
    probe = Probe.start(drop_coerced_locale())
    app = TuifaceApp(settings, capabilities_of(settings, probe), FakeEngine, late_answers=probe.late_answers())
    app.run()
    return app.return_code or 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
