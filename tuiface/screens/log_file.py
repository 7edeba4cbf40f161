"""Where the log and Python's warnings go while the terminal belongs to the screen."""

from __future__ import annotations

import logging
from pathlib import Path

from tuiface.core.log_text import OneLineFormatter
from tuiface.core.reading import is_file, is_there

LOG_NAME = "tuiface.log"


def log_to(folder: Path) -> None:
    """Send the log and Python's warnings to a file in `folder`: the terminal belongs to the screen."""
    logging.captureWarnings(capture=True)
    root = logging.getLogger()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / LOG_NAME
        if is_there(path) and not is_file(path):
            raise OSError  # a pipe would be waited for
        file: logging.Handler = logging.FileHandler(path, encoding="utf-8", delay=True)
    except OSError:
        file = logging.NullHandler()  # a state folder that cannot be written must not keep anybody from working
    file.setFormatter(OneLineFormatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"))
    root.addHandler(file)
    logging.getLogger("tuiface").setLevel(logging.INFO)
