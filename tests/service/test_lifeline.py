"""No engine outlives its parent, whatever either of them is doing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.service.fake_child import BUSY, GATED
from tests.service.processes import eventually, is_gone, open_gate, rendered, socket_of
from tuiface.core.settings import Settings

WITHIN_S = 10.0

StartParent = Callable[[str, int], "subprocess.Popen[str]"]


@pytest.fixture
def start_parent(settings: Settings) -> Iterator[StartParent]:
    """Starts fake_parent.py as the leader of a process group, as a shell starts the foreground job."""
    parents: list[subprocess.Popen[str]] = []

    def start(behaviour: str, seed: int) -> subprocess.Popen[str]:
        arguments = [str(settings.state), behaviour, str(seed)]
        parents.append(
            subprocess.Popen(
                [sys.executable, "-m", "tests.service.fake_parent", *arguments],
                cwd=Path(__file__).parents[2],
                stdout=subprocess.PIPE,
                text=True,
                process_group=0,
            )
        )
        return parents[-1]

    yield start
    for parent in parents:
        parent.kill()
        parent.communicate()


def line(parent: subprocess.Popen[str]) -> str:
    assert parent.stdout is not None
    return parent.stdout.readline().strip()


def assert_gone_with(parent: subprocess.Popen[str], engine: int) -> None:
    socket = socket_of(engine)
    assert not is_gone(engine)
    parent.kill()
    parent.wait()
    eventually(lambda: is_gone(engine) and not socket.exists(), WITHIN_S)
    assert not socket.parent.exists()


def test_an_engine_goes_with_its_parent_in_the_middle_of_a_render(
    start_parent: StartParent, settings: Settings
) -> None:
    parent = start_parent("FakeEngine", BUSY)
    engine = int(line(parent))
    eventually(lambda: rendered(settings))
    assert socket_of(engine).exists()
    assert_gone_with(parent, engine)


def test_an_engine_goes_with_its_parent_while_it_imports(start_parent: StartParent, settings: Settings) -> None:
    parent = start_parent("endless_import", 1)
    engine = int(line(parent))
    eventually((settings.state / "importing").exists)
    assert_gone_with(parent, engine)


def test_an_engine_goes_with_its_parent_before_it_has_done_anything(start_parent: StartParent) -> None:
    parent = start_parent("FakeEngine", GATED)
    assert_gone_with(parent, int(line(parent)))


def test_ctrl_c_is_left_to_the_parent_to_decide_about(start_parent: StartParent, settings: Settings) -> None:
    parent = start_parent("FakeEngine", GATED)
    engine = int(line(parent))
    eventually(lambda: rendered(settings))
    os.killpg(parent.pid, signal.SIGINT)
    assert line(parent) == "interrupted"
    assert os.getpgid(engine) != parent.pid  # the signal went to the whole group; uvicorn would stop, but not at once
    assert not is_gone(engine)
    open_gate(settings)
    assert line(parent) == "rendered"
    assert parent.wait() == 0
    eventually(lambda: is_gone(engine), WITHIN_S)
