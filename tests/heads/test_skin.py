"""Skin: its colours beside the Monk scale's, its relief, and where its pigments lie."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tests.heads.test_render import area, plain
from tuiface.core.regions import Region
from tuiface.heads import HeadParameters, concatenate, render_heads
from tuiface.heads.geometry.chart import build_chart
from tuiface.heads.geometry.surface import Surface
from tuiface.heads.sampling.look import resolve_look
from tuiface.heads.sampling.rng import NOISE_TILE, noise_tile
from tuiface.heads.shading.skin import add_complexion, add_pores, skin_colour

MONK = ("f6ede4", "f3e7db", "f7ead0", "eadaba", "d7bd96", "a07e56", "825c43", "604134", "3a312a", "292420")


def linear(tones: tuple[str, ...]) -> Tensor:
    """Linear RGB [K, 3] of hexadecimal sRGB."""
    levels = torch.tensor([[int(tone[i : i + 2], 16) / 255 for i in (0, 2, 4)] for tone in tones])
    return ((levels + 0.055) / 1.055) ** 2.4


def surface_of(parameters: HeadParameters, resolution: int = 128) -> Surface:
    """A featureless head with its relief and pigments."""
    look = resolve_look(parameters)
    surface = Surface.bare(build_chart(resolution, look.device), look)
    add_pores(surface, look)
    add_complexion(surface, look)
    return surface


def test_the_pigments_run_through_the_monk_tones_in_order() -> None:
    """Tones 5 to 9 in colour; the lightest, which are lit paper, and the tenth, nearly black, in their order alone."""
    ramp = skin_colour(torch.linspace(0.02, 1, 197)[:, None, None], torch.full((197, 1, 1), 0.2))[:, :, 0, 0]
    away = (ramp[:, None].log() - linear(MONK)[None].log()).abs().amax(2)
    assert (away.amin(0)[4:9] < 0.30).all(), away.amin(0)
    assert (away.argmin(0).diff() >= 0).all(), away.argmin(0)
    assert (away.argmin(0)[3:9].diff() > 0).all(), away.argmin(0)
    assert (ramp.diff(dim=0) < 0).all()


def test_no_skin_is_washed_out_or_pitch_black_at_the_ends_of_the_range() -> None:
    heads = render_heads(concatenate([plain(melanin=m, mole=0, scar=0) for m in (0.0, 1.0)]), 128)
    skin = heads.regions == int(Region.SKIN)
    light, dark = (heads.pixels[i][skin[i]].float() for i in (0, 1))
    assert (light.amin(1) > 250).float().mean() < 0.01, "highlights burn out"
    assert (light[:, 0] - light[:, 2]).mean() > 15, "skin is warm"
    assert dark.mean() > 30
    eyes = heads.pixels[1][heads.regions[1] == int(Region.EYES)].float().mean(1)
    assert eyes.quantile(0.5) < 120, "eyes do not glow"


def test_light_irises_do_not_glow_in_dark_faces() -> None:
    looks = resolve_look(concatenate([plain(melanin=m, iris_lightness=1) for m in (0.1, 0.4, 0.9)]))
    light, middle, dark = looks.column("iris_lightness").tolist()
    assert light == middle == 1
    assert dark < 0.2


def test_relief_is_coarser_on_the_nose_than_on_the_lids_and_with_age() -> None:
    young, old = surface_of(plain(age=20)), surface_of(plain(age=75))
    w = young.chart.whole

    def roughness(surface: Surface, x: float, y: float) -> float:
        outward = surface.outward[:, None]
        fine = (outward - F.avg_pool2d(outward, 5, 1, 2))[:, 0]
        near = ((w.a - x).abs() < 0.06) & ((w.y - y).abs() < 0.04) & (w.z > 0)
        return float(fine[near].std())

    assert roughness(young, 0.05, -0.36) > 1.3 * roughness(young, 0.32, 0.0)
    assert roughness(old, 0.45, -0.30) > 1.3 * roughness(young, 0.45, -0.30)


def test_grain_shows_in_a_picture_as_it_does_on_a_drawing_of_noise() -> None:
    """Fine detail of a young cheek stands out of a blurred copy at 256 px, and neighbours differ as in noise."""
    heads = render_heads(plain(age=25, mole=0, scar=0, sensor_noise=0), 256).pixels.float().mean(3)
    cheek = heads[:, 132:150, 82:104]
    fine = cheek - F.avg_pool2d(cheek[:, None], 5, 1, 2)[:, 0]
    inner = fine[:, 3:-3, 3:-3]
    assert inner.std() > 0.8
    neighbours = (inner[:, :, 1:] * inner[:, :, :-1]).mean() / inner.square().mean()
    assert neighbours < 0.8, "grain, not a gradient"


def test_cheeks_and_nose_are_redder_than_the_forehead() -> None:
    surface = surface_of(plain(makeup=0))
    w = surface.chart.whole

    def blood(x: float, y: float) -> float:
        near = ((w.a - x) ** 2 + (w.y - y) ** 2 < 0.06**2) & (w.z > 0)
        return float(surface.blood[near].mean())

    assert blood(0.43, -0.30) > blood(0.05, 0.45) + 0.1
    assert blood(0.0, -0.36) > blood(0.05, 0.45) + 0.1


def test_freckles_are_many_small_dark_spots() -> None:
    bare, freckled = (surface_of(plain(freckles=f), 256) for f in (0.0, 1.0))
    darker = (freckled.melanin - bare.melanin)[0] > 0.04
    w = bare.chart.whole
    under_eyes = ((w.a < 0.45) & ((w.y + 0.17).abs() < 0.12) & (w.z > 0))[0]
    assert 0.015 < darker[under_eyes].float().mean() < 0.25
    assert not darker[w.y[0] < -0.9].any()
    # Small: hardly anything is left where five texels in a row have to be dark.
    shrunk = -F.max_pool2d(-darker[None, None].float(), 5, 1, 2)
    assert shrunk.mean() < 0.1 * darker.float().mean()


def test_tiles_of_spots_have_the_spots_that_a_drawing_has() -> None:
    for kind, share in (("freckles", (0.03, 0.12)), ("moles", (0.002, 0.02))):
        tile = noise_tile(kind, torch.device("cpu"))
        assert tile.shape == (NOISE_TILE, NOISE_TILE)
        assert tile.min() >= 0
        assert tile.max() < 1
        assert share[0] < (tile > 0.3).float().mean() < share[1]


def test_lips_have_a_border_and_lines_across() -> None:
    heads = render_heads(plain(age=30, lipstick=0, mole=0, scar=0), 256)
    mouth = heads.regions[0] == int(Region.MOUTH)
    levels = heads.pixels[0].float()
    redness = levels[:, :, 0] - levels[:, :, 1]
    ring = F.max_pool2d(mouth[None, None].float(), 9, 1, 4)[0, 0].bool() & ~mouth
    assert redness[mouth].mean() > redness[ring].mean() + 8
    assert int(area(heads, Region.MOUTH)) > 400
