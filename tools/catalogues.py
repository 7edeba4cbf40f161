"""Compile the interface's catalogues (`make catalogues`): tuiface/locale/LANGUAGE.po -> .../LC_MESSAGES/tuiface.mo.

The .po files are edited by hand, in gettext's own format, and read and compiled by Babel. `collect_messages` says which
messages they must hold: every text in a call of `tr` or `trn`, and every text of the registry of actions. It reads
syntax trees, since Babel's extractor passes over calls inside f-strings.
"""

from __future__ import annotations

import ast
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from tuiface.actions import ACTIONS
from tuiface.core.i18n import FOLDER, LANGUAGES

PACKAGE = Path(__file__).parent.parent / "tuiface"
_UNDATED = datetime(1970, 1, 1, tzinfo=UTC)
"""In the header of compiled catalogues, so that equal sources give equal bytes."""

Message = tuple[str, str | None]
"""The text for one, and for many where there is one."""


def collect_messages() -> set[Message]:
    """Every message of the interface."""
    found: set[Message] = set(EXTRA)
    for path in sorted(
        [PACKAGE / "app.py", *(PACKAGE / "screens").rglob("*.py"), *(PACKAGE / "terminal").rglob("*.py")]
    ):
        found |= set(_find_messages(ast.parse(path.read_text("utf-8"))))
    for action in ACTIONS:
        found |= {(text, None) for text in (action.label, action.help, action.topic, action.footer) if text}
    return found


#: Words that reach `tr` as values: names of phases, states, noise modes, guarantees, groups, measures, tabs; the help's
#: introduction.
def _extra() -> Iterator[Message]:
    from tuiface.directions.concepts import GROUPS
    from tuiface.screens.dialogs.help import _INTRODUCTION
    from tuiface.screens.widgets.bars import TAB_WORDS

    yield (_INTRODUCTION, None)
    for word in TAB_WORDS.values():
        yield (word, None)
    for group in GROUPS:
        yield (group.capitalize(), None)
    for word in ("direction", "blend", "paste"):
        yield (word, None)
    for word in ("starting", "ready", "restarting", "stopped", "waiting", "running", "done", "failed", "cancelled"):
        yield (word, None)
    for word in ("const", "none", "random", "picture", "brightness", "contrast", "mean colour", "left-right symmetry"):
        yield (word, None)


EXTRA: tuple[Message, ...] = tuple(_extra())


def _find_messages(tree: ast.AST) -> Iterator[Message]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("tr", "trn"):
            texts = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
            if node.func.id == "tr" and texts:
                yield (str(texts[0]), None)
            elif node.func.id == "trn":
                yield (str(texts[0]), str(texts[1]))


def read_catalogue(path: Path) -> Catalog:
    """The translations in a .po file. Raises babel's PoFileError for a line that is not understood."""
    text = path.read_text("utf-8")
    catalogue = read_po(io.StringIO(text), abort_invalid=True)
    catalogue.project, catalogue.version = "tuiface", ""
    catalogue.msgid_bugs_address = catalogue.last_translator = catalogue.language_team = ""
    catalogue.creation_date = catalogue.revision_date = _UNDATED
    stands = sum(line.startswith("msgid ") for line in text.splitlines())
    assert stands == 1 + len(catalogue), f"{path.name}: a message stands twice"  # 1: the header
    return catalogue


def translations(catalogue: Catalog) -> dict[Message, tuple[str, ...]]:
    """Translations by message, without the header."""
    found: dict[Message, tuple[str, ...]] = {}
    for message in catalogue:
        if isinstance(message.id, tuple):
            found[message.id[0], message.id[1]] = tuple(message.string or ())
        elif message.id:
            found[str(message.id), None] = (str(message.string),)
    return found


def compile_catalogue(catalogue: Catalog) -> bytes:
    """The catalogue as gettext reads it."""
    file = io.BytesIO()
    write_mo(file, catalogue)
    return file.getvalue()


def catalogue_paths() -> Iterator[tuple[Path, Path]]:
    """Source and target of each language that needs a catalogue."""
    for language in LANGUAGES:
        if language != "en":
            yield FOLDER / f"{language}.po", FOLDER / language / "LC_MESSAGES" / "tuiface.mo"


def main() -> None:
    """Compile all of them."""
    for source, target in catalogue_paths():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(compile_catalogue(read_catalogue(source)))


if __name__ == "__main__":
    main()
