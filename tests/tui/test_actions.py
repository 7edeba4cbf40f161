"""Every action can be found, understood, pressed, and done without the interface."""

from __future__ import annotations

from argparse import ArgumentParser
from collections import Counter
from typing import NoReturn

import pytest

from tuiface.actions import (
    ACTIONS,
    SCREENS,
    SCREENS_WITHOUT_TAB,
    Action,
    ActionScope,
    NoCommand,
    Registry,
    ScreenName,
    format_key,
    format_key_ascii,
    plain_seed,
    render_words,
)
from tuiface.app import TuifaceApp
from tuiface.cli import build_parser
from tuiface.core.errors import UsageError
from tuiface.faces.recipe import LatentSource, ModelRef, Noise, Recipe, SeedSource, StyleMix, Truncation
from tuiface.screens.bindings import bindings_in, handler
from tuiface.screens.concepts.questionnaire import QuestionnaireScreen
from tuiface.screens.concepts.screen import ConceptsScreen
from tuiface.screens.explore import ExploreScreen
from tuiface.screens.face.screen import FaceScreen
from tuiface.screens.face.studio_actions import STUDIO_ACTIONS
from tuiface.screens.jobs.screen import JobsScreen
from tuiface.screens.library.screen import LibraryScreen
from tuiface.screens.mix import MixScreen
from tuiface.screens.models import ModelsScreen
from tuiface.screens.morph import MorphScreen
from tuiface.screens.settings import SettingsScreen

each_action = pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.id)
SCREEN_CLASSES = {
    screen.SCREEN_NAME: screen
    for screen in (
        FaceScreen,
        ExploreScreen,
        MixScreen,
        MorphScreen,
        LibraryScreen,
        ModelsScreen,
        JobsScreen,
        ConceptsScreen,
        QuestionnaireScreen,
        SettingsScreen,
    )
}
EXAMPLES = {
    **{"SEED": "42", "PSI": "0.5", "MODE": "none", "GRAPHICS": "block", "TEXT": "x", "TAG": "x", "NAME": "x"},
    **{"NAME=AMOUNT": "smile=1.5", "NAME=AMOUNT@A-B": "smile=1.5@2-6", "NEW_NAME": "grin"},
    **{"REGION": "mouth", "REGION:GUARANTEE": "mouth:blend", "VALUE": "0.5"},
}
"""What stands for the capitals in a command."""
MODEL = ModelRef(sha256="ab" * 32, name="m")


@each_action
def test_an_action_says_what_it_does(action: Action) -> None:
    assert action.label
    assert len(action.label.split()) <= 3
    assert action.help.endswith(".")
    assert action.keys
    if isinstance(action.command, NoCommand):
        assert action.command.reason
    else:
        assert action.command.startswith("tuiface ")


@each_action
def test_an_action_has_a_handler(action: Action) -> None:
    owner = TuifaceApp if action.scope == "everywhere" else SCREEN_CLASSES[action.scope]
    name = handler(action).partition("(")[0]
    assert callable(getattr(owner, f"action_{name}", None))


@pytest.fixture(scope="module")
def parser() -> ArgumentParser:
    return build_parser()


@each_action
def test_an_equivalent_command_exists(action: Action, parser: ArgumentParser) -> None:
    if isinstance(action.command, str):
        words = [EXAMPLES.get(word, word) for word in action.command.split()[1:]]
        if "--help" not in words:
            parser.parse_args(words)


def test_every_step_is_an_action() -> None:
    assert set(STUDIO_ACTIONS) <= {action.id for action in ACTIONS}


@pytest.mark.parametrize("place", [*SCREENS, *SCREENS_WITHOUT_TAB])
def test_no_key_means_two_things_on_a_screen(place: ScreenName) -> None:
    keys = Counter(key for action in Registry().on_screen(place) for key in action.keys)
    assert [key for key, count in keys.items() if count > 1] == []


@pytest.mark.parametrize("place", [*SCREENS, *SCREENS_WITHOUT_TAB, "everywhere"])
def test_every_key_is_bound(place: ActionScope) -> None:
    bound = {binding.key for binding in bindings_in(Registry(), place)}
    assert bound == {key for action in Registry().in_scope(place) for key in action.keys}


def test_ids_are_unique() -> None:
    assert len({action.id for action in ACTIONS}) == len(ACTIONS)


def test_other_keys_take_the_place_of_the_first_ones() -> None:
    registry = Registry.with_keys({"save": ("W",), "next_seed": ("n", "ctrl+n")})
    assert registry.by_id("save").keys == ("W",)
    assert {b.key for b in bindings_in(registry, "face") if b.action == "save"} == {"W"}
    assert registry.by_id("undo") == Registry().by_id("undo")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"sav": ("w",)}, "no action 'sav'.*did you mean 'save'"),
        ({"save": ("u",)}, "'u' would be both"),
        ({"save": ("q",)}, "'q' would be both"),
        ({"mix_save": ("q",)}, "'q' would be both"),
    ],
)
def test_keys_that_make_no_sense_are_refused(keys: dict[str, tuple[str, ...]], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Registry.with_keys(keys)


@pytest.mark.parametrize(
    ("key", "shown", "plain"),
    [
        ("left", "←", "left"),
        ("shift+up", "⇧↑", "shift+up"),
        ("ctrl+r", "^r", "^r"),
        ("+", "+", "+"),
        ("f1", "F1", "f1"),
    ],
)
def test_keys_are_shown_as_people_write_them(key: str, shown: str, plain: str) -> None:
    assert format_key(key) == shown
    assert format_key_ascii(key) == plain


def recipe(**changes: object) -> Recipe:
    return Recipe(model=MODEL, source=SeedSource(seed=42), truncation=Truncation(psi=0.7)).derive(**changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "42 --psi 0.7"),
        ({"truncation": Truncation(psi=1.0)}, "42 --psi 1"),
        ({"truncation": Truncation(psi=-0.25, cutoff=8)}, "42 --psi -0.25 --cutoff 8"),
        ({"truncation": Truncation(psi=-1e-05)}, "42 --psi=-1e-05"),
        ({"truncation": Truncation(psi=0.7, center="ours")}, None),
        ({"truncation": Truncation(psi=0.12345678901)}, "42 --psi 0.12345678901"),
        ({"noise": Noise(mode="none")}, "42 --psi 0.7 --noise none"),
        ({"noise": Noise(mode="random", seed=3)}, "42 --psi 0.7 --noise random:3"),
        ({"source": SeedSource(seed=42, label=2)}, "42 --psi 0.7 --class 2"),
        ({"mixes": (StyleMix(source=SeedSource(seed=7), rows=(6, 12)),)}, "42 --mix 7@6-12 --psi 0.7"),
        ({"mixes": (StyleMix(source=SeedSource(seed=7, label=1), rows=(6, 12)),)}, None),
        ({"source": LatentSource(space="w", shape=(1,), data="AAAAAA==")}, None),
    ],
)
def test_flags_say_the_whole_recipe_or_none_does(changes: dict[str, object], words: str | None) -> None:
    made = render_words(recipe(**changes))
    assert made == (None if words is None else words.split())
    if made is not None:
        build_parser().parse_args(["render", *made])


def test_the_flags_of_a_face_without_edits_read_no_directions() -> None:
    """They are written anew with every key."""

    class Unread:
        def entries(self, model: object) -> NoReturn:
            raise AssertionError("read")

    assert render_words(recipe(), Unread()) == ["42", "--psi", "0.7"]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "seed"),
    [
        ({}, 42),
        ({"truncation": Truncation(psi=1.0)}, 42),
        ({"truncation": Truncation(psi=0.7, cutoff=8)}, None),
        ({"noise": Noise(mode="none")}, None),
        ({"source": SeedSource(seed=42, label=2)}, None),
        ({"mixes": (StyleMix(source=SeedSource(seed=7), rows=(6, 12)),)}, None),
        ({"source": LatentSource(space="w", shape=(1,), data="AAAAAA==")}, None),
    ],
)
def test_a_seed_names_only_what_a_command_draws_of_it(changes: dict[str, object], seed: int | None) -> None:
    assert plain_seed(recipe(**changes)) == seed
