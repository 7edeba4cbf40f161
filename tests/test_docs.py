"""Documents keep up with the code: every command, flag, action, setting and format field is written down."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from tools import write_docs
from tuiface.cli import build_parser
from tuiface.core.settings import Settings
from tuiface.core.values import _models_in
from tuiface.directions.direction import DirectionHeader
from tuiface.engine.predictors import PredictorCard
from tuiface.faces.library import Tags
from tuiface.faces.provenance import Provenance
from tuiface.faces.recipe import Recipe

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


def fields_of(model: type[BaseModel]) -> set[str]:
    """Names of a format's fields, nested ones included."""
    names = set(model.model_fields)
    for field in model.model_fields.values():
        for inner in _models_in(field.annotation):
            names |= fields_of(inner)
    return names


@pytest.mark.parametrize("model", [Recipe, Provenance, Tags, PredictorCard, DirectionHeader])
def test_every_format_field_is_documented(model: type[BaseModel]) -> None:
    text = read("docs/formats.md")
    missing = {name for name in fields_of(model) if not re.search(rf"\b{name}\b", text)}
    assert not missing


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
