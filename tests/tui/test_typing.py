"""Keys that come together, as they do over a slow link, do what they do one by one."""

from __future__ import annotations

import pytest
from textual.events import Key

from tests.tui.conftest import Open, Running

NAMES = {"/": "slash", "\r": "enter"}


def type_at_once(tui: Running, *keys: str) -> None:
    for key in keys:
        tui.app.post_message(Key(NAMES.get(key, key), key))


@pytest.mark.parametrize("keys", ["/psi\r", "/noi\r", "g42\r"])
async def test_a_line_takes_what_was_typed_while_it_opened(open_app: Open, keys: str) -> None:
    async with open_app() as tui:
        before = tui.app.state.face.control_key, tui.recipe
        for key in keys:
            await tui.press(NAMES.get(key, key))
        wanted = tui.app.state.face.control_key, tui.recipe
        assert wanted != before
        # Ended: a session that broke off would be offered to the next one, which asks before it takes keys.
        await tui.press("q")
    async with open_app() as tui:
        type_at_once(tui, *keys)
        await tui.until(lambda: (tui.app.state.face.control_key, tui.recipe) == wanted)
        assert tui.app.screen is tui.screen
