"""Concepts and its questionnaire, as a user sees them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from textual.widgets import Input, Label, Static

from tests.directions.directions import make_direction
from tests.tui.conftest import Open, Running
from tests.tui.fake_engine import INFO, FakeEngine
from tuiface.core.errors import ModelError, UsageError
from tuiface.core.i18n import use_language
from tuiface.core.settings import Settings
from tuiface.directions.catalogue import Catalogue
from tuiface.directions.direction import Direction
from tuiface.engine_api.requests import AttributesRequest, ImportRequest, ScoresRequest, SearchRequest
from tuiface.faces.recipe import DirectionEdit, LatentSource
from tuiface.screens.concepts import screen
from tuiface.screens.concepts.questionnaire import QuestionnaireScreen
from tuiface.screens.concepts.screen import ConceptsScreen, parse_ends, parse_import_words, parse_scale
from tuiface.screens.dialogs.confirm import ConfirmDialog
from tuiface.screens.dialogs.prompts import complete_path
from tuiface.screens.widgets.tile_grid import TileStrip

LEAKAGE = {"smile": 1.0, "age": 0.4, "yaw": -0.1}


@pytest.fixture
def keep(tui_settings: Settings, tmp_path: Path) -> Iterator[Catalogue]:
    """The user's catalogue, with two directions of the fake network."""
    catalogue = Catalogue(tmp_path / "shipped", tui_settings.directions)
    catalogue.add(make_direction("smile", model=INFO.model, leakage=LEAKAGE, licence="CC-BY-4.0"))
    catalogue.add(make_direction("warmth", np.eye(4)[1], model=INFO.model))
    yield catalogue
    use_language("en")


def names(catalogue: Catalogue) -> list[str]:
    return [entry.direction.name for entry in catalogue.entries(INFO.model)]


def shown(tui: Running, name: str) -> str:
    return str(tui.app.screen.query_one(f"#{name}", Static).content)


async def concepts_shown(tui: Running) -> ConceptsScreen:
    await tui.press("8")
    screen = tui.app.screen
    assert isinstance(screen, ConceptsScreen)
    return screen


async def strip_there(tui: Running) -> TileStrip:
    strip = tui.app.screen.query_one(TileStrip)
    await tui.until(lambda: strip.tiles and all(tile.pixels is not None for tile in strip.tiles))
    return strip


async def type_in(tui: Running, text: str) -> None:
    """Fill the line at the bottom and press Enter."""
    tui.app.screen.query_one(Input).value = text
    await tui.press("enter")


async def ask_about(
    tui: Running, name: str = "kind", *, english: str = "", spanish: str = "", scale: str = "y"
) -> None:
    """From anywhere to the first face of a questionnaire."""
    await concepts_shown(tui)
    await tui.press("n")
    for text in (name, english, spanish, scale):
        await type_in(tui, text)
    await question_shown(tui)


async def question_shown(tui: Running) -> QuestionnaireScreen:
    await tui.until(lambda: isinstance(tui.app.screen, QuestionnaireScreen))
    screen = tui.app.screen
    assert isinstance(screen, QuestionnaireScreen)
    assert tui.app.state.concepts.questionnaire is not None
    await tui.until(lambda: screen.is_asking)
    return screen


async def answer(tui: Running, *keys: str) -> None:
    """Each key about a face that is on the screen."""
    for key in keys:
        await question_shown(tui)
        await tui.press(key)


def written(tui: Running, name: str = "kind") -> list[float | None]:
    path = tui.app.state.settings.directions / f"{name}.answers.json"
    return [one["value"] for one in json.loads(path.read_text())["answers"]]


def with_reader(engine: FakeEngine) -> None:
    engine.engine_info = replace(INFO, attributes=("smile", "age"))


# --- looking -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(80, 24), (160, 50), (40, 12)])
async def test_the_list_says_what_a_direction_is(open_app: Open, keep: Catalogue, size: tuple[int, int]) -> None:
    async with open_app(size=size) as tui:
        await concepts_shown(tui)
        strip = await strip_there(tui)
        assert "Your own" in shown(tui, "list")
        assert "smile" in shown(tui, "list")
        report = shown(tui, "report")
        assert "CC-BY-4.0" in report
        assert "standard deviations" in report
        assert "age" in report
        assert "+0.40" in report
        number = 7 if size[0] == 160 else 5
        assert [tile.caption for tile in strip.tiles][:: number - 1] == ["-3", "+3"]
        assert len(strip.tiles) == number
        assert "unsmiling" in shown(tui, "heading")


@pytest.mark.parametrize("size", [(80, 24), (40, 12)])
async def test_no_directions_say_how_to_get_some(open_app: Open, size: tuple[int, int]) -> None:
    async with open_app(size=size) as tui:
        await concepts_shown(tui)
        told = shown(tui, "report" if size[0] == 80 else "list")
        for key, word in zip("anfi", ("reader", "both of its ends", "GANSpace", "direction that you own"), strict=True):
            assert re.search(rf"^{key} +.*{word}", told, re.MULTILINE)
        for key in ("down", "right", "enter", "s", "e", "d"):
            await tui.press(key)
        assert isinstance(tui.app.screen, ConceptsScreen)


async def test_one_key_learns_all_that_the_reader_sees(open_app: Open) -> None:
    async with open_app(with_reader) as tui:
        await concepts_shown(tui)
        await tui.press("a")
        await tui.until(lambda: "1 direction kept" in tui.toasts() and "smile" in shown(tui, "list"))
        assert tui.engine.orders == [AttributesRequest()]
        assert "age" not in shown(tui, "list"), "it failed its verification"


async def test_where_there_are_directions_the_key_asks_which_to_learn(open_app: Open, keep: Catalogue) -> None:
    async with open_app(with_reader) as tui:
        await concepts_shown(tui)
        await tui.press("a")
        await type_in(tui, "agee")
        assert "accepted: smile, age" in str(tui.app.screen.query_one("#seed-hint", Label).content)
        await type_in(tui, "age")
        await tui.until(lambda: tui.engine.orders)
        assert tui.engine.orders == [AttributesRequest(names=("age",))]


async def test_without_a_reader_the_key_says_what_else_there_is(open_app: Open) -> None:
    async with open_app() as tui:
        await concepts_shown(tui)
        await tui.press("a")
        assert "n learns from your answers" in tui.toasts()
        assert not tui.engine.orders


async def test_the_chosen_amount_becomes_the_face_and_its_command(open_app: Open, keep: Catalogue) -> None:
    async with open_app() as tui:
        await concepts_shown(tui)
        await strip_there(tui)
        await tui.press("down", "up", "right", "right", "left", "right")
        assert tui.command_text() == "$ tuiface render 0 --psi 0.7 --edit smile=3"
        await tui.press("left", "left", "h")
        assert "smile=-1.5" in tui.command_text()
        await tui.press("l")
        assert tui.command_text() == "$ tuiface directions show smile"
        await tui.press("l", "enter")
        await tui.until(lambda: tui.app.screen is tui.screen)
        (edit,) = tui.recipe.edits
        assert isinstance(edit, DirectionEdit)
        assert (edit.direction, edit.amount) == ("smile", 1.5)


async def test_the_strip_walks_through_faces(open_app: Open, keep: Catalogue) -> None:
    async with open_app() as tui:
        await concepts_shown(tui)
        await tui.press("]", "]", "[")
        assert tui.seed == 1
        await strip_there(tui)


async def test_an_amount_can_be_clicked_and_opened(open_app: Open, keep: Catalogue) -> None:
    async with open_app() as tui:
        screen = await concepts_shown(tui)
        strip = await strip_there(tui)
        await tui.pilot.click(strip, offset=strip.tile_region(0).translate((1, 1)).offset)
        assert screen.amount_steps == -2
        await tui.pilot.click(strip, offset=strip.tile_region(4).translate((1, 1)).offset, times=2)
        await tui.until(lambda: tui.app.screen is tui.screen)
        assert tui.recipe.edits[0].amount == 3


# --- one's own ---------------------------------------------------------------------------------------------------


async def test_ones_own_is_renamed_and_stays_the_same_direction(open_app: Open, keep: Catalogue) -> None:
    before = keep.find("smile", INFO.model).sha256
    async with open_app() as tui:
        await concepts_shown(tui)
        await tui.press("e")
        await type_in(tui, "No Name")
        assert isinstance(tui.app.screen.query_one(Input), Input), "a name that cannot be one is refused in place"
        await type_in(tui, "grin")
        assert names(keep) == ["grin", "warmth"]
        assert keep.find("grin", INFO.model).sha256 == before
        assert "grin" in shown(tui, "list")


async def test_a_name_that_is_taken_is_told(open_app: Open, keep: Catalogue) -> None:
    async with open_app() as tui:
        await concepts_shown(tui)
        await tui.press("e")
        await type_in(tui, "warmth")
        assert "exists already" in tui.toasts()
        assert names(keep) == ["smile", "warmth"]


async def test_deleting_asks_first(open_app: Open, keep: Catalogue) -> None:
    async with open_app() as tui:
        await concepts_shown(tui)
        await tui.press("d")
        assert isinstance(tui.app.screen, ConfirmDialog)
        await tui.press("n")
        assert names(keep) == ["smile", "warmth"]
        await tui.press("d", "y")
        assert names(keep) == ["warmth"]
        assert "Deleted" in tui.toasts()
        assert "smile" not in shown(tui, "list")


async def test_what_ships_is_neither_renamed_nor_deleted(
    open_app: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tuiface.directions.direction import write_direction
    from tuiface.faces import studio

    (tmp_path / "shipped").mkdir()
    write_direction(make_direction("yaw", model=INFO.model), tmp_path / "shipped" / "yaw.safetensors")
    monkeypatch.setattr(studio, "directions_path", lambda *_: tmp_path / "shipped")
    async with open_app() as tui:
        await concepts_shown(tui)
        assert "Orientation" in shown(tui, "list")
        await tui.press("d", "e")
        assert "ships with tuiface" in tui.toasts()
        assert isinstance(tui.app.screen, ConceptsScreen)
        assert (tmp_path / "shipped" / "yaw.safetensors").exists()


# --- finding -----------------------------------------------------------------------------------------------------


async def test_what_a_search_finds_is_looked_at_and_kept(open_app: Open, keep: Catalogue) -> None:
    async with open_app() as tui:
        screen = await concepts_shown(tui)
        await tui.press("f")
        await type_in(tui, "gans 3")
        assert "did you mean 'ganspace'" in str(tui.app.screen.query_one("#seed-hint").render())
        await type_in(tui, "ganspace 1-6 3")
        await tui.until(lambda: len(tui.app.state.concepts.found) == 3)
        assert tui.engine.orders == [SearchRequest(method="ganspace", rows=(1, 6), count=3)]
        await tui.press("k", "k", "k", "k")
        await strip_there(tui)
        assert "Found, not kept yet" in shown(tui, "list")
        assert "--rows 1-6 --keep 1=found_1" in tui.command_text()
        await tui.press("down", "s")
        await type_in(tui, "shade")
        assert "shade" in names(keep)
        assert screen.row is not None
        assert (screen.row.section, screen.row.name) == ("own", "shade")
        assert [d.name for d in tui.app.state.concepts.found] == ["ganspace_1", "ganspace_3"]
        await tui.press(*["up"] * 9, "d")
        assert [d.name for d in tui.app.state.concepts.found] == ["ganspace_3"]


async def test_what_was_found_moves_the_rows_of_the_face(open_app: Open) -> None:
    async with open_app() as tui:
        await concepts_shown(tui)
        await tui.press("f")
        await type_in(tui, "sefa")
        await tui.until(lambda: tui.app.state.concepts.found)
        await strip_there(tui)
        await tui.press("right", "right", "enter")
        await tui.until(lambda: tui.app.screen is tui.screen)
        source = tui.recipe.source
        assert isinstance(source, LatentSource)
        assert tui.recipe.truncation.psi == 1
        studio = tui.app.state.studio
        assert studio is not None
        before = tui.engine.ws(studio.history[0][0].recipe)
        np.testing.assert_allclose(source.array() - before, np.broadcast_to([0, 3, 0, 0], before.shape), atol=1e-6)


async def test_a_search_that_fails_is_told(open_app: Open) -> None:
    def adjust(engine: FakeEngine) -> None:
        engine.work_error = ModelError("no region 'hair' for this model's faces")

    async with open_app(adjust) as tui:
        await concepts_shown(tui)
        await tui.press("f")
        await type_in(tui, "regional hair")
        await tui.until(lambda: "no region 'hair'" in tui.toasts())
        assert tui.app.state.concepts.found == ()


async def test_only_what_was_found_is_kept(open_app: Open, keep: Catalogue) -> None:
    async with open_app() as tui:
        await concepts_shown(tui)
        await tui.press("s")
        assert "f finds some" in tui.toasts()


# --- importing ---------------------------------------------------------------------------------------------------


async def test_a_file_is_imported_through_the_engine(open_app: Open, tmp_path: Path) -> None:
    file = tmp_path / "age.npy"
    np.save(file, np.eye(4)[2])
    async with open_app() as tui:
        screen = await concepts_shown(tui)
        await tui.press("i")
        await type_in(tui, str(tmp_path / "none.npy"))
        assert "no such file" in str(tui.app.screen.query_one("#seed-hint").render())
        await type_in(tui, str(file))
        await type_in(tui, "age --legacy first --licence 'our own' --limit 2")
        await tui.until(lambda: screen.row is not None and screen.row.name == "age")
        await tui.until(lambda: "Import age.npy: done" in tui.toasts())
        (request,) = tui.engine.orders
        assert isinstance(request, ImportRequest)
        np.testing.assert_array_equal(request.step.array(), np.eye(4, dtype=np.float32)[2:3])
        assert (request.name, request.file, request.system, request.rows) == ("age", "age.npy", "first", (0, 8))
        assert str(tmp_path) not in request.model_dump_json(), "the engine hears of no path"
        assert screen.row is not None
        assert screen.row.direction is not None
        assert (screen.row.direction.header.licence, screen.row.direction.header.limit) == ("our own", 2.0)


async def test_a_file_that_cannot_be_imported_says_why(open_app: Open, tmp_path: Path) -> None:
    file = tmp_path / "age.npy"
    np.save(file, np.zeros(3))
    async with open_app() as tui:
        await concepts_shown(tui)
        await tui.press("i")
        await type_in(tui, str(file))
        await type_in(tui, "age")
        await tui.until(lambda: "age.npy: shape [3]; this model takes" in tui.toasts())


def test_paths_are_completed_to_what_can_be_imported(tmp_path: Path) -> None:
    for name in ("ages.txt", "ages.npy", ".hidden.npy", "b.pt"):
        (tmp_path / name).touch()
    (tmp_path / "folder").mkdir()
    before = f"{tmp_path}/"
    assert complete_path(f"{before}a", (".npy",)) == f"{before}ages.npy"
    assert complete_path(f"{before}f", (".npy",)) == f"{before}folder/"
    assert complete_path(f"{before}b", (".npy",)) is None
    assert complete_path(f"{before}none/x", (".npy",)) is None
    assert complete_path("", (".npy",)) is None


# --- answering ---------------------------------------------------------------------------------------------------


async def test_answers_are_written_as_they_are_given_and_taken_back(open_app: Open) -> None:
    async with open_app() as tui:
        await ask_about(tui, english="cold / warm", spanish="frío / cálido")
        await answer(tui, "y", "n", "s", "right", "3")
        assert written(tui) == [1, 0, None, 1], "a rating is no answer to yes or no"
        questionnaire = tui.app.state.concepts.questionnaire
        assert questionnaire is not None
        assert questionnaire.answering is not None
        last = questionnaire.answering.answers[-1].seed
        await tui.press("u")
        assert written(tui) == [1, 0, None]
        assert questionnaire.seed == last, "the same face is asked about again"
        plan = shown(tui, "plan")
        assert "28 more at least" in plan
        assert "warm" in plan
        assert tui.command_text() == ("$ tuiface directions learn --ask kind --ends cold/warm --ends-es 'frío/cálido'")


async def test_accuracy_and_its_interval_follow_each_answer(open_app: Open) -> None:
    async with open_app() as tui:
        await ask_about(tui)
        assert "not known yet" in shown(tui, "plan")
        await answer(tui, *"ynynyynyn")
        assert tui.app.state.concepts.questionnaire is not None
        questionnaire = tui.app.state.concepts.questionnaire.answering
        assert questionnaire is not None
        accuracy = questionnaire.accuracy()
        assert accuracy is not None
        plan = shown(tui, "plan")
        assert f"{accuracy.fraction:.0%}" in plan
        assert f"{round(100 * accuracy.low)}-{round(100 * accuracy.high)} %, of {accuracy.count}" in plan


async def test_ratings_take_the_numbers_that_elsewhere_change_the_screen(open_app: Open) -> None:
    async with open_app() as tui:
        await ask_about(tui, scale="7")
        await answer(tui, *"1234567", "y")
        assert written(tui) == [1, 2, 3, 4, 5, 6, 7]
        assert "--scale 1-7" in tui.command_text()


async def test_paused_answers_wait_in_the_list_and_go_on(open_app: Open) -> None:
    async with open_app() as tui:
        await ask_about(tui, english="cold / warm")
        await answer(tui, "y", "n")
        await tui.press("escape")
        await tui.until(lambda: isinstance(tui.app.screen, ConceptsScreen))
        assert "Answers without a direction" in shown(tui, "list")
        assert "2 answers" in shown(tui, "list")
        assert "cold" in shown(tui, "heading")
    async with open_app() as tui:
        if isinstance(tui.app.screen, ConfirmDialog):
            await tui.press("n")  # the offer to go on with the last session
        await concepts_shown(tui)
        await tui.press("enter")
        await answer(tui, "y")
        assert written(tui) == [1, 0, 1]
        assert "cold/warm" in tui.command_text()
        await tui.press("escape", "n")
        await tui.until(lambda: bool(tui.app.screen.query(Input)))
        await type_in(tui, "kind")
        await answer(tui, "n")
        assert written(tui) == [1, 0, 1, 0]


async def test_unfinished_answers_are_deleted_after_a_question(open_app: Open) -> None:
    async with open_app() as tui:
        await ask_about(tui)
        await answer(tui, "y")
        await tui.press("escape")
        await tui.until(lambda: isinstance(tui.app.screen, ConceptsScreen))
        await tui.press("d", "y")
        assert not list(tui.app.state.settings.directions.glob("*.json"))
        assert "No directions" in shown(tui, "list")


async def test_enough_answers_become_a_direction_in_the_list(open_app: Open) -> None:
    async with open_app() as tui:
        await ask_about(tui, english="cold / warm")
        await answer_truly(tui, 32)
        assert "enough; 100 are better" in shown(tui, "plan")
        await tui.press("enter")
        await tui.until(lambda: isinstance(tui.app.screen, ConceptsScreen))
        await tui.until(lambda: tui.engine.orders and "Answers without a direction" not in shown(tui, "list"))
        (order,) = tui.engine.orders
        assert isinstance(order, ScoresRequest)
        assert (order.name, order.origin.settings["answers"], len(order.scores)) == ("kind", 32, 400)
        first = tui.engine.features(order.seeds)[:, 0]
        assert np.corrcoef(first, order.scores)[0, 1] > 0.6, "the scores follow what was answered"
        made = Catalogue(Path("none"), tui.app.state.settings.directions).find("kind", INFO.model)
        assert made.header.labels.en == ("cold", "warm")
        assert re.search(r"^ *kind +answers$", shown(tui, "list"), re.MULTILINE)


async def answer_truly(tui: Running, number: int) -> None:
    """Yes where the first feature of the face is positive."""
    for _ in range(number):
        await question_shown(tui)
        assert tui.app.state.concepts.questionnaire is not None
        seed = tui.app.state.concepts.questionnaire.seed
        assert seed is not None
        await tui.press("y" if tui.engine.features([seed])[0, 0] > 0 else "n")


async def test_too_few_answers_and_all_alike_are_told_in_one_line(open_app: Open) -> None:
    async with open_app() as tui:
        await ask_about(tui)
        await answer(tui, "y", "n", "enter")
        assert "2 answers; a direction takes at least 30" in tui.toasts()
        await tui.press("u")
        await answer(tui, *"y" * 30, "enter")
        assert "answers are the same" in tui.toasts()
        assert tui.engine.orders == []


async def test_a_name_of_ones_own_is_not_overwritten_by_answers(open_app: Open, keep: Catalogue) -> None:
    async with open_app() as tui:
        await ask_about(tui, "warmth")
        await answer_truly(tui, 30)
        await tui.press("enter")
        assert "is called 'warmth' already" in tui.toasts()
        assert tui.engine.orders == []


async def test_faces_that_cannot_be_read_are_told_where_they_would_be(open_app: Open) -> None:
    def adjust(engine: FakeEngine) -> None:
        engine.work_error = ModelError("no attribute reader fits")

    async with open_app(adjust) as tui:
        await concepts_shown(tui)
        await tui.press("n")
        for text in ("kind", "", "", "y"):
            await type_in(tui, text)
        await tui.until(lambda: isinstance(tui.app.screen, QuestionnaireScreen) and "no attribute reader" in tui.text())
        await tui.press("y", "u", "enter", "escape")
        await tui.until(lambda: isinstance(tui.app.screen, ConceptsScreen))


@pytest.mark.parametrize("size", [(80, 24), (160, 50), (40, 12)])
async def test_the_questionnaire_fits_and_speaks_spanish(
    open_app: Open, size: tuple[int, int], tui_settings: Settings
) -> None:
    settings = tui_settings.model_copy(update={"language": "es"})
    async with open_app(size=size, settings=settings) as tui:
        await ask_about(tui, english="cold / warm", spanish="frío / cálido")
        await answer(tui, "y")
        assert all(len(line) == size[0] for line in tui.text().splitlines())
        assert "cálido" in shown(tui, "plan")
        assert "29 más como mínimo" in shown(tui, "plan")
    use_language("en")


@pytest.mark.parametrize(
    ("parse", "text", "expected"),
    [
        (parse_ends, " cold / warm ", ("cold", "warm")),
        (parse_ends, "", ("", "")),
        (parse_scale, "7", "1-7"),
    ],
)
def test_lines_are_understood(parse: object, text: str, expected: object) -> None:
    assert callable(parse)
    assert parse(text) == expected


def test_words_behind_a_file_are_understood() -> None:
    options = parse_import_words(Path("a-b.npy"), "age --rows 0-8 --licence 'our own'")
    assert (options.name, options.rows, options.licence, options.raw) == ("age", (0, 8), "our own", False)
    for text, message in (
        ("", "name ''"),
        ("age --rows 8-0", "rows '8-0'"),
        ("age --limit 0", "--limit 0"),
        ("age --legacy none", "invalid choice"),
        ("nose --legacy first", "had no direction"),
        ("age 'open", "quotation"),
        ("age --new", "--new"),
    ):
        with pytest.raises(UsageError, match=re.escape(message)):
            parse_import_words(Path("a.npy"), text)


def test_a_direction_has_a_strip_even_where_it_is_nothing_but_channels() -> None:
    from tests.fake_engine import FakeEngine as SmallEngine
    from tuiface.faces.studio import Studio
    from tuiface.stimuli.neighbours import amounts_of_strip, apply_direction

    direction: Direction = make_direction(
        "channel_1", model=INFO.model, space="styles", limit=30.0, arrays={"b4.conv1": np.eye(8, dtype=np.float32)[3]}
    )
    studio = Studio(SmallEngine(), Settings())
    face = studio.face(3)
    moved = apply_direction(face, studio.engine.ws(face.recipe), direction, 15.0)
    assert moved.recipe.edits[0].model_dump()["channel"] == ("b4.conv1", 3)
    assert amounts_of_strip(30.0, 5) == (-30.0, -15.0, 0.0, 15.0, 30.0)
    assert apply_direction(face, studio.engine.ws(face.recipe), direction, 0.0) is face
    assert screen.SUFFIXES
