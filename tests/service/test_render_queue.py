from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, wait

import pytest

from tests.service.fake_child import INFO, frame, recipe
from tuiface.core.errors import EngineError
from tuiface.engine_api.protocol import EngineInfo, RenderRequest, RenderResult, Superseded
from tuiface.service.render_queue import Mailbox, RenderQueue

PATIENCE_S = 30


class EndlessEngine:
    """Its pictures end when they are not wanted any more."""

    def __init__(self) -> None:
        self.began = threading.Event()

    def render(self, job: RenderRequest) -> RenderResult:
        raise AssertionError(job)

    def render_while(self, is_wanted: Callable[[], bool], job: RenderRequest) -> RenderResult:
        if job.sequence:
            return frame(job)
        self.began.set()
        while is_wanted():
            time.sleep(0.002)
        raise Superseded


class SteppedEngine:
    """Begins to render when asked and ends when `gate` is open."""

    def __init__(self) -> None:
        self.order: list[int] = []
        self.began = threading.Event()
        self.gate = threading.Event()
        self.threads: set[int] = set()

    def info(self) -> EngineInfo:
        return INFO

    def render(self, job: RenderRequest) -> RenderResult:
        self.threads.add(threading.get_ident())
        self.order.append(job.sequence)
        self.began.set()
        assert self.gate.wait(PATIENCE_S)
        if job.sequence < 0:
            raise EngineError("refused")
        return frame(job)

    def close(self) -> None:
        self.gate.set()


@pytest.fixture
def engine() -> Iterator[SteppedEngine]:
    engine = SteppedEngine()
    yield engine
    engine.close()


def job(sequence: int) -> RenderRequest:
    return RenderRequest(recipe(1), 4, sequence=sequence)


def mailbox(*sequences: int) -> Mailbox:
    mailbox = Mailbox()
    for sequence in sequences:
        mailbox.put(job(sequence))
    return mailbox


def test_saves_are_rendered_in_order_and_none_is_dropped(engine: SteppedEngine) -> None:
    with RenderQueue(engine) as queue:
        futures = [queue.save(job(n)) for n in range(200)]
        engine.gate.set()
        assert [future.result(PATIENCE_S).sequence for future in futures] == list(range(200))
    assert engine.order == list(range(200))


def test_saves_and_previews_alternate(engine: SteppedEngine) -> None:
    with RenderQueue(engine) as queue:
        futures = [queue.enqueue_preview(mailbox(1))]
        assert engine.began.wait(PATIENCE_S)
        futures += [queue.enqueue_preview(mailbox(n)) for n in (2, 3)]
        futures += [queue.save(job(n)) for n in (101, 102, 103)]
        engine.gate.set()
        wait(futures, PATIENCE_S)
    assert engine.order == [1, 101, 2, 102, 3, 103]


def test_a_save_among_saves_alone_is_followed_by_a_waiting_preview(engine: SteppedEngine) -> None:
    with RenderQueue(engine) as queue:
        futures = [queue.save(job(101))]
        assert engine.began.wait(PATIENCE_S)
        futures += [queue.save(job(102)), queue.enqueue_preview(mailbox(1))]
        engine.gate.set()
        wait(futures, PATIENCE_S)
    assert engine.order == [101, 1, 102]


def test_the_newest_job_is_taken_when_its_turn_comes(engine: SteppedEngine) -> None:
    with RenderQueue(engine) as queue:
        queue.save(job(101))
        assert engine.began.wait(PATIENCE_S)
        box = mailbox(1)
        future = queue.enqueue_preview(box)
        for n in range(2, 1000):
            box.put(job(n))
        engine.gate.set()
        assert future.result(PATIENCE_S).sequence == 999
    assert engine.order == [101, 999]
    assert box.sequence == 999


def test_a_long_preview_is_given_up_for_a_newer_one_of_its_client_alone() -> None:
    endless = EndlessEngine()
    with RenderQueue(endless) as queue:
        box, other = mailbox(0), mailbox(1)
        given_up, waiting = queue.enqueue_preview(box), queue.enqueue_preview(other)
        assert endless.began.wait(PATIENCE_S)
        other.put(job(2))
        assert wait([given_up], 0.1).not_done
        box.put(job(3))
        with pytest.raises(Superseded):
            given_up.result(PATIENCE_S)
        assert waiting.result(PATIENCE_S).sequence == 2
        assert queue.enqueue_preview(box).result(PATIENCE_S).sequence == 3


def test_a_save_is_never_given_up() -> None:
    wanted: list[bool] = []

    class Curious(EndlessEngine):
        def render_while(self, is_wanted: Callable[[], bool], job: RenderRequest) -> RenderResult:
            wanted.append(is_wanted())
            return frame(job)

    with RenderQueue(Curious()) as queue:
        assert wait([queue.save(job(0)), queue.save(job(0))], PATIENCE_S).done
    assert wanted == [True, True]


def test_a_preview_nobody_waits_for_any_more_is_not_rendered(engine: SteppedEngine) -> None:
    with RenderQueue(engine) as queue:
        queue.save(job(101))
        assert engine.began.wait(PATIENCE_S)
        left = queue.enqueue_preview(mailbox(1))
        stays = queue.enqueue_preview(mailbox(2))
        left.cancel()
        engine.gate.set()
        stays.result(PATIENCE_S)
    assert engine.order == [101, 2]


def test_a_failure_reaches_its_own_future_alone(engine: SteppedEngine) -> None:
    engine.gate.set()
    with RenderQueue(engine) as queue:
        bad, good = queue.save(job(-1)), queue.save(job(1))
        with pytest.raises(EngineError, match="refused"):
            bad.result(PATIENCE_S)
        assert good.result(PATIENCE_S).sequence == 1


def test_everything_is_rendered_in_one_thread(engine: SteppedEngine) -> None:
    engine.gate.set()
    with RenderQueue(engine) as queue:
        wait([queue.save(job(1)), queue.enqueue_preview(mailbox(2)), queue.save(job(3))], PATIENCE_S)
    assert len(engine.threads) == 1
    assert threading.get_ident() not in engine.threads


def test_leaving_fails_what_waits_and_does_not_wait_for_the_picture_in_progress(engine: SteppedEngine) -> None:
    with RenderQueue(engine) as queue:
        running = queue.save(job(1))
        assert engine.began.wait(PATIENCE_S)
        waiting = queue.save(job(2))
        cancelled = queue.enqueue_preview(mailbox(3))
        cancelled.cancel()
    with pytest.raises(EngineError, match="stopping"):
        waiting.result(PATIENCE_S)
    with pytest.raises(CancelledError):
        cancelled.result(PATIENCE_S)
    with pytest.raises(EngineError, match="stopping"):
        queue.save(job(4))
    assert not running.done()
    engine.gate.set()
    assert running.result(PATIENCE_S).sequence == 1


async def test_a_mailbox_waits_until_it_is_filled_and_is_empty_after_taking() -> None:
    box = Mailbox()
    waiting = asyncio.ensure_future(box.wait_for_job())
    await asyncio.sleep(0)
    assert not waiting.done()
    box.put(job(1))
    await waiting
    assert box.take().sequence == 1
    waiting = asyncio.ensure_future(box.wait_for_job())
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()
