"""Compile the interface's catalogues (`make catalogues`): tuiface/locale/LANGUAGE.po -> .../LC_MESSAGES/tuiface.mo.

The .po files are edited by hand, in gettext's own format; `wanted` says which messages they must hold: every text in a
call of `tr` or `trn`, and every text of the registry of actions.
"""

from __future__ import annotations

import ast
import re
import struct
from collections.abc import Iterator
from pathlib import Path

from tuiface.actions import ACTIONS
from tuiface.core.i18n import FOLDER, LANGUAGES

PACKAGE = Path(__file__).parent.parent / "tuiface"
PLURAL_FORMS = "nplurals=2; plural=(n != 1);"

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
    from tuiface.screens.widgets.tab_line import TAB_WORDS

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


def read_po(path: Path) -> dict[Message, tuple[str, ...]]:
    """Translations by message. Raises ValueError for a line that is not understood."""
    entries: dict[Message, tuple[str, ...]] = {}
    fields: dict[str, str] = {}
    current = ""
    for line in [*path.read_text("utf-8").splitlines(), ""]:
        if match := re.fullmatch(r'(msgid|msgid_plural|msgstr(?:\[\d\])?) (".*")', line):
            if match[1] == "msgid" and fields:
                _add_entry(entries, fields)
                fields = {}
            current = match[1]
            fields[current] = ast.literal_eval(match[2])
        elif line.startswith('"'):
            fields[current] += ast.literal_eval(line)
        elif line and not line.startswith("#"):
            raise ValueError(f"{path.name}: {line!r}")
    _add_entry(entries, fields)
    return entries


def _add_entry(entries: dict[Message, tuple[str, ...]], fields: dict[str, str]) -> None:
    key = (fields["msgid"], fields.get("msgid_plural"))
    assert key not in entries, f"twice: {key}"
    if "msgstr" in fields:
        entries[key] = (fields["msgstr"],)
    else:
        entries[key] = (fields["msgstr[0]"], fields["msgstr[1]"])


def compile_catalogue(entries: dict[Message, tuple[str, ...]]) -> bytes:
    """The catalogue as gettext reads it (GNU gettext manual, "MO files"), without a hash table."""
    header = f"Content-Type: text/plain; charset=UTF-8\nPlural-Forms: {PLURAL_FORMS}\n"
    pairs = {b"": header.encode()}
    for (one, many), texts in entries.items():
        if one:
            key = one if many is None else f"{one}\0{many}"
            pairs[key.encode()] = "\0".join(texts).encode()
    keys = sorted(pairs)
    count, start = len(keys), 28
    offset = start + 16 * count
    tables, blob = [b"", b""], b""
    for number, items in enumerate((keys, [pairs[key] for key in keys])):
        for item in items:
            tables[number] += struct.pack("<II", len(item), offset + len(blob))
            blob += item + b"\0"
    return struct.pack("<7I", 0x950412DE, 0, count, start, start + 8 * count, 0, 0) + b"".join(tables) + blob


def catalogue_paths() -> Iterator[tuple[Path, Path]]:
    """Source and target of each language that needs a catalogue."""
    for language in LANGUAGES:
        if language != "en":
            yield FOLDER / f"{language}.po", FOLDER / language / "LC_MESSAGES" / "tuiface.mo"


def main() -> None:
    """Compile all of them."""
    for source, target in catalogue_paths():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(compile_catalogue(read_po(source)))


if __name__ == "__main__":
    main()
