"""Write the JSON Schemas of the file formats into tuiface/schemas/ (`make schemas`); a test binds them to the code."""

from __future__ import annotations

import json
from pathlib import Path

from tuiface.core.values import Value
from tuiface.faces.library import Tags
from tuiface.faces.provenance import Provenance
from tuiface.faces.recipe import Recipe
from tuiface.stimuli.sets import FaceSet

FOLDER = Path(__file__).parent.parent / "tuiface" / "schemas"
FORMATS: dict[str, type[Value]] = {"recipe-1": Recipe, "provenance-1": Provenance, "tags-1": Tags, "set-1": FaceSet}


def schema_text(model: type[Value], name: str) -> str:
    """The schema as it stands in the file."""
    schema = model.model_json_schema()
    header = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"tuiface:{name}"}
    return json.dumps({**header, **schema}, indent=2) + "\n"


def main() -> None:
    """Write all of them."""
    for name, model in FORMATS.items():
        (FOLDER / f"{name}.json").write_text(schema_text(model, name), "utf-8")


if __name__ == "__main__":
    main()
