"""What is computed next: by threads that take turns, and by the scheduler's own for a server."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from functools import partial
from itertools import pairwise

import pytest
import torch

from tests.service.fake_child import INFO, FakeEngine, frame, recipe
from tuiface.core.errors import EngineError
from tuiface.core.settings import Settings
from tuiface.engine.renderer import exact_convolutions, remember_convolutions
from tuiface.engine.scheduler import MAX_OWED_S, MAX_PICTURES_BEFORE_WORK, MAX_WAITING, Kind, Scheduler, scheduler_of
from tuiface.engine_api.protocol import EngineInfo, RenderRequest, RenderResult, Superseded
from tuiface.service.previews import PreviewRenderer

PATIENCE_S = 30
ME = 1000
"""A client; most tests have one alone."""


class EndlessEngine(FakeEngine):
    """Its pictures end when they are not wanted any more."""

    def __init__(self) -> None:
        super().__init__(Settings())
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


class SteppedEngine(FakeEngine):
    """Begins to render when asked and ends when `gate` is open."""

    def __init__(self) -> None:
        super().__init__(Settings())
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

    def render_while(self, is_wanted: Callable[[], bool], job: RenderRequest) -> RenderResult:
        return self.render(job)

    def close(self) -> None:
        self.gate.set()


@pytest.fixture
def engine() -> Iterator[SteppedEngine]:
    engine = SteppedEngine()
    yield engine
    engine.close()


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def scheduler(clock: Clock) -> Iterator[Scheduler]:
    with contextlib.closing(Scheduler(clock=clock)) as scheduler:
        yield scheduler


def job(sequence: int) -> RenderRequest:
    return RenderRequest(recipe(1), 4, sequence=sequence)


class Queue:
    """An engine behind a scheduler, as the server asks it."""

    def __init__(self, scheduler: Scheduler, engine: FakeEngine) -> None:
        self.scheduler = scheduler
        self.engine = engine

    def save(self, sequence: int, client: int = ME) -> Future[RenderResult]:
        return self.scheduler.submit("save", client, lambda: self.engine.render(job(sequence)))

    def previews(self, *sequences: int, client: int = ME) -> PreviewRenderer:
        """The previews of one connection, with these jobs put one after the other."""
        previews = PreviewRenderer(self.engine, self.scheduler, client)
        for sequence in sequences:
            previews.newest.put(job(sequence))
        return previews

    def preview(self, sequence: int, client: int = ME) -> Future[RenderResult]:
        return self.previews(sequence, client=client).submit()


@pytest.fixture
def queue(scheduler: Scheduler, engine: SteppedEngine) -> Queue:
    return Queue(scheduler, engine)


class Diary:
    """Turns by name, in the order in which they came."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.lines: list[str] = []
        self._lock = threading.Lock()

    def write(self, line: str) -> None:
        with self._lock:
            self.lines.append(line)

    def submit(self, kind: Kind, client: str, name: str) -> Future[None]:
        return self.scheduler.submit(kind, client, lambda: self.write(name))

    def submit_steps(self, client: str, name: str, count: int, kind: Kind = "work") -> Future[None]:
        """Something of `count` steps."""

        def work() -> None:
            for step in range(count):
                if step:
                    self.scheduler.let_others_go()
                self.write(f"{name}{step}")

        return self.scheduler.submit(kind, client, work)


@pytest.fixture
def diary(scheduler: Scheduler) -> Diary:
    return Diary(scheduler)


@contextlib.contextmanager
def engaged(scheduler: Scheduler, client: object = None) -> Iterator[None]:
    """The engine computes something for the whole of the block."""
    with scheduler.turn("save", client):
        yield


def start_waiting(scheduler: Scheduler, kind: Kind, gate: threading.Event) -> Future[None]:
    """A computation that has begun and ends when `gate` is set."""

    def compute() -> None:
        began.set()
        assert gate.wait(PATIENCE_S)

    began = threading.Event()
    running = scheduler.submit(kind, "a", compute)
    assert began.wait(PATIENCE_S)
    return running


# --- previews and saves --------------------------------------------------------------------------------------------


def test_saves_are_rendered_in_order_and_none_is_dropped(queue: Queue, engine: SteppedEngine) -> None:
    futures = [queue.save(n) for n in range(200)]
    engine.gate.set()
    assert [future.result(PATIENCE_S).sequence for future in futures] == list(range(200))
    assert engine.order == list(range(200))


def test_saves_and_previews_alternate(queue: Queue, engine: SteppedEngine) -> None:
    futures = [queue.preview(1)]
    assert engine.began.wait(PATIENCE_S)
    futures += [queue.preview(n) for n in (2, 3)]
    futures += [queue.save(n) for n in (101, 102, 103)]
    engine.gate.set()
    wait(futures, PATIENCE_S)
    assert engine.order == [1, 101, 2, 102, 3, 103]


def test_a_save_among_saves_alone_is_followed_by_a_waiting_preview(queue: Queue, engine: SteppedEngine) -> None:
    futures = [queue.save(101)]
    assert engine.began.wait(PATIENCE_S)
    futures += [queue.save(102), queue.preview(1)]
    engine.gate.set()
    wait(futures, PATIENCE_S)
    assert engine.order == [101, 1, 102]


def test_the_newest_job_is_taken_when_its_turn_comes(queue: Queue, engine: SteppedEngine) -> None:
    queue.save(101)
    assert engine.began.wait(PATIENCE_S)
    previews = queue.previews(1)
    future = previews.submit()
    for n in range(2, 1000):
        previews.newest.put(job(n))
    engine.gate.set()
    assert future.result(PATIENCE_S).sequence == 999
    assert engine.order == [101, 999]
    assert previews.sequence == 999


def test_a_long_preview_is_given_up_for_a_newer_one_of_its_client_alone(scheduler: Scheduler) -> None:
    endless = EndlessEngine()
    queue = Queue(scheduler, endless)
    own, other = queue.previews(0), queue.previews(1)
    given_up, waiting = own.submit(), other.submit()
    assert endless.began.wait(PATIENCE_S)
    other.newest.put(job(2))
    assert wait([given_up], 0.1).not_done
    own.newest.put(job(3))
    with pytest.raises(Superseded):
        given_up.result(PATIENCE_S)
    assert waiting.result(PATIENCE_S).sequence == 2
    assert own.submit().result(PATIENCE_S).sequence == 3


def test_a_save_is_never_given_up(queue: Queue, engine: SteppedEngine) -> None:
    futures = [queue.save(1), queue.save(2)]
    assert engine.began.wait(PATIENCE_S)
    previews = queue.previews(3, 4, 5)
    newest = previews.submit()
    engine.gate.set()
    assert not wait([*futures, newest], PATIENCE_S).not_done
    assert engine.order == [1, 5, 2]
    assert [future.result().sequence for future in futures] == [1, 2]


def test_a_preview_nobody_waits_for_any_more_is_not_rendered(queue: Queue, engine: SteppedEngine) -> None:
    queue.save(101)
    assert engine.began.wait(PATIENCE_S)
    left, stays = queue.preview(1), queue.preview(2)
    left.cancel()
    assert queue.scheduler.num_waiting == 1
    engine.gate.set()
    stays.result(PATIENCE_S)
    assert engine.order == [101, 2]


def test_a_failure_reaches_its_own_future_alone(queue: Queue, engine: SteppedEngine) -> None:
    engine.gate.set()
    bad, good = queue.save(-1), queue.save(1)
    with pytest.raises(EngineError, match="refused"):
        bad.result(PATIENCE_S)
    assert good.result(PATIENCE_S).sequence == 1


def test_pictures_are_rendered_in_one_thread(queue: Queue, engine: SteppedEngine) -> None:
    engine.gate.set()
    wait([queue.save(1), queue.preview(2), queue.save(3)], PATIENCE_S)
    assert len(engine.threads) == 1
    assert threading.get_ident() not in engine.threads


def test_closing_fails_what_waits_and_does_not_wait_for_the_picture_in_progress(
    queue: Queue, engine: SteppedEngine
) -> None:
    running = queue.save(1)
    assert engine.began.wait(PATIENCE_S)
    waiting = queue.save(2)
    cancelled = queue.preview(3)
    cancelled.cancel()
    queue.scheduler.close()
    with pytest.raises(EngineError, match="stopping"):
        waiting.result(PATIENCE_S)
    with pytest.raises(CancelledError):
        cancelled.result(PATIENCE_S)
    with pytest.raises(EngineError, match="stopping"):
        queue.save(4)
    assert not running.done()
    engine.gate.set()
    assert running.result(PATIENCE_S).sequence == 1


# --- clients -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["save", "preview"])
def test_a_long_line_of_one_client_holds_up_another_by_one_picture(
    scheduler: Scheduler, diary: Diary, kind: Kind
) -> None:
    with engaged(scheduler, "many"):
        many = [diary.submit(kind, "many", f"many{n}") for n in range(300)]
        few = [diary.submit(kind, "few", f"few{n}") for n in range(3)]
    assert not wait(many + few, PATIENCE_S).not_done
    assert [diary.lines.index(f"few{n}") for n in range(3)] in ([0, 2, 4], [1, 3, 5])
    assert [line for line in diary.lines if line.startswith("many")] == [f"many{n}" for n in range(300)]


def test_a_client_that_comes_into_a_long_line_is_next(scheduler: Scheduler, diary: Diary) -> None:
    last: list[Future[None]] = []

    def come() -> None:
        diary.write("many0")
        last.append(diary.submit("save", "few", "few"))

    with engaged(scheduler):
        first = scheduler.submit("save", "many", come)
        many = [diary.submit("save", "many", f"many{n}") for n in range(1, 300)]
    first.result(PATIENCE_S)
    assert not wait([*many, *last], PATIENCE_S).not_done
    assert diary.lines[:3] == ["many0", "few", "many1"]


def test_clients_of_one_kind_take_turns_and_each_keeps_its_order(scheduler: Scheduler, diary: Diary) -> None:
    with engaged(scheduler):
        wishes = [diary.submit("save", client, f"{client}{n}") for client in "abc" for n in range(3)]
    wait(wishes, PATIENCE_S)
    assert diary.lines == ["a0", "b0", "c0", "a1", "b1", "c1", "a2", "b2", "c2"]


def test_a_client_with_much_of_one_kind_keeps_its_turns_of_another(scheduler: Scheduler, diary: Diary) -> None:
    with engaged(scheduler):
        wishes = [diary.submit("save", "a", f"save{n}") for n in range(4)]
        wishes += [diary.submit("preview", client, f"{client}{n}") for n in range(2) for client in "ab"]
    wait(wishes, PATIENCE_S)
    assert diary.lines == ["a0", "save0", "b0", "save1", "a1", "save2", "b1", "save3"]


# --- long work -----------------------------------------------------------------------------------------------------


def test_work_waits_for_pictures_but_not_for_ever(scheduler: Scheduler, diary: Diary) -> None:
    with engaged(scheduler):
        wishes = [diary.submit("work", "a", "work")]
        wishes += [diary.submit("save", "b", f"save{n}") for n in range(10)]
    wait(wishes, PATIENCE_S)
    assert diary.lines.index("work") == MAX_PICTURES_BEFORE_WORK
    with engaged(scheduler):
        kinds: tuple[Kind, ...] = ("work", "save", "preview")
        wishes = [diary.submit(kind, "a", kind) for kind in kinds]
    wait(wishes, PATIENCE_S)
    assert diary.lines[-3:] == ["preview", "save", "work"]


@pytest.mark.parametrize("kind", ["save", "work"])
def test_previews_keep_three_quarters_of_the_time(scheduler: Scheduler, diary: Diary, clock: Clock, kind: Kind) -> None:
    """However long the steps of what is asked for beside them."""

    def take(name: str, seconds: float) -> None:
        diary.write(name)
        clock.now += seconds

    with engaged(scheduler):
        wishes = [scheduler.submit("preview", "a", partial(take, "preview", 0.1)) for _ in range(80)]
        wishes += [scheduler.submit(kind, "b", partial(take, "other", 0.7)) for _ in range(4)]
    wait(wishes, PATIENCE_S)
    others = [place for place, line in enumerate(diary.lines) if line == "other"]
    assert [after - before for before, after in pairwise(others)] == [22, 22, 22], "2.1 s of previews after each"


def test_what_waits_beside_previews_is_not_held_up_for_ever(scheduler: Scheduler, diary: Diary, clock: Clock) -> None:
    """After one endless step previews get MAX_OWED_S, not thrice eternity."""

    def take(name: str, seconds: float) -> None:
        diary.write(name)
        clock.now += seconds

    with engaged(scheduler):
        wishes = [scheduler.submit("preview", "a", partial(take, "preview", 0.5)) for _ in range(30)]
        wishes += [scheduler.submit("save", "b", partial(take, name, 1000.0)) for name in ("first", "second")]
    wait(wishes, PATIENCE_S)
    assert diary.lines.index("second") - diary.lines.index("first") == 1 + MAX_OWED_S / 0.5


def test_nothing_is_owed_where_no_preview_waits(scheduler: Scheduler, diary: Diary, clock: Clock) -> None:
    def take() -> None:
        clock.now += 100

    scheduler.submit("save", "a", take).result(PATIENCE_S)
    with engaged(scheduler):
        wishes = [diary.submit("preview", "a", f"preview{n}") for n in range(2)]
        wishes.append(diary.submit("save", "b", "save"))
    wait(wishes, PATIENCE_S)
    assert diary.lines == ["preview0", "save", "preview1"]


def test_work_lets_pictures_go_between_two_steps_alone(scheduler: Scheduler, diary: Diary) -> None:
    pictures: list[Future[None]] = []

    def work() -> None:
        for step in range(3):
            scheduler.let_others_go()
            diary.write(f"step{step}")
            if step == 0:
                pictures.append(diary.submit("save", "a", "save"))
                pictures.append(diary.submit("preview", "b", "preview"))
                diary.write("still step0")

    scheduler.submit("work", "a", work).result(PATIENCE_S)
    assert not wait(pictures, PATIENCE_S).not_done
    assert diary.lines == ["step0", "still step0", "preview", "save", "step1", "step2"]


def test_works_of_two_clients_take_turns(scheduler: Scheduler, diary: Diary) -> None:
    with engaged(scheduler):
        works = [diary.submit_steps("a", "a", 3), diary.submit_steps("b", "b", 3)]
    assert not wait(works, PATIENCE_S).not_done
    assert diary.lines == ["a0", "b0", "a1", "b1", "a2", "b2"]


def test_works_of_one_client_follow_each_other(scheduler: Scheduler, diary: Diary) -> None:
    with engaged(scheduler):
        works = [
            diary.submit_steps("a", "first", 2),
            diary.submit_steps("b", "b", 4),
            diary.submit_steps("a", "next", 2),
        ]
    assert not wait(works, PATIENCE_S).not_done
    assert diary.lines == ["first0", "b0", "first1", "b1", "next0", "b2", "next1", "b3"]


def test_works_that_take_turns_leave_each_others_settings_alone() -> None:
    """cuDNN's flags are the process's: of two searches that overlap, the first to end must not end them for both."""

    def is_exact() -> bool:
        return torch.backends.cudnn.deterministic

    def work(name: str, steps: int) -> None:
        with exact_convolutions():
            for _ in range(steps):
                scheduler.let_others_go()
                seen.append((name, is_exact()))

    seen: list[tuple[str, bool]] = []
    usual = is_exact()
    with contextlib.closing(Scheduler(remember_convolutions())) as scheduler:
        with engaged(scheduler):
            works = [scheduler.submit("work", name, partial(work, name, steps)) for name, steps in (("a", 2), ("b", 4))]
            works.append(scheduler.submit("work", "c", lambda: seen.append(("usual", is_exact()))))
        assert not wait(works, PATIENCE_S).not_done
    assert sorted(seen) == sorted([("a", True)] * 2 + [("b", True)] * 4 + [("usual", usual)])
    assert seen.index(("usual", usual)) < 3, "between steps of both"
    assert is_exact() == usual


def test_more_works_than_any_pool_has_threads_all_end(scheduler: Scheduler, diary: Diary) -> None:
    works = [diary.submit_steps(str(client), f"{client}:", 3) for client in range(100)]
    assert not wait(works, PATIENCE_S).not_done
    assert len(diary.lines) == 300


# --- pictures in steps -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["save", "preview"])
def test_a_long_picture_lets_another_clients_go_between_its_steps(
    scheduler: Scheduler, diary: Diary, kind: Kind
) -> None:
    late: list[Future[None]] = []

    def picture() -> None:
        for step in range(3):
            if step:
                scheduler.let_others_go()
            diary.write(f"step{step}")
            late.append(diary.submit("save", "b", f"save{step}"))
            late.append(diary.submit("preview", "b", f"preview{step}"))

    scheduler.submit(kind, "a", picture).result(PATIENCE_S)
    assert not wait(late, PATIENCE_S).not_done
    steps = [diary.lines.index(f"step{step}") for step in range(3)]
    assert steps[0] == 0
    for before, after in pairwise(steps):
        assert set(diary.lines[before + 1 : after]) >= {f"{kind}{steps.index(before)}"}, "one of the same kind at least"
    assert diary.lines.index("save1") < steps[2] + 3


def test_a_long_picture_is_done_before_what_its_client_asked_for_later(scheduler: Scheduler, diary: Diary) -> None:
    later: list[Future[None]] = []

    def picture() -> None:
        diary.write("step0")
        later.append(diary.submit("save", "a", "later"))
        scheduler.let_others_go()
        diary.write("step1")

    scheduler.submit("save", "a", picture).result(PATIENCE_S)
    assert not wait(later, PATIENCE_S).not_done
    assert diary.lines == ["step0", "step1", "later"]


def test_long_pictures_of_many_clients_take_turns_with_one_that_has_a_single_save(
    scheduler: Scheduler, diary: Diary
) -> None:
    with engaged(scheduler):
        wishes = [diary.submit_steps(f"hostile{n}", f"h{n}:", 20, "save") for n in range(3)]
        wishes.append(diary.submit("save", "honest", "honest"))
    assert not wait(wishes, PATIENCE_S).not_done
    assert diary.lines.index("honest") == 3, "one step of each that came before it"


def test_long_pictures_leave_work_its_share(scheduler: Scheduler, diary: Diary) -> None:
    with engaged(scheduler):
        wishes = [diary.submit_steps("a", "work", 3)]
        wishes += [diary.submit_steps(client, client, 30, "save") for client in "bc"]
    assert not wait(wishes, PATIENCE_S).not_done
    steps = [diary.lines.index(f"work{n}") for n in range(3)]
    assert steps == [MAX_PICTURES_BEFORE_WORK, 2 * MAX_PICTURES_BEFORE_WORK + 1, 3 * MAX_PICTURES_BEFORE_WORK + 2]


def test_pictures_that_waited_for_each_other_leave_one_thread(scheduler: Scheduler, diary: Diary) -> None:
    before = set(threading.enumerate())
    with engaged(scheduler):
        wishes = [diary.submit_steps(str(client), f"{client}:", 4, "save") for client in range(20)]
    assert not wait(wishes, PATIENCE_S).not_done
    deadline = time.monotonic() + PATIENCE_S
    while len(left := {t for t in threading.enumerate() if t not in before}) > 1 and time.monotonic() < deadline:
        time.sleep(0.001)
    assert [t.name for t in left] == ["render"]


# --- limits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["preview", "save", "work"])
def test_whoever_has_too_much_in_line_is_refused_and_nobody_else(
    scheduler: Scheduler, diary: Diary, kind: Kind
) -> None:
    with engaged(scheduler):
        many = [diary.submit(kind, "hostile", "one of many") for _ in range(MAX_WAITING)]
        with pytest.raises(EngineError, match=f"{MAX_WAITING} requests of yours .* wait already"):
            diary.submit(kind, "hostile", "one too many")
        other_kind: Kind = "save" if kind == "work" else "work"
        others = [diary.submit(kind, "honest", "honest"), diary.submit(other_kind, "hostile", "of another kind")]
        many.pop().cancel()
        others.append(diary.submit(kind, "hostile", "in place of a cancelled one"))
    assert not wait(many + others, PATIENCE_S).not_done
    assert "one too many" not in diary.lines
    assert len(diary.lines) == MAX_WAITING + 2


# --- threads -------------------------------------------------------------------------------------------------------


def test_threads_have_turns_one_at_a_time(scheduler: Scheduler) -> None:
    inside, most = 0, 0

    def compute() -> None:
        nonlocal inside, most
        with scheduler.turn("save"):
            inside += 1
            most = max(most, inside)
            time.sleep(0)
            inside -= 1

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(compute) for _ in range(200)]:
            done.result(PATIENCE_S)
    assert most == 1


def test_a_thread_that_has_a_turn_goes_on_in_it(scheduler: Scheduler, diary: Diary) -> None:
    def nested() -> None:
        with scheduler.turn("save"), scheduler.turn("preview", "another"):
            diary.write("inner")
        assert diary.submit("save", "b", "later").cancel(), "the outer turn is still held"

    with scheduler.turn("work"):
        nested()
        waits = diary.submit("save", "a", "after")
        assert not waits.done()
    waits.result(PATIENCE_S)
    scheduler.submit("work", "a", nested).result(PATIENCE_S)
    assert diary.lines == ["inner", "after", "inner"]


def test_a_turn_ends_where_its_computation_fails(scheduler: Scheduler, diary: Diary) -> None:
    with pytest.raises(ZeroDivisionError), scheduler.turn("work"):
        raise ZeroDivisionError
    diary.submit("save", "a", "next").result(PATIENCE_S)
    with pytest.raises(SystemExit):
        scheduler.submit("save", "a", lambda: exec("raise SystemExit")).result(PATIENCE_S)
    diary.submit("save", "a", "one more").result(PATIENCE_S)
    assert diary.lines == ["next", "one more"]


def test_a_thread_interrupted_while_it_waits_leaves_the_line(
    scheduler: Scheduler, diary: Diary, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(future: Future[None], timeout: float | None = None) -> None:
        raise KeyboardInterrupt

    gate = threading.Event()
    running = start_waiting(scheduler, "save", gate)
    with monkeypatch.context() as patch:
        patch.setattr(Future, "result", interrupt)
        with pytest.raises(KeyboardInterrupt), scheduler.turn("save"):
            pytest.fail("its turn has not come")
    assert scheduler.num_waiting == 0
    gate.set()
    running.result(PATIENCE_S)
    diary.submit("save", "a", "next").result(PATIENCE_S)


def test_cancelled_work_leaves_the_line_and_running_work_cannot_be_cancelled(
    scheduler: Scheduler, diary: Diary
) -> None:
    with engaged(scheduler):
        cancelled, stays = diary.submit_steps("a", "cancelled", 2), diary.submit_steps("a", "stays", 2)
        assert scheduler.num_waiting == 2
        assert cancelled.cancel()
        assert scheduler.num_waiting == 1
    stays.result(PATIENCE_S)
    assert diary.lines == ["stays0", "stays1"]
    gate = threading.Event()
    running = start_waiting(scheduler, "work", gate)
    assert not running.cancel()
    gate.set()
    running.result(PATIENCE_S)


def test_closing_fails_threads_that_wait_and_work_between_two_steps(scheduler: Scheduler, diary: Diary) -> None:
    def wait_for_turn() -> None:
        with scheduler.turn("save"):
            pytest.fail("closed before")

    def work() -> None:
        began.set()
        assert gate.wait(PATIENCE_S)
        scheduler.let_others_go()
        pytest.fail("closed before its next step")

    began, gate = threading.Event(), threading.Event()
    working = scheduler.submit("work", "a", work)
    assert began.wait(PATIENCE_S)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(wait_for_turn)
        while not scheduler.num_waiting:
            time.sleep(0.001)
        scheduler.close()
        scheduler.close()
        with pytest.raises(EngineError, match="stopping"):
            waiting.result(PATIENCE_S)
    gate.set()
    with pytest.raises(EngineError, match="stopping"):
        working.result(PATIENCE_S)
    with pytest.raises(EngineError, match="stopping"), scheduler.turn("save"):
        pytest.fail("closed before")


def test_closing_fails_work_that_waits_for_its_next_step(scheduler: Scheduler) -> None:
    def picture() -> None:
        began.set()
        assert gate.wait(PATIENCE_S)

    def work() -> None:
        begun.append(scheduler.submit("save", "b", picture))
        scheduler.let_others_go()
        pytest.fail("closed before its next step")

    begun: list[Future[None]] = []
    began, gate = threading.Event(), threading.Event()
    working = scheduler.submit("work", "a", work)
    assert began.wait(PATIENCE_S)
    scheduler.close()
    with pytest.raises(EngineError, match="stopping"):
        working.result(PATIENCE_S)
    assert not begun[0].done()
    gate.set()
    begun[0].result(PATIENCE_S)


def test_an_engine_with_a_scheduler_has_one_queue_in_front_of_it(scheduler: Scheduler, engine: SteppedEngine) -> None:
    assert scheduler_of(engine) is not scheduler_of(engine), "a server of its own for an engine that has none"
    engine.scheduler = scheduler  # type: ignore[attr-defined]
    assert scheduler_of(engine) is scheduler
