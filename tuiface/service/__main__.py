"""`python -m tuiface.service`: the engine's process; see engine_process.py."""

import sys

from tuiface.service.engine_process import main

if __name__ == "__main__":
    sys.exit(main())
