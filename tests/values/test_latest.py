"""Latest wins: a slot for the newest item, between threads and event loops."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from tuiface.core.latest import Latest

PATIENCE_S = 30


def test_the_newest_item_is_taken_once() -> None:
    slot: Latest[int] = Latest()
    assert slot.is_empty
    assert slot.take() is None
    for n in range(5):
        slot.put(n)
    assert not slot.is_empty
    assert slot.take() == 4
    assert slot.is_empty


def test_each_sender_has_a_place_and_keeps_it() -> None:
    slot: Latest[str] = Latest()
    for sender, item in (("a", "a1"), ("b", "b1"), ("a", "a2")):
        slot.put(item, sender)
    assert [slot.take(), slot.take(), slot.take()] == ["a2", "b1", None]


def test_a_thread_waits_for_an_item_and_for_the_end() -> None:
    slot: Latest[int] = Latest()
    with ThreadPoolExecutor(1) as pool:
        for n in range(200):
            waiting = pool.submit(slot.wait)
            slot.put(n)
            assert waiting.result(PATIENCE_S) == n
        waiting = pool.submit(slot.wait)
        slot.close()
        assert waiting.result(PATIENCE_S) is None


def test_closing_drops_what_waits_and_what_comes() -> None:
    slot: Latest[int] = Latest()
    slot.put(1)
    slot.close()
    slot.put(2)
    assert slot.is_empty
    assert slot.wait() is None


async def test_an_event_loop_waits_until_an_item_waits_and_again_after_taking() -> None:
    slot: Latest[int] = Latest()
    waiting = asyncio.ensure_future(slot.filled())
    await asyncio.sleep(0)
    assert not waiting.done()
    slot.put(1)
    assert await waiting
    assert await slot.filled(), "the item waits still"
    assert slot.take() == 1
    waiting = asyncio.ensure_future(slot.filled())
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()


async def test_other_threads_wake_an_event_loop() -> None:
    slot: Latest[int] = Latest()

    def put_and_close() -> None:
        slot.put(1)
        assert taken.wait(PATIENCE_S)
        slot.close()

    taken = threading.Event()
    other = asyncio.get_running_loop().run_in_executor(None, put_and_close)
    assert await slot.filled()
    assert slot.take() == 1
    taken.set()
    assert not await slot.filled()
    await other
    slot.put(2)


def test_whoever_watches_is_woken_inside_the_block_alone() -> None:
    slot: Latest[int] = Latest()
    woken: list[int] = []
    slot.put(0)
    with slot.waking(lambda: woken.append(len(woken))):
        assert woken == [0], "an item waits already"
        slot.put(1)
        slot.put(2)
        assert len(woken) == 3
        slot.close()
        assert len(woken) == 4
    slot.put(3)
    slot.close()
    assert len(woken) == 4
