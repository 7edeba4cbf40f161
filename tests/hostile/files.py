"""A user's folders in which every text of every file is hostile to the terminal."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from tests.conftest import MODEL
from tests.directions.directions import make_direction
from tests.fake_engine import FakeEngine
from tests.hostile.terminal_text import ALL, ATTACKS, BYTES, FORGED, MARKUP
from tuiface.core.settings import Settings
from tuiface.directions.direction import DirectionOrigin, write_direction
from tuiface.directions.populations import NamedPopulation, Populations
from tuiface.directions.questionnaire import AnswersFile, answers_path
from tuiface.engine_api.protocol import RenderRequest
from tuiface.faces.provenance import Provenance, encode_png
from tuiface.faces.recipe import ModelRef
from tuiface.faces.studio import Studio

FILE_NAME = ATTACKS["clear"] + "\x9b2J\u202e\u200b\r\nx[red]"
"""Fits into the 255 bytes of a file's name."""
SHORT = ATTACKS["clear"] + ATTACKS["title"] + ATTACKS["bidi"] + MARKUP + "\nforged"
"""As long as names and versions may be."""


def write_library(folder: Path, model: ModelRef) -> list[Path]:
    """Two hostile faces, one whose name is no UTF-8, and a picture that is none; returns the faces."""
    engine = FakeEngine(sha256=model.sha256)
    studio = Studio(engine, Settings(library=folder))
    folder.mkdir(parents=True)
    paths = []
    for seed, name in enumerate((FILE_NAME, f"b{BYTES}")):
        face = studio.face(seed)
        result = engine.render(RenderRequest(face.recipe))
        saved = face.write(result, folder / "plain.png")
        text = json.loads(saved.with_suffix(".json").read_text())
        for suffix in (".png", ".json"):
            saved.with_suffix(suffix).unlink()
        paths.append(write_face(folder / f"{name}.png", text, result.pixels))
    (folder / f"z{FILE_NAME}.png").write_bytes(b"no picture")
    return paths


def write_face(path: Path, provenance: dict[str, object], pixels: np.ndarray) -> Path:
    """The face of a provenance with hostile texts wherever one may stand, its tags and its series."""
    recipe = provenance["recipe"]
    assert isinstance(recipe, dict)
    recipe["model"]["name"] = SHORT
    changes = {
        "operator": SHORT,
        "kernels": SHORT,
        "software": {SHORT: SHORT, "tuiface": ATTACKS["C0"], "torch": ATTACKS["bidi"]},
        "device": {"kind": "cpu", "name": SHORT, "threads": 1},
        "model": {"sha256": recipe["model"]["sha256"], "name": SHORT, "licence": FORGED},
        "notices": [FORGED],
        "directions": [{"name": SHORT, "sha256": "d" * 64, "licence": FORGED}],
    }
    text = json.dumps({**provenance, **changes, "recipe": recipe})
    Provenance.model_validate_json(text)  # it is a sound one
    path.write_bytes(encode_png(pixels, text))
    path.with_suffix(".json").write_text(text)
    tags = {"format": "tuiface.tags/1", "tags": ["\x7f\u202e[red]", "\x9b\u200b"], "series": FORGED}
    path.with_suffix(".tags.json").write_text(json.dumps(tags))
    return path


def write_directions(folder: Path, model: ModelRef) -> None:
    """A direction and one of another network, a population, a questionnaire, and files that cannot be read."""
    named = ModelRef(sha256=model.sha256, name=SHORT)
    header: dict[str, Any] = {
        "labels": {"en": (FORGED, ALL), "es": (ALL, FORGED)},
        "licence": FORGED,
        "origin": {"method": SHORT, "data": FORGED, "paper": FORGED, "settings": {FORGED: FORGED}},
        "leakage": {FORGED: 1.0},
        "measures": {FORGED: 1.0},
    }
    own = folder / model.sha256[:10]
    own.mkdir(parents=True)
    write_direction(make_direction("evil", model=named, **header), own / "evil.safetensors")
    other = ModelRef(sha256="a" * 64, name=SHORT)
    write_direction(make_direction("foreign", model=other, **header), own / "foreign.safetensors")
    for name in (FILE_NAME, BYTES):
        (own / f"{name}.safetensors").write_bytes(b"no direction")
    population = NamedPopulation.of("ours", named, np.zeros(4), DirectionOrigin(method=SHORT, data=FORGED))
    path = Populations(folder).add(population)
    text = json.loads(path.read_text())
    text["origin"]["settings"] = {"faces": FORGED}
    path.write_text(json.dumps(text))
    labels = make_direction("evil", model=named, **header).header.labels
    answers = AnswersFile(answers_path(folder, "evil_concept"), "evil_concept", "yes-no", named, labels)
    text = {"format": "tuiface.answers/1", "concept": answers.concept, "scale": "yes-no", "answers": []}
    text |= {"model": named.model_dump(mode="json"), "labels": labels.model_dump(mode="json")}
    answers.path.write_text(json.dumps(text))


def copy_model(folder: Path) -> list[Path]:
    """The small network under names that are hostile."""
    names = [f"{FILE_NAME}{MODEL.suffix}", f"m{BYTES}{MODEL.suffix}"]
    return [Path(shutil.copy(MODEL, os.path.join(folder, name))) for name in names]  # noqa: PTH118 - bytes stay bytes
