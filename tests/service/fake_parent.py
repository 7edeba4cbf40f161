"""A parent to be killed: `python fake_parent.py STATE BEHAVIOUR SEED` starts an engine and asks it for one picture.

Prints the engine's process id, then one line for the picture. SIGINT is counted and survived, as by the interface.
"""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from tests.service.fake_child import recipe
from tests.service.processes import command, eventually
from tuiface.core.settings import Settings
from tuiface.engine_api.protocol import RenderRequest
from tuiface.service.client import ResidentEngine


def survive(number: int, _: FrameType | None) -> None:
    print("interrupted", flush=True)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, survive)
    engine = ResidentEngine(Settings(state=Path(sys.argv[1])), command=command(sys.argv[2]))
    starting = threading.Thread(target=engine.start)
    starting.start()
    eventually(lambda: engine.pid is not None)
    print(engine.pid, flush=True)
    starting.join()
    engine.render(RenderRequest(recipe(int(sys.argv[3])), 16))
    print("rendered", flush=True)
    engine.close()
