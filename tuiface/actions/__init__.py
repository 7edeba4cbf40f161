"""The one registry of what the interface can do: bindings, footer, help, palette and the README's table come from here.

An action also names the command that does the same without the interface, or says why there is none. Users may give
actions other keys in the settings, by the action's id.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from tuiface.actions.action import (
    SCREENS,
    WITHOUT_TAB,
    Action,
    NoCommand,
    Place,
    ScreenPlace,
    Topic,
    ascii_key,
    shown_key,
)
from tuiface.actions.command import command_line, face_word, number_word, population_words, quoted_words
from tuiface.actions.concepts import ANSWERING_ACTIONS, CONCEPTS_ACTIONS
from tuiface.actions.everywhere import EVERYWHERE_ACTIONS
from tuiface.actions.face import FACE_ACTIONS
from tuiface.actions.grids import EXPLORE_ACTIONS, LIBRARY_ACTIONS
from tuiface.actions.workshop import JOBS_ACTIONS, MIX_ACTIONS, MODELS_ACTIONS, MORPH_ACTIONS
from tuiface.core.errors import UsageError, nearest, quoted

__all__ = [
    "ACTIONS",
    "SCREENS",
    "WITHOUT_TAB",
    "Action",
    "NoCommand",
    "Place",
    "Registry",
    "ScreenPlace",
    "Topic",
    "ascii_key",
    "command_line",
    "face_word",
    "number_word",
    "population_words",
    "quoted_words",
    "shown_key",
]

ACTIONS: tuple[Action, ...] = (
    *FACE_ACTIONS,
    *EXPLORE_ACTIONS,
    *MIX_ACTIONS,
    *MORPH_ACTIONS,
    *LIBRARY_ACTIONS,
    *MODELS_ACTIONS,
    *JOBS_ACTIONS,
    *CONCEPTS_ACTIONS,
    *ANSWERING_ACTIONS,
    *EVERYWHERE_ACTIONS,
)


@dataclass(frozen=True, slots=True)
class Registry:
    """The actions with one user's keys."""

    actions: tuple[Action, ...] = ACTIONS

    @classmethod
    def with_keys(cls, keys: Mapping[str, tuple[str, ...]]) -> Registry:
        """The actions with other keys for some, by their ids.

        Raises UsageError for an action that does not exist, and for a key that would mean two things on one screen.
        """
        known = {action.id for action in ACTIONS}
        for name in keys:
            if name not in known:
                raise UsageError(f"settings: keys: no action {quoted(name)}", nearest(name, known) or "? lists them")
        registry = cls(tuple(dataclasses.replace(a, keys=keys[a.id]) if a.id in keys else a for a in ACTIONS))
        for place in (*SCREENS, *WITHOUT_TAB):
            registry._refuse_double_keys(place)
        return registry

    def at(self, place: Place) -> tuple[Action, ...]:
        """The actions whose handlers lie at `place`."""
        return tuple(action for action in self.actions if action.place == place)

    def on_screen(self, place: Place) -> tuple[Action, ...]:
        """What works while the screen `place` is shown: its own actions, then those that work everywhere."""
        own, others = self.at(place), self.at("everywhere")
        if place in WITHOUT_TAB:
            taken = {key for action in own for key in action.keys}
            others = tuple(action for action in others if not taken.intersection(action.keys))
        return (*own, *others)

    def by_id(self, name: str) -> Action:
        """The action of that id."""
        return next(action for action in self.actions if action.id == name)

    def _refuse_double_keys(self, place: Place) -> None:
        owners: defaultdict[str, list[str]] = defaultdict(list)
        for action in self.on_screen(place):
            for key in action.keys:
                owners[key].append(action.id)
        for key, ids in owners.items():
            if len(ids) > 1:
                raise UsageError(
                    f"settings: keys: {quoted(key)} would be both {ids[0]} and {ids[1]}", "? lists all keys"
                )
