"""The nearest of few colours, in a space where distance is what the eye sees (OKLab, Ottosson 2020).

The cube of the 256-colour palette has five dark colours near skin, 40 apart or more. By themselves they draw a face as
grey and purple islands, and a dither of each channel in sRGB as a checkerboard of pure reds and greens. So the error of
the nearest colour is passed on (Floyd and Steinberg 1976), but only where that looked better, on faces of all skins
beside their 24-bit pictures:
- what is nearly grey is drawn in greys, which are four times finer than the cube, without dots of other hues;
- each colour is first moved a part of the way to its nearest one, the more the smaller the picture: fewer dots;
- hue weighs less than lightness, since features are drawn by light.

pixels uint8 [H, W, 3] -> `quantise` uint8 [H, W, 1]. Shape legend: P colours of a palette.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

    from tuiface.terminal.capabilities import Colours

FIRST_NUMBER = 16
"""Of the colours that no theme changes: the 6 x 6 x 6 cube, then 24 greys."""
_CUBE_LEVELS = (0, 95, 135, 175, 215, 255)
_GREY_LEVELS = range(8, 239, 10)
#: Black, dark grey, light grey and white of the first 16 colours: the other twelve are pure ones, which no face has.
_SIXTEEN = np.array([0, 8, 7, 15], np.uint8)
_SIXTEEN_LEVELS = (0, 127, 229, 255)
_CONTRAST, _MIDDLE = 1.6, 0.6
"""Of those greys: skin, whose lightness is about the middle, would be one of them. The same for every face."""
_EDGES = 0.8
"""How much of what a pixel differs from its surroundings is added where there are four greys alone (Knuth 1987)."""
_HUE_WEIGHT = 0.6
_NEUTRAL = 0.02
"""Chroma below which a colour is drawn as a grey; above twice as much it keeps its own."""
_TOWARDS_NEAREST = ((30, 0.85), (56, 0.6))
"""By columns, below which so much of the way is gone: the fewer pixels, the larger each dot."""
_TOWARDS_NEAREST_IN_LARGE = 0.35
_BITS = 6
"""Of a channel that the table tells apart."""
_MARGIN = 8
"""Columns in which the diffusion finds its even pattern: Pillow begins each row with no error from the left."""


def quantise(pixels: np.ndarray, colours: Colours) -> np.ndarray:
    """uint8 [H, W, 3] unchanged for truecolor, else numbers of the terminal's palette, uint8 [H, W, 1]."""
    if colours == "truecolor":
        return pixels
    numbers: np.ndarray
    if colours == "16":
        numbers = _SIXTEEN[_diffuse(_sharpened_light(pixels), _greys_image())]
        return numbers[..., None]
    high, middle, low = (pixels[..., channel].astype(np.intp) >> (8 - _BITS) for channel in range(3))
    share = next((share for below, share in _TOWARDS_NEAREST if pixels.shape[1] < below), _TOWARDS_NEAREST_IN_LARGE)
    placed = _table(share)[(high << 2 * _BITS) | (middle << _BITS) | low]  # [H, W, 3]
    numbers = _diffuse(placed, _palette_image()) + np.uint8(FIRST_NUMBER)
    return numbers[..., None]


def palette_256() -> np.ndarray:
    """uint8 [240, 3]: sRGB of the numbers from 16 on."""
    cube = np.stack(np.meshgrid(_CUBE_LEVELS, _CUBE_LEVELS, _CUBE_LEVELS, indexing="ij"), axis=-1).reshape(-1, 3)
    greys = np.repeat(np.array(_GREY_LEVELS)[:, None], 3, axis=1)
    return np.concatenate([cube, greys]).astype(np.uint8)


def to_oklab(pixels: np.ndarray) -> np.ndarray:
    """sRGB [..., 3] in 0 to 255 -> float64 lightness (0 to 1) and two axes of hue."""
    value = np.asarray(pixels) / 255
    light = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    cones = np.cbrt(np.stack([(light * row).sum(axis=-1) for row in _CONES], axis=-1))
    return np.stack([(cones * row).sum(axis=-1) for row in _OPPONENTS], axis=-1)


_CONES = np.array(
    [
        (0.4122214708, 0.5363325363, 0.0514459929),
        (0.2119034982, 0.6806995451, 0.1073969566),
        (0.0883024619, 0.2817188376, 0.6299787005),
    ]
)
_OPPONENTS = np.array(
    [
        (0.2104542553, 0.7936177850, -0.0040720468),
        (1.9779984951, -2.4285922050, 0.4505937099),
        (0.0259040371, 0.7827717662, -0.8086757660),
    ]
)


@cache
def _table(towards_nearest: float) -> np.ndarray:
    """uint8 [2 ** 18, 3]: for each colour, by its bits, what is diffused in its place (`_to_bytes`)."""
    side = 2**_BITS
    levels = (np.arange(side) + 0.5) * 256 / side - 0.5
    colours = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(-1, 3)
    lab = to_oklab(colours)
    chroma = np.hypot(lab[:, 1], lab[:, 2])
    kept = np.clip(chroma / _NEUTRAL - 1, 0, 1)
    lab[:, 1:] *= (kept * kept * (3 - 2 * kept))[:, None]
    own = to_oklab(palette_256())
    even = _hold(_to_bytes(own, 1.0))
    nearest = own[_diffuse(_to_bytes(lab, 1.0)[None], even, dither=False)[0]]
    table = _to_bytes(lab + (nearest - lab) * towards_nearest)
    red, green, blue = (palette_256().astype(int) >> (8 - _BITS)).T
    table[(red * side + green) * side + blue] = _to_bytes(own)  # a colour of the palette is drawn as itself
    return table


def _to_bytes(lab: np.ndarray, hue_weight: float = _HUE_WEIGHT) -> np.ndarray:
    """OKLab as uint8 [..., 3], so scaled that Pillow's distance is the one that is meant."""
    scaled = lab * (255, 255 * hue_weight, 255 * hue_weight) + (0, 128, 128)
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def _sharpened_light(pixels: np.ndarray) -> np.ndarray:
    """Lightness alone, as `_to_bytes`, with its edges raised: four greys have no others for brows and lips."""
    from PIL import Image, ImageFilter

    lab = to_oklab(pixels)
    lab[..., 0] = _MIDDLE + (lab[..., 0] - _MIDDLE) * _CONTRAST
    lab[..., 1:] = 0
    light = _to_bytes(lab)
    around = np.asarray(Image.fromarray(light).filter(ImageFilter.BoxBlur(1))).astype(float)
    light[..., 0] = np.clip(light[..., 0] + _EDGES * (light[..., 0] - around[..., 0]), 0, 255)
    return light


def _diffuse(placed: np.ndarray, palette: Image, *, dither: bool = True) -> np.ndarray:
    """uint8 [H, W, 3] by `_to_bytes` -> uint8 [H, W]: the place in `palette` of each pixel's colour.

    By Pillow, in C: a millisecond for 160 x 100 pixels, where a diffusion in numpy takes ten.
    """
    from PIL import Image

    margin = np.repeat(placed[:, :1], _MARGIN if dither else 0, axis=1)
    image = Image.fromarray(np.concatenate([margin, placed], axis=1))
    how = Image.Dither.FLOYDSTEINBERG if dither else Image.Dither.NONE
    return np.asarray(image.quantize(palette=palette, dither=how))[:, margin.shape[1] :]


@cache
def _palette_image() -> Image:
    return _hold(_to_bytes(to_oklab(palette_256())))


@cache
def _greys_image() -> Image:
    return _hold(_to_bytes(to_oklab(np.repeat(np.array(_SIXTEEN_LEVELS)[:, None], 3, axis=1))))


def _hold(colours: np.ndarray) -> Image:
    """uint8 [P, 3] as what Pillow quantises by."""
    from PIL import Image

    image = Image.new("P", (1, 1))
    image.putpalette(colours.tobytes())
    return image
