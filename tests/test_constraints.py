"""The pinned versions: everything that the project brings with it is pinned, and nothing else is."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PINS = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
PLATFORM = re.compile(r"^(nvidia-|triton|cuda-|setuptools$|colorama$)")
"""What some builds of PyTorch, and other systems, bring besides."""


def brought_in(name: str, extras: frozenset[str], found: dict[str, frozenset[str]]) -> None:
    """Collect a distribution and what it requires, with its extras."""
    key = canonicalize_name(name)
    if extras <= found.get(key, frozenset()) and key in found:
        return
    found[key] = found.get(key, frozenset()) | extras
    try:
        needed = requires(name) or []
    except PackageNotFoundError:
        del found[key]  # of another platform
        return
    for text in needed:
        one = Requirement(text)
        if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in (*extras, "")):
            brought_in(one.name, frozenset(one.extras), found)


def test_every_version_is_pinned_exactly() -> None:
    assert [line for line in PINS if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line)] == []


def test_what_is_brought_in_is_what_is_pinned() -> None:
    if f"torch=={version('torch').partition('+')[0]}" not in PINS:
        pytest.skip("another PyTorch was installed by hand, which brings other packages")
    found: dict[str, frozenset[str]] = {}
    brought_in("tuiface", frozenset({"dev"}), found)
    pinned = {canonicalize_name(line.partition("==")[0]) for line in PINS}
    needed = {name for name in found if name != "tuiface" and not PLATFORM.match(name)}
    assert needed - pinned == set()
    assert pinned - set(found) == set()
