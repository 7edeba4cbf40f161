"""The rows of the face screen: concepts, locks, rows of W+, measures, as a user sees them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from textual.widgets import Input

from tests.tui.conftest import Open, Running
from tests.tui.directions import with_directions
from tests.tui.fake_engine import FakeEngine
from tuiface.cli import build_parser
from tuiface.core.errors import ModelError, UsageError
from tuiface.core.i18n import use_language
from tuiface.core.settings import Settings
from tuiface.engine_api.requests import FaceRequest, OptimisedFace
from tuiface.faces.recipe import SeedSource
from tuiface.screens.dialogs.prompts import LinePrompt, parse_rows
from tuiface.screens.face.controls import LOCK_REGIONS, Control, list_controls
from tuiface.screens.face.words import format_amount
from tuiface.screens.mix import MixScreen
from tuiface.screens.morph import MorphScreen
from tuiface.screens.widgets.control_list import ControlList
from tuiface.screens.widgets.face_view import FaceView

MEASURES = {
    "frame_variation_percent": 0.42,
    "contour_shift_px": 0.31,
    "predicted_outside_change": 0.8,
    "outside_change_mean": 0.7,
    "outside_change_max": 3.0,
    "population_sigma": 3.4,
}


@pytest.fixture
def own(tui_settings: Settings, tmp_path: Path) -> Settings:
    """Settings with a few directions of the fake engine's network."""
    return with_directions(tui_settings, tmp_path / "directions")


def chosen(tui: Running) -> Control:
    return next(control for control in list_controls(tui.app.state) if control.key == tui.app.state.face.control_key)


def amounts(tui: Running) -> dict[str, float]:
    return {edit.direction: edit.amount for edit in tui.recipe.edits}  # type: ignore[union-attr]


def panel(tui: Running) -> str:
    """The words of the rows, without the line ends of a narrow column."""
    return " ".join(str(tui.screen.query_one(ControlList).render()).split())


async def find(tui: Running, text: str) -> None:
    await tui.press("slash")
    tui.app.screen.query_one(Input).value = text
    await tui.press("enter")


async def smile_then(tui: Running, key: str) -> None:
    """Edit the face, and go to the screen of `key`."""
    await find(tui, "smile")
    await tui.press("right", "escape", key)


async def test_another_seed_says_that_edits_stay_behind_and_one_key_takes_them_along(
    open_app: Open, tui_settings: Settings, tmp_path: Path
) -> None:
    async with open_app(settings=with_directions(tui_settings, tmp_path / "directions")) as tui:
        tui.app.state.apply(lambda studio: studio.show(studio.current.edit("smile", 1.0)))
        edits = tui.recipe.edits
        await tui.press("N")
        assert (tui.seed, tui.recipe.edits) == (1, edits)
        assert "stayed behind" not in tui.toasts()
        await tui.press("n")
        assert (tui.seed, tui.recipe.edits) == (2, ())
        assert "stayed behind" in tui.toasts()


async def test_the_class_of_a_network_that_has_some_is_a_row(open_app: Open) -> None:
    def has_classes(engine: FakeEngine) -> None:
        engine.engine_info = replace(engine.engine_info, c_dim=3)

    async with open_app(adjust=has_classes, size=(160, 50)) as tui:
        await find(tui, "class")
        assert chosen(tui).value == "0"
        labels = []
        for key in ("right", "right", "right", "left", "backspace"):
            await tui.press(key)
            assert isinstance(tui.recipe.source, SeedSource)
            labels.append(tui.recipe.source.label)
        assert labels == [1, 2, 0, 2, 0]
    async with open_app(size=(160, 50)) as tui:
        assert "class" not in [control.kind for control in list_controls(tui.app.state)]


async def test_concepts_stand_in_groups_under_the_face(open_app: Open, own: Settings) -> None:
    async with open_app(settings=own, size=(160, 50)) as tui:
        rows = list_controls(tui.app.state)
        keys = [control.key for control in rows]
        assert keys[:3] == ["seed", "psi", "noise"]
        assert keys[3:9] == [
            f"concept:{name}" for name in ("yaw", "eye_opening", "smile", "mouth_open", "hair_curl", "trustworthy")
        ]
        assert keys[9:] == [f"lock:{region}" for region in LOCK_REGIONS]
        text = tui.text()
        for word in ("Orientation", "Eyes", "Mouth", "Hair", "Own", "Locks", "eye opening", "trustworthy", "hairline"):
            assert word in text


async def test_keys_turn_the_chosen_concept(open_app: Open, own: Settings) -> None:
    cases: list[tuple[list[str], float | None]] = [
        (["right"], 0.5),
        (["l", "l", "left"], 0.5),
        (["shift+right", "L"], 0.2),
        (["h", "H", "shift+left"], -0.7),
        (["right"] * 9, 3.0),
        (["right", "left"], None),
        (["right", "backspace"], None),
        (["exclamation_mark", *["right"] * 8], 4.0),
        (["exclamation_mark", *["right"] * 8, "exclamation_mark", "right", "left"], 3.5),
    ]
    async with open_app(settings=own) as tui:
        for keys, amount in cases:
            await find(tui, "smile")
            await tui.press(*keys)
            assert amounts(tui) == ({} if amount is None else {"smile": amount}), keys
            beyond = " --beyond" if (amount or 0) > 3 else ""
            edit = "" if amount is None else f" --edit smile={amount:g}{beyond}"
            line = f"tuiface render 0 --psi 0.7{edit}"
            assert tui.command() == f"$ {line}", keys
            build_parser().parse_args(line.split()[1:])
            await tui.start_over()


async def test_the_chosen_row_shows_its_ends_and_its_amount(open_app: Open, own: Settings) -> None:
    async with open_app(settings=own) as tui:
        await find(tui, "smile")
        await tui.press("right", "right", "right")
        text = tui.text()
        assert "+1.5" in text
        assert "unsmiling" in text
        assert "smiling" in text.replace("unsmiling", "")


async def test_an_amount_beyond_what_is_known_is_shown_as_such(open_app: Open, own: Settings) -> None:
    async with open_app(settings=own) as tui:
        await find(tui, "smile")
        await tui.press(*["right"] * 7)
        assert "! lets it go beyond" in panel(tui)
        await tui.press("exclamation_mark", "right")
        assert chosen(tui).is_beyond
        assert "+3.5!" in tui.text()
        assert "beyond what this model" in panel(tui)


async def test_rows_are_walked_by_arrows_and_groups_by_shift(open_app: Open, own: Settings) -> None:
    async with open_app(settings=own) as tui:
        seen = []
        for key in ("down", "j", "k", "J", "shift+down", "K", "up", "shift+up", "up", "up", "shift+up", "shift+down"):
            await tui.press(key)
            seen.append(tui.app.state.face.control_key)
        assert seen == [
            "psi", "noise", "psi", "concept:yaw", "concept:eye_opening", "concept:yaw",
            "noise", "seed", "lock:background", "lock:mouth", "lock:frame", "seed",
        ]  # fmt: skip


async def test_the_chosen_row_stays_in_sight(open_app: Open, own: Settings) -> None:
    async with open_app(settings=own) as tui:
        for _ in range(len(list_controls(tui.app.state))):
            assert f"▸ {chosen(tui).word}" in tui.text()
            await tui.press("down")


async def test_typing_finds_a_row_in_either_language(open_app: Open, own: Settings) -> None:
    cases = {
        "smi": "concept:smile", "sonri": "concept:smile", "rizo": "concept:hair_curl", "HAIRL": "lock:hairline",
        "wide open": "concept:eye_opening", "trust": "concept:trustworthy", "nonsense": "seed",
    }  # fmt: skip
    async with open_app(settings=own) as tui:
        for text, key in cases.items():
            await tui.press("slash")
            assert isinstance(tui.app.screen, LinePrompt)
            await tui.press(*(character if character != " " else "space" for character in text))
            assert tui.app.state.face.control_key == key, text
            await tui.press("escape")
            assert tui.app.state.face.control_key == "seed", text
            assert tui.recipe.edits == (), text


async def test_one_amount_is_one_step_of_the_history(open_app: Open, own: Settings) -> None:
    async with open_app(settings=own, size=(160, 50)) as tui:
        await find(tui, "smile")
        await tui.press("right", "right", "right")
        await find(tui, "turn")
        await tui.press("left")
        assert amounts(tui) == {"smile": 1.5, "yaw": -0.5}
        history = tui.panel()[tui.panel().index("History") :]
        assert [line.strip() for line in history.splitlines()[1:4]] == ["turn -0.5", "smile +1.5", "seed 0"]
        await tui.press("u")
        assert amounts(tui) == {"smile": 1.5}
        await tui.press("u")
        assert amounts(tui) == {}
        await tui.press("ctrl+r", "ctrl+r")
        assert amounts(tui) == {"smile": 1.5, "yaw": -0.5}
        await tui.press("Z")
        assert amounts(tui) == {}
        assert "edits taken back" in tui.panel()


async def test_an_edit_may_move_other_rows(open_app: Open, own: Settings) -> None:
    async with open_app(settings=own) as tui:
        await find(tui, "smile")
        await tui.press("w")
        assert "Rows belong to an edit" in tui.toasts()
        await tui.press("right", "w", *"4-9", "enter")
        assert isinstance(tui.app.screen, LinePrompt), "this network has 8 rows"
        await tui.press("backspace", "8", "enter")
        assert tui.command() == "$ tuiface render 0 --psi 0.7 --edit smile=0.5@4-8"
        assert "rows 4-8" in tui.text()
        await tui.press("right")
        assert tui.command().endswith("smile=1@4-8")
        await tui.press("w", *["backspace"] * 3, "enter")
        assert tui.command().endswith("--edit smile=1")


def test_what_are_rows() -> None:
    assert parse_rows("0-6", 8) == (0, 6)
    assert all(parse_rows(text, 8) is None for text in ("", "6", "6-6", "7-6", "0-9", "-3", "3-", "1-2-3"))


def test_amounts_as_text() -> None:
    assert [format_amount(n) for n in (0.0, 0.5, -1.0, 2.25, 10.0, -0.1)] == ["·", "+0.5", "-1", "+2.25", "+10", "-0.1"]


# --- locks ---------------------------------------------------------------------------------------------------------


async def test_locks_have_a_strength_and_a_guarantee(open_app: Open, own: Settings) -> None:
    async with open_app(settings=own) as tui:
        await tui.press("f")
        assert tui.command().endswith("--lock frame")
        await find(tui, "hairline")
        await tui.press("space", "left", "shift+left")
        assert tui.command().endswith("--lock frame --lock hairline=0.7")
        await tui.press("G")
        assert tui.command().endswith("--lock frame --lock hairline=0.7:blend")
        assert "hardly any change" in panel(tui)
        await find(tui, "smile")
        await tui.press("G")
        assert tui.command().endswith("--lock frame:blend --lock hairline=0.7:blend")
        await tui.press("G")
        build_parser().parse_args(tui.command().split()[2:])
        assert tui.command().endswith("--lock frame:paste --lock hairline=0.7:paste")
        await find(tui, "hairline")
        await tui.press("backspace", "f")
        assert tui.recipe.locks == ()


async def test_a_lock_is_turned_on_and_off_by_its_strength(open_app: Open, own: Settings) -> None:
    async with open_app(settings=own) as tui:
        await find(tui, "background")
        await tui.press("right", "right")
        assert tui.command().endswith("--lock background=0.5")
        await tui.press("left", "left", "left")
        assert tui.recipe.locks == ()
        await find(tui, "smile")
        await tui.press("space")
        assert tui.recipe.locks == (), "a concept is no region"


# --- pictures and measures -----------------------------------------------------------------------------------------


async def test_an_edited_face_is_previewed_first_and_measured_when_the_keys_rest(open_app: Open, own: Settings) -> None:
    async with open_app(lambda engine: engine.measures.update(MEASURES), settings=own, size=(160, 50)) as tui:
        await tui.press("f")
        await find(tui, "smile")
        await tui.settled()
        before = len(tui.engine.jobs)
        tui.engine.holds = True  # or a slow test would find the keys at rest already
        await tui.press("right")
        await tui.until(lambda: tui.engine.held)
        assert tui.engine.jobs[before].quality == "preview"
        assert "then measured" in tui.text()
        tui.engine.holds = False
        tui.engine.release()
        await tui.until(lambda: "frame variation" in tui.text())
        assert [job.quality for job in tui.engine.jobs[before:]] == ["preview", "final"]
        text = tui.text()
        for words in ("0.42 %", "0.3 px", "0.8 levels", "0.7 levels, max. 3", "+3.4 sigma"):
            assert words in text
        tui.engine.holds = True
        await tui.press("right")
        await tui.until(lambda: tui.engine.held)
        assert "0.42 %" not in tui.text(), "measures are of the face on the screen"


async def test_unedited_faces_are_asked_for_once(open_app: Open, own: Settings) -> None:
    async with open_app(settings=own) as tui:
        await tui.press("right")
        await tui.settled()
        await tui.pilot.pause(0.4)
        assert [job.quality for job in tui.engine.jobs[-1:]] == ["draft"]
        assert len(tui.engine.jobs) == 2


async def test_keys_are_taken_while_a_lock_is_worked_out(open_app: Open, own: Settings) -> None:
    async with open_app(settings=own) as tui:
        await tui.press("f")
        await find(tui, "smile")
        await tui.settled()
        tui.engine.holds = True
        await tui.press("right")
        await tui.until(lambda: tui.status() == "rendering")
        await tui.press("right", "right", "u", "ctrl+r")
        assert amounts(tui) == {"smile": 1.5}
        assert "+1.5" in tui.text()


async def test_a_lock_that_the_engine_refuses_is_said_and_nothing_waits(open_app: Open, own: Settings) -> None:
    async with open_app(settings=own) as tui:
        await tui.settled()
        tui.engine.preview_error = UsageError("locks[0].region: 'hair' is not known for this model's faces")
        await find(tui, "smile")
        await tui.press("right")
        await tui.until(lambda: "is not known for this model" in tui.toasts())
        await tui.until(lambda: not tui.app.state.preview.is_behind)
        assert tui.status() == ""


async def test_comparing_shows_the_face_without_its_edits(open_app: Open, own: Settings) -> None:
    async with open_app(settings=own) as tui:
        await tui.press("right", "plus")
        await find(tui, "smile")
        await tui.press("right", "f", "c")
        studio = tui.app.state.studio
        assert studio is not None
        assert studio.original.recipe == tui.recipe.derive(edits=(), locks=())
        await tui.until(lambda: "% changed" in tui.text() and "0.0 %" not in tui.text())


async def test_noise_has_variants_to_walk_through(open_app: Open) -> None:
    async with open_app() as tui:
        await tui.press("down", "down")
        seen = []
        for key in ("right", "right", "left", "left", "left", "left", "right", "right", "backspace"):
            await tui.press(key)
            seen.append((tui.recipe.noise.mode, tui.recipe.noise.seed))
        assert seen == [
            ("random", 0), ("random", 1), ("random", 0), ("const", None), ("none", None), ("none", None),
            ("const", None), ("random", 0), ("const", None),
        ]  # fmt: skip


# --- what there is to see ------------------------------------------------------------------------------------------


async def test_without_directions_a_sentence_says_how_to_get_them(open_app: Open) -> None:
    async with open_app(size=(160, 50)) as tui:
        assert "This network has no directions yet. In Concepts, which 8 opens: a learns them" in panel(tui)


async def test_directions_that_were_made_meanwhile_are_there_on_return(open_app: Open, own: Settings) -> None:
    async with open_app(settings=own) as tui:
        with_directions(own, own.directions, ("calm",))
        await tui.press("2")
        await tui.pilot.pause()
        await tui.press("1")
        await tui.until(lambda: "concept:calm" in [control.key for control in list_controls(tui.app.state)])


async def test_rows_can_be_clicked(open_app: Open, own: Settings) -> None:
    async with open_app(settings=own) as tui:
        lines = tui.text().splitlines()
        row = next(i for i, line in enumerate(lines) if "noise" in line)
        await tui.pilot.click(offset=(lines[row].index("noise"), row))
        assert tui.app.state.face.control_key == "noise"


async def test_information_takes_the_place_of_the_rows(open_app: Open, own: Settings) -> None:
    async with open_app(settings=own) as tui:
        assert "History" not in tui.text()
        await tui.press("i")
        assert "History" in tui.text()
        assert "▸" not in tui.text()
        await tui.press("i")
        assert "▸" in tui.text()


async def test_a_narrow_terminal_names_the_chosen_amount(open_app: Open, own: Settings) -> None:
    async with open_app(settings=own, size=(50, 16)) as tui:
        await find(tui, "smile")
        await tui.press("right")
        assert "smile +0.5" in tui.text()


async def test_the_rows_in_spanish(open_app: Open, own: Settings) -> None:
    async with open_app(settings=own.model_copy(update={"language": "es"}), size=(160, 50)) as tui:
        await find(tui, "sonrisa")
        await tui.press("right", "escape")
        text = tui.text()
        for words in ("Boca", "Ojos", "sonrisa", "sin sonrisa", "sonriente", "Bloqueos", "línea del pelo"):
            assert words in text
    use_language("en")


async def test_edits_and_locks_are_there_after_the_end(open_app: Open, own: Settings) -> None:
    async with open_app(settings=own) as tui:
        await find(tui, "smile")
        await tui.press("right", "f")
        command = tui.command()
        await tui.press("q")
        await tui.until(lambda: not tui.app.is_running)
    async with open_app(settings=own) as tui:
        await tui.press("B")
        await tui.until(lambda: tui.command() == command)


@pytest.mark.parametrize("size", [(80, 24), (160, 50)])
async def test_mix_takes_an_edited_face_as_rows_and_says_so(
    open_app: Open, own: Settings, size: tuple[int, int]
) -> None:
    async with open_app(settings=own, size=size) as tui:
        await smile_then(tui, "3")
        assert isinstance(tui.app.screen, MixScreen)
        mix = tui.app.screen
        await tui.until(lambda: "locks are in the rows" in " ".join(tui.text().split()))
        await tui.until(lambda: mix.both_children() is not None)
        assert "s save" in tui.text()
        parents, children = mix.both_parents(), mix.both_children()
        assert parents is not None
        assert children is not None
        assert parents[0].recipe == tui.recipe
        assert {child.recipe.source.kind for child in children} == {"latent"}
        assert all(child.recipe.edits == () for child in children)


async def test_mix_says_why_rows_cannot_be_worked_out_and_asks_no_more(open_app: Open, own: Settings) -> None:
    asked = []

    def refuse(request: FaceRequest) -> OptimisedFace:
        asked.append(request)
        raise ModelError("no such rows")

    def break_it(engine: FakeEngine) -> None:
        engine.find_face = refuse  # type: ignore[method-assign]

    async with open_app(break_it, settings=own) as tui:
        await smile_then(tui, "3")
        await tui.until(lambda: "no such rows" in tui.text())
        await tui.press("greater_than_sign")
        await tui.until(lambda: "no such rows" in tui.text())
        assert len(asked) == 1


async def test_morph_takes_an_edited_face_and_edits_the_other_ends_alike(open_app: Open, own: Settings) -> None:
    async with open_app(settings=own, size=(160, 50)) as tui:
        await smile_then(tui, "4")
        assert isinstance(tui.app.screen, MorphScreen)
        await tui.press("a", "9", "enter")
        faces = tui.app.screen.faces()
        assert [getattr(face.recipe.source, "seed", None) for face in faces] == [0, 9]
        assert faces[0].recipe.edits == faces[1].recipe.edits != ()
        await tui.until(lambda: tui.app.screen.query_one(FaceView).pixels is not None)


@pytest.mark.parametrize("size", [(80, 24), (160, 50)])
async def test_sliders_are_set_and_dragged_by_the_mouse(open_app: Open, own: Settings, size: tuple[int, int]) -> None:
    async with open_app(settings=own, size=size) as tui:
        await find(tui, "smile")
        await tui.press("escape")  # all rows again
        limit = amount_limit(tui)
        for share in (1, -1, 0.5):
            x, y, half = slider_of(tui, "smile")
            assert await tui.pilot.click(offset=(x + round(share * half), y))
            await tui.until(lambda share=share: amounts(tui).get("smile", 0) == pytest.approx(share * limit, abs=0.2))  # type: ignore[misc]
        x, y, half = slider_of(tui, "smile")
        await tui.pilot.mouse_down(offset=(x, y))
        await tui.pilot.hover(offset=(size[0] - 1, y))
        await tui.pilot.mouse_up(offset=(x + half, y))
        await tui.until(lambda: amounts(tui).get("smile", 0) == pytest.approx(limit, abs=0.05))
        x, y, half = slider_of(tui, "psi")
        await tui.pilot.click(offset=(x, y))
        await tui.until(lambda: tui.psi == 0)


def amount_limit(tui: Running) -> float:
    return next(concept.limit for concept in tui.app.state.face.concepts if concept.name == "smile")


def slider_of(tui: Running, word: str) -> tuple[int, int, int]:
    """Column of its middle, row on the screen, and columns on each side of the middle."""
    for y, line in enumerate(tui.text().splitlines()):
        found = re.search(rf" {word} .*?([─┼●━]{{5,}})", line)
        if found:
            half = (len(found[1]) - 1) // 2
            return found.start(1) + half, y, half
    raise AssertionError(f"no slider of {word}:\n{tui.text()}")
