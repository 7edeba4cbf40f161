"""Encoders bound to decoders: what is sent is what was meant."""

from __future__ import annotations

import numpy as np
import pytest
from rich.segment import Segment

from tests.tui.test_halfblock import random_pixels
from tuiface.benchmarks.terminal import Screen, decode_sixel
from tuiface.terminal import halfblock, kitty, mosaic, sixel
from tuiface.terminal.capabilities import Capabilities, Mosaic
from tuiface.terminal.encoding import encode
from tuiface.terminal.kitty import DIACRITICS

ROWS = {"quadrant": 2, "sextant": 3}


def decoded(cells: np.ndarray, kind: Mosaic) -> np.ndarray:
    """uint8 [R r, C 2, 3]: the pixels that the glyphs draw."""
    rows, columns, _ = cells.shape
    bits = np.arange(2 * ROWS[kind])
    ink = (cells[..., 6:] >> bits & 1).reshape(rows, columns, ROWS[kind], 2, 1)
    pixels = np.where(ink, cells[:, :, None, None, 0:3], cells[:, :, None, None, 3:6])
    return pixels.swapaxes(1, 2).reshape(rows * ROWS[kind], columns * 2, 3).astype(np.uint8)


@pytest.mark.parametrize("kind", ["quadrant", "sextant"])
def test_cells_of_two_colours_are_drawn_exactly(kind: Mosaic) -> None:
    rng = np.random.RandomState(0)
    rows, columns = 5, 7
    two = rng.randint(0, 256, (rows, columns, 2, 3))
    which = rng.randint(0, 2, (rows, columns, 2 * ROWS[kind]))
    parts = np.take_along_axis(two, which[..., None], axis=2)
    pixels = parts.reshape(rows, columns, ROWS[kind], 2, 3).swapaxes(1, 2).reshape(rows * ROWS[kind], columns * 2, 3)
    cells = mosaic.to_cells(pixels.astype(np.uint8), columns, rows, kind)
    np.testing.assert_array_equal(decoded(cells, kind), pixels)


def test_quadrants_are_never_worse_than_half_blocks() -> None:
    """Squared error against the 2x2 pixels that both are asked for."""
    pixels = random_pixels(20, 30)
    half = halfblock.to_cells(pixels, 15, 10, Capabilities())  # [10, 15, 2, 3]
    halves = np.repeat(half.swapaxes(1, 2).reshape(20, 15, 3), 2, axis=1)
    quarters = decoded(mosaic.to_cells(pixels, 15, 10, "quadrant"), "quadrant")
    errors = [((shown - pixels.astype(float)) ** 2).mean() for shown in (quarters, halves)]
    assert errors[0] < 0.8 * errors[1]


@pytest.mark.parametrize("kind", ["quadrant", "sextant"])
def test_a_flat_picture_is_plain_spaces(kind: Mosaic) -> None:
    strips = mosaic.to_strips(mosaic.to_cells(np.full((32, 32, 3), 77, np.uint8), 8, 4, kind), kind)
    assert [strip.text for strip in strips] == [" " * 8] * 4
    assert all(len(list(strip)) == 1 for strip in strips)


def test_glyphs_are_in_the_order_of_their_pixels() -> None:
    sextants = mosaic._grid("sextant").glyphs
    assert len(set(sextants)) == 64
    assert sextants[1] == "\U0001fb00"  # BLOCK SEXTANT-1
    assert sextants[62] == "\U0001fb3b"  # BLOCK SEXTANT-23456
    assert mosaic.QUADRANTS[0b0011] == halfblock.UPPER_HALF
    assert len(set(mosaic.QUADRANTS)) == 16


@pytest.mark.parametrize("shape", [(6, 1), (6, 6), (12, 7), (60, 31), (96, 128)])
def test_a_sixel_decodes_to_its_own_palette(shape: tuple[int, int]) -> None:
    pixels = random_pixels(*shape)
    text = sixel.encode(pixels, 16)
    assert text.startswith("\x1bP")
    assert text.endswith("\x1b\\")
    shown = decode_sixel(text.removesuffix("\x1b\\").partition("q")[2])
    numbers, palette = sixel.quantise(pixels, 16)
    expected = palette[numbers].astype(int)
    assert np.abs(shown.astype(int) - expected).max() <= 2  # a colour is written in hundredths


def test_kitty_numbers_use_all_three_bytes_and_do_not_repeat() -> None:
    numbers = [kitty.new_id() for _ in range(500)]
    assert len(set(numbers)) == 500
    assert all(number >> shift & 255 for number in numbers for shift in (0, 8, 16))


@pytest.mark.parametrize("size", [(1, 1), (40, 20), (kitty.MAX_CELLS, 2)])
def test_placeholders_name_their_row_and_column(size: tuple[int, int]) -> None:
    columns, rows = size
    screen = Screen()
    for y, strip in enumerate(kitty.placeholder_strips(0x010203, columns, rows)):
        assert strip.cell_length == columns
        [segment] = list(strip)
        assert isinstance(segment, Segment)
        assert segment.style is not None
        screen.feed(f"\x1b[{y + 1};1H\x1b[{segment.style._ansi}m{segment.text}")
    expected = {(y, x): (0x010203, y, x) for y in range(rows) for x in range(columns)}
    assert screen.placeholders() == expected


def test_the_table_of_diacritics_is_the_protocols() -> None:
    assert len(DIACRITICS) == len(set(DIACRITICS)) == 297
    assert (DIACRITICS[0], DIACRITICS[-1]) == ("\u0305", "\U0001d244")


@pytest.mark.parametrize("graphics", ["kitty", "sixel", "block"])
def test_a_draft_is_a_fraction_of_the_bytes(graphics: str) -> None:
    rng = np.random.RandomState(0)
    smooth = halfblock.resample(rng.randint(0, 256, (32, 32, 3)).astype(np.uint8), 512, 512)
    noisy = (smooth.astype(int) + rng.randint(-6, 7, smooth.shape)).clip(0, 255).astype(np.uint8)
    capabilities = Capabilities(graphics=graphics, cell_px=(8, 16))  # type: ignore[arg-type]

    def size(*, draft: bool) -> int:
        encoded = encode(noisy, 60, 30, capabilities, draft=draft)
        assert encoded.is_draft is draft
        if encoded.cells is not None:
            return int((np.diff(encoded.cells.reshape(30, 60, -1), axis=1) != 0).any(axis=-1).sum())
        return len(encoded.data) + len(encoded.text)

    assert size(draft=True) < 0.7 * size(draft=False)


def test_coarse_levels_make_neighbours_alike_and_stay_near() -> None:
    levels = np.arange(256, dtype=np.uint8)
    coarse = halfblock.coarsen(levels, 16)
    assert len(np.unique(coarse)) == 16
    assert np.abs(coarse.astype(int) - levels).max() <= 8
    assert halfblock.coarsen(levels, 1) is levels


def test_a_small_picture_is_sent_at_its_own_size() -> None:
    encoded = encode(random_pixels(32, 32), 60, 30, Capabilities(graphics="kitty"), draft=True)
    assert not encoded.is_draft


@pytest.mark.parametrize("graphics", ["kitty", "sixel", "block"])
@pytest.mark.parametrize("size", [(1, 1), (2, 1), (3, 2)])
def test_the_smallest_places_take_a_picture(graphics: str, size: tuple[int, int]) -> None:
    capabilities = Capabilities(graphics=graphics, cell_px=(8, 16), mosaic="quadrant")  # type: ignore[arg-type]
    for draft in (False, True):
        encoded = encode(random_pixels(64, 64), *size, capabilities, draft=draft)
        assert (encoded.columns, encoded.rows) == size
