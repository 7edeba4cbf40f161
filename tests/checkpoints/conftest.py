"""Shared by the checkpoint tests: writing a value as a checkpoint file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .pickles import pickled

SavePickle = Callable[..., Path]


@pytest.fixture
def save(tmp_path: Path) -> SavePickle:
    """Write a pickle value, or bytes as they are, to a new file and return its path."""

    def write(value: Any, *, protocol: int = 4, name: str = "network.pkl") -> Path:
        path = tmp_path / name
        path.write_bytes(value if isinstance(value, bytes) else pickled(value, protocol))
        return path

    return write
