"""The shipped JSON Schemas are those of the code, and accept what it writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.fake_engine import FakeEngine
from tools.write_schemas import FOLDER, FORMATS, schema_text
from tuiface.core.settings import Settings
from tuiface.faces.studio import Studio


def schema(name: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return value


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_shipped_schema_is_the_codes(name: str) -> None:
    assert (FOLDER / f"{name}.json").read_text("utf-8") == schema_text(FORMATS[name], name), "run `make schemas`"


def test_every_schema_is_shipped() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(FORMATS)


def test_written_files_fit_their_schemas(settings: Settings, tmp_path: Path) -> None:
    studio = Studio(FakeEngine(c_dim=2), settings)
    face = studio.face(seed=1, label=1).mix(studio.face(seed=2), (0, 3)).edit("b4.conv1:2", 1.5).noise("random", 3)
    provenance = json.loads(face.save(tmp_path).with_suffix(".json").read_text())
    jsonschema.validate(provenance, schema("provenance-1"))
    jsonschema.validate(provenance["recipe"], schema("recipe-1"))


def test_schema_refuses_what_the_code_refuses(settings: Settings) -> None:
    value = json.loads(Studio(FakeEngine(), settings).face(seed=1).recipe.canonical_json())
    for change in ({"sources": 1}, {"truncation": {"psi": 9}}, {"noise": {"mode": "loud"}}, {"format": "x"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**value, **change}, schema("recipe-1"))
