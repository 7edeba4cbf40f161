"""From traits and deviations to final amounts: the one deterministic place where parameters influence each other.

`Look` holds every parameter under its own name as a [N, 1, 1] field that broadcasts over a chart, with the resolved
ones replaced: `look["jaw_width"]` is the deviation plus what masculinity leads one to expect.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch
from torch import Tensor

from tuiface.heads.constants import constant
from tuiface.heads.geometry.curves import smoothstep
from tuiface.heads.sampling.parameters import HAIR_STYLES, SPECIFICATION, HeadParameters
from tuiface.heads.sampling.rng import Streams

STREAMS = Streams(
    (
        ("mottle", 2), ("grain", 2), ("blood", 2), ("pores", 2), ("spots", 4), ("lips", 3), ("wrinkles", 16),
        ("body mottle", 2), ("body grain", 2),
        ("hairline", 2), ("clumps", 2), ("neckline", 4), ("stripes", 2), ("lens", 1), ("teeth", 6), ("iris", 4),
        ("room", 12), ("fabric", 6),
        ("backdrop", 8), ("backdrop cells 6", 36), ("backdrop cells 7", 49), ("backdrop cells 13", 169),
        ("bars", 15), ("bokeh", 84), ("sensor r", 2), ("sensor g", 2), ("sensor b", 2),
    )
)  # fmt: skip
"""What a picture draws besides its parameters and its strands, and how many numbers for each."""


@dataclass(frozen=True, eq=False)
class Look:
    """Final amounts of a batch of heads."""

    fields: dict[str, Tensor]
    """float32 [N, 1, 1] each."""
    seeds: Tensor
    """int64 [N]."""

    def __getitem__(self, name: str) -> Tensor:
        return self.fields[name]

    def draw(self, stream: str) -> Tensor:
        """What each sample draws for one of `STREAMS`, uniform float32 [N, count]."""
        return self._draws[stream]

    @functools.cached_property
    def _draws(self) -> dict[str, Tensor]:
        return STREAMS.draw(self.seeds)

    def column(self, name: str) -> Tensor:
        """The amount as [N]."""
        return self.fields[name][:, 0, 0]

    def choice(self, name: str) -> Tensor:
        """The index of a choice, int64 [N]."""
        return self.column(name).long()

    def choice_mask(self, name: str, choices: tuple[str, ...], wanted: tuple[str, ...]) -> Tensor:
        """1.0 [N, 1, 1] where the choice is among `wanted`."""
        table = constant(tuple(float(choice in wanted) for choice in choices), self.device)
        return table[self.choice(name)].view(-1, 1, 1)

    def __len__(self) -> int:
        return len(self.seeds)

    @property
    def device(self) -> torch.device:
        """Where the fields lie."""
        return self.seeds.device


def resolve_look(parameters: HeadParameters) -> Look:
    """Derive the final amounts. Everything that depends on several parameters is written here."""
    f = {spec.name: parameters[spec.name].view(-1, 1, 1) for spec in SPECIFICATION}
    masculinity, years = f["masculinity"], f["age"]
    age = ((years - 18) / 62).clamp(0, 1.08)
    f["age"] = age
    f["young"] = 1 - smoothstep(0.05, 0.6, age)
    masculine, feminine = masculinity.clamp(min=0), (-masculinity).clamp(min=0)
    for name, per_masculinity, per_femininity, offset in _SEXUAL_DIMORPHISM:
        f[name] = f[name] + per_masculinity * masculine + per_femininity * feminine + offset
    f["taper"] = feminine  # a lower face that narrows in one curve from cheeks to chin
    # From nothing at 18 to 1 at 80, steepest after 50; smokers and sun-worshippers are ahead of their years.
    expected = age.clamp(min=0) ** 1.35
    f["wrinkled"] = (expected * (1 + 0.28 * f["wrinkles"]) + 0.05 * f["wrinkles"]).clamp(0, 1.8)
    for mark in ("mole", "scar"):
        f[f"{mark}_across"], f[f"{mark}_height"] = _place_on_skin(f[f"{mark}_x"], f[f"{mark}_y"])
    f["fullness"] = f["fullness"] + 0.3 * age
    f["lip_fullness"] = f["lip_fullness"] - 1.5 * age
    f["nose_length"] = f["nose_length"] + 0.6 * age
    f["ear_size"] = f["ear_size"] + 0.9 * age
    narrowed = (1 - 0.16 * f["smile"]) * (1 - 0.22 * f["lid_tighten"]) * (1 - 0.10 * f["nose_wrinkle"])
    f["eye_opening"] = f["eye_opening"] * narrowed * (1 - 0.10 * age)
    f["frown"] = (-f["brow_raise"]).clamp(min=0) + f["brow_lower"] + 0.3 * f["nose_wrinkle"]
    f["forehead_raise"] = f["brow_raise"].clamp(min=0) + 0.5 * f["inner_brow_raise"]
    f["cheek_fold"] = f["smile"] + 0.8 * f["nose_wrinkle"] + 0.6 * f["upper_lip_raise"]
    # Light irises are rare in dark faces, and would glow where a trait is overridden: dark faces are exposed longer.
    f["iris_lightness"] = f["iris_lightness"] * (1 - 0.85 * smoothstep(0.42, 0.75, f["melanin"]))
    f["grey"] = smoothstep(0.40, 1.08, age + 0.16 * f["greying"]) * smoothstep(-2.8, -1.0, f["greying"])
    # Stubble shadow of a shaved face: men's, in the colour of their hair.
    f["stubble"] = masculine * 0.8
    bald = f["hair_style"] == HAIR_STYLES.index("bald")
    f["crown_thinning"] = torch.where(bald, torch.zeros_like(age), f["crown_thinning"])
    return Look(f, parameters.seeds)


def _place_on_skin(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Where a mark of a place in -1..1 lies on the neutral head, dm: the forehead, or below the eyes off the lips."""
    height = torch.where(y > 0.55, 0.34 + 0.20 * (y - 0.55) / 0.45, -0.17 - 0.80 * (0.55 - y) / 1.55)
    half = 0.54 - 0.22 * smoothstep(-0.60, -0.95, height)
    beside_lips = 0.34 * smoothstep(0.16, 0.12, (height + 0.65).abs()) * (y < 0.55)
    across = beside_lips + (half - beside_lips).clamp(min=0.06) * x.abs()
    return torch.where(x < 0, -across, across), height


_SEXUAL_DIMORPHISM: tuple[tuple[str, float, float, float], ...] = (
    ("face_width", 0.55, -0.70, 0.0),
    ("face_length", 1.15, -1.45, -0.2),
    ("jaw_width", 1.15, -2.0, -0.3),
    ("chin_width", 0.95, -1.9, -0.45),
    ("chin_projection", 0.55, -1.1, 0.0),
    ("forehead_bulge", -0.7, 0.9, 0.0),
    ("cheekbones", 0.0, 0.5, 0.0),
    ("fullness", -0.7, 0.55, 0.25),
    ("cheek_hollow", 0.8, -1.1, -0.1),
    ("brow_ridge", 1.7, -1.9, -0.1),
    ("neck_width", 1.2, -1.9, 0.0),
    ("nose_length", 1.1, -1.5, -0.3),
    ("nose_width", 0.95, -1.2, -0.15),
    ("nose_tip", -0.7, 0.9, 0.1),
    ("nose_bulb", 0.35, -0.5, 0.0),
    ("lip_fullness", -1.0, 1.5, 0.3),
    ("mouth_width", 0.3, -0.5, 0.0),
    ("eye_size", -1.1, 1.4, 0.3),
    ("eye_tilt", -0.35, 0.5, 0.0),
    ("brow_height", -1.1, 1.2, 0.1),
    ("brow_thickness", 1.15, -1.3, 0.0),
    ("brow_arch", -0.6, 0.9, 0.0),
    ("ear_size", 0.4, -0.6, 0.0),
)
"""(deviation, shift per unit of masculinity, per unit of femininity, for all), in standard deviations."""
