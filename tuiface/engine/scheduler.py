"""The one place that decides what an engine computes next: previews, then saves, then long work, fair between clients.

An engine computes one thing at a time, whoever asks: a thread that takes a turn, or a server that submits work.

preview   a picture that a newer one may replace
save      what somebody waits for: pictures to keep, tiles, latents
work      seconds to hours: searches, faces that are found, features of many faces

Whatever takes longer than one picture is done in steps of about that length, a locked picture as well as a search, and
between two steps it lets others go as if it only began. Previews and saves alternate where both wait: a save waits for
at most one step of a preview, and a long line of saves leaves previews moving. Work goes on when no picture waits, or
has let MAX_PICTURES_BEFORE_WORK of them pass. But steps differ in length: what a save or a step of work takes while
previews wait, previews get back PREVIEW_TIME-fold before the next one, so that people at the keys keep three quarters
of the time, whatever is asked for beside them. Of one kind the client goes first whose last turn is longest ago, so
that 300 saves of one client hold up those of another by a single picture, and the works of two clients take turns step
by step; what one client asks for is done in the order in which it asked. Nothing that waits is ever dropped, unless
whoever asked cancels it; whoever has MAX_WAITING of a kind in line is refused one more.

Nobody holds a lock while waiting or computing. PyTorch's number of threads and its gradient mode belong to a thread:
whoever computes sets them where the work runs, not where it was asked for.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

from tuiface.core.errors import EngineError

Kind = Literal["preview", "save", "work"]
"""What a turn is for; see the module's docstring."""
Result = TypeVar("Result")
_Runs = SimpleQueue[Callable[[], None] | None]
"""What one thread of pictures is to call, one after the other; None ends it."""

Pause = Callable[[], None]
"""Called between the steps of what takes long: the engine does what waits meanwhile. What it raises ends the work."""


def no_pause() -> None:
    """For work that nothing waits for."""


MAX_PICTURES_BEFORE_WORK = 4
"""Pictures that a step of work which waits lets pass: with several people at the keys none of it would ever end."""
PREVIEW_TIME = 3.0
"""Seconds of previews for each second of anything else, while previews wait."""
MIN_OWED_S = 0.01
"""Owed seconds below this are let pass: the order of short steps goes by the kinds alone."""
MAX_OWED_S = 4.0
"""More is not owed: what waits beside previews is not held up for longer by one long step."""
MAX_WAITING = 512
"""Of one kind and client in line: a series is asked for picture by picture, so only a program gone wild comes near."""


class _Turn:
    """One wish to compute, waiting or under way."""

    def __init__(self, kind: Kind, client: Hashable, future: Future[Any], start: Callable[[], object]) -> None:
        self.kind = kind
        self.client = client
        self.future = future
        """Pending while the turn waits; fails when the scheduler closes."""
        self.start = start
        """Called under the scheduler's lock when the turn has come."""

    @classmethod
    def of_thread(cls, kind: Kind, client: Hashable) -> _Turn:
        """One whose future is done when the turn has come."""
        future: Future[None] = Future()
        return cls(kind, client, future, partial(future.set_result, None))

    def wait_again(self) -> None:
        """Make it one that waits for a thread."""
        self.future = Future()
        self.start = partial(self.future.set_result, None)

    def fail(self, error: EngineError) -> None:
        """Raise `error` where the turn is waited for."""
        if self.future.set_running_or_notify_cancel():
            self.future.set_exception(error)


class _Line:
    """The turns of one kind that wait."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, deque[_Turn]] = {}
        """By client, those without any left out, in the order in which they came."""
        self._last_turns: dict[Hashable, int] = {}
        """By client: when its last turn was, counted in turns."""
        self._num_turns = 0

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def is_full_for(self, client: Hashable) -> bool:
        """Whether the client has as many in line as anybody may."""
        return len(self._waiting.get(client, ())) >= MAX_WAITING

    def add(self, turn: _Turn, *, first: bool = False) -> None:
        """Line up behind the client's others, or before them."""
        line = self._waiting.setdefault(turn.client, deque())
        (line.appendleft if first else line.append)(turn)

    def discard(self, turn: _Turn) -> None:
        """Take a turn out, if it waits here."""
        line = self._waiting.get(turn.client)
        if line and turn in line:
            line.remove(turn)
            self._drop_empty(turn.client)

    def pop(self) -> _Turn:
        """The next turn, of the client whose last one is longest ago; there must be one."""
        client = min(self._waiting, key=lambda client: self._last_turns.get(client, 0))
        turn = self._waiting[client].popleft()
        self._drop_empty(client)
        self._num_turns += 1
        self._last_turns[client] = self._num_turns
        return turn

    def clear(self) -> list[_Turn]:
        """Take out all, in no order."""
        turns = [turn for line in self._waiting.values() for turn in line]
        self._waiting.clear()
        return turns

    def _drop_empty(self, client: Hashable) -> None:
        if not self._waiting[client]:
            del self._waiting[client]


class Scheduler:
    """Gives turns, one at a time. Clients are told apart by any hashable value, of which there should be few: users."""

    def __init__(
        self,
        usual: Callable[[], contextlib.AbstractContextManager[None]] = contextlib.nullcontext,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`usual` gives a context with the process's usual settings: work that changed some waits for others in it.

        clock: monotonic seconds.
        """
        self._usual = usual
        self._clock = clock
        self._lock = threading.Lock()
        self._lines: dict[Kind, _Line] = {"preview": _Line(), "save": _Line(), "work": _Line()}
        self._holder: _Turn | None = None
        self._preview_next = True
        self._num_pictures_before_work = 0
        self._began = 0.0
        """When the step of the holder began."""
        self._owed_s = 0.0
        """Seconds that previews get before anything else does."""
        self._closed = False
        self._own = threading.local()
        """`turn`: the one that a thread has; `runs`, where it is one of pictures: what it takes them from."""
        self._free_thread: _Runs | None = None
        """What a thread of pictures that has nothing to do waits for."""

    @property
    def num_waiting(self) -> int:
        """How many wait for a turn."""
        with self._lock:
            return sum(map(len, self._lines.values()))

    @property
    def client(self) -> Hashable:
        """Whose turn this thread has; it must have one."""
        turn: _Turn = self._own.turn
        return turn.client

    @contextlib.contextmanager
    def turn(self, kind: Kind, client: Hashable = None) -> Iterator[None]:
        """Compute inside the block, in this thread, when its turn has come; a thread that has one goes on in it.

        Raises EngineError where the scheduler is closed before.
        """
        if getattr(self._own, "turn", None) is not None:
            yield
            return
        turn = _Turn.of_thread(kind, client)
        try:
            self._enter(turn)
            turn.future.result()
            self._own.turn = turn
            yield
        finally:
            self._own.turn = None
            self._leave(turn)

    def submit(self, kind: Kind, client: Hashable, work: Callable[[], Result]) -> Future[Result]:
        """Do `work` in a thread of the scheduler when its turn has come; until then its future can be cancelled.

        Previews and saves share one thread, except while one of them waits between two steps: each thread that computes
        gets helpers of its own from OpenMP. Work has a thread for itself. Raises EngineError where the scheduler is
        closed, or the client has MAX_WAITING of the kind in line; one that closes later fails what waits with
        EngineError, and leaves what runs to itself.
        """
        future: Future[Result] = Future()
        turn = _Turn(kind, client, future, lambda: self._start(kind, partial(self._run, turn, future, work)))
        future.add_done_callback(lambda done: self._leave(turn) if done.cancelled() else None)
        self._enter(turn)
        return future

    def let_others_go(self) -> None:
        """By a thread that has a turn, between two steps: whoever comes before the next one computes now.

        Raises EngineError where the scheduler is closed.
        """
        turn: _Turn = self._own.turn
        with self._lock:
            if not (self._closed or any(self._lines.values())):
                return
        with self._usual():
            turn.wait_again()
            with self._lock:
                if self._closed:
                    raise stopping_error()
                self._lines[turn.kind].add(turn, first=True)
                self._end_step()
                self._advance()
            turn.future.result()

    def close(self) -> None:
        """Fail whatever waits with EngineError; what is computed at the moment goes on. Can be repeated."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            waiting = [turn for line in self._lines.values() for turn in line.clear()]
            if self._free_thread is not None:
                self._free_thread.put(None)
        for turn in waiting:
            turn.fail(stopping_error())

    def _enter(self, turn: _Turn) -> None:
        with self._lock:
            if self._closed:
                raise stopping_error()
            line = self._lines[turn.kind]
            if line.is_full_for(turn.client):
                raise EngineError(
                    f"{MAX_WAITING} requests of yours ({turn.kind}) wait already, the most that one user may have",
                    "wait for some of them",
                )
            line.add(turn)
            self._advance()

    def _leave(self, turn: _Turn) -> None:
        """End a turn that has come, or that is not waited for any more."""
        with self._lock:
            self._lines[turn.kind].discard(turn)
            if self._holder is turn:
                self._end_step()
                self._advance()

    def _end_step(self) -> None:
        """Count what the holder's step took, and take its turn; under the lock."""
        assert self._holder is not None
        spent = self._clock() - self._began
        if self._holder.kind == "preview":
            self._owed_s = max(0.0, self._owed_s - spent)
        elif self._lines["preview"]:
            self._owed_s = min(MAX_OWED_S, self._owed_s + PREVIEW_TIME * spent)
        self._holder = None

    def _advance(self) -> None:
        """Begin the next turn where nobody has one; under the lock."""
        while self._holder is None and (line := self._next_line()):
            turn = line.pop()
            if not turn.future.set_running_or_notify_cancel():
                continue
            self._holder, self._began = turn, self._clock()
            if turn.kind == "work":
                self._num_pictures_before_work = 0
            else:
                self._preview_next = turn.kind == "save"
                self._num_pictures_before_work += bool(self._lines["work"])
            turn.start()

    def _next_line(self) -> _Line | None:
        previews, saves, works = self._lines["preview"], self._lines["save"], self._lines["work"]
        if previews and self._owed_s >= MIN_OWED_S:
            return previews
        if works and (self._num_pictures_before_work >= MAX_PICTURES_BEFORE_WORK or not (previews or saves)):
            return works
        if previews and (self._preview_next or not saves):
            return previews
        return saves or None

    def _start(self, kind: Kind, run: Callable[[], None]) -> None:
        """Call `run` in a thread. Daemons: a picture that takes minutes must not keep a stopped process alive."""
        if kind == "work":
            threading.Thread(target=run, name="work", daemon=True).start()
            return
        runs, self._free_thread = self._free_thread, None
        if runs is None:
            runs = SimpleQueue()
            threading.Thread(target=self._run_pictures, args=(runs,), name="render", daemon=True).start()
        runs.put(run)

    def _run_pictures(self, runs: _Runs) -> None:
        self._own.runs = runs
        while (run := runs.get()) is not None:
            run()

    def _free_own_thread(self) -> None:
        """Let the next picture come to this thread, or end it where another is free already."""
        runs: _Runs | None = getattr(self._own, "runs", None)
        if runs is None:
            return
        with self._lock:
            if self._free_thread is None and not self._closed:
                self._free_thread = runs
            else:
                runs.put(None)

    def _run(self, turn: _Turn, future: Future[Result], work: Callable[[], Result]) -> None:
        self._own.turn = turn
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - it is raised again where the future is awaited
            tell: Callable[[], None] = partial(future.set_exception, error)
        else:
            tell = partial(future.set_result, result)
        self._own.turn = None
        self._free_own_thread()
        self._leave(turn)
        tell()


@runtime_checkable
class ScheduledEngine(Protocol):
    """An engine that asks a scheduler of its own for turns."""

    scheduler: Scheduler


def scheduler_of(engine: object) -> Scheduler:
    """The engine's own scheduler, so that there is one queue in front of it; a new one where it has none."""
    return engine.scheduler if isinstance(engine, ScheduledEngine) else Scheduler()


def stopping_error() -> EngineError:
    """What whoever waits is told when the engine goes."""
    return EngineError("the engine is stopping; nothing more is rendered")
