"""The six emotions as action units: how a head shows one, and how much of each it shows.

The combinations are those of EMFACS (Friesen and Ekman 1983), for the parameters that stand for action units:

| parameter | action unit | parameter | action unit |
|---|---|---|---|
| inner_brow_raise | 1 | corner_depress | 15 |
| brow_raise | 1 + 2 | chin_raise | 17 |
| brow_lower | 4 | lip_stretch | 20 |
| eye_opening above 1 | 5 | lip_press | 23, 24 |
| lid_tighten | 7 | teeth | 25 |
| nose_wrinkle | 9 | mouth_open | 26, 27 |
| upper_lip_raise | 10 | smile | 6 + 12 |
"""

from __future__ import annotations

import torch
from torch import Tensor

from tuiface.core.errors import UsageError, quote, suggest_nearest
from tuiface.heads.constants import constant
from tuiface.heads.geometry.curves import smoothstep
from tuiface.heads.sampling.parameters import COLUMN, HeadParameters

EMOTIONS: dict[str, dict[str, float]] = {
    "joy": {"smile": 1.0, "teeth": 0.9},
    "sadness": {"inner_brow_raise": 1.0, "brow_lower": 0.35, "corner_depress": 1.0, "chin_raise": 0.6,
                "eye_opening": 0.85},
    "anger": {"brow_lower": 1.0, "lid_tighten": 0.8, "eye_opening": 1.1, "lip_press": 1.0, "chin_raise": 0.3},
    "fear": {"inner_brow_raise": 0.9, "brow_raise": 0.6, "brow_lower": 0.5, "eye_opening": 1.3, "lid_tighten": 0.2,
             "lip_stretch": 1.0, "mouth_open": 0.35},
    "disgust": {"nose_wrinkle": 1.0, "upper_lip_raise": 0.9, "brow_lower": 0.4, "lid_tighten": 0.5,
                "corner_depress": 0.4, "chin_raise": 0.3},
    "surprise": {"inner_brow_raise": 0.4, "brow_raise": 1.3, "eye_opening": 1.3, "mouth_open": 0.8},
}  # fmt: skip
"""Parameters of each emotion at intensity 1; those that are not named are at rest."""

NEUTRAL: dict[str, float] = {
    **dict.fromkeys(sorted({name for units in EMOTIONS.values() for name in units}), 0.0),
    "eye_opening": 1.0,
}
"""Every parameter that an emotion moves, at rest."""

ACTION_UNITS = (
    "inner_brow_raise", "brow_lower", "lid_tighten", "nose_wrinkle", "upper_lip_raise", "corner_depress",
    "chin_raise", "lip_stretch", "lip_press",
)  # fmt: skip
"""Those that only emotions move, from 0 to 1."""

_COUNTED = tuple(name for name in NEUTRAL if name != "teeth")
"""What tells the emotion: a joyful face may keep its lips closed."""
_SPREAD = {"eye_opening": 0.3}
"""How far a parameter moves where that is not about 1."""


def express(parameters: HeadParameters, emotion: str, intensity: float = 1.0) -> HeadParameters:
    """The same heads with an emotion, from 0 (at rest) to 1; raises UsageError for an unknown one or another value."""
    if emotion not in EMOTIONS:
        raise UsageError(f"no emotion {quote(emotion)}", suggest_nearest(emotion, EMOTIONS) or ", ".join(EMOTIONS))
    if not 0 <= intensity <= 1:
        raise UsageError(f"intensity {intensity:g} of {emotion}: it runs from 0 to 1")
    shown = {name: EMOTIONS[emotion].get(name, rest) for name, rest in NEUTRAL.items()}
    return parameters.override(**{name: rest + intensity * (shown[name] - rest) for name, rest in NEUTRAL.items()})


def emotion_intensities(parameters: HeadParameters) -> Tensor:
    """How much of each emotion heads show, float32 [N, 6] from 0 to 1, in the order of `EMOTIONS`.

    The projection of a head's action units on those of the emotion, as far as they point the same way: all of it from
    a cosine of 0.9, nothing below 0.55. `express(heads, emotion, k)` shows k of it.
    """
    rest = constant(tuple(NEUTRAL[name] for name in _COUNTED), parameters.device)
    spread = constant(tuple(_SPREAD.get(name, 1.0) for name in _COUNTED), parameters.device)
    table = tuple(tuple(units.get(name, NEUTRAL[name]) for name in _COUNTED) for units in EMOTIONS.values())
    emotions = (constant(table, parameters.device) - rest) / spread
    values = torch.stack([parameters.values[:, COLUMN[name]] for name in _COUNTED], dim=1)
    moved = (values - rest) / spread
    along = (moved[:, None] * emotions).sum(2)
    square = (emotions * emotions).sum(1)
    length = (moved * moved).sum(1, keepdim=True).sqrt()
    alike = along / (length * square.sqrt() + 1e-6)
    return (along / square * smoothstep(0.55, 0.90, alike)).clamp(0, 1)
