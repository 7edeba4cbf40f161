"""Textual bindings and palette commands, made from the registry of actions."""

from __future__ import annotations

from collections.abc import Iterator

from textual.binding import Binding

from tuiface.actions import Action, Place, actions_at, shown_key
from tuiface.screens.face_steps import STEPS


def bindings_at(place: Place) -> list[Binding]:
    """The bindings of a place; those with Ctrl that work everywhere do so in an input too."""
    return [binding for action in actions_at(place) for binding in _bindings(action)]


def handler(action: Action) -> str:
    """Textual's words for what runs: the method `action_<id>`, or the one that takes any step."""
    return f"take_step({action.id!r})" if action.id in STEPS else action.id


def _bindings(action: Action) -> Iterator[Binding]:
    for number, key in enumerate(action.keys):
        yield Binding(
            key,
            handler(action),
            action.label,
            show=bool(action.footer) and number == 0,
            key_display=shown_key(key),
            priority=action.place == "everywhere" and key.startswith("ctrl+"),
            tooltip=action.help,
            id=f"{action.place}.{action.id}.{number}",
        )
