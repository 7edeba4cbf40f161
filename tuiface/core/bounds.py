"""Types of what crosses a border - a file, a socket - each bounded, and named by what it holds.

No integer, text, list or table of a format is without a bound (tests/hostile/test_bounds.py walks them all). The bounds
lie well beyond what honest files hold: they keep nonsense from threads, memory and arithmetic, and judge nothing.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BeforeValidator, Field

from tuiface.core.limits import MAX_EXACT_INTEGER, MAX_NAME, MAX_ROWS, MAX_SIDE_PX, MAX_THREADS, MAX_WIDTH

MAX_COUNT: Final = 2**31

# --- numbers ---------------------------------------------------------------------------------------------------------

ThreadCount = Annotated[int, Field(ge=1, le=MAX_THREADS)]
"""CPU threads to compute with. OpenMP ends the process that asks for more than the system gives."""
Side = Annotated[int, Field(ge=1, le=MAX_SIDE_PX)]
"""Of a picture, pixels."""
RowIndex = Annotated[int, Field(ge=0, le=MAX_ROWS)]
"""Row of W+, or the one behind the last; the largest network has 22."""
RowEnd = Annotated[int, Field(ge=1, le=MAX_ROWS)]
"""Where a range of rows ends, exclusive."""
ChannelIndex = Annotated[int, Field(ge=0, lt=MAX_WIDTH)]
ClassLabel = Annotated[int, Field(ge=0, lt=MAX_WIDTH)]
"""Class index of a network with labels."""
Width = Annotated[int, Field(ge=0, le=MAX_WIDTH)]
"""Length of a vector of latents, number of classes or of channels; 0 where there is none."""
Count = Annotated[int, Field(ge=0, le=MAX_COUNT)]
"""How many of something."""
LargeCount = Annotated[int, Field(ge=0, le=2**63)]
"""Bytes, or a sequence that grows by one for weeks."""
ExactCount = Annotated[int, Field(ge=0, le=MAX_EXACT_INTEGER)]
ExactInteger = Annotated[int, Field(ge=-MAX_EXACT_INTEGER, le=MAX_EXACT_INTEGER)]

# --- texts -----------------------------------------------------------------------------------------------------------

Word = Annotated[str, Field(max_length=MAX_NAME)]
"""A name, a version, a user."""
Line = Annotated[str, Field(max_length=2000)]
"""A sentence for people, a licence."""
PathText = Annotated[str, Field(max_length=4096)]
"""Linux' PATH_MAX."""

Notices = Annotated[tuple[Line, ...], Field(max_length=256, fail_fast=True)]
"""What a user must know."""

# --- tables ----------------------------------------------------------------------------------------------------------

Figures = Annotated[dict[Word, float], Field(max_length=1024)]
"""Numbers by name."""
Versions = Annotated[dict[Word, Word], Field(max_length=64)]
"""Of software, by its name."""


def _refuse_unbounded(value: object) -> object:
    """Here rather than in the union: an integer that is too large would pass there as a rounded float."""
    if isinstance(value, int) and abs(value) > MAX_EXACT_INTEGER:
        raise ValueError(f"whole numbers must lie within +-{MAX_EXACT_INTEGER} (2^53 - 1)")
    return value


SettingValue = Annotated[
    Annotated[str, Field(max_length=65_536)] | ExactInteger | float | bool, BeforeValidator(_refuse_unbounded)
]
SettingValues = Annotated[dict[Word, SettingValue], Field(max_length=256)]
"""Everything that it takes to make something again, by name."""
