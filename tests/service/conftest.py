from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.service.fake_child import recipe
from tests.service.processes import command, forget_rendered, open_gate
from tuiface.core.settings import Settings
from tuiface.engine_api.protocol import RenderRequest
from tuiface.service.client import ResidentEngine

Start = Callable[[str], ResidentEngine]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """State in tmp_path/state; sockets in folders beside it."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "state").mkdir()
    return Settings(state=tmp_path / "state")


@pytest.fixture
def start(settings: Settings) -> Iterator[Start]:
    """Starts a fake engine with a behaviour; all are closed in the end."""
    engines: list[ResidentEngine] = []

    def start(behaviour: str) -> ResidentEngine:
        engines.append(ResidentEngine.start_private(settings, command=command(behaviour)))
        return engines[-1]

    yield start
    for engine in engines:
        engine.close()


@pytest.fixture
def engine(start: Start) -> ResidentEngine:
    """An engine for this test alone, to kill or to close."""
    return start("FakeEngine")


@pytest.fixture(scope="package")
def shared_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(state=tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="package")
def shared_by_all(shared_settings: Settings) -> Iterator[ResidentEngine]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(shared_settings.state))
        engine = ResidentEngine.start_private(shared_settings, command=command("FakeEngine"))
    yield engine
    engine.close()


@pytest.fixture
def shared(shared_by_all: ResidentEngine, shared_settings: Settings) -> Iterator[ResidentEngine]:
    """An engine for all tests that leave it running: starting one takes half a second.

    They close their streams, so that nothing is rendered any more when the next test looks at what was.
    """
    forget_rendered(shared_settings)
    yield shared_by_all
    open_gate(shared_settings)
    shared_by_all.render(RenderRequest(recipe(1), 4))
