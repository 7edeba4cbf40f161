"""The population: priors and correlations from which sample i of seed s is drawn.

Only what the table marks `Conditional` is drawn here, traits first. Proportions aim at a diverse adult population with
South American appearances well represented; they describe no census. Skin covers the Monk scale, denser at its middle.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from torch import Tensor

from tuiface.heads.geometry.curves import smoothstep
from tuiface.heads.sampling.emotions import ACTION_UNITS, EMOTIONS
from tuiface.heads.sampling.parameters import (
    BACKDROPS,
    BEARD_STYLES,
    GARMENTS,
    HAIR_STYLES,
    SPECIFICATION,
    HeadParameters,
    Normal,
    Uniform,
)  # fmt: skip
from tuiface.heads.sampling.rng import draw_normals, draw_uniforms, sample_seeds

Columns = dict[str, Tensor]

#                bald buzz crop caes part quif swep curl afro pixi bob  fbob long wavy lcur tied
_MASCULINE_CUT = (5., 11., 19., 9., 13., 9., 7., 8., 5., 0.3, .2, .1, 2.0, 2.0, 1.5, 2.5)  # fmt: skip
_FEMININE_CUT = (.3, .7, 1.2, .3, 2., .6, 2.5, 3.5, 5., 5., 10., 8., 19., 19., 11., 11.)  # fmt: skip
_DARK_SKIN_FACTOR = (1., 1.3, .5, .3, .3, .4, .6, 2.2, 4.5, .4, .5, .4, .35, .5, 1.3, 1.)  # fmt: skip

_BLOCK = 32
"""Samples drawn together, from a multiple of it on: a power's last bit depends on a number's place in a vector."""


def sample_parameters(count: int, seed: int, start: int = 0, device: torch.device | str = "cpu") -> HeadParameters:
    """Draw samples `start` .. `start + count - 1` of population `seed`; each is a function of (seed, index) alone."""
    first = start // _BLOCK * _BLOCK
    seeds = sample_seeds(seed, first, -(-(start + count - first) // _BLOCK) * _BLOCK)
    columns, _ = _draw(seeds)
    values = torch.stack([columns[spec.name].clamp(spec.low, spec.high) for spec in SPECIFICATION], dim=1)
    return HeadParameters(values.float(), seeds).select(slice(start - first, start - first + count)).to(device)


@functools.cache
def stream_names() -> tuple[str, ...]:
    """Names of all streams of random numbers that `sample_parameters` draws from, in order.

    A head's parameters are a function of its draws from them alone.
    """
    return _draw(sample_seeds(0, 0, 1))[1]


def _draw(seeds: Tensor) -> tuple[Columns, tuple[str, ...]]:
    """Every parameter of the samples `seeds` [N], not yet clamped, and the streams they came from."""
    columns: Columns = {}
    rng = _NamedRng(seeds)
    for spec in SPECIFICATION:
        if isinstance(spec.prior, Normal):
            draw = spec.prior.mean + spec.prior.sd * draw_normals(seeds, spec.name, 1)[:, 0]
        elif isinstance(spec.prior, Uniform):
            draw = spec.prior.low + (spec.prior.high - spec.prior.low) * draw_uniforms(seeds, spec.name, 1)[:, 0]
        else:
            continue
        columns[spec.name] = draw
        rng.streams[spec.name] = None
    for draw_group in (
        _draw_traits,
        _draw_features,
        _draw_marks,
        _draw_hair,
        _draw_beard,
        _draw_expression,
        _draw_accessories_and_scene,
    ):
        draw_group(columns, rng)
    return columns, tuple(rng.streams)


class _NamedRng:
    """Named draws for every sample: `rng("age")` is uniform [N], independent of any other name."""

    def __init__(self, seeds: Tensor) -> None:
        self._seeds = seeds
        self.streams: dict[str, None] = {}
        """Names of the streams drawn from so far, in order."""

    def __call__(self, name: str, low: float = 0.0, high: float = 1.0) -> Tensor:
        return low + (high - low) * draw_uniforms(self._seeds, self._stream(name), 1)[:, 0]

    def normal(self, name: str) -> Tensor:
        return draw_normals(self._seeds, self._stream(name), 1)[:, 0]

    def _stream(self, name: str) -> str:
        stream = f"prior:{name}"
        self.streams[stream] = None
        return stream

    def where(self, name: str, probability: float | Tensor, then: Callable[[], Tensor]) -> Tensor:
        """`then()` for a share of the samples, else 0."""
        return torch.where(self(f"{name}?") < probability, then(), 0.0)

    def pick(self, name: str, weights: Tensor) -> Tensor:
        """Index [N] drawn from unnormalised `weights` [N, K]."""
        edges = weights.cumsum(1)
        return (self(name)[:, None] * edges[:, -1:] > edges).sum(1).clamp(max=weights.shape[1] - 1).float()


def _draw_traits(columns: Columns, rng: _NamedRng) -> None:
    group = torch.where(rng("group") < 0.5, -1.0, 1.0)
    columns["masculinity"] = group * (0.35 + 0.65 * rng("masculinity") ** 0.7)
    columns["age"] = 18 + 62 * rng("age") ** 1.7
    light = 0.06 + 0.20 * rng("light skin")
    tan = 0.24 + 0.30 * rng("tan skin")
    dark = 0.52 + 0.46 * rng("dark skin")
    third = rng("skin")
    columns["melanin"] = torch.where(third < 0.32, light, torch.where(third < 0.70, tan, dark))


def _draw_features(columns: Columns, rng: _NamedRng) -> None:
    masculinity, melanin = columns["masculinity"], columns["melanin"]
    dark = smoothstep(0.3, 0.75, melanin)
    columns["nose_width"] = columns["nose_width"] * 0.8 + 0.9 * dark
    columns["lip_fullness"] = columns["lip_fullness"] * 0.8 + 0.9 * dark
    columns["nose_bridge"] = columns["nose_bridge"] * 0.9 - 0.6 * dark
    crease = 0.25 + 0.75 * rng("crease")
    low_crease = rng("low crease") < 0.16 + 0.14 * smoothstep(0.15, 0.3, melanin) * (1 - dark)
    columns["eyelid_crease"] = torch.where(low_crease, 0.35 * crease, crease)
    light_iris = 0.75 * (1 - smoothstep(0.08, 0.38, melanin))
    columns["iris_lightness"] = torch.where(
        rng("iris?") < light_iris, rng("iris", 0.35, 1.0), rng("brown iris", 0.0, 0.22)
    )
    freckled = 0.30 * (1 - smoothstep(0.15, 0.4, melanin))
    columns["freckles"] = rng.where("freckles", freckled, lambda: rng("freckles", 0.25, 1.0))
    feminine = masculinity < 0
    columns["lipstick"] = torch.where(feminine, rng.where("lipstick", 0.55, lambda: rng("lipstick", 0.15, 1.0)), 0.0)
    columns["makeup"] = torch.where(feminine, rng("makeup", 0.15, 1.0), 0.0)


def _draw_marks(columns: Columns, rng: _NamedRng) -> None:
    """Moles and scars of one head in eight: each from one draw, so that latents of training have room for others."""
    for mark, least in (("mole", 0.25), ("scar", 0.35)):
        share = rng(mark) * 8
        columns[mark] = torch.where(share < 1, least + (1 - least) * share, 0.0)


def _draw_hair(columns: Columns, rng: _NamedRng) -> None:
    masculinity, melanin, age = columns["masculinity"], columns["melanin"], columns["age"]
    dark = smoothstep(0.45, 0.8, melanin)[:, None]
    cuts = torch.where(masculinity[:, None] > 0, torch.tensor(_MASCULINE_CUT), torch.tensor(_FEMININE_CUT))
    cuts = cuts * (1 + dark * (torch.tensor(_DARK_SKIN_FACTOR) - 1))
    old = smoothstep(35, 75, age)
    cuts[:, HAIR_STYLES.index("bald")] *= 0.5 + 1.5 * old
    cuts[:, HAIR_STYLES.index("long_straight")] *= 1 - 0.6 * old
    columns["hair_style"] = rng.pick("hair_style", cuts)
    fair = 1 - smoothstep(0.08, 0.40, melanin)
    brown_or_black = 0.72 + 0.28 * rng("dark hair") ** 0.8
    fair_or_brown = 0.02 + 0.75 * rng("fair hair")
    columns["hair_eumelanin"] = torch.where(rng("fair hair?") < 0.62 * fair, fair_or_brown, brown_or_black)
    red_head = rng("red hair?") < 0.08 * fair
    columns["hair_red"] = torch.where(red_head, rng("red hair", 0.55, 1.0), 0.25 * rng("warm hair"))
    columns["hair_eumelanin"] = torch.where(red_head, rng("red depth", 0.15, 0.45), columns["hair_eumelanin"])
    columns["fringe"] = rng.where("fringe", 0.22, lambda: rng("fringe", 0.45, 1.0))
    hair_loss = (masculinity > 0).float() * smoothstep(18, 60, age)
    columns["hairline_recession"] = torch.where(
        masculinity > 0, rng("recession") ** 1.6 * (0.25 + 0.75 * hair_loss), 0.22 * rng("recession") ** 2
    )
    columns["crown_thinning"] = rng.where("thinning", 0.34 * hair_loss, lambda: rng("thinning", 0.3, 1.0))
    columns["hairline_peak"] = rng.where("peak", 0.2, lambda: rng("peak", 0.4, 1.0))


def _draw_beard(columns: Columns, rng: _NamedRng) -> None:
    bearded = (rng("beard?") < 0.52) & (columns["masculinity"] > 0)
    columns["beard_density"] = torch.where(bearded, 0.12 + 0.88 * rng("beard"), 0.0)
    weights = torch.tensor([0.60, 0.20, 0.13, 0.07]).expand(len(bearded), len(BEARD_STYLES))
    columns["beard_style"] = rng.pick("beard_style", weights)


def _draw_expression(columns: Columns, rng: _NamedRng) -> None:
    emotional, shown, intensity = _draw_emotion(rng)
    joyful = emotional & (shown == list(EMOTIONS).index("joy"))
    smiling = torch.where(emotional, joyful, rng("smile?") < 0.60)
    columns["smile"] = torch.where(smiling, 0.3 + 0.7 * rng("smile"), 0.25 * rng("smile") ** 2)
    columns["smile"] = torch.where(emotional, torch.where(joyful, 0.5 + 0.5 * intensity, 0.0), columns["smile"])
    shows_teeth = smiling & (rng("teeth?") < 0.8) & (columns["smile"] > 0.4)
    columns["teeth"] = torch.where(shows_teeth, (0.45 + 0.55 * columns["smile"]) * rng("teeth", 0.8, 1.0), 0.0)
    columns["mouth_open"] = rng.where("open", 0.10, lambda: rng("open", 0.12, 0.7))
    closed = rng("blink?") < 0.012
    opening = 1 + 0.10 * rng.normal("lids")
    columns["eye_opening"] = torch.where(closed, 0.05, opening.clamp(0.65, 1.3))
    _move_action_units(columns, rng, emotional, shown, intensity)


def _draw_emotion(rng: _NamedRng) -> tuple[Tensor, Tensor, Tensor]:
    """(whether three heads in ten show an emotion, which of `EMOTIONS`, how much of it), [N]: of one draw."""
    share = rng("emotion") * (len(EMOTIONS) / 0.30)
    which = share.floor()
    return which < len(EMOTIONS), which, 0.3 + 0.7 * (share - which)


def _move_action_units(columns: Columns, rng: _NamedRng, emotional: Tensor, shown: Tensor, intensity: Tensor) -> None:
    """What an emotion moves, and of one head in four one action unit besides, so that each is learned alone."""
    share = rng("action unit") * (len(ACTION_UNITS) / 0.25)
    for index, name in enumerate(ACTION_UNITS):
        columns[name] = torch.where(share.floor() == index, 0.2 + 0.6 * (share - index), 0.0)
    for index, (emotion, units) in enumerate(EMOTIONS.items()):
        amount = torch.where(emotional & (shown == index), intensity, 0.0)
        for name, value in units.items():
            if name == "eye_opening":
                columns[name] = columns[name] * (1 + amount * (value - 1))
            elif name == "brow_raise":
                columns[name] = columns[name] * (1 - 0.7 * amount) + amount * value
            elif emotion != "joy":
                columns[name] = columns[name] * (1 - amount) + amount * value


def _draw_accessories_and_scene(columns: Columns, rng: _NamedRng) -> None:
    masculinity, age = columns["masculinity"], columns["age"]
    worn = rng("glasses?") < 0.13 + 0.17 * smoothstep(40, 70, age)
    columns["glasses"] = torch.where(worn, torch.where(rng("rim") < 0.5, 1.0, 2.0), 0.0)
    columns["tint"] = rng.where("tint", 0.06, lambda: rng("tint", 0.3, 1.0))
    #                                tee  v    scoop shirt jacket turtleneck
    masculine = torch.tensor([0.36, 0.09, 0.0, 0.30, 0.20, 0.05])
    feminine = torch.tensor([0.20, 0.20, 0.30, 0.10, 0.12, 0.08])
    weights = torch.where(masculinity[:, None] > 0, masculine, feminine)
    assert weights.shape[1] == len(GARMENTS)
    columns["garment"] = rng.pick("garment", weights)
    columns["garment_colourfulness"] = 0.8 * rng("garment colour") ** 1.7
    columns["garment_lightness"] = rng("garment light") ** 1.1
    columns["garment_pattern"] = rng.where("pattern", 0.3, lambda: rng("pattern", 0.3, 1.0))
    columns["light_rim"] = rng("rim light") ** 2
    columns["blur"] = 0.7 * rng("blur") ** 2
    columns["sensor_noise"] = 0.6 * rng("noise") ** 2
    weights = torch.tensor([0.22, 0.2, 0.2, 0.23, 0.15]).expand(len(age), len(BACKDROPS))
    columns["backdrop"] = rng.pick("backdrop", weights)
    columns["backdrop_colourfulness"] = 0.5 * rng("backdrop colour") ** 1.6
