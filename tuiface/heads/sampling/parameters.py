"""The table of head parameters: name, range, unit, prior and meaning of every number that shapes a picture.

Traits such as `age` or `masculinity` move many things at once. The parameters beside them are deviations, in
standard deviations, from what the traits lead one to expect: `greying = 0` is the usual grey for that age. So a trait
that is overridden afterwards moves its whole look. `look` turns traits and deviations into final amounts.

`HeadParameters` is the frozen value from which, and from nothing else, a batch of heads is rendered. `mirror_heads`
gives mirror images as parameters: each head that was rendered is the picture of a second one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from tuiface.core.errors import UsageError, quote, suggest_nearest
from tuiface.core.strict_json import JsonError, parse_strict_json

Readability = Literal["well", "medium", "weak"]

HAIR_STYLES = (
    "bald", "buzz", "crop", "caesar", "side_part", "quiff", "swept_back", "short_curls", "afro", "pixie",
    "bob", "fringed_bob", "long_straight", "long_wavy", "long_curly", "tied_back",
)  # fmt: skip
BEARD_STYLES = ("full", "goatee", "moustache", "chin_strap")
GLASSES = ("none", "thin", "thick")
BACKDROPS = ("plain", "gradient", "bokeh", "interior", "foliage")
GARMENTS = ("tee", "v_neck", "scoop", "shirt", "jacket", "turtleneck")


@dataclass(frozen=True)
class Normal:
    """Independent Gaussian, clamped to the parameter's range."""

    mean: float = 0.0
    sd: float = 1.0


@dataclass(frozen=True)
class Uniform:
    """Independent uniform between two values."""

    low: float
    high: float


@dataclass(frozen=True)
class Conditional:
    """Drawn in `priors`, given other parameters."""

    given: str


Prior = Normal | Uniform | Conditional


@dataclass(frozen=True)
class Parameter:
    """One column of `HeadParameters`."""

    name: str
    """Stable, user-facing name."""
    low: float
    """Smallest accepted value."""
    high: float
    """Largest accepted value; for a choice, the last index."""
    unit: str
    """"sd", "fraction", "years", "degrees", "dm" (the world's unit) or "choice"."""
    prior: Prior
    """Distribution in the sampled population."""
    meaning: str
    """What grows with the value."""
    readable: Readability = "well"
    """How well a small network can read it from a 128 px picture."""
    choices: tuple[str, ...] = ()
    """Names of the values of a choice, in order."""
    absent: float | None = None
    """Of a parameter that came later: what it is in heads that were written without it."""


def _sd(name: str, meaning: str, readable: Readability = "medium") -> Parameter:
    return Parameter(name, -3.0, 3.0, "sd", Normal(), meaning, readable)


def _fraction(name: str, prior: Prior, meaning: str, readable: Readability = "well") -> Parameter:
    return Parameter(name, 0.0, 1.0, "fraction", prior, meaning, readable)


def _mark(name: str, prior: Prior, meaning: str) -> Parameter:
    return Parameter(name, 0.0, 1.0, "fraction", prior, meaning, "medium", absent=0.0)


def _unit(name: str, meaning: str, readable: Readability = "medium") -> Parameter:
    """An action unit of FACS, at rest in most faces."""
    return Parameter(name, 0.0, 1.0, "fraction", Conditional("emotion"), meaning, readable, absent=0.0)


def _place(name: str, meaning: str) -> Parameter:
    return Parameter(name, -1.0, 1.0, "fraction", Uniform(-1, 1), meaning, "weak", absent=0.0)


def _choice(name: str, choices: tuple[str, ...], given: str, meaning: str) -> Parameter:
    return Parameter(name, 0.0, len(choices) - 1.0, "choice", Conditional(given), meaning, "well", choices)


_TRAITS = (
    Parameter("masculinity", -1, 1, "fraction", Conditional("two groups"), "masculine against feminine build"),
    Parameter("age", 18, 85, "years", Conditional("denser when young"), "wrinkles, sagging and expected greying"),
    _fraction("melanin", Conditional("a mixture over the Monk scale"), "skin, and with it lips, from light to dark"),
    Parameter("haemoglobin", -3, 3, "sd", Normal(0, 0.8), "redness of the skin", "medium"),
)
_FACE_SHAPE = (
    _sd("face_width", "width at the cheekbones", "well"),
    _sd("face_length", "length of the lower face"),
    _sd("jaw_width", "width at the angle of the jaw", "well"),
    _sd("chin_width", "width of the chin"),
    _sd("chin_projection", "chin forwards", "weak"),
    _sd("forehead_height", "height of the skull above the brows", "weak"),
    _sd("forehead_bulge", "roundness of the forehead", "weak"),
    _sd("temple_width", "width at the temples", "weak"),
    _sd("cheekbones", "prominence of the cheekbones"),
    _sd("fullness", "fat in cheeks and jowls"),
    _sd("cheek_hollow", "hollow below the cheekbones", "weak"),
    _sd("brow_ridge", "depth of the ridge over the eyes", "weak"),
    _sd("asymmetry", "skew between left and right", "weak"),
    _sd("ear_size", "height of the ears", "weak"),
    _sd("ear_protrusion", "ears away from the head", "weak"),
    _sd("neck_width", "width of the neck"),
)
_FEATURES = (
    _sd("nose_length", "how far the nose stands out and reaches down"),
    _sd("nose_width", "width of the wings of the nose"),
    _sd("nose_tip", "upturned against drooping tip"),
    _sd("nose_bridge", "height of the bridge"),
    _sd("nose_bulb", "size of the ball of the tip", "weak"),
    _sd("mouth_width", "width of the mouth at rest"),
    _sd("lip_fullness", "height and volume of both lips", "well"),
    _sd("upper_lip", "share of the upper lip", "weak"),
    _sd("eye_size", "length and opening of the lids"),
    _sd("eye_tilt", "outer corners up", "weak"),
    _sd("eye_spacing", "distance between the eyes", "weak"),
    _fraction("eyelid_crease", Conditional("melanin"), "visible fold of the upper lid", "weak"),
    _sd("brow_height", "distance of the brows above the eyes"),
    _sd("brow_thickness", "height of the brows"),
    _sd("brow_arch", "bend of the brows", "weak"),
    _fraction("iris_lightness", Conditional("melanin"), "iris from brown to light", "medium"),
    _fraction("iris_hue", Uniform(0, 1), "light irises: hazel, green, grey, blue", "weak"),
    _fraction("freckles", Conditional("melanin"), "freckles over nose and cheeks", "medium"),
    _fraction("lipstick", Conditional("masculinity"), "strength of the lipstick"),
    _fraction("lipstick_hue", Uniform(0, 1), "lipstick from nude over red to plum", "medium"),
    _fraction("makeup", Conditional("masculinity"), "eye liner, mascara, shadow and blush", "medium"),
)
_MARKS = (
    Parameter(
        "wrinkles", -3, 3, "sd", Normal(), "wrinkles beyond what the age leads one to expect", "medium", absent=0.0
    ),
    _mark("mole", Conditional("one in eight"), "size of a mole; 0: none"),
    _place("mole_x", "mole towards the viewer's right, from cheek to cheek"),
    _place("mole_y", "height of the mole, from chin to forehead; it keeps clear of eyes and lips"),
    _mark("scar", Conditional("one in eight"), "strength of a scar; 0: none"),
    _place("scar_x", "scar towards the viewer's right, from cheek to cheek"),
    _place("scar_y", "height of the scar, from chin to forehead; it keeps clear of eyes and lips"),
    Parameter("scar_length", 0, 1, "fraction", Uniform(0, 1), "length of the scar, 1 to 4 cm", "weak", absent=0.0),
    Parameter("scar_angle", -90, 90, "degrees", Uniform(-90, 90), "scar from level, anticlockwise", "weak", absent=0.0),
)
_HAIR = (
    _choice("hair_style", HAIR_STYLES, "masculinity, melanin, age", "cut and direction of the hair"),
    _fraction("hair_length", Uniform(0, 1), "length within what the style allows"),
    _fraction("hair_volume", Uniform(0, 1), "lift off the scalp"),
    _fraction("hair_wave", Uniform(0, 1), "waves or curls within what the style allows", "medium"),
    _fraction("hair_eumelanin", Conditional("melanin"), "brown-black pigment: 0 blond, 1 black"),
    _fraction("hair_red", Conditional("melanin"), "red pigment (pheomelanin)"),
    _sd("greying", "grey beyond what the age leads one to expect", "well"),
    Parameter("parting", -1, 1, "fraction", Normal(0, 0.45), "parting from the viewer's left to right", "medium"),
    _fraction("fringe", Conditional("hair style"), "share of long hair that falls over the forehead"),
    _sd("hairline_height", "height of the hairline over the forehead", "well"),
    _fraction("hairline_recession", Conditional("masculinity, age"), "receding temples: an M-shaped hairline"),
    _fraction("hairline_peak", Conditional("one in five"), "widow's peak"),
    Parameter("hairline_roundness", -1, 1, "fraction", Normal(0, 0.45), "hairline from straight to rounded", "medium"),
    _fraction("crown_thinning", Conditional("masculinity, age"), "baldness from the crown down"),
    _choice("beard_style", BEARD_STYLES, "nothing", "where the beard grows"),
    _fraction("beard_density", Conditional("masculinity"), "beard from none over stubble to dense"),
    _fraction("beard_length", Uniform(0, 1), "length of a dense beard", "medium"),
)
_EXPRESSION = (
    _fraction("smile", Conditional("three in five smile, or an emotion"), "corners of the mouth up, cheeks raised"),
    _fraction("teeth", Conditional("smile"), "lips parted over the upper teeth"),
    _fraction("mouth_open", Conditional("one in eight"), "jaw dropped"),
    Parameter("eye_opening", 0, 1.4, "fraction", Conditional("smile"), "lid opening against the eye's own", "medium"),
    Parameter("brow_raise", -1, 1.5, "fraction", Normal(0, 0.35), "brows up (negative: frown)", "medium"),
    _unit("inner_brow_raise", "inner ends of the brows up and together (action unit 1)"),
    _unit("brow_lower", "brows down and together (4)"),
    _unit("lid_tighten", "lower lids up, eyes narrowed (7)"),
    _unit("nose_wrinkle", "nose drawn up and wrinkled (9)"),
    _unit("upper_lip_raise", "upper lip drawn up (10)"),
    _unit("corner_depress", "corners of the mouth down (15)"),
    _unit("chin_raise", "chin and lower lip pushed up (17)"),
    _unit("lip_stretch", "lips stretched sideways (20)"),
    _unit("lip_press", "lips tight and pressed together (23, 24)"),
    Parameter("gaze_x", -1, 1, "fraction", Normal(0, 0.22), "gaze to the viewer's right", "weak"),
    Parameter("gaze_y", -1, 1, "fraction", Normal(0, 0.12), "gaze up", "weak"),
)
_POSE = (
    Parameter("yaw", -45, 45, "degrees", Normal(0, 13), "head turned to the viewer's right"),
    Parameter("pitch", -25, 25, "degrees", Normal(0, 5.5), "head bent down"),
    Parameter("roll", -20, 20, "degrees", Normal(0, 3), "tilt of head against body; alignment levels the eyes", "weak"),
    Parameter("camera_distance", 7, 30, "dm", Uniform(9, 22), "distance of the camera", "weak"),
)
_ACCESSORIES = (
    _choice("glasses", GLASSES, "age", "frames worn"),
    _fraction("glasses_shape", Uniform(0, 1), "lenses from round to rectangular", "medium"),
    _fraction("glasses_size", Uniform(0, 1), "size of the lenses", "medium"),
    _fraction("glasses_hue", Uniform(0, 1), "frames black, tortoise, metal, coloured", "weak"),
    _fraction("tint", Conditional("rare"), "darkness of the lenses", "medium"),
    _choice("garment", GARMENTS, "masculinity", "clothing at the neck"),
    _fraction("garment_hue", Uniform(0, 1), "hue of the clothing", "medium"),
    _fraction("garment_colourfulness", Conditional("mostly muted"), "saturation of the clothing", "medium"),
    _fraction("garment_lightness", Conditional("mostly dark"), "lightness of the clothing"),
    _fraction("garment_pattern", Conditional("one in three"), "strength of stripes", "weak"),
)
_SCENE = (
    Parameter("light_azimuth", -80, 80, "degrees", Normal(0, 38), "key light from the viewer's right"),
    Parameter("light_elevation", -10, 70, "degrees", Uniform(8, 48), "key light from above", "medium"),
    _fraction("light_key", Uniform(0.2, 0.95), "key light against ambient"),
    _fraction("light_softness", Uniform(0.15, 1), "size of the key light", "weak"),
    Parameter("light_warmth", -3, 3, "sd", Normal(0, 0.8), "colour temperature from cool to warm", "medium"),
    _fraction("light_rim", Conditional("mostly weak"), "light from behind along the contour", "weak"),
    Parameter("exposure", -0.6, 0.6, "stops", Normal(0, 0.14), "brightness of the picture", "medium"),
    _fraction("blur", Conditional("mostly sharp"), "softness of the lens", "weak"),
    _fraction("sensor_noise", Conditional("mostly clean"), "grain", "weak"),
    _choice("backdrop", BACKDROPS, "nothing", "kind of background"),
    _fraction("backdrop_hue", Uniform(0, 1), "hue of the background", "medium"),
    _fraction("backdrop_colourfulness", Conditional("mostly muted"), "saturation of the background", "medium"),
    _fraction("backdrop_lightness", Uniform(0, 1), "lightness of the background"),
)

SPECIFICATION: tuple[Parameter, ...] = (
    *_TRAITS, *_FACE_SHAPE, *_FEATURES, *_MARKS, *_HAIR, *_EXPRESSION, *_POSE, *_ACCESSORIES, *_SCENE,
)  # fmt: skip
"""Every parameter, in the order of the columns of `HeadParameters.values`."""

COLUMN: dict[str, int] = {parameter.name: column for column, parameter in enumerate(SPECIFICATION)}
"""Column of each parameter by name."""


FORMAT = "tuiface.head/1"


@dataclass(frozen=True, eq=False)
class HeadParameters:
    """A batch of head descriptions. The same value renders the same pictures, whatever it is batched with."""

    values: Tensor
    """float32 [N, len(SPECIFICATION)]; a choice holds its index."""
    seeds: Tensor
    """int64 [N], for what is drawn rather than described: strands, pores, the blobs of the background."""

    def __post_init__(self) -> None:
        assert self.values.shape == (len(self.seeds), len(SPECIFICATION)), self.values.shape

    def __len__(self) -> int:
        return len(self.seeds)

    def __getitem__(self, name: str) -> Tensor:
        """Column [N] of the parameter `name`."""
        return self.values[:, COLUMN[name]]

    @property
    def device(self) -> torch.device:
        """Where the columns lie, and so where they are rendered."""
        return self.values.device

    def to(self, device: torch.device | str) -> HeadParameters:
        """The same value on another device."""
        return HeadParameters(self.values.to(device), self.seeds.to(device))

    def select(self, index: slice | Tensor) -> HeadParameters:
        """Some of the samples, in the order of `index`."""
        return HeadParameters(self.values[index], self.seeds[index])

    def override(self, **changes: float | str) -> HeadParameters:
        """The same heads with some parameters set to one value each; a choice also takes its name.

        Raises UsageError for an unknown name or a value outside the accepted range.
        """
        values = self.values.clone()
        for name, value in changes.items():
            values[:, COLUMN[_find_parameter(name).name]] = _check_value(_find_parameter(name), value)
        return HeadParameters(values, self.seeds)

    def to_json(self, index: int) -> str:
        """Sample `index` as one line of JSON; choices by name."""
        row = self.values[index].tolist()
        parameters = {
            spec.name: spec.choices[int(value)] if spec.choices else value
            for spec, value in zip(SPECIFICATION, row, strict=True)
        }
        return json.dumps({"format": FORMAT, "seed": int(self.seeds[index]), "parameters": parameters})

    @classmethod
    def from_json(cls, *lines: str) -> HeadParameters:
        """Read what `to_json` wrote, bit for bit; raises UsageError naming what is wrong.

        A parameter that came after a line was written takes the value that makes it absent.
        """
        rows, seeds = [], []
        for line in lines:
            seed, row = _read_line(line)
            seeds.append(seed)
            rows.append(row)
        values = torch.tensor(rows, dtype=torch.float32).view(len(rows), len(SPECIFICATION))
        return cls(values, torch.tensor(seeds, dtype=torch.int64))


def concatenate(batches: list[HeadParameters]) -> HeadParameters:
    """Join batches of heads in order."""
    return HeadParameters(torch.cat([b.values for b in batches]), torch.cat([b.seeds for b in batches]))


def encode(parameters: HeadParameters) -> Tensor:
    """Network input float32 [N, F]: numbers standardised by their prior or range, choices as one-hot columns.

    The paired start of training regresses pictures from this; `ENCODING` names the columns.
    """
    columns: list[Tensor] = []
    for spec in SPECIFICATION:
        value = parameters[spec.name]
        if spec.choices:
            columns.extend((value == index).float() for index in range(len(spec.choices)))
            continue
        centre, spread = _centre_and_spread(spec)
        columns.append((value - centre) / spread)
    return torch.stack(columns, dim=1)


ENCODING: tuple[str, ...] = tuple(
    name
    for spec in SPECIFICATION
    for name in ([f"{spec.name}={choice}" for choice in spec.choices] if spec.choices else [spec.name])
)
"""Names of the columns of `encode`."""


def _centre_and_spread(spec: Parameter) -> tuple[float, float]:
    """Centre and spread of a numeric parameter; conditional priors count as uniform over the range."""
    if isinstance(spec.prior, Normal):
        return spec.prior.mean, spec.prior.sd
    low, high = (spec.prior.low, spec.prior.high) if isinstance(spec.prior, Uniform) else (spec.low, spec.high)
    return (low + high) / 2, (high - low) / math.sqrt(12)


def _find_parameter(name: str) -> Parameter:
    if name not in COLUMN:
        hint = suggest_nearest(name, COLUMN) or "tuiface.heads.SPECIFICATION lists them"
        raise UsageError(f"no head parameter {quote(name)}", hint)
    return SPECIFICATION[COLUMN[name]]


def _check_value(spec: Parameter, value: object) -> float:
    """`value` as the number in its column, or one clear line."""
    if isinstance(value, str):
        if value in spec.choices:
            return float(spec.choices.index(value))
        accepted = f"one of {', '.join(spec.choices)}" if spec.choices else f"a number {spec.low:g} to {spec.high:g}"
        raise UsageError(f"{spec.name}: {quote(value)} is not {accepted}", suggest_nearest(value, spec.choices))
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise UsageError(f"{spec.name}: {quote(value)} is not a number")
    slack = 1e-6  # the float32 nearest to a bound may lie just outside it
    if not spec.low - slack <= value <= spec.high + slack:  # also refuses NaN
        raise UsageError(f"{spec.name}: {value:g} is outside {spec.low:g} to {spec.high:g} ({spec.unit})")
    if spec.choices and value != int(value):
        raise UsageError(f"{spec.name}: {value:g} is not a whole number", f"or one of {', '.join(spec.choices)}")
    return float(value)


def _read_line(line: str) -> tuple[int, list[float]]:
    try:
        document = parse_strict_json(line)
    except JsonError as error:
        raise UsageError(f"head parameters: {error}: {quote(line)}") from None
    if not isinstance(document, Mapping) or document.get("format") != FORMAT:
        raise UsageError(f"head parameters: {quote(line)} is not an object of format '{FORMAT}'")
    seed, given = document.get("seed"), document.get("parameters")
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise UsageError(f"head parameters: seed {quote(seed)} is not a whole number below 2^32")
    if not isinstance(given, Mapping):
        raise UsageError("head parameters: 'parameters' is not an object of name and value")
    for name in given:
        _find_parameter(str(name))
    missing = [spec.name for spec in SPECIFICATION if spec.name not in given and spec.absent is None]
    if missing:
        raise UsageError(f"head parameters: '{missing[0]}' is missing ({len(missing)} in all)")
    return seed, [_check_value(spec, given.get(spec.name, spec.absent)) for spec in SPECIFICATION]


SIDED_PARAMETERS = (
    "asymmetry", "mole_x", "scar_x", "scar_angle", "parting", "gaze_x", "yaw", "roll", "light_azimuth",
)  # fmt: skip
"""Parameters that tell left from right; each is drawn symmetrically around zero."""


def mirror_heads(parameters: HeadParameters) -> HeadParameters:
    """The heads whose pictures are the mirror images, up to what is drawn rather than described (single strands)."""
    values = parameters.values.clone()
    columns = torch.tensor([COLUMN[name] for name in SIDED_PARAMETERS], device=values.device)
    values[:, columns] = -values[:, columns]
    return HeadParameters(values, parameters.seeds)
