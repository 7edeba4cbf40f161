"""Make the virtual environment that `make` works in, with nothing but a bare Python 3.11 or newer.

Debian's python3 package has no ensurepip, and a user without root cannot add it; then the pip wheel beside this file
installs itself. Usage: python3 tools/make_venv.py FOLDER
"""

import subprocess
import sys
import venv
from pathlib import Path

MIN_PYTHON = (3, 11)


def main(folder: Path) -> int:
    """Make `folder` unless it holds a working environment already; returns the exit code."""
    if sys.version_info < MIN_PYTHON:
        print(f"tuiface needs Python 3.11 or newer; this is {sys.version.split()[0]}", file=sys.stderr)
        return 1
    python = folder / "bin" / "python"
    if python.exists() and subprocess.run([python, "-m", "pip", "--version"], capture_output=True).returncode == 0:
        return 0
    try:
        import ensurepip  # noqa: F401 - asked for only to know whether venv can bring pip
    except ImportError:
        venv.create(folder, clear=True, symlinks=True, with_pip=False)
        wheel = next(Path(__file__).parent.glob("pip-*.whl"))
        install = [str(python), str(wheel / "pip"), "install", "--no-index", "--quiet", str(wheel)]
        return subprocess.run(install).returncode
    venv.create(folder, clear=True, symlinks=True, with_pip=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
