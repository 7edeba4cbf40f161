"""What the interface's tests share: an app with a fake engine, and waiting for what threads do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from textual import app as textual_app
from textual import pilot as textual_pilot
from textual._context import active_app
from textual._styles_cache import StylesCache
from textual.app import App
from textual.css.model import RuleSet
from textual.css.stylesheet import Stylesheet
from textual.css.types import CSSLocation
from textual.pilot import Pilot
from textual.widgets import Label, Static
from textual.widgets._toast import Toast

from tests.tui.fake_engine import FakeEngine
from tuiface.app import TuifaceApp
from tuiface.core.settings import Settings
from tuiface.faces.recipe import Recipe
from tuiface.screens.dialogs.welcome import remember_welcome
from tuiface.screens.face.screen import FaceScreen
from tuiface.screens.face.summary import summarize
from tuiface.screens.widgets.face_panel import FacePanel
from tuiface.screens.widgets.face_view import FaceView
from tuiface.terminal.capabilities import Capabilities

Adjust = Callable[[FakeEngine], object]
DEADLINE_S = 60.0


async def wait_for_quiet(min_sleep: float = 0.0, max_sleep: float = 3.0) -> None:
    """Return as soon as every widget has taken all its messages and what they changed is laid out.

    In place of Textual's own wait, which watches the processor: 20 ms of rest, twice a key, more in a busy process.
    """
    app = active_app.get()
    for _ in range(2):  # what is laid out may send messages once more
        deadline = time.monotonic() + max_sleep
        turns = rests = 0
        while rests < 3 and time.monotonic() < deadline:
            await asyncio.sleep(0 if turns < 50 else 0.002)
            turns, rests = turns + 1, rests + 1 if is_quiet(app) else 0
        app.screen._on_timer_update()


def is_quiet(app: App[object]) -> bool:
    """Every widget waits for its next message, and no resize for its turn: Textual holds it back for some 8 ms."""
    if app._resize_event is not None:
        return False
    events: list[Any] = [pump._message_queue.ready_event for pump in (app, *app._registry) if pump.is_running]
    return all(event._waiters and not event.is_set() for event in events)


PARSED: dict[tuple[object, ...], list[RuleSet]] = {}
"""What Textual read from its style sheets, by all that it depends on: every app of these tests has the same."""

parse_rules = Stylesheet._parse_rules


def parse_rules_once(sheet: Stylesheet, *arguments: str | bool | CSSLocation, **named: str | bool) -> list[RuleSet]:
    key = (*sheet._variables.items(), *arguments, *named.items())
    if key not in PARSED:
        PARSED[key] = parse_rules(sheet, *arguments, **named)  # type: ignore[arg-type]
    return PARSED[key]


@pytest.fixture(autouse=True)
def quick_textual(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An app under test waits for its messages instead of for the processor, and parses no style sheet twice.

    What Textual remembers by widget holds all that the last apps drew, which the collector would look through for ever.
    """
    monkeypatch.setattr(textual_app, "wait_for_idle", wait_for_quiet)
    monkeypatch.setattr(textual_pilot, "wait_for_idle", wait_for_quiet)
    monkeypatch.setattr(Stylesheet, "_parse_rules", parse_rules_once)
    yield
    StylesCache.get_inner_outer.cache_clear()


@dataclass
class Running:
    """An app under test and its engine."""

    app: TuifaceApp
    pilot: Pilot[None]
    engines: list[FakeEngine] = field(default_factory=list)

    @property
    def engine(self) -> FakeEngine:
        return self.engines[0]

    @property
    def recipe(self) -> Recipe:
        studio = self.app.state.studio
        assert studio is not None
        return studio.current.recipe

    @property
    def seed(self) -> int:
        assert self.recipe.source.kind == "seed"
        return self.recipe.source.seed

    @property
    def psi(self) -> float:
        return self.recipe.truncation.psi

    @property
    def screen(self) -> FaceScreen:
        return next(screen for screen in self.app.screen_stack if isinstance(screen, FaceScreen))

    async def press(self, *keys: str) -> None:
        await self.app._press_keys(keys)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for what a thread brings about."""
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                await asyncio.sleep(0.005)
        await wait_for_quiet()

    async def start_over(self) -> None:
        """For another case in the same app: the first face and its first row, as after the start."""
        state = self.app.state
        state.apply(lambda studio: studio.restore(studio.history[0][:1], 0))
        state.face.choose("seed")
        if state.face.may_exceed:
            state.face.toggle_limits()
        await self.settled()

    async def settled(self) -> None:
        """The picture on the screen is the current face's."""
        state = self.app.state
        await self.until(lambda: state.engine.phase == "ready" and not state.preview.is_behind)
        await self.until(lambda: all(view.is_current for view in self.app.screen.query(FaceView)))

    def toasts(self) -> str:
        """All that toasts say."""
        return "\n".join(f"{n.title}: {n.message}" for n in self.app._notifications)

    def shown_toasts(self) -> int:
        return len(self.app.screen.query(Toast))

    def panel(self) -> str:
        """What the side panel says, shown or not, without its wrapping."""
        panel = self.screen.query_one(FacePanel)
        if self.screen.has_class("-narrow"):
            return str(panel.render())
        lines = []
        for section in summarize(self.app.state):
            lines += [section.title] if section.title else []
            lines += [f"{row.label:<9}{row.value}" if row.label else row.value for row in section.rows]
        return "\n".join(lines)

    def command(self) -> str:
        return str(self.screen.query_one("#command", Static).content)

    def command_text(self) -> str:
        """The command line of whichever screen is shown."""
        return str(self.app.screen.query_one("#command", Static).content)

    def status(self) -> str:
        return str(self.screen.query_one("#status", Label).content)

    def view(self) -> FaceView:
        return self.screen.query_one("#face", FaceView)

    def text(self) -> str:
        """The screen's characters, row by row."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip) for strip in strips)


Open = Callable[..., AbstractAsyncContextManager[Running]]


@pytest.fixture
def tui_settings(tmp_path: Path) -> Settings:
    remember_welcome(tmp_path / "state")
    return Settings(
        library=tmp_path / "library", cache=tmp_path / "cache", state=tmp_path / "state", directions=tmp_path / "own"
    )


@pytest.fixture
def open_app(tui_settings: Settings) -> Open:
    """An app that waits for its first picture unless `ready` is False; `adjust` sets the engine up before it starts."""

    @asynccontextmanager
    async def opened(
        adjust: Adjust = lambda engine: None,
        *,
        size: tuple[int, int] = (80, 24),
        capabilities: Capabilities | None = None,
        settings: Settings = tui_settings,
        ready: bool = True,
    ) -> AsyncIterator[Running]:
        engines: list[FakeEngine] = []

        def factory(given: Settings) -> FakeEngine:
            engine = FakeEngine(given)
            adjust(engine)
            engines.append(engine)
            return engine

        app = TuifaceApp(settings, capabilities or Capabilities(), factory)
        async with app.run_test(size=size, notifications=True) as pilot:
            running = Running(app, pilot, engines)
            await running.until(lambda: engines)
            if ready:
                await running.settled()
            yield running

    return opened
