"""What docstrings, comments and documents name is there: modules, files, and names in backticks."""

from __future__ import annotations

import io
import re
import tokenize
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCES = sorted(path for folder in ("tuiface", "tests", "tools") for path in (ROOT / folder).rglob("*.py"))
DOCUMENTS = sorted(
    path
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "Makefile", ROOT / "pyproject.toml")
    if path.name != "CHANGELOG.md"  # it tells of what was
)

DOTTED = re.compile(r"(?<![\w./-])(?:tuiface|tests|tools)(?:\.[A-Za-z_]\w*)+(?![\w-]|/\d)")
FILE = re.compile(r"(?<![\w./*-])((?:[\w-]+/)*[\w-]+\.py)\b")
FOLDER = re.compile(r"(?<![\w./-])(?:tuiface|tests|tools|docs|assets)/[\w/]*\w/?(?![\w.*])")
TICKED = re.compile(r"`_?[A-Za-z]\w*(?:\.\w+)*(?:\(\))?`")

OTHERS = {
    # Python's own, and those of the programs that checkpoints come from.
    "pickletools.py", "Lib/pickletools.py", "numpy.py", "REDUCE", "NEWOBJ", "recreate_aligned_images",
    # Names of style channels in a paper, and where an installed wheel has the assets.
    "bangs_1", "bangs_8", "tuiface/_assets", "tuiface/_assets/",
}  # fmt: skip


@cache
def split_source(path: Path) -> tuple[str, str]:
    """The docstrings and comments of a source, a paragraph each, and the rest of it."""
    prose: list[str] = []
    rest: list[str] = []
    for token in tokenize.generate_tokens(io.StringIO(path.read_text("utf-8")).readline):
        is_prose = token.type == tokenize.COMMENT or token.string.startswith('"""')
        (prose if is_prose else rest).append(token.string)
    return "\n\n".join(prose), "\n".join(rest)


def read_prose(path: Path) -> str:
    """The docstrings and comments of a source; the whole of a document."""
    return split_source(path)[0] if path.suffix == ".py" else path.read_text("utf-8")


def exists(dotted: str) -> bool:
    """Whether a dotted name is a module, or something that its module names."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        place = ROOT.joinpath(*parts[:length])
        source = place.with_suffix(".py") if place.with_suffix(".py").exists() else place / "__init__.py"
        if source.exists():
            rest = parts[length:]
            return not rest or re.search(rf"\b{rest[0]}\b", source.read_text("utf-8")) is not None
    return False


def named_wrongly(path: Path, text: str) -> set[str]:
    """Modules and files that a text names and that are not there."""
    names = {source.name for source in SOURCES}
    wrong = {name for name in DOTTED.findall(text) if not exists(name)}
    for name in FILE.findall(text):
        places = (ROOT / name, ROOT / "tuiface" / name, path.parent / name)
        if not any(place.exists() for place in places) and ("/" in name or name not in names):
            wrong.add(name)
    return (wrong | {name for name in FOLDER.findall(text) if not list(ROOT.glob(f"{name.rstrip('/')}*"))}) - OTHERS


def test_modules_and_files_that_are_named_exist() -> None:
    found = {}
    for path in (*SOURCES, *DOCUMENTS):
        wrong = named_wrongly(path, read_prose(path))
        if wrong:
            found[str(path.relative_to(ROOT))] = wrong
    assert found == {}


def test_names_in_backticks_are_those_of_something() -> None:
    """A name that no source has any more, as an identifier, a word of a text or a module, is a name of what is gone."""
    known = {part for path in SOURCES for part in path.relative_to(ROOT).with_suffix("").parts}
    for path in SOURCES:
        known |= set(re.findall(r"\w+", split_source(path)[1]))
    wrong = set()
    for path in SOURCES:
        for name in TICKED.findall(read_prose(path)):
            if not set(re.findall(r"\w+", name)) <= known | OTHERS:
                wrong.add(f"{path.relative_to(ROOT)}: {name}")
    assert wrong == set()
