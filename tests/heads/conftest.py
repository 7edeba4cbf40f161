"""Rendering small heads on one thread: more only wait for each other."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess

import pytest

from tuiface.heads import dataset


@pytest.fixture(autouse=True, scope="session")
def quiet(one_thread: None) -> None:
    """All of these tests compute on one thread."""


class WarmProcess(ForkServerProcess):
    """A copy of one process that has loaded torch."""

    def wait(self) -> int | None:
        self.join()
        return self.exitcode


@pytest.fixture
def warm_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that need not load torch: where what becomes of them is tested, not how they start."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([dataset.__name__])

    def connect(function: Callable[..., object], *arguments: object) -> tuple[WarmProcess, Connection]:
        answers, answer = context.Pipe(duplex=False)
        process = WarmProcess(target=function, args=(answer, *arguments))
        process.start()
        answer.close()
        return process, answers

    monkeypatch.setattr(dataset, "connect_worker", connect)
