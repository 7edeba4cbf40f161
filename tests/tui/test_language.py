"""The interface speaks its user's language, without a word left out."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.tui.conftest import Open
from tools.catalogues import catalogue_paths, collect_messages, compile_catalogue, read_catalogue, translations
from tuiface.core.i18n import choose_language, tr, trn, use_language
from tuiface.core.settings import Settings

each_catalogue = pytest.mark.parametrize("paths", list(catalogue_paths()), ids=lambda paths: paths[0].stem)


@pytest.fixture(autouse=True)
def english_afterwards() -> Iterator[None]:
    yield
    use_language("en")


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
