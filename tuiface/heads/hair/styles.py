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
    clumping: float
    """How far strands have run together at their tips, 0..1."""
    parted: float
    """1: it falls away from a line; 0: it turns from side to side gradually."""


_STYLES: dict[str, HairStyle] = {
    #                       shrt long lift back forw side grav curl  freq diso laye curt sids frng hold clmp part
    "bald":          HairStyle(.00, .00, .00, .00, .00, .00, .00, .000,  .0, .00, .00,  .0, .00,  .0,  .0, .00,  .0),
    "buzz":          HairStyle(.03, .08, .90, .20, .20, .10, .00, .000,  .0, .40, .10,  .0, .30,  .0,  .0, .00,  .0),
    "crop":          HairStyle(.13, .28, .70, .25, .30, .25, .15, .008, 3.0, .30, .50,  .0, .68,  .0,  .0, .35,  .0),
    "caesar":        HairStyle(.24, .40, .40, .00, 1.1, .25, .35, .010, 3.0, .20, .60,  .0, .60,  .0,  .3, .60,  .0),
    "side_part":     HairStyle(.34, .62, .50, .15, .10, 1.0, .40, .012, 2.0, .16, .70,  .2, .66,  .0,  .2, .40, 1.0),
    "quiff":         HairStyle(.30, .55, 1.1, .60, .00, .20, .05, .012, 2.0, .20, .80,  .0, .72,  .0,  .0, .55,  .0),
    "swept_back":    HairStyle(.50, .90, .16, 1.2, .00, .20, .30, .006, 1.0, .08, .45,  .0, .35,  .0,  .7, .30,  .0),
    "short_curls":   HairStyle(.22, .46, .80, .10, .15, .20, .20, .042, 8.0, .50, 1.0,  .0, .45,  .0,  .0, .70,  .0),
    "afro":          HairStyle(.24, .66, 1.2, .00, .00, .10, .02, .036, 11., .70, 1.0,  .0, .12,  .0,  .0, .50,  .0),
    "pixie":         HairStyle(.34, .56, .45, .05, .50, .70, .45, .012, 2.0, .20, .70,  .1, .35,  .0,  .0, .65,  .5),
    "bob":           HairStyle(.85, 1.2, .26, .05, .05, .90, 1.2, .012, 1.4, .09, .80,  .8, .00,  .0,  .0, .35, 1.0),
    "fringed_bob":   HairStyle(.85, 1.2, .24, .05, .10, .70, 1.2, .010, 1.4, .08, .80,  .7, .00, 1.0,  .0, .40, 1.0),
    "long_straight": HairStyle(1.5, 2.3, .22, .00, .00, .90, 1.3, .012, 1.3, .10, 1.0, 1.0, .00,  .0,  .0, .45, 1.0),
    "long_wavy":     HairStyle(1.3, 2.1, .34, .10, .05, .90, 1.1, .052, 2.4, .18, 1.2, 1.0, .00,  .0,  .0, .60, 1.0),
    "long_curly":    HairStyle(1.0, 1.8, .65, .10, .00, .80, .85, .075, 4.5, .32, 1.5,  .9, .00,  .0,  .0, .70,  .8),
    "tied_back":     HairStyle(.90, 1.2, .16, 1.3, .00, .25, .25, .006, 1.0, .06, .70,  .0, .00,  .0,  .9, .25,  .0),
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
    clumping: Tensor
    parted: Tensor


assert [f.name for f in fields(StyleColumns)] == [f.name for f in fields(HairStyle)]


def style_columns(style: Tensor) -> StyleColumns:
    """Look up the coefficients of style indices int64 [T]."""
    table = constant(tuple(astuple(row) for row in _STYLES.values()), style.device)
    return StyleColumns(*table[style].unbind(1))
