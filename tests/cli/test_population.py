"""`tuiface population`: made, listed, used and removed; faces hold its numbers, so that they outlive its file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.conftest import MODEL
from tuiface.cli import main
from tuiface.core.errors import EXIT_DONE, EXIT_INPUT, EXIT_MODEL, EXIT_USAGE, InputFileError, ModelError, UsageError
from tuiface.directions.direction import DirectionOrigin
from tuiface.directions.populations import NamedPopulation, Populations
from tuiface.engine.latents import recipe_ws
from tuiface.engine.learning.conditional_mean import estimate_conditional_mean
from tuiface.engine.loading import load_checkpoint
from tuiface.engine_api.requests import ConditionalMean, ConditionalMeanRequest
from tuiface.faces.provenance import read_face
from tuiface.faces.recipe import ModelRef, Recipe, SeedSource, Truncation

REF = ModelRef(sha256="a" * 64, name="a")


@pytest.fixture(autouse=True)
def small_model(monkeypatch: pytest.MonkeyPatch, shared_cache: Path, tmp_path: Path) -> None:
    values = {"MODEL": MODEL, "CACHE": shared_cache, "DIRECTIONS": tmp_path / "own", "LIBRARY": tmp_path / "library"}
    for name, value in {**values, "DEVICE": "cpu", "THREADS": "1"}.items():
        monkeypatch.setenv(f"TUIFACE_{name}", str(value))


def test_the_mean_of_chosen_faces_is_truncated_towards_and_outlives_its_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], shared_cache: Path
) -> None:
    assert main(["population", "make", "ours", "--faces", "3", "4", "5"]) == EXIT_DONE
    assert main(["population", "list", "--json"]) == EXIT_DONE
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["name"] == "ours"
    out = tmp_path / "out"
    assert main(["render", "7", "--psi", "0", "--population", "ours", "--out", str(out)]) == EXIT_DONE
    recipe, _, _ = read_face(next(out.glob("*.png")))
    generator = load_checkpoint(MODEL, cache=shared_cache).generator
    plain = [Recipe(model=recipe.model, source=SeedSource(seed=s), truncation=Truncation(psi=1.0)) for s in (3, 4, 5)]
    expected = np.mean([recipe_ws(generator, face)[0, 0].numpy() for face in plain], axis=0)
    np.testing.assert_allclose(recipe_ws(generator, recipe)[0, 0].numpy(), expected, atol=1e-5)
    assert main(["population", "remove", "ours"]) == EXIT_DONE
    assert main(["verify", str(next(out.glob("*.png")))]) == EXIT_DONE
    assert main(["render", "7", "--population", "ours", "--out", str(out)]) == EXIT_MODEL


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["make", "Ours", "--faces", "1", "2"], EXIT_USAGE),
        (["make", "w_avg", "--faces", "1", "2"], EXIT_USAGE),
        (["make", "ours", "--faces", "1"], EXIT_USAGE),
        (["make", "ours", "--where", "skin_tone"], EXIT_USAGE),
        (["make", "ours", "--where", "skin_tone=2..1"], EXIT_USAGE),
        (["remove", "ours"], EXIT_MODEL),
        (["remove", "../ours"], EXIT_MODEL),
    ],
)
def test_mistakes_are_one_line(words: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["population", *words]) == code
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_a_name_is_not_taken_twice_without_force() -> None:
    assert main(["population", "make", "ours", "--faces", "3", "4"]) == EXIT_DONE
    assert main(["population", "make", "ours", "--faces", "5", "6"]) == EXIT_INPUT
    assert main(["population", "make", "ours", "--faces", "5", "6", "--force"]) == EXIT_DONE


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    populations = Populations(tmp_path)
    population = NamedPopulation.of("ours", REF, np.ones(4), DirectionOrigin(method="faces"))
    path = populations.add(population)
    assert populations.find("ours", REF) == population
    path.write_text(path.read_text().replace('"centre": "AACA', '"centre": "!!'))
    assert populations.of(REF) == ()
    with pytest.raises(InputFileError, match=r"ours\.json"):
        populations.find("ours", REF)


class Brightness:
    """Reads how bright a picture is."""

    names = ("exposure",)
    resolution = 16

    def read(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean(dim=(1, 2, 3))[:, None]

    def features(self, images: torch.Tensor) -> torch.Tensor:
        return self.read(images)


def test_faces_are_chosen_by_what_is_read(shared_cache: Path) -> None:
    generator = load_checkpoint(MODEL, cache=shared_cache).generator

    def mean(bounds: dict[str, tuple[float | None, float | None]]) -> ConditionalMean:
        request = ConditionalMeanRequest(bounds=bounds, draws=64, min_faces=2)
        return estimate_conditional_mean(generator, Brightness(), request)

    everyone, bright = mean({}), mean({"exposure": (-0.4, None)})
    assert everyone.num_faces == 64
    assert 2 <= bright.num_faces < 64
    assert not np.allclose(everyone.centre, bright.centre)
    with pytest.raises(UsageError, match="no attribute"):
        mean({"exposures": (0, 1)})
    with pytest.raises(ModelError, match="0 of 64 faces"):
        mean({"exposure": (90, 91)})
