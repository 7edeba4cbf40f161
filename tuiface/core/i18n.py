"""The interface's words in the user's language, by gettext catalogues that ship in the package.

English is the language of the sources, so that it needs no catalogue. Messages of errors, and what commands print, are
English everywhere: they are searched for, quoted and compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import gettext

Language = Literal["en", "es"]
LANGUAGES: tuple[Language, ...] = ("en", "es")
FOLDER = Path(__file__).parent.parent / "locale"

_catalogue: gettext.NullTranslations | None = None
"""Of the whole process, as a locale is; None for English."""
_language: Language = "en"


def choose_language(setting: str, environment: Mapping[str, str]) -> Language:
    """The setting, or for `auto` the first language of LANGUAGE, LC_ALL, LC_MESSAGES or LANG that there is."""
    if setting != "auto":
        return "es" if setting == "es" else "en"
    wanted = environment.get("LANGUAGE", "").split(":")
    wanted += [environment.get(name, "") for name in ("LC_ALL", "LC_MESSAGES", "LANG")]
    code = next((name[:2].lower() for name in wanted if name), "")
    return next((language for language in LANGUAGES if language == code), "en")


def use_language(language: Language) -> None:
    """Translate into `language` from now on."""
    global _catalogue, _language
    _language = language
    if language == "en":
        _catalogue = None
        return
    import gettext

    _catalogue = gettext.translation("tuiface", FOLDER, [language])


def current_language() -> Language:
    """What `use_language` chose last."""
    return _language


def tr(text: str, /, **values: object) -> str:
    """`text` in the user's language, with `values` in the places of their {names}."""
    translated = text if _catalogue is None else _catalogue.gettext(text)
    return translated.format(**values) if values else translated


def trn(one: str, many: str, number: int, /, **values: object) -> str:
    """The form for one or for many, with {number} and `values` in their places."""
    english = one if number == 1 else many
    translated = english if _catalogue is None else _catalogue.ngettext(one, many, number)
    return translated.format(number=number, **values)
