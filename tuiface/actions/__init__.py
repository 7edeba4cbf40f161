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
    SCREENS_WITHOUT_TAB,
    Action,
    ActionScope,
    NoCommand,
    ScreenName,
    Topic,
    format_key,
    format_key_ascii,
)
from tuiface.actions.command_line import (
    flag_words,
    model_flags,
    plain_seed,
    population_flags,
    psi_flags,
    quote_words,
    render_words,
)
from tuiface.actions.face_screen import FACE_ACTIONS
from tuiface.actions.other_screens import (
    CONCEPTS_ACTIONS,
    EVERYWHERE_ACTIONS,
    EXPLORE_ACTIONS,
    JOBS_ACTIONS,
    LIBRARY_ACTIONS,
    MIX_ACTIONS,
    MODELS_ACTIONS,
    MORPH_ACTIONS,
    QUESTIONNAIRE_ACTIONS,
    SETTINGS_ACTIONS,
)
from tuiface.actions.python_code import file_expression, python_code, recipe_expression
from tuiface.core.errors import UsageError, quote, suggest_nearest

__all__ = [
    "ACTIONS",
    "ESSENTIAL",
    "SCREENS",
    "SCREENS_WITHOUT_TAB",
    "Action",
    "ActionScope",
    "NoCommand",
    "Registry",
    "ScreenName",
    "Topic",
    "file_expression",
    "flag_words",
    "format_key",
    "format_key_ascii",
    "model_flags",
    "plain_seed",
    "population_flags",
    "psi_flags",
    "python_code",
    "quote_words",
    "recipe_expression",
    "render_words",
]

ESSENTIAL = frozenset(
    {"less", "more", "row_above", "row_below", "undo", "lock_frame", "guarantee", "save"}
    | {"explore_open", "explore_mark", "explore_keep", "mix_cross", "mix_open", "mix_save"}
    | {"morph_add", "morph_remove", "morph_open", "morph_save", "library_open", "library_search", "library_mark"}
    | {"library_delete", "concepts_up", "concepts_down", "concepts_less", "concepts_more", "concepts_open"}
    | {"concepts_learn", "concepts_keep", "answer_yes", "answer_no", "answer_finish", "answer_pause"}
    | {"settings_change", "settings_reset"}
    | {f"answer_{number}" for number in range(1, 8)}
)
"""Actions whose keys are shown at the bottom of every terminal that is 80 columns wide, in every language."""

ACTIONS: tuple[Action, ...] = (
    *FACE_ACTIONS,
    *EXPLORE_ACTIONS,
    *MIX_ACTIONS,
    *MORPH_ACTIONS,
    *LIBRARY_ACTIONS,
    *MODELS_ACTIONS,
    *JOBS_ACTIONS,
    *CONCEPTS_ACTIONS,
    *QUESTIONNAIRE_ACTIONS,
    *SETTINGS_ACTIONS,
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
                raise UsageError(
                    f"settings: keys: no action {quote(name)}", suggest_nearest(name, known) or "? lists them"
                )
        registry = cls(tuple(dataclasses.replace(a, keys=keys[a.id]) if a.id in keys else a for a in ACTIONS))
        for screen in (*SCREENS, *SCREENS_WITHOUT_TAB):
            registry._refuse_double_keys(screen)
        return registry

    def in_scope(self, scope: ActionScope) -> tuple[Action, ...]:
        """The actions whose handlers lie there: on a screen, or on the app."""
        return tuple(action for action in self.actions if action.scope == scope)

    def on_screen(self, screen: ScreenName) -> tuple[Action, ...]:
        """What works while `screen` is shown: its own actions, then those that work everywhere."""
        own, others = self.in_scope(screen), self.in_scope("everywhere")
        if screen in SCREENS_WITHOUT_TAB:
            taken = {key for action in own for key in action.keys}
            others = tuple(action for action in others if not taken.intersection(action.keys))
        return (*own, *others)

    def by_id(self, name: str) -> Action:
        """The action of that id."""
        return next(action for action in self.actions if action.id == name)

    def _refuse_double_keys(self, screen: ScreenName) -> None:
        owners: defaultdict[str, list[str]] = defaultdict(list)
        for action in self.on_screen(screen):
            for key in action.keys:
                owners[key].append(action.id)
        for key, ids in owners.items():
            if len(ids) > 1:
                raise UsageError(
                    f"settings: keys: {quote(key)} would be both {ids[0]} and {ids[1]}", "? lists all keys"
                )
