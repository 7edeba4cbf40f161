"""What can be read from the picture of a head: the targets of an attribute reader and of learned directions.

Parameters are causes, labels are what shows: visible hair length rather than a share of what the cut allows, grey
rather than a deviation from what the age leads one to expect.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from tuiface.heads.hair.growth import hairline, mean_hair_colour
from tuiface.heads.hair.styles import style_columns
from tuiface.heads.sampling.emotions import ACTION_UNITS, EMOTIONS, emotion_intensities
from tuiface.heads.sampling.look import Look, resolve_look
from tuiface.heads.sampling.parameters import HAIR_STYLES, HeadParameters


def compute_labels(parameters: HeadParameters) -> Tensor:
    """Visible attributes float32 [N, len(LABELS)] of each head, in the order of `LABELS`."""
    look = resolve_look(parameters)
    with torch.no_grad():
        read = torch.stack([read(look) for read in _LABEL_FUNCTIONS.values()], dim=1)
        return torch.cat([read, emotion_intensities(parameters)], dim=1)


def _column_label(name: str) -> Callable[[Look], Tensor]:
    return lambda look: look.column(name)


def _hair_length(look: Look) -> Tensor:
    """Mean length of the strands on top, dm; 0 for a shaved head."""
    style = style_columns(look.choice("hair_style"))
    length = style.shortest + (style.longest - style.shortest) * look.column("hair_length")
    return torch.where(look.choice("hair_style") == HAIR_STYLES.index("bald"), 0.0, 0.9 * length)


def _hair_lightness(look: Look) -> Tensor:
    """Mean of the hair's colour on the scale of sRGB, 0 to 1."""
    return mean_hair_colour(look).mean((1, 2, 3)) ** (1 / 2.2)


def _hairline_height(look: Look) -> Tensor:
    """Mean height of the hairline over the forehead above the eyes, dm."""
    across = torch.linspace(-math.radians(35), math.radians(35), 15, device=look.device).view(1, 1, -1)
    height: Tensor = hairline(look, across).mean((1, 2))
    return height + 0.03 * look.column("forehead_height")


_COLUMN_LABELS = (
    "masculinity", "age", "melanin", "face_width", "face_length", "jaw_width", "fullness", "nose_width", "nose_length",
    "lip_fullness", "mouth_width", "eye_size", "brow_height", "brow_thickness", "smile", "teeth", "mouth_open",
    "eye_opening", "brow_raise", "yaw", "pitch", "grey", "hair_red", "hair_wave", "fringe", "hairline_recession",
    "crown_thinning", "lipstick", "light_azimuth", "light_elevation", "mole", "scar", *ACTION_UNITS,
)  # fmt: skip

_LABEL_FUNCTIONS: dict[str, Callable[[Look], Tensor]] = {
    **{name: _column_label(name) for name in _COLUMN_LABELS},
    "hair_length": _hair_length,
    "hair_lightness": _hair_lightness,
    "hairline_height": _hairline_height,
    "beard": _column_label("beard_density"),
    "wrinkles": _column_label("wrinkled"),
    "glasses": lambda look: (look.column("glasses") > 0.5).float(),
    "bald": lambda look: (look.choice("hair_style") == HAIR_STYLES.index("bald")).float(),
}

LABELS: tuple[str, ...] = (*_LABEL_FUNCTIONS, *EMOTIONS)
"""Names of the columns of `labels`. Age runs from 0 (18 years) to 1 (80 years); shapes are in standard deviations."""
