"""The directions of the laboratory's earlier systems: names, rows, groups, and what their amounts meant.

There an amount multiplied the stored vector as it was, whatever its length; the first system also had a button that
multiplied it by three. Here an amount counts standard deviations, so an old one is converted through the vector's
length and the concept's measured standard deviation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tuiface.core.errors import UsageError

BOOST = 3.0
OLD_RANGE = (-20.0, 20.0)
OLD_STEP = 0.2

Group = Literal["person", "expression", "emotion", "pose", "eyes", "mouth", "nose"]


@dataclass(frozen=True, slots=True)
class LegacyDirection:
    """A direction of an earlier system."""

    name: str
    system: Literal["first", "later"]
    """`first`: 12 directions, W+ rows 0-7, one at a time. `later`: 16, all rows, combinable."""
    group: Group
    rows: tuple[int, int] | None
    """Rows that moved; None for all."""


_FIRST: dict[str, Group] = {
    "age": "person", "beauty": "person", "emotion_angry": "emotion", "emotion_disgust": "emotion",
    "emotion_easy": "emotion", "emotion_fear": "emotion", "emotion_happy": "emotion", "emotion_sad": "emotion",
    "emotion_surprise": "emotion", "eyes_open": "eyes", "gender": "person", "smile": "expression",
}  # fmt: skip
_LATER: dict[str, Group] = {
    "age": "person", "gender": "person", "pitch": "pose", "yaw": "pose", "roll": "pose", "eye_distance": "eyes",
    "eye_eyebrow_distance": "eyes", "eye_ratio": "eyes", "eyes_open": "eyes", "lip_ratio": "mouth",
    "mouth_open": "mouth", "mouth_ratio": "mouth", "smile": "expression", "nose_mouth_distance": "nose",
    "nose_ratio": "nose", "nose_tip": "nose",
}  # fmt: skip

FIRST_SYSTEM = tuple(LegacyDirection(name, "first", group, (0, 8)) for name, group in _FIRST.items())
LATER_SYSTEM = tuple(LegacyDirection(name, "later", group, None) for name, group in _LATER.items())


def find_legacy_direction(name: str, system: str) -> LegacyDirection:
    """The direction of that name in the `first` or `later` system. Raises UsageError, naming what there was."""
    known = {d.name: d for d in (FIRST_SYSTEM if system == "first" else LATER_SYSTEM)}
    if name not in known:
        raise UsageError(f"the {system} system had no direction '{name}'; it had {', '.join(known)}")
    return known[name]


def convert_amount(old: float, raw_norm: float, sigma: float, *, boosted: bool = False) -> float:
    """An old amount in standard deviations: the same step in latent space.

    raw_norm: length of the vector that the earlier system multiplied; sigma: length of one standard deviation.
    """
    return old * (BOOST if boosted else 1.0) * raw_norm / sigma
