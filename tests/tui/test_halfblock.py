"""Pixels become cells exactly, and pictures keep their light."""

from __future__ import annotations

import numpy as np
import pytest
from rich.color import Color
from rich.segment import Segment

from tuiface.terminal.capabilities import Capabilities
from tuiface.terminal.halfblock import draw, resample, to_cells, to_strips
from tuiface.terminal.palette import palette_256, quantise, to_oklab

TRUECOLOR = Capabilities()


def random_pixels(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.RandomState(seed).randint(0, 256, (height, width, 3)).astype(np.uint8)


def decode(segment: Segment) -> list[tuple[int, ...]]:
    """Colours of a cell from top to bottom."""
    assert segment.style is not None
    colours = [segment.style.color] * (segment.text[0] == "▀") + [segment.style.bgcolor]
    return [tuple(colour.get_truecolor()) for colour in colours if colour is not None]


def decoded_pixels(pixels: np.ndarray, columns: int, rows: int, capabilities: Capabilities) -> np.ndarray:
    per_cell = capabilities.pixels_per_cell
    out = np.zeros((rows * per_cell, columns, 3), np.uint8)
    for y, strip in enumerate(draw(pixels, columns, rows, capabilities)):
        x = 0
        for segment in strip:
            for _ in segment.text:
                out[y * per_cell : (y + 1) * per_cell, x] = decode(segment)
                x += 1
        assert x == columns == strip.cell_length
    return out


@pytest.mark.parametrize(("columns", "rows"), [(1, 1), (2, 1), (7, 5), (80, 40)])
@pytest.mark.parametrize("unicode", [True, False])
def test_every_pixel_is_one_half_of_one_cell(columns: int, rows: int, unicode: bool) -> None:
    capabilities = Capabilities(unicode=unicode)
    pixels = random_pixels(rows * capabilities.pixels_per_cell, columns)
    np.testing.assert_array_equal(decoded_pixels(pixels, columns, rows, capabilities), pixels)


def test_equal_neighbours_share_a_segment() -> None:
    pixels = np.zeros((2, 10, 3), np.uint8)
    pixels[:, 4:] = 200
    [strip] = draw(pixels, 10, 1, TRUECOLOR)
    assert [segment.text for segment in strip] == ["▀" * 4, "▀" * 6]


def test_a_pixel_that_differs_in_its_lower_half_starts_a_new_segment() -> None:
    pixels = np.zeros((2, 3, 3), np.uint8)
    pixels[1, 1, 2] = 1
    [strip] = draw(pixels, 3, 1, TRUECOLOR)
    assert [len(segment.text) for segment in strip] == [1, 1, 1]


@pytest.mark.parametrize("size", [(9, 13), (64, 64), (200, 31)])
@pytest.mark.parametrize("value", [0, 1, 17, 128, 254, 255])
def test_resampling_keeps_a_flat_colour_exactly(size: tuple[int, int], value: int) -> None:
    flat = np.full((*size, 3), value, np.uint8)
    assert np.unique(resample(flat, 40, 33)).tolist() == [value]


def test_resampling_averages_light_and_not_numbers() -> None:
    board = np.indices((64, 64)).sum(axis=0) % 2 * 255
    pixels = np.repeat(board[..., None], 3, axis=2).astype(np.uint8)
    middle = resample(pixels, 16, 16)[4:12, 4:12]
    assert 186 <= middle.mean() <= 190  # half the light of white; half its number would be 128


@pytest.mark.parametrize(("source", "target"), [(64, 20), (20, 64)])
def test_resampling_commutes_with_mirroring(source: int, target: int) -> None:
    pixels = random_pixels(source, source)
    mirrored = resample(pixels[:, ::-1], target, target)[:, ::-1].astype(int)
    assert np.abs(mirrored - resample(pixels, target, target)).max() <= 1


def test_a_smaller_picture_keeps_its_mean_light() -> None:
    ramp = np.linspace(0, 255, 128).astype(np.uint8)
    pixels = np.broadcast_to(ramp[None, :, None], (128, 128, 3))
    light = (np.asarray([pixels, np.kron(resample(pixels, 32, 32), np.ones((4, 4, 1)))]) / 255) ** 2.2
    assert light[0].mean() == pytest.approx(light[1].mean(), rel=0.01)


# --- few colours -------------------------------------------------------------------------------------------------

PALETTE = np.array([Color.from_ansi(number).get_truecolor() for number in range(256)])


@pytest.mark.parametrize("level", [0, 95, 135, 175, 215, 255])
def test_a_colour_of_the_cube_is_drawn_without_dither(level: int) -> None:
    pixels = np.broadcast_to(np.array([255, level, 0], np.uint8), (8, 8, 3))
    shown = PALETTE[quantise(pixels, "256")[..., 0]]
    np.testing.assert_array_equal(shown, pixels)


def test_the_palette_is_the_one_that_terminals_have() -> None:
    np.testing.assert_array_equal(palette_256(), PALETTE[16:])


@pytest.mark.parametrize("width", [16, 40, 90])
@pytest.mark.parametrize("skin", [(236, 188, 160), (200, 150, 120), (150, 100, 75), (110, 70, 50)])
def test_the_mean_of_what_is_drawn_is_nearer_than_the_nearest_colour(skin: tuple[int, int, int], width: int) -> None:
    pixels = np.broadcast_to(np.array(skin, np.uint8), (64, width, 3))
    wanted, own = to_oklab(np.array(skin)), to_oklab(PALETTE[16:])
    shown = to_oklab(PALETTE[quantise(pixels, "256")[..., 0]]).mean(axis=(0, 1))
    nearest = np.linalg.norm(own - wanted, axis=1).min()
    assert np.linalg.norm(shown - wanted) < nearest
    # Of lightness alone, by which features are seen, hardly anything is lost.
    assert abs(shown[0] - wanted[0]) < 0.035


@pytest.mark.parametrize("colour", [(60, 60, 60), (120, 124, 118), (230, 230, 228), (30, 36, 33)])
def test_what_is_nearly_grey_has_no_dots_of_other_hues(colour: tuple[int, int, int]) -> None:
    shown = PALETTE[quantise(np.broadcast_to(np.array(colour, np.uint8), (32, 32, 3)), "256")[..., 0]]
    assert np.ptp(shown, axis=-1).max() == 0
    assert np.ptp(shown[..., 0].astype(int)) <= 10


def test_a_flat_picture_looks_the_same_at_its_left_edge() -> None:
    shown = PALETTE[quantise(np.full((40, 60, 3), (52, 50, 47), np.uint8), "16")[..., 0]]
    assert abs(shown[:, :6].mean() - shown[:, 27:33].mean()) < 25


def test_sixteen_colours_are_greys_that_grow_with_the_light() -> None:
    ramp = np.broadcast_to(np.arange(256, dtype=np.uint8)[None, :, None], (64, 256, 3))
    numbers = quantise(ramp, "16")[..., 0]
    assert set(np.unique(numbers)) == {0, 8, 7, 15}
    levels = np.select([numbers == n for n in (0, 8, 7, 15)], [0, 127, 229, 255])
    means = levels.mean(axis=0).reshape(16, 16).mean(axis=1)
    assert (np.diff(means) >= 0).all()
    assert len(np.unique(means.round())) > 8


@pytest.mark.parametrize("colours", ["256", "16"])
@pytest.mark.parametrize("unicode", [True, False])
def test_palette_cells_name_palette_colours(colours: str, unicode: bool) -> None:
    capabilities = Capabilities(colours=colours, unicode=unicode)  # type: ignore[arg-type]
    cells = to_cells(random_pixels(20, 30), 12, 5, capabilities)
    assert cells.shape == (5, 12, capabilities.pixels_per_cell, 1)
    for row, strip in zip(cells, to_strips(cells), strict=True):
        numbers = []
        for segment in strip:
            assert segment.style is not None
            assert segment.style.bgcolor is not None
            numbers += [segment.style.bgcolor.number] * len(segment.text)
        assert numbers == row[:, -1, 0].tolist()
