"""Rendering small heads on one thread: more only wait for each other."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True, scope="session")
def quiet(one_thread: None) -> None:
    """All of these tests compute on one thread."""
