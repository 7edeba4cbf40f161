"""The catalogue: own before shipped, nearest names, and directions of another network refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.directions.directions import MODEL, make_direction
from tuiface.core.errors import ModelError, OutputError
from tuiface.directions.catalogue import Catalogue
from tuiface.directions.direction import write_direction
from tuiface.faces.recipe import ModelRef

OTHER = ModelRef(sha256="a" * 64, name="other")


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    for name in ("smile", "age"):
        write_direction(make_direction(name), shipped / f"{name}.safetensors")
    made = Catalogue(shipped, tmp_path / "own")
    made.add(make_direction("yaw", model=OTHER))
    return made


def test_lists_the_directions_of_one_network(catalogue: Catalogue) -> None:
    assert [e.direction.name for e in catalogue.entries(MODEL)] == ["age", "smile"]
    assert [e.direction.name for e in catalogue.entries(OTHER)] == ["yaw"]
    assert len(catalogue.entries()) == 3


def test_own_direction_hides_the_shipped_one(catalogue: Catalogue) -> None:
    own = make_direction(array=np.array([0, 2, 0, 0.0]))
    catalogue.add(own)
    assert catalogue.find("smile", MODEL).sha256 == own.sha256
    assert len(catalogue.entries(MODEL)) == 2


def test_who_hides_a_shipped_direction_is_told(catalogue: Catalogue) -> None:
    assert catalogue.hides_shipped(make_direction())
    assert not catalogue.hides_shipped(make_direction("pose"))
    assert not catalogue.hides_shipped(make_direction(model=OTHER))


def test_both_stay_at_hand_by_digest(catalogue: Catalogue) -> None:
    shipped, own = catalogue.find("smile", MODEL), make_direction(array=np.array([0, 2, 0, 0.0]))
    catalogue.add(own)
    for direction in (shipped, own):
        found = catalogue.by_digest(direction.sha256)
        assert found is not None
        assert found.sha256 == direction.sha256
    assert catalogue.by_digest("0" * 64) is None


def test_unknown_name_offers_the_nearest(catalogue: Catalogue) -> None:
    with pytest.raises(ModelError, match=r"no direction 'smil' for this model; it has 2 \(did you mean 'smile'"):
        catalogue.find("smil", MODEL)


def test_direction_of_another_network_needs_to_be_asked_for(catalogue: Catalogue) -> None:
    with pytest.raises(ModelError, match=r"'yaw' was made for the model 'other' \(aaaaaaaaaa\).*--foreign"):
        catalogue.find("yaw", MODEL)
    assert catalogue.find("yaw", MODEL, foreign=True).header.model == OTHER


def test_name_that_is_taken_is_not_overwritten(catalogue: Catalogue) -> None:
    catalogue.add(make_direction("nose"))
    with pytest.raises(OutputError, match="exists already"):
        catalogue.add(make_direction("nose"))


def test_bad_file_is_named_and_the_others_stay(catalogue: Catalogue, tmp_path: Path) -> None:
    (tmp_path / "own" / "bad.safetensors").write_bytes(b"no")
    assert [str(p) for p in catalogue.problems()] == ["bad.safetensors: not a safetensors file, or cut off"]
    assert len(catalogue.entries()) == 3


def test_changed_file_is_read_again(catalogue: Catalogue, tmp_path: Path) -> None:
    catalogue.find("smile", MODEL)
    changed = make_direction(array=np.array([0, 0, 3, 0.0]), labels={"en": ("a", "bcd"), "es": ("e", "f")})
    write_direction(changed, tmp_path / "shipped" / "smile.safetensors", force=True)
    assert catalogue.find("smile", MODEL).sha256 == changed.sha256


def test_arrays_that_do_not_fit_the_network_are_refused() -> None:
    layers = {"b4.conv1": 3}
    for direction, reason in (
        (make_direction(), r"shape \[4\]; this model takes \[5\]"),
        (make_direction(array=np.ones((3, 5))), r"shape \[3, 5\]; this model takes \[2, 5\]"),
        (make_direction(array=np.ones(5), rows=(0, 3)), r"rows \[0, 3\] end beyond the model's 2"),
        (make_direction(space="styles", arrays={"b4.conv1": np.ones(2, np.float32)}), "3 channels there"),
        (make_direction(space="styles", arrays={"b9.conv1": np.ones(2, np.float32)}), "no such layer"),
    ):
        with pytest.raises(ModelError, match=reason):
            direction.refuse_misfit(2, 5, layers)
