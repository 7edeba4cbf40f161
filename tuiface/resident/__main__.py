"""`python -m tuiface.resident`: the engine's process; see child.py."""

import sys

from tuiface.resident.child import main

if __name__ == "__main__":
    sys.exit(main())
