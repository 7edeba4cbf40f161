"""What the engine is asked to find a face for: another's frame, or an inner face in another's contour.

The engine alone can do either, since both follow the gradient through the network; what comes back is rows of W+.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from tuiface.recipe import Recipe
from tuiface.validation import Value


class _Order(Value):
    """Recipes by what they are there for."""

    METHOD: ClassVar[str]
    """As the origin of the face that is found names it."""

    def recipes(self) -> dict[str, Recipe]:
        """All of them."""
        return {name: value for name, value in self if isinstance(value, Recipe)}


class FrameOrder(_Order):
    """`face` with coarse rows changed until its frame is that of `reference`."""

    METHOD = "frame correction"
    kind: Literal["frame"] = "frame"
    face: Recipe
    reference: Recipe
    """Without its edits."""


class CrossOrder(_Order):
    """`contour` with the inner face of `inner`."""

    METHOD = "cross"
    kind: Literal["cross"] = "cross"
    contour: Recipe
    inner: Recipe


FaceOrder = Annotated[FrameOrder | CrossOrder, Field(discriminator="kind")]


@dataclass(frozen=True, slots=True, eq=False)
class FoundFace:
    """What was found."""

    ws: np.ndarray
    """float32 [num_ws, w_dim]."""
    measures: dict[str, float]
    """By name; see docs/formats.md."""
