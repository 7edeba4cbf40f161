"""What the attribute reader learns to read: the renderer's labels, and where each can be seen at all.

A number that does not show must not be asked for: the height of a hairline under a fringe, or the length of no beard.
Such targets are NaN, and neither trained on nor measured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from tuiface.engine.readers.attributes import PROBABILITY
from tuiface.heads import COLUMN, LABELS, SPECIFICATION, HeadParameters, labels
from tuiface.heads.hairstyles import style_columns
from tuiface.heads.look import Look, resolve
from tuiface.heads.specification import HAIR_STYLES

Reading = Callable[[Look], Tensor]


@dataclass(frozen=True, slots=True)
class Target:
    """One attribute that is tried."""

    name: str
    meaning: str
    unit: str
    value: Reading | None = None
    """[N] of a batch of heads; None for the label or parameter of this name."""
    shown: Reading | None = None
    """bool [N], where it can be seen; None for everywhere."""
    shown_where: str = ""
    flips: bool = False
    """Whether its sign changes in a mirrored picture."""


def target_values(parameters: HeadParameters) -> Tensor:
    """Values float32 [N, len(TARGETS)] of each head, NaN where they do not show."""
    look, read = resolve(parameters), dict(zip(LABELS, labels(parameters).unbind(1), strict=True))
    columns = []
    for target in TARGETS:
        if target.value is not None:
            values = target.value(look)
        else:
            values = read[target.name] if target.name in read else look.column(target.name)
        shown = torch.ones_like(values, dtype=torch.bool) if target.shown is None else target.shown(look)
        columns.append(torch.where(shown, values.float(), torch.nan))
    return torch.stack(columns, dim=1)


def mirrored(values: Tensor) -> Tensor:
    """The values [N, len(TARGETS)] of mirrored heads."""
    signs = torch.tensor([-1.0 if target.flips else 1.0 for target in TARGETS], device=values.device)
    return values * signs


def yes_or_no() -> Tensor:
    """bool [len(TARGETS)]: which targets are 0 or 1, and read as probabilities."""
    return torch.tensor([target.unit == PROBABILITY for target in TARGETS])


def _is_style(look: Look, *names: str) -> Tensor:
    wanted = torch.tensor([HAIR_STYLES.index(name) for name in names], device=look.device)
    return torch.isin(look.choice("hair_style"), wanted)


def _has_hair(look: Look) -> Tensor:
    return ~_is_style(look, "bald")


def _fringe(look: Look) -> Tensor:
    """A style's own fringe, or the share of long hair that falls over the forehead."""
    style = style_columns(look.choice("hair_style"))
    return torch.maximum(style.fringe, look.column("fringe") * (style.curtain > 0.5))


def _shows_hairline(look: Look) -> Tensor:
    style = style_columns(look.choice("hair_style"))
    return _has_hair(look) & (_fringe(look) == 0) & (style.forward < 0.4) & (look.column("crown_thinning") < 0.3)


def _curl(look: Look) -> Tensor:
    """Mean radius of the curls."""
    return style_columns(look.choice("hair_style")).curl * (0.5 + look.column("hair_wave"))


def _years(look: Look) -> Tensor:
    return 18 + 62 * look.column("age")


def _parameter(
    name: str,
    unit: str | None = None,
    *,
    shown: Reading | None = None,
    shown_where: str = "",
    value: Reading | None = None,
    flips: bool = False,
) -> Target:
    """A parameter of the renderer under its own name and meaning."""
    spec = SPECIFICATION[COLUMN[name]]
    return Target(name, spec.meaning, unit or spec.unit, value, shown, shown_where, flips)


def _has_beard(look: Look) -> Tensor:
    return look.column("beard_density") > 0.4


def _shows_irises(look: Look) -> Tensor:
    dark_lenses = (look.column("glasses") > 0.5) & (look.column("tint") > 0.2)
    return (look.column("eye_opening") > 0.5) & ~dark_lenses


_BEARD = "with a beard"
_IRISES = "eyes open, no dark lenses"
_HAIRY = "with hair"
_FOREHEAD = "hair that leaves the forehead free"

TARGETS: tuple[Target, ...] = (
    _parameter("masculinity"),
    _parameter("age", value=_years),
    _parameter("melanin"),
    _parameter("haemoglobin"),
    *map(_parameter, ("face_width", "face_length", "jaw_width", "chin_width", "cheekbones", "fullness", "neck_width")),
    *map(_parameter, ("nose_length", "nose_width", "nose_tip", "nose_bridge")),
    *map(_parameter, ("mouth_width", "lip_fullness", "eye_size", "brow_height", "brow_thickness", "brow_arch")),
    _parameter("iris_lightness", shown=_shows_irises, shown_where=_IRISES),
    *map(_parameter, ("freckles", "lipstick", "makeup")),
    Target("hair_length", "mean length of the hair on top", "dm"),
    Target("hair_lightness", "mean of the hair's colour", "sRGB", shown=_has_hair, shown_where=_HAIRY),
    _parameter("hair_red", shown=_has_hair, shown_where=_HAIRY),
    Target("grey", "share of grey hair", "fraction", shown=_has_hair, shown_where=_HAIRY),
    Target("hair_curl", "radius of the curls", "dm", _curl, _has_hair, _HAIRY),
    _parameter("hair_volume", shown=_has_hair, shown_where=_HAIRY),
    Target("fringe", "hair that falls over the forehead", "fraction", _fringe, _has_hair, _HAIRY),
    Target("hairline_height", "height of the hairline above the eyes", "dm", None, _shows_hairline, _FOREHEAD),
    _parameter("hairline_recession", shown=_shows_hairline, shown_where=_FOREHEAD),
    _parameter("crown_thinning", shown=_has_hair, shown_where=_HAIRY),
    Target("bald", "no hair, or a shaved head", PROBABILITY),
    Target("beard", "density of the beard", "fraction"),
    _parameter("beard_length", shown=_has_beard, shown_where=_BEARD),
    *map(_parameter, ("smile", "teeth", "mouth_open", "eye_opening", "brow_raise")),
    _parameter("gaze_x", shown=_shows_irises, shown_where=_IRISES, flips=True),
    _parameter("gaze_y", shown=_shows_irises, shown_where=_IRISES),
    _parameter("yaw", flips=True),
    _parameter("pitch"),
    Target("glasses", "frames worn", PROBABILITY),
    _parameter("garment_lightness"),
    _parameter("backdrop_lightness"),
    _parameter("light_azimuth", flips=True),
    *map(_parameter, ("light_elevation", "light_key", "light_warmth", "exposure")),
)
"""Every attribute that is tried; those that cannot be read are listed in the reader's card instead of shipped."""
