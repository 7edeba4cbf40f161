"""The one signal that the interface's state is another now: whoever draws hears of it once in a turn of the loop.

A handler sets what is `Drawn`, or calls a method of a part of the state that does, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Protocol, Self, TypeVar, overload

T = TypeVar("T")


class Changes:
    """Gathers what changed until it is drawn: whatever is marked by then is one drawing. On the app's thread alone."""

    def __init__(self) -> None:
        self._draw: Callable[[bool], None] | None = None
        self._schedule: Callable[[Callable[[], None]], bool] | None = None
        self._is_scheduled = False
        self._is_all = False

    def connect(self, draw: Callable[[bool], None], schedule: Callable[[Callable[[], None]], bool]) -> None:
        """Let `schedule` call `draw` soon whenever something is marked: with True for all, with False for tiles alone.

        `schedule` returns whether it will: an app that is going does not.
        """
        self._draw, self._schedule = draw, schedule

    def mark(self) -> None:
        """Something that is drawn has changed."""
        self._is_all = True
        self.mark_tiles()

    def mark_tiles(self) -> None:
        """A small picture arrived, and nothing else has changed."""
        if self._schedule is not None and not self._is_scheduled:
            self._is_scheduled = self._schedule(self._deliver)

    def _deliver(self) -> None:
        is_all, self._is_all = self._is_all, False
        try:
            if self._draw is not None:
                self._draw(is_all)
        finally:  # what drawing itself has noted is on the screen already
            self._is_scheduled = self._is_all = False


class HasChanges(Protocol):
    """Part of the state, or a screen."""

    @property
    def changes(self) -> Changes:
        """Where it says that it is another now."""


class Drawn(Generic[T]):
    """An attribute that drawing depends on: setting another value marks a change.

    Values are never changed in place, so that none goes by unseen: tuples in place of lists.
    """

    def __init__(self, default: T) -> None:
        self._default = default

    def __set_name__(self, owner: type[Any], name: str) -> None:
        self._name = f"_drawn_{name}"

    @overload
    def __get__(self, instance: None, owner: type[Any]) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type[Any]) -> T: ...
    def __get__(self, instance: object | None, owner: type[Any]) -> Self | T:
        if instance is None:
            return self
        value: T = instance.__dict__.get(self._name, self._default)
        return value

    def __set__(self, instance: HasChanges, value: T) -> None:
        is_same = self.__get__(instance, type(instance)) is value
        instance.__dict__[self._name] = value
        if not is_same:
            instance.changes.mark()


class StatePart:
    """A part of the state that marks its changes."""

    def __init__(self, changes: Changes) -> None:
        self.changes = changes
