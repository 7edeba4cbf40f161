"""Faces that were saved from an earlier embedded model are found by its digest, and seen by its own readers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import MODEL
from tests.predictors.conftest import attributes_card, segmenter_card, write
from tuiface.cli import main
from tuiface.core.assets import asset_for, asset_path, directions_path, edition_model_paths, use_assets
from tuiface.core.settings import Settings
from tuiface.engine.checkpoint import file_sha256, shipped_networks
from tuiface.engine.checkpoints import read_native_header
from tuiface.engine.loading import open_engine


@pytest.fixture
def edition(tmp_path: Path) -> Iterator[Path]:
    """The file of an edition "first": a tiny network with a segmenter, a reader and a folder of directions."""
    folder = tmp_path / "assets" / "editions" / "first"
    (folder / "directions").mkdir(parents=True)
    assert main(["model", "convert", str(MODEL), str(folder / "embedded.safetensors")]) == 0
    write(folder / "segmenter.safetensors", segmenter_card())
    write(folder / "attributes.safetensors", attributes_card())
    with use_assets(tmp_path / "assets"):
        yield folder / "embedded.safetensors"


def render_from_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A face of the same network, saved where it was the embedded one; nothing of that is left in the cache."""
    monkeypatch.setenv("TUIFACE_CACHE", str(tmp_path / "then"))
    assert main(["render", "3", "--model", str(MODEL), "--out", str(tmp_path / "out"), "--threads", "1"]) == 0
    monkeypatch.setenv("TUIFACE_CACHE", str(tmp_path / "now"))
    return next((tmp_path / "out").glob("*.png"))


def test_verify_finds_an_earlier_edition_by_its_digest(
    edition: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    png = render_from_elsewhere(tmp_path, monkeypatch)
    assert main(["verify", str(png)]) == 0
    assert "exact" in capfd.readouterr().out
    with use_assets(tmp_path):  # without editions
        shutil.rmtree(edition.parent)
        assert main(["verify", str(png)]) == 4
    assert "never opened here" in capfd.readouterr().err


def test_an_edition_is_listed_and_told_from_the_present_one(
    edition: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TUIFACE_CACHE", str(tmp_path / "none"))
    assert edition_model_paths() == (edition,)
    capfd.readouterr()
    assert main(["model", "list", "--json"]) == 0
    rows = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [(row["kind"], row["path"]) for row in rows] == [
        ("embedded", str(asset_path("embedded.safetensors"))),
        ("edition", str(edition)),
    ]
    assert shipped_networks()[read_native_header(edition).network_sha256] == edition


def test_an_edition_is_seen_by_its_own_readers_and_others_by_those_of_today(edition: Path, tmp_path: Path) -> None:
    own = edition.parent / "segmenter.safetensors"
    assert asset_for(edition, "segmenter.safetensors") == own
    assert directions_path(edition) == edition.parent / "directions"
    for model in (None, MODEL, asset_path("embedded.safetensors")):
        assert asset_for(model, "segmenter.safetensors") == asset_path("segmenter.safetensors") != own
    (edition.parent / "attributes.safetensors").unlink()
    assert asset_for(edition, "attributes.safetensors") == asset_path("attributes.safetensors")
    wanted = Settings(device="cpu", threads=1, cache=tmp_path / "cache", regions=tmp_path / "none")
    engines = [open_engine(wanted.model_copy(update={"model": model})) for model in (edition, MODEL)]
    versions = [engine.info().software["segmenter"] for engine in engines]
    assert versions == [file_sha256(path)[:16] for path in (own, asset_path("segmenter.safetensors"))]


def test_a_damaged_edition_leaves_the_others_alone(edition: Path) -> None:
    edition.write_bytes(b"no model")
    assert list(shipped_networks().values()) == [asset_path("embedded.safetensors")]
