"""Eyes that are one pair and mirror the lights that are there; teeth that are single ones."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.heads.test_render import plain
from tuiface.core.regions import Region
from tuiface.heads import HeadParameters, render_heads
from tuiface.heads.geometry.head import Head, build_head
from tuiface.heads.render import chart_of
from tuiface.heads.sampling.look import resolve_look

CHART = chart_of(256, torch.device("cpu"))


def built(parameters: HeadParameters) -> Head:
    return build_head(resolve_look(parameters), CHART)


def eye_masks(head: Head) -> tuple[Tensor, Tensor]:
    """Where the left and the right eye are open, [H, W]."""
    opened = head.part.region[0] == float(Region.EYES)
    return opened & (CHART.whole.x[0] < 0), opened & (CHART.whole.x[0] > 0)


def glint(head: Head, eye: Tensor) -> tuple[float, float]:
    """Middle (x, y) of the brightest of what an eye mirrors, dm, from the middle of the face."""
    light = torch.where(eye, head.part.emission[0], 0.0)
    light = light * (light > 0.6 * light.max())
    x, y = CHART.whole.x[0], CHART.whole.y.expand(1, *light.shape)[0]
    return float((light * x).sum() / light.sum()), float((light * y).sum() / light.sum())


def test_both_irises_have_one_size_and_mirrored_places() -> None:
    head = built(plain(iris_lightness=0.8, melanin=0.1, light_azimuth=0))
    areas, places = [], []
    for eye in eye_masks(head):
        dark = eye & (head.part.albedo[0, 0] < 0.12)
        areas.append(float((CHART.area * dark).sum()))
        places.append(float((CHART.whole.x[0].abs() * dark).sum() / dark.sum()))
    assert areas[0] == pytest.approx(areas[1], rel=0.03)
    assert areas[0] > 0.004
    assert places[0] == pytest.approx(places[1], abs=0.004)


@pytest.mark.parametrize("azimuth", [-50, 0, 50])
def test_both_eyes_mirror_the_light_where_it_is(azimuth: float) -> None:
    head = built(plain(light_azimuth=azimuth, light_elevation=15, light_softness=0.2))
    (left, left_y), (right, right_y) = (glint(head, eye) for eye in eye_masks(head))
    middle = (left + right) / 2
    # The mirror's normal halves the way to the light.
    assert middle == pytest.approx(0.082 * torch.sin(torch.deg2rad(torch.tensor(azimuth / 2))).item(), abs=0.008)
    assert right - left == pytest.approx(2 * 0.315 + 0.014 * float(plain()["eye_spacing"]), abs=0.01)
    assert left_y == pytest.approx(right_y, abs=0.006)


def test_a_higher_light_is_mirrored_higher() -> None:
    low, high = (
        glint(head, eye_masks(head)[0])[1]
        for head in (built(plain(light_elevation=e, light_softness=0.2, eye_opening=1.3)) for e in (0, 35))
    )
    assert high > low + 0.012


@pytest.mark.parametrize("melanin", [0.0, 1.0])
def test_eyes_stay_eyes_at_the_ends_of_the_range_of_skin(melanin: float) -> None:
    """The white is lighter than the iris, and never white paper."""
    heads = render_heads(plain(melanin=melanin, iris_lightness=0.1), 128)
    levels = heads.pixels[0].float().mean(2)[heads.regions[0] == int(Region.EYES)]
    assert levels.quantile(0.9) > levels.quantile(0.15) + 45
    assert levels.quantile(0.8) < 235


def test_teeth_are_separate() -> None:
    """Along a line through the upper incisors it gets darker between each two of them."""
    head = built(plain(smile=1, teeth=1))
    near = (CHART.whole.y[0] - (-0.682)).abs()
    row = int(near[:, CHART.width // 2].argmin())
    x, level = CHART.whole.x[0, row], head.part.albedo[0].mean(0)[row]
    inside = x.abs() < 0.19
    level = level[inside]
    dips = (level[1:-1] < level[:-2]) & (level[1:-1] <= level[2:]) & (level[1:-1] < 0.93 * level.median())
    assert 4 <= int(dips.sum()) <= 7
    assert level.median() > 0.3


def test_an_open_mouth_shows_two_rows_and_the_dark_between_them() -> None:
    head = built(plain(mouth_open=1, smile=0.5, teeth=0.8))
    middle = CHART.width // 2 + 3
    inside = (CHART.whole.y[0, :, middle] < -0.55) & (CHART.whole.y[0, :, middle] > -0.90)
    tooth = head.part.albedo[0, 2, inside, middle] > 0.13
    light = torch.cat([torch.zeros(1, dtype=torch.bool), tooth, torch.zeros(1, dtype=torch.bool)])
    assert int((light[1:] & ~light[:-1]).sum()) >= 2
    assert head.part.albedo[0, :, inside, middle].mean(0).min() < 0.08
