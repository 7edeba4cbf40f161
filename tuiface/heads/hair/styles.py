"""The cuts as rows of coefficients: adding a style is adding a row."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields

from torch import Tensor

from tuiface.heads.constants import constant
from tuiface.heads.sampling.parameters import HAIR_STYLES


@dataclass(frozen=True)
class HairStyle:
    """How the strands of one cut grow; lengths in dm, the rest relative to unit steps of the growth."""

    shortest: float
    """Strand length at `hair_length` 0."""
    longest: float
    """Strand length at `hair_length` 1."""
    lift: float
    """Pull away from the scalp at the root."""
    back: float
    """Pull backwards."""
    forward: float
    """Pull onto the forehead."""
    sideways: float
    """Pull away from the parting."""
    gravity: float
    curl: float
    """Radius of the curls, dm."""
    curls_per_dm: float
    disorder: float
    """Clumps and stray directions."""
    layer: float
    """Thickness of the body of hair over the scalp."""
    curtain: float
    """Pull of long hair around the face to its sides."""
    short_sides: float
    """How much shorter temples and nape are cut."""
    fringe: float
    """Fringe of its own, whatever the parameter says."""
    hold: float
    """Pull back onto the skull along the whole strand: hair that is tied or gelled."""


_STYLES: dict[str, HairStyle] = {
    #                       short  long  lift  back  forw  side  grav  curl   freq  disor layer curt  sides fringe hold
    "bald":          HairStyle(0.0, 0.0, 0.00, 0.00, 0.00, 0.00, 0.00, 0.000, 0.0, 0.00, 0.00, 0.0, 0.0, 0.0, 0.0),
    "buzz":          HairStyle(.03, .08, 0.90, 0.20, 0.20, 0.10, 0.00, 0.000, 0.0, 0.40, 0.10, 0.0, 0.3, 0.0, 0.0),
    "crop":          HairStyle(.13, .28, 0.70, 0.25, 0.30, 0.25, 0.15, 0.008, 3.0, 0.30, 0.50, 0.0, .68, 0.0, 0.0),
    "caesar":        HairStyle(.24, .40, 0.40, 0.00, 1.10, 0.25, 0.35, 0.010, 3.0, 0.20, 0.60, 0.0, .60, 0.0, 0.3),
    "side_part":     HairStyle(.34, .62, 0.50, 0.15, 0.10, 1.00, 0.40, 0.012, 2.0, 0.16, 0.70, 0.2, .66, 0.0, 0.2),
    "quiff":         HairStyle(.30, .55, 1.10, 0.60, 0.00, 0.20, 0.05, 0.012, 2.0, 0.20, 0.80, 0.0, .72, 0.0, 0.0),
    "swept_back":    HairStyle(.50, .90, 0.16, 1.20, 0.00, 0.20, 0.30, 0.006, 1.0, 0.08, 0.45, 0.0, .35, 0.0, 0.7),
    "short_curls":   HairStyle(.22, .46, 0.80, 0.10, 0.15, 0.20, 0.20, 0.042, 8.0, 0.50, 1.00, 0.0, .45, 0.0, 0.0),
    "afro":          HairStyle(.24, .66, 1.20, 0.00, 0.00, 0.10, 0.02, 0.036, 11., 0.70, 1.00, 0.0, .12, 0.0, 0.0),
    "pixie":         HairStyle(.34, .56, 0.45, 0.05, 0.50, 0.70, 0.45, 0.012, 2.0, 0.20, 0.70, 0.1, .35, 0.0, 0.0),
    "bob":           HairStyle(.85, 1.2, 0.26, 0.05, 0.05, 0.90, 1.20, 0.012, 1.4, 0.09, 0.80, 0.8, 0.0, 0.0, 0.0),
    "fringed_bob":   HairStyle(.85, 1.2, 0.24, 0.05, 0.10, 0.70, 1.20, 0.010, 1.4, 0.08, 0.80, 0.7, 0.0, 1.0, 0.0),
    "long_straight": HairStyle(1.5, 2.3, 0.22, 0.00, 0.00, 0.90, 1.30, 0.012, 1.3, 0.10, 1.00, 1.0, 0.0, 0.0, 0.0),
    "long_wavy":     HairStyle(1.3, 2.1, 0.34, 0.10, 0.05, 0.90, 1.10, 0.052, 2.4, 0.18, 1.20, 1.0, 0.0, 0.0, 0.0),
    "long_curly":    HairStyle(1.0, 1.8, 0.65, 0.10, 0.00, 0.80, 0.85, 0.075, 4.5, 0.32, 1.50, 0.9, 0.0, 0.0, 0.0),
    "tied_back":     HairStyle(.90, 1.2, 0.16, 1.30, 0.00, 0.25, 0.25, 0.006, 1.0, 0.06, 0.70, 0.0, 0.0, 0.0, 0.9),
}  # fmt: skip
assert tuple(_STYLES) == HAIR_STYLES


@dataclass(frozen=True, eq=False)
class StyleColumns:
    """The coefficients of each strand's style, [T] each, named as in `HairStyle`."""

    shortest: Tensor
    longest: Tensor
    lift: Tensor
    back: Tensor
    forward: Tensor
    sideways: Tensor
    gravity: Tensor
    curl: Tensor
    curls_per_dm: Tensor
    disorder: Tensor
    layer: Tensor
    curtain: Tensor
    short_sides: Tensor
    fringe: Tensor
    hold: Tensor


assert [f.name for f in fields(StyleColumns)] == [f.name for f in fields(HairStyle)]


def style_columns(style: Tensor) -> StyleColumns:
    """Look up the coefficients of style indices int64 [T]."""
    table = constant(tuple(astuple(row) for row in _STYLES.values()), style.device)
    return StyleColumns(*table[style].unbind(1))
