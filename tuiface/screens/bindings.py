"""Textual bindings and palette commands, made from the registry of actions."""

from __future__ import annotations

from collections.abc import Iterator

from textual.binding import Binding

from tuiface.actions import Action, ActionScope, Registry, format_key
from tuiface.core.i18n import tr
from tuiface.screens.face.studio_actions import STUDIO_ACTIONS

GRID_MOVES = ("left", "right", "up", "down", "previous_page", "next_page", "larger", "smaller")
"""The ends of the ids of what only moves in a grid (tuiface.screens.grid_screen)."""
GRID_MARKS = ("mark_range", "invert")
"""Of what marks several of its faces."""


def bindings_in(registry: Registry, scope: ActionScope) -> list[Binding]:
    """The bindings of a screen, or of the app; those with Ctrl that work everywhere do so in an input too."""
    return [binding for action in registry.in_scope(scope) for binding in _bindings(action)]


def handler(action: Action) -> str:
    """Textual's words for what runs: the method `action_<id>`, or one that takes any step, move, screen or rating."""
    if action.id in STUDIO_ACTIONS:
        return f"take_step({action.id!r})"
    move = action.id.removeprefix(f"{action.scope}_")
    if action.scope in ("explore", "library") and move in GRID_MOVES:
        return f"move({move!r})"
    if action.scope in ("explore", "library") and move in GRID_MARKS:
        return f"mark({move!r})"
    if action.scope == "everywhere" and action.id.endswith("_screen"):
        return f"go_to({action.id.removesuffix('_screen')!r})"
    rating = action.id.removeprefix("answer_")
    return f"answer_rating({rating})" if rating.isdecimal() else action.id


def _bindings(action: Action) -> Iterator[Binding]:
    for number, key in enumerate(action.keys):
        yield Binding(
            key,
            handler(action),
            tr(action.label),
            show=bool(action.footer) and number == 0,
            key_display=format_key(key),
            priority=action.scope == "everywhere" and key.startswith("ctrl+"),
            tooltip=tr(action.help),
            id=f"{action.scope}.{action.id}.{number}",
        )
