"""Flow control, with a clock and a terminal of the test's own."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from tuiface.terminal.pump import LONG_ROUND_TRIP_S, QUIET_S, FramePump


class Timer:
    def __init__(self, due: float, fire: Callable[[], None]) -> None:
        self.due, self.fire, self.stopped = due, fire, False

    def stop(self) -> None:
        self.stopped = True


class Link:
    """What was sent, read and asked for, in seconds of its own."""

    def __init__(self, *, slow: bool) -> None:
        self.time = 0.0
        self.sent: list[tuple[int, bool]] = []
        self.timers: list[Timer] = []
        self.pump: FramePump[int] = FramePump(
            lambda item, draft: self.sent.append((item, draft)), self.schedule, slow=slow, now=lambda: self.time
        )

    def schedule(self, delay: float, fire: Callable[[], None]) -> Timer:
        self.timers.append(Timer(self.time + delay, fire))
        return self.timers[-1]

    def wait(self, seconds: float) -> None:
        self.time += seconds
        for timer in [t for t in self.timers if t.due <= self.time and not t.stopped]:
            self.timers.remove(timer)
            timer.fire()

    def read(self, elapsed: float) -> None:
        self.wait(elapsed)
        self.pump.acknowledge(elapsed)


def test_a_quick_link_gets_every_picture_in_full() -> None:
    link = Link(slow=False)
    for item in range(3):
        link.pump.offer(item)
        link.read(0.01)
    link.wait(1)
    assert link.sent == [(0, False), (1, False), (2, False)]
    assert link.pump.is_idle


def test_while_one_is_under_way_the_newest_waits_and_older_ones_are_dropped() -> None:
    link = Link(slow=False)
    for item in range(10):
        link.pump.offer(item)
    assert link.sent == [(0, False)]
    link.read(0.01)
    assert link.sent == [(0, False), (9, False)]


def test_a_slow_link_gets_drafts_and_the_last_one_in_full_when_it_is_quiet() -> None:
    link = Link(slow=True)
    link.pump.offer(1)
    link.read(0.05)
    link.pump.offer(2)
    link.read(0.05)
    assert link.sent == [(1, True), (2, True)]
    link.wait(QUIET_S + 0.01)
    assert link.sent[-1] == (2, False)
    link.read(0.3)
    assert link.pump.is_idle


def test_a_link_shows_by_itself_that_it_is_slow_or_quick() -> None:
    link = Link(slow=False)
    link.pump.offer(1)
    link.read(0.5)
    assert link.pump.is_slow
    link.pump.offer(2)
    link.read(0.01)
    link.wait(QUIET_S + 0.01)
    link.read(0.02)
    assert link.sent == [(1, False), (2, True), (2, False)]
    assert not link.pump.is_slow


def test_a_long_round_trip_has_two_under_way() -> None:
    link = Link(slow=True)
    link.pump.offer(0)
    link.read(LONG_ROUND_TRIP_S * 2)
    for item in range(1, 6):
        link.pump.offer(item)
    assert [item for item, _ in link.sent] == [0, 1, 2]


def test_a_picture_that_could_not_be_sent_leaves_room_for_the_next() -> None:
    link = Link(slow=False)
    link.pump.offer(0)
    link.pump.skip()
    link.pump.offer(1)
    assert [item for item, _ in link.sent] == [0, 1]


def test_a_picture_that_could_not_be_sent_lets_the_waiting_one_go() -> None:
    link = Link(slow=False)
    link.pump.offer(0)
    link.pump.offer(1)
    link.pump.skip()
    link.read(0.01)
    assert [item for item, _ in link.sent] == [0, 1]
    assert link.pump.is_idle


def test_a_picture_that_its_encoder_gave_up_takes_no_room_for_ever() -> None:
    link = Link(slow=False)
    link.pump.offer(0)
    link.read(LONG_ROUND_TRIP_S * 2)
    for item in range(1, 10):  # two under way; the encoder, busy with other views, gives the older of them up
        link.pump.offer(item)
        if item > 1:
            link.pump.skip_previous()
    for _ in range(2):
        link.read(LONG_ROUND_TRIP_S * 2)
    assert link.sent[-1] == (9, False)
    assert link.pump.is_idle


@given(st.lists(st.tuples(st.booleans(), st.floats(0.001, 0.5)), max_size=60), st.booleans())
def test_the_newest_picture_always_arrives_in_full(steps: list[tuple[bool, float]], slow: bool) -> None:
    """Whatever the order of offers, answers and pauses: no stale picture stays, and none goes backwards."""
    link = Link(slow=slow)
    newest = 0
    link.pump.offer(0)
    for offers, elapsed in steps:
        if offers:
            newest += 1
            link.pump.offer(newest)
        else:
            link.read(elapsed)
    for _ in range(6):
        link.read(0.02)
        link.wait(QUIET_S + 0.01)
    assert link.sent[-1] == (newest, False)
    items = [item for item, _ in link.sent]
    assert items == sorted(items)
