"""`python -m tuiface`, and `torchrun -m tuiface`: the command line."""

from __future__ import annotations

import sys

from tuiface.cli import main

if __name__ == "__main__":
    sys.exit(main())
