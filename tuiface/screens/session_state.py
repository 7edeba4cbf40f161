"""The format of a session on the disk; apart from its file, since the first paint needs no pydantic."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tuiface.core.bounds import Count
from tuiface.core.values import Value
from tuiface.faces.recipe import Recipe


class SessionState(Value):
    """What is needed to go on: faces as recipes, and where one was."""

    format: Literal["tuiface.session/1"] = "tuiface.session/1"
    ended: bool
    """It ended by its user's wish."""
    screen: str = Field(max_length=20)
    faces: tuple[Recipe, ...] = Field(max_length=1000)
    """The history, oldest first."""
    position: Count
    mix: tuple[Recipe, ...] = Field(max_length=2)
    morph: tuple[Recipe, ...] = Field(max_length=1000)
