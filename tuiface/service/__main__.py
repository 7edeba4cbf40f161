"""`python -m tuiface.service`: the engine's process; see engine_process.py."""

import sys

from tuiface.core.console import show_bugs_and_warnings
from tuiface.service.engine_process import main

if __name__ == "__main__":
    show_bugs_and_warnings()
    sys.exit(main())
