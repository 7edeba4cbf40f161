"""What a reader's file says about itself: JSON in its metadata, strict, with bounds that no honest file reaches."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from tuiface.validation import Value

Kind = Literal["segmenter", "attributes"]

VISIBLE_R2 = 0.8
"""Held-out share of explained variance from which a continuous attribute counts as visible."""

_SEGMENTER_STAGES = 4


class Attribute(Value):
    """One number that is read from a picture."""

    name: str = Field(min_length=1, max_length=60)
    """Stable, user-facing name."""
    meaning: str = Field(max_length=200)
    """What grows with the value."""
    unit: str = Field(max_length=40)
    """Unit of the value; "probability" for a reading of yes or no."""
    shown_where: str = Field(max_length=80)
    """Where the attribute can be seen at all, and was trained and measured; empty for every picture."""
    centre: float
    """Mean over the training data."""
    spread: float = Field(gt=0)
    """Standard deviation over the training data."""
    held_out_r2: float
    """Explained variance on held-out heads where it is shown."""

    @property
    def is_visible(self) -> bool:
        """Whether readings may be taken for the attribute itself."""
        return self.held_out_r2 >= VISIBLE_R2


class ReaderCard(Value):
    """Everything in a reader's file but its tensors."""

    kind: Kind
    resolution: int = Field(ge=32, le=512, multiple_of=32)
    """Side that pictures are brought to before they are read, pixels."""
    widths: tuple[int, ...] = Field(min_length=4, max_length=5)
    """Channels of the stages: four, or five for attributes, which then begin at half the side instead of a quarter."""
    feature_width: int = Field(0, ge=0, le=1024)
    """Attributes: length of the pooled features."""
    regions: tuple[str, ...] = Field((), max_length=64)
    """Segmenter: names of the classes, in the order of their ids."""
    attributes: tuple[Attribute, ...] = Field((), max_length=256)
    """Attributes: what is read, in the order of the outputs."""
    unreadable: dict[str, float] = Field({}, max_length=256)
    """Attributes that were tried and left out, with their held-out R2."""
    figures: dict[str, float] = Field({}, max_length=64)
    """Held-out measures."""
    training: dict[str, str | int | float] = Field({}, max_length=64)
    """Settings and course of the training."""
    licence: str = Field(max_length=100)
    name: str = Field(max_length=100)

    @model_validator(mode="after")
    def _check(self) -> ReaderCard:
        if not all(1 <= width <= 512 for width in self.widths):
            raise ValueError(f"widths {list(self.widths)}; accepted are 1 to 512 channels")
        if self.kind == "segmenter" and len(self.widths) != _SEGMENTER_STAGES:
            raise ValueError(f"{len(self.widths)} widths; accepted are {_SEGMENTER_STAGES} for a segmenter")
        wanted = {"segmenter": len(self.regions) > 1, "attributes": bool(self.attributes and self.feature_width)}
        if not wanted[self.kind]:
            raise ValueError(f"a reader of kind '{self.kind}' that reads nothing")
        names = [attribute.name for attribute in self.attributes]
        if len(set(names)) != len(names):
            raise ValueError("an attribute stands twice")
        return self
