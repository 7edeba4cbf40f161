"""The screen in terminals of all sizes and poverties."""

from __future__ import annotations

import pytest
from textual.events import Resize
from textual.geometry import Size

from tests.tui.conftest import Open
from tuiface.terminal.capabilities import Capabilities


@pytest.mark.parametrize("size", [(80, 24), (160, 50), (100, 30), (64, 16), (40, 12), (300, 80), (45, 70)])
async def test_picture_face_command_and_keys_are_visible(open_app: Open, size: tuple[int, int]) -> None:
    async with open_app(size=size) as tui:
        await tui.press("right")
        await tui.settled()
        text = tui.text()
        assert "▀▀▀▀" in text
        assert "seed" in text
        assert "0.70" in text
        assert "$ tuiface render 1" in text
        assert "? help" in text
        assert "q quit" in text
        assert all(len(line) == size[0] for line in text.splitlines())


async def test_all_keys_fit_into_eighty_columns(open_app: Open) -> None:
    async with open_app() as tui:
        line = next(line for line in tui.text().splitlines() if "q quit" in line)
        assert line.strip() == "←→↑↓ rows  / find  u undo  f lock  G firmer  s save  y copy  ? help  q quit"


async def test_a_tiny_terminal_gets_a_sentence_and_the_session_goes_on(open_app: Open) -> None:
    async with open_app() as tui:
        for size in ((39, 24), (80, 11), (20, 5), (5, 2), (1, 1)):
            await tui.press("right")
            await tui.pilot.resize_terminal(*size)
            await tui.pilot.pause()
            if size[0] >= 20:
                assert "too small" in tui.text(), size
            await tui.press("right")
            await tui.pilot.resize_terminal(80, 24)
            await tui.settled()
            assert "seed     2" in tui.panel(), size
            assert "▀▀▀▀" in tui.text(), size
            await tui.start_over()


async def test_a_storm_of_resizes_ends_in_order(open_app: Open) -> None:
    async with open_app() as tui:
        for width in range(30, 170, 20):
            await tui.pilot.resize_terminal(width, width // 3)
            await tui.press("right")
        await tui.pilot.resize_terminal(80, 24)
        await tui.settled()
        columns, rows = tui.view().fit_picture()
        assert (columns, rows) == tui.view().writer.capabilities.fit_square(*tui.view().content_size)
        assert len(tui.view().strips) == rows


async def test_without_utf8_nothing_but_ascii_is_drawn(open_app: Open) -> None:
    async with open_app(capabilities=Capabilities(unicode=False)) as tui:
        text = tui.text()
        assert text.isascii()
        assert "h/l/k/j rows" in text
        await tui.press("question_mark")
        assert "left h" in tui.text()


async def test_without_graphics_the_picture_is_put_in_numbers(open_app: Open) -> None:
    async with open_app(capabilities=Capabilities(graphics="none")) as tui:
        text = tui.text()
        assert "▀" not in text
        assert "brightness" in text
        assert "left-right symmetry" in text


async def test_no_color_leaves_greys_only(open_app: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with open_app() as tui:
        await tui.settled()
        for strip in tui.app.screen._compositor.render_strips():
            for segment in strip:
                for colour in (segment.style.color, segment.style.bgcolor) if segment.style else ():
                    if colour is not None and colour.triplet is not None:
                        assert len(set(colour.triplet)) == 1


@pytest.mark.parametrize("colours", ["256", "16"])
async def test_few_colours_reach_the_screen_as_palette_numbers(open_app: Open, colours: str) -> None:
    async with open_app(capabilities=Capabilities(colours=colours)) as tui:  # type: ignore[arg-type]
        strips = tui.view().render_lines(tui.view().size.region)
        kinds = {
            segment.style.color.triplet is None
            for strip in strips
            for segment in strip
            if "▀" in segment.text and segment.style and segment.style.color
        }
        assert kinds == {True}


async def test_a_dialog_over_the_picture_leaves_it_whole(open_app: Open) -> None:
    async with open_app() as tui:
        before = tui.text()
        await tui.press("question_mark", "escape", "g", "escape", "ctrl+p")
        await tui.pilot.pause(0.2)
        await tui.press("escape")
        await tui.until(lambda: tui.text() == before)


async def test_a_size_that_is_reported_late_does_not_stay(open_app: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_app() as tui:
        await tui.pilot.resize_terminal(120, 40)
        monkeypatch.setattr("tuiface.app.terminal_size", lambda app: Size(120, 40))
        stale = Size(60, 20)
        tui.app.post_message(Resize(stale, stale))
        await tui.pilot.pause(0.1)
        assert tui.app.screen.size == (120, 40)
