"""Documents keep up with the code: every command, flag, action, setting and format field is written down."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from tools import write_docs
from tuiface.cli import build_parser
from tuiface.core.settings import Settings
from tuiface.core.values import Value, _models_in
from tuiface.engine.predictors import PredictorCard

ROOT = Path(__file__).parent.parent


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def test_commands_are_as_the_parsers_say() -> None:
    assert read("docs/commands.md") == write_docs.commands_text(), "run `make docs`"


def test_keys_are_as_the_actions_say() -> None:
    assert read("docs/keys.md") == write_docs.keys_text(), "run `make docs`"


def test_key_table_is_as_the_actions_say() -> None:
    assert read("README.md") == write_docs.update_key_table(read("README.md")), "run `make docs`"


@pytest.mark.parametrize("flag", ["--foreign", "--force-foreign"])
def test_both_names_of_foreign_are_accepted_and_one_is_documented(flag: str) -> None:
    assert build_parser().parse_args(["render", "1", flag]).foreign
    assert (f"`{flag}`" in read("docs/commands.md")) == (flag == "--foreign")


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented(name: str) -> None:
    assert f"| `{name}` |" in read("docs/settings.md")


FORMAT = re.compile(r"tuiface\.[a-z]+(?:-[a-z]+)*/\d+")
FORMAT_SOURCES = {
    path: names
    for path in sorted((ROOT / "tuiface").rglob("*.py"))
    if (names := set(FORMAT.findall(path.read_text("utf-8"))))
}
FORMATS = sorted(set().union(*FORMAT_SOURCES.values()))
"""Every format that the sources name."""


def format_models() -> dict[str, type[Value]]:
    """The value of each format that has one, by its name: those whose field `format` can hold nothing else."""
    for path in FORMAT_SOURCES:
        importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    found: dict[str, type[Value]] = {}
    waiting: list[type[Value]] = [Value]
    while waiting:
        model = waiting.pop()
        waiting += model.__subclasses__()
        field = model.model_fields.get("format")
        if field is not None and FORMAT.fullmatch(str(field.default)) and model.__module__.startswith("tuiface."):
            found[str(field.default)] = model
    return found


def section_of(name: str) -> str:
    """The part of docs/formats.md under the heading that names a format."""
    sections = re.split(r"^## ", read("docs/formats.md"), flags=re.MULTILINE)
    return "".join(section for section in sections if f"`{name}`" in section.splitlines()[0])


def fields_of(model: type[BaseModel]) -> set[str]:
    """Names of a format's fields, nested ones included."""
    names = set(model.model_fields)
    for field in model.model_fields.values():
        for inner in _models_in(field.annotation):
            names |= fields_of(inner)
    return names


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_documented(name: str) -> None:
    if name == "tuiface.network/1":  # begins what a digest is made of, and is no file
        assert name in section_of("tuiface.model/1")
    else:
        assert section_of(name)


def test_every_format_field_is_documented() -> None:
    text = read("docs/formats.md")
    models = format_models()
    assert {"tuiface.recipe/1", "tuiface.answers/1", "tuiface.session/1", "tuiface.population/1"} <= set(models)
    models["tuiface.reader/1"] = PredictorCard
    for name, model in models.items():
        section = section_of(name)
        missing = {field for field in model.model_fields if not re.search(rf"\b{field}\b", section)}
        assert not missing, name
        missing = {field for field in fields_of(model) if not re.search(rf"\b{field}\b", text)}
        assert not missing, name


def test_links_in_documents_lead_somewhere() -> None:
    for document in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", document.read_text("utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_architecture_names_every_part() -> None:
    text = read("ARCHITECTURE.md")
    parts = [p for p in (ROOT / "tuiface").iterdir() if not p.name.startswith(("_", ".")) and p.suffix in (".py", "")]
    assert not [p.name for p in parts if p.name not in text]


def test_every_dependency_has_a_reason() -> None:
    """Each line of dependencies stands under a comment of its own."""
    block = read("pyproject.toml").split("dependencies = [")[1].split("\n]")[0]
    lines = [line.strip() for line in block.splitlines() if line.strip()]
    for i, line in enumerate(lines):
        if line.startswith('"'):
            assert lines[i - 1].startswith("#"), line
