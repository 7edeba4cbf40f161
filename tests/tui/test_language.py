"""The interface speaks its user's language, without a word left out."""

from __future__ import annotations

import re

import pytest

from tests.tui.conftest import Open
from tools.catalogues import catalogue_paths, collect_messages, compile_catalogue, read_catalogue, translations
from tuiface.actions import ACTIONS, ESSENTIAL, SCREENS, SCREENS_WITHOUT_TAB, Registry, ScreenName
from tuiface.core.i18n import Language, choose_language, tr, trn, use_language
from tuiface.core.settings import Settings
from tuiface.screens.widgets.bars import KeyLine

each_catalogue = pytest.mark.parametrize("paths", list(catalogue_paths()), ids=lambda paths: paths[0].stem)


@each_catalogue
def test_no_message_is_missing_and_none_is_left_over(paths: tuple) -> None:  # type: ignore[type-arg]
    entries = translations(read_catalogue(paths[0]))
    assert collect_messages() - set(entries) == set(), "missing"
    assert set(entries) - collect_messages() == set(), "left over"
    assert all(all(texts) for texts in entries.values()), "empty"


@each_catalogue
def test_translations_keep_the_places_of_values(paths: tuple) -> None:  # type: ignore[type-arg]
    for (one, _), texts in translations(read_catalogue(paths[0])).items():
        for text in texts:
            assert sorted(re.findall(r"\{\w+\}", text)) == sorted(re.findall(r"\{\w+\}", one)), one


@each_catalogue
def test_catalogues_are_compiled(paths: tuple) -> None:  # type: ignore[type-arg]
    source, target = paths
    assert target.read_bytes() == compile_catalogue(read_catalogue(source)), "run `make catalogues`"


@pytest.mark.parametrize(
    ("setting", "environment", "language"),
    [
        ("auto", {"LANG": "es_AR.UTF-8"}, "es"),
        ("auto", {"LANG": "en_US.UTF-8"}, "en"),
        ("auto", {"LANG": "de_AT.UTF-8"}, "en"),
        ("auto", {"LANG": "en_US.UTF-8", "LC_ALL": "es_ES"}, "es"),
        ("auto", {"LANG": "es_ES", "LANGUAGE": "en:es"}, "en"),
        ("auto", {}, "en"),
        ("es", {"LANG": "en_US"}, "es"),
        ("en", {"LANG": "es_ES"}, "en"),
    ],
)
def test_the_language_follows_setting_then_locale(setting: str, environment: dict[str, str], language: str) -> None:
    assert choose_language(setting, environment) == language


def test_one_and_many() -> None:
    use_language("es")
    assert tr("seed") == "semilla"
    assert trn("{number} face", "{number} faces", 1) == "1 cara"
    assert trn("{number} face", "{number} faces", 3) == "3 caras"
    use_language("en")
    assert trn("{number} face", "{number} faces", 3) == "3 faces"


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("screen", [*SCREENS, *SCREENS_WITHOUT_TAB])
def test_essential_keys_are_shown_at_80_columns(language: Language, screen: ScreenName) -> None:
    use_language(language)
    actions = Registry(ACTIONS).on_screen(screen)
    essential = [action for action in actions if action.id in ESSENTIAL]
    for without in ("answer_1", "answer_yes"):  # a question is of one kind
        kind = re.compile(r"answer_\d" if without == "answer_1" else "answer_(yes|no)")
        left_out = frozenset(action.id for action in actions if kind.fullmatch(action.id))
        line = KeyLine(actions, unicode=True)
        line.leave_out(left_out)
        shown = line.line(80)
        assert shown.cell_length <= 80
        words = {tr(action.footer) for action in essential if action.id not in left_out}
        assert {word for word in (*words, tr("help"), tr("quit")) if f" {word}" not in shown.plain} == set()


def test_every_essential_action_has_a_word_to_show() -> None:
    assert {action.id for action in ACTIONS if action.id in ESSENTIAL and action.footer} == ESSENTIAL


@pytest.mark.parametrize("size", [(80, 24), (160, 50)])
async def test_the_interface_in_spanish(open_app: Open, tui_settings: Settings, size: tuple[int, int]) -> None:
    async with open_app(settings=tui_settings.model_copy(update={"language": "es"}), size=size) as tui:
        text = tui.text()
        assert "semilla" in text
        assert "q salir" in text
        await tui.press("2")
        await tui.pilot.pause()
        assert "semillas desde 0" in tui.text()
        await tui.press("question_mark")
        assert "Muestra" in tui.text()
