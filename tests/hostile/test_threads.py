"""A recorded number of threads that the system does not give: OpenMP would end the process."""

from __future__ import annotations

import threading

import pytest
import torch

from tuiface.core.errors import EngineError
from tuiface.engine.device import use_threads


def test_threads_that_cannot_be_started_are_refused_before_anything_is_computed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before, running = torch.get_num_threads(), threading.active_count()
    start = threading.Thread.start

    def start_a_few(thread: threading.Thread) -> None:
        if threading.active_count() > running + 5:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_a_few)
    with (
        pytest.raises(EngineError, match="40 CPU threads: the system gives this process no more than 7"),
        use_threads(40),
    ):
        pytest.fail("computed all the same")
    assert (torch.get_num_threads(), threading.active_count()) == (before, running)


def test_threads_that_can_be_started_are_used_and_given_back() -> None:
    before, running = torch.get_num_threads(), threading.active_count()
    with use_threads(before + 3):
        assert torch.get_num_threads() == before + 3
    assert (torch.get_num_threads(), threading.active_count()) == (before, running)
