"""Rendered heads: reproducible, aligned as FFHQ, labelled, and moved by their parameters."""

from __future__ import annotations

from functools import lru_cache

import pytest
import torch
from torch import Tensor

from tuiface.core.errors import UsageError
from tuiface.core.regions import Region
from tuiface.heads import HeadBatch, HeadParameters, concatenate, render_heads, sample_parameters
from tuiface.heads.geometry.chart import build_chart
from tuiface.heads.geometry.head import build_head
from tuiface.heads.sampling.emotions import ACTION_UNITS
from tuiface.heads.sampling.look import resolve_look
from tuiface.heads.shading.camera import aim_camera, rotate_about_neck
from tuiface.heads.shading.skin import skin_colour

RESOLUTION = 64

# Mean positions of the five-point template of FFHQ crops (facexlib's 512 px template, in fractions).
FFHQ_EYES, FFHQ_MOUTH = ((0.377, 0.469), (0.623, 0.469)), ((0.393, 0.725), (0.611, 0.725))


def plain(index: int = 0, **changes: float | str) -> HeadParameters:
    """A young face, frontal, evenly lit, on grey, with short hair and nothing on it."""
    base: dict[str, float | str] = {
        "masculinity": 0.0, "age": 30, "melanin": 0.3, "hair_style": "crop", "hair_eumelanin": 0.9, "greying": 0,
        "crown_thinning": 0, "hairline_recession": 0, "hairline_peak": 0, "hairline_height": 0, "beard_density": 0,
        "glasses": "none", "smile": 0, "teeth": 0, "mouth_open": 0, "eye_opening": 1, "yaw": 0, "pitch": 0, "roll": 0,
        "gaze_x": 0, "gaze_y": 0, "light_azimuth": 0, "light_elevation": 25, "light_key": 0.4, "light_warmth": 0,
        "exposure": 0, "blur": 0, "sensor_noise": 0, "backdrop": "plain", "lipstick": 0, "makeup": 0, "freckles": 0,
        "haemoglobin": 0, "brow_raise": 0, "fringe": 0, "asymmetry": 0, **dict.fromkeys(ACTION_UNITS, 0),
    }  # fmt: skip
    return sample_parameters(1, seed=11, start=index).override(**{**base, **changes})


@lru_cache(maxsize=1)
def population() -> HeadBatch:
    """Thirty-two samples, rendered once for all tests."""
    return render_heads(sample_parameters(32, seed=7), RESOLUTION)


def shown(*variants: HeadParameters) -> HeadBatch:
    return render_heads(concatenate(list(variants)), RESOLUTION)


def area(heads: HeadBatch, *regions: Region) -> Tensor:
    """Pixels [N] of some regions."""
    return torch.stack([heads.regions == int(region) for region in regions]).any(0).sum((1, 2))


def centre_x(heads: HeadBatch, region: Region) -> Tensor:
    """Mean column [N] of a region."""
    mask = (heads.regions == int(region)).float()
    columns = torch.arange(mask.shape[2]).float()
    return (mask * columns).sum((1, 2)) / mask.sum((1, 2))


def luminance(heads: HeadBatch, region: Region) -> Tensor:
    """Mean sRGB level [N] of a region."""
    mask = (heads.regions == int(region)).float()
    return (heads.pixels.float().mean(3) * mask).sum((1, 2)) / mask.sum((1, 2)).clamp(min=1)


def test_a_sample_is_the_same_picture_whatever_its_batch() -> None:
    heads = population()
    for index in (0, 3, 17, 30):
        alone = render_heads(heads.parameters.select(slice(index, index + 1)), RESOLUTION)
        assert torch.equal(alone.pixels[0], heads.pixels[index])
        assert torch.equal(alone.regions[0], heads.regions[index])
    backwards = render_heads(heads.parameters.select(torch.arange(4, -1, -1)), RESOLUTION)
    assert torch.equal(backwards.pixels, heads.pixels[:5].flip(0))


def test_shapes_types_and_an_empty_batch() -> None:
    heads = population()
    assert heads.pixels.shape == (32, RESOLUTION, RESOLUTION, 3)
    assert heads.pixels.dtype == heads.regions.dtype == torch.uint8
    assert render_heads(heads.parameters.select(slice(0, 0)), RESOLUTION).pixels.shape[0] == 0


def test_an_unsupported_resolution_names_the_accepted_ones() -> None:
    with pytest.raises(UsageError, match=r"100.*64.*128"):
        render_heads(plain(), 100)


def test_eyes_and_mouth_lie_where_ffhq_has_them() -> None:
    parameters = sample_parameters(24, seed=9)
    look = resolve_look(parameters)
    head = build_head(look, build_chart(RESOLUTION, look.device))
    camera = aim_camera(look, head.landmarks)
    points = camera.project(rotate_about_neck(camera.head_rotation, head.landmarks)).mean(0)
    torch.testing.assert_close(points, torch.tensor([*FFHQ_EYES, *FFHQ_MOUTH]).T, atol=0.013, rtol=0)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_the_drawn_eyes_lie_at_the_projected_ones(index: int) -> None:
    heads = shown(plain(index))
    rows, columns = (heads.regions[0] == int(Region.EYES)).nonzero().float().add(0.5).div(RESOLUTION).unbind(1)
    assert abs(float(rows.mean()) - 0.472) < 0.025
    for side, x in ((columns < 0.5, 0.377), (columns > 0.5, 0.623)):
        assert abs(float(columns[side].mean()) - x) < 0.025


def test_every_pixel_has_a_valid_region_and_every_region_occurs() -> None:
    regions = population().regions
    assert regions.max() <= max(Region)
    missing = set(map(int, Region)) - set(regions.flatten().tolist())
    assert not missing, [Region(m).name for m in missing]


def test_every_face_shows_skin_eyes_nose_and_mouth() -> None:
    heads = population()
    open_eyes = heads.parameters["eye_opening"] > 0.5
    bare_eyes = open_eyes & (heads.parameters["tint"] < 0.5) & (heads.parameters["hair_style"] < 10)
    assert (area(heads, Region.SKIN) > 0.08 * RESOLUTION**2).all()
    assert (area(heads, Region.NOSE) > 20).all()
    assert (area(heads, Region.MOUTH) > 8).all()
    assert (area(heads, Region.EYES)[bare_eyes] > 6).all()


def test_the_map_agrees_with_the_picture() -> None:
    """On a light face with black hair before a light wall the regions must separate by brightness."""
    heads = shown(plain(melanin=0.08, hair_eumelanin=1.0, backdrop_lightness=0.9, backdrop_colourfulness=0))
    hair, skin = luminance(heads, Region.HAIR), luminance(heads, Region.SKIN)
    assert hair < 70 < 120 < skin
    assert luminance(heads, Region.BROWS) < skin - 15
    wall = heads.pixels[0][heads.regions[0] == int(Region.BACKGROUND)].float()
    assert wall.mean() > 120
    assert (wall < 70).all(1).float().mean() < 0.04, "hair outside the hair region"


def test_monk_tones_are_reached() -> None:
    """Luminance of the ten tones (Monk 2019), within what illumination leaves open at the light end."""
    tones = ["d7bd96", "a07e56", "825c43", "604134", "3a312a"]
    srgb = torch.tensor([[int(tone[i : i + 2], 16) / 255 for i in (0, 2, 4)] for tone in tones])
    linear = ((srgb + 0.055) / 1.055) ** 2.4
    ramp = skin_colour(torch.linspace(0, 1, 201)[:, None, None], torch.full((201, 1, 1), 0.2))[:, :, 0, 0]
    distance = (ramp[:, None].log() - linear[None].log()).abs().amax(2).amin(0)
    assert (distance < 0.30).all(), distance


def test_melanin_darkens_skin_monotonically() -> None:
    heads = shown(*(plain(melanin=m) for m in (0.05, 0.25, 0.5, 0.75, 1.0)))
    levels = luminance(heads, Region.SKIN)
    assert (levels.diff() < -6).all(), levels


def test_hairline_height_and_recession_move_the_border_of_the_hair() -> None:
    heights = area(shown(*(plain(hairline_height=h) for h in (-2, 0, 2))), Region.SKIN)
    assert (heights.diff() > 15).all(), heights
    full, receded = area(shown(plain(), plain(hairline_recession=1)), Region.SKIN)
    assert receded > full + 40


def test_a_peak_lowers_the_middle_of_the_hairline() -> None:
    heads = shown(plain(hair_style="buzz"), plain(hair_style="buzz", hairline_peak=1))
    middle = heads.regions[:, : RESOLUTION // 2, RESOLUTION // 2 - 2 : RESOLUTION // 2 + 2] == int(Region.HAIR)
    bare, peaked = middle.sum((1, 2))
    assert peaked > bare + 6


def test_mouth_open_and_teeth_grow_the_mouth() -> None:
    closed, smiling, opened = area(shown(plain(), plain(smile=1, teeth=1), plain(mouth_open=1)), Region.MOUTH)
    assert smiling > 1.25 * closed
    assert opened > 1.4 * closed


def test_yaw_moves_the_nose_sideways() -> None:
    left, middle, right = centre_x(shown(plain(yaw=-25), plain(), plain(yaw=25)), Region.NOSE)
    assert left + 1 < middle < right - 1


def test_eye_opening_moves_the_lids() -> None:
    shut, usual, wide = area(shown(plain(eye_opening=0.05), plain(), plain(eye_opening=1.35)), Region.EYES)
    assert shut < 0.5 * usual < usual < wide


def test_length_style_and_thinning_change_the_area_of_hair() -> None:
    heads = shown(
        plain(hair_style="bald"), plain(crown_thinning=1), plain(),
        plain(hair_style="long_straight", hair_length=0), plain(hair_style="long_straight", hair_length=1),
    )  # fmt: skip
    areas = area(heads, Region.HAIR)
    assert areas[0] < 30
    assert (areas.diff() > 30).all(), areas


def test_no_band_of_hair_stays_between_a_bare_crown_and_the_forehead() -> None:
    dense, thin = (plain(hair_style="crop", crown_thinning=loss, hairline_recession=0) for loss in (0.0, 0.65))
    heads = shown(dense, thin)
    middle = heads.regions[:, :, heads.regions.shape[2] // 2]
    assert (middle == Region.HAIR).any(1).tolist() == [True, False]


def test_a_receding_hairline_takes_no_fringe_and_another_a_whole_one() -> None:
    heads = shown(*(plain(hair_style="bob", hairline_recession=r, fringe=f) for r in (0.0, 0.5) for f in (0.0, 0.8)))
    assert not torch.equal(heads.pixels[0], heads.pixels[1])
    assert torch.equal(heads.pixels[2], heads.pixels[3])


def test_greying_and_age_lighten_dark_hair() -> None:
    young, old, greyed = luminance(shown(plain(), plain(age=80), plain(age=60, greying=2.5)), Region.HAIR)
    assert old > young + 25
    assert greyed > young + 25


def test_beard_and_glasses_have_regions_of_their_own() -> None:
    bearded = shown(plain(), plain(beard_density=0.9, beard_length=0.6, beard_style="full"))
    assert area(bearded, Region.BEARD)[0] == 0
    assert area(bearded, Region.BEARD)[1] > 80
    worn = shown(plain(), plain(glasses="thick", tint=0), plain(glasses="thick", tint=1))
    assert area(worn, Region.GLASSES)[0] == 0
    assert 15 < area(worn, Region.GLASSES)[1] < area(worn, Region.GLASSES)[2]
    assert area(worn, Region.EYES)[1] > 0
    assert area(worn, Region.EYES)[2] == 0


def test_light_from_the_side_brightens_that_side() -> None:
    heads = shown(plain(light_azimuth=-60, light_key=0.9), plain(light_azimuth=60, light_key=0.9))
    skin = (heads.regions == int(Region.SKIN)).float()
    level = heads.pixels.float().mean(3) * skin
    half = RESOLUTION // 2
    left = level[:, :, :half].sum((1, 2)) / skin[:, :, :half].sum((1, 2))
    right = level[:, :, half:].sum((1, 2)) / skin[:, :, half:].sum((1, 2))
    assert left[0] > right[0] + 15
    assert right[1] > left[1] + 15


def test_overriding_a_trait_moves_the_whole_look() -> None:
    """Age greys the hair, moves the skin and leaves the pose; masculinity widens the jaw."""
    look_young, look_old = (resolve_look(plain(age=age)) for age in (20, 80))
    assert float(look_old.column("grey")) > float(look_young.column("grey")) + 0.3
    assert float(look_old.column("lip_fullness")) < float(look_young.column("lip_fullness"))
    assert float(look_old.column("yaw")) == float(look_young.column("yaw"))
    feminine, masculine = (resolve_look(plain(masculinity=m)) for m in (-1, 1))
    assert float(masculine.column("jaw_width")) > float(feminine.column("jaw_width")) + 1


def test_resolutions_show_the_same_head() -> None:
    small, large = render_heads(plain(), 64), render_heads(plain(), 128)
    shrunk = large.pixels.float().view(1, 64, 2, 64, 2, 3).mean((2, 4))
    assert (shrunk - small.pixels.float()).abs().mean() < 8
    assert (large.regions[:, ::2, ::2] == small.regions).float().mean() > 0.90
