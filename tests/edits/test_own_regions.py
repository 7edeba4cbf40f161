"""Regions by clustered activations: clusters are found, named, learned, and then used instead of the shipped ones."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from annotated_types import Ge, Le

from tuiface.cli import main
from tuiface.core.errors import EXIT_DONE, EXIT_USAGE, UsageError
from tuiface.core.limits import MAX_CLUSTERS, MIN_CLUSTERS
from tuiface.core.regions import REGION_NAMES, Region, own_regions_path
from tuiface.core.settings import Settings
from tuiface.engine.loading import open_engine
from tuiface.engine.opened_network import OpenedNetwork
from tuiface.engine.predictors import Segmenter
from tuiface.engine.predictors.clusters import ActivationClusters, draw_cluster_sheet, draw_faces, spherical_k_means
from tuiface.engine.predictors.registry import open_region_predictor, segmenter_version
from tuiface.engine.training.predictors.named_clusters import train_own_regions
from tuiface.engine_api import requests
from tuiface.engine_api.requests import parse_cluster_names


@pytest.fixture(scope="module")
def network(edit_settings: Settings) -> OpenedNetwork:
    return open_engine(edit_settings).network


@pytest.fixture(scope="module")
def clusters(network: OpenedNetwork) -> ActivationClusters:
    return ActivationClusters.of(network.generator, 3, faces=8)


def test_planted_directions_are_found_largest_first() -> None:
    rng = np.random.RandomState(1)
    planted = np.eye(6)[:3]
    points = np.concatenate([
        planted[i] + 0.1 * rng.randn(count, 6) for i, count in enumerate((100, 300, 200))
    ])  # fmt: skip
    found = spherical_k_means(F.normalize(torch.from_numpy(points).float(), dim=1), 3)
    assert (found @ torch.from_numpy(planted).float().t()).argmax(dim=1).tolist() == [1, 2, 0]


def test_clusters_are_the_same_again_and_cover_every_pixel(
    network: OpenedNetwork, clusters: ActivationClusters
) -> None:
    again = ActivationClusters.of(network.generator, 3, faces=8)
    assert torch.equal(again.centres, clusters.centres)
    side = network.generator.config.img_resolution
    faces = clusters.faces(network.generator, draw_faces(network.generator, 0, 4), side)
    assert faces.clusters.shape == (4, side, side)
    assert set(faces.clusters.flatten().tolist()) == {0, 1, 2}


def test_a_sheet_has_a_row_for_the_faces_and_one_for_each_cluster(
    network: OpenedNetwork, clusters: ActivationClusters
) -> None:
    side = network.generator.config.img_resolution
    assert draw_cluster_sheet(network.generator, clusters).shape[0] > 4 * side


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["0=hare"], "hair"),
        (["0,3=hair"], "'3' is no cluster"),
        (["0,x=hair"], "'x' is no cluster"),
        (["0,1=hair", "1=skin", "2=eyes"], "has a name already"),
        (["0=hair"], "clusters 1, 2 have no name"),
        (["0,1,2=hair"], "one name"),
    ],
)
def test_names_that_do_not_fit_are_refused(texts: list[str], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_cluster_names(texts, 3)
    assert said in f"{caught.value.message} {caught.value.hint}"


def test_named_regions_are_learned_and_used(
    network: OpenedNetwork, clusters: ActivationClusters, tmp_path: Path
) -> None:
    path = own_regions_path(tmp_path, "a" * 64)
    before = segmenter_version(path)
    regions = (Region.BACKGROUND, Region.SKIN, Region.HAIR)
    names = ("background", "skin", "hair")
    learned = train_own_regions(network.generator, clusters, names, lambda text: None, faces=24, kimg=1.4)
    path.write_bytes(learned.file)
    reader = open_region_predictor(network.generator, "cpu", path)
    assert isinstance(reader, Segmenter)
    side = network.generator.config.img_resolution
    faces = clusters.faces(network.generator, draw_faces(network.generator, 100, 16), side)
    wanted = torch.tensor([int(region) for region in regions])[faces.clusters.long()]
    right = float((reader.regions(faces.pictures) == wanted).float().mean())
    assert right > float((wanted == wanted.flatten().mode().values).float().mean()) + 0.1
    assert segmenter_version(path) != before


def test_without_own_regions_nothing_changes(network: OpenedNetwork, tmp_path: Path) -> None:
    usual = open_region_predictor(network.generator, "cpu")
    assert type(open_region_predictor(network.generator, "cpu", tmp_path / "none.safetensors")) is type(usual)


def test_the_command_shows_clusters_and_asks_for_one_thing_at_a_time(
    edit_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {"MODEL": edit_settings.model, "CACHE": edit_settings.cache, "REGIONS": tmp_path / "regions"}
    for name, value in values.items():
        monkeypatch.setenv(f"TUIFACE_{name}", str(value))
    sheet = tmp_path / "clusters.png"
    assert main(["model", "regions", "--clusters", "3", "--out", str(sheet)]) == EXIT_DONE
    assert sheet.exists()
    for wrong in (["--out", "x.png", "--forget"], ["--clusters", "1", "--forget"], ["--forget"], []):
        assert main(["model", "regions", *wrong]) == EXIT_USAGE


def test_what_the_command_knows_without_importing_is_what_the_engine_takes() -> None:
    bounds = requests.ClusterSheetRequest.model_fields["clusters"].metadata
    assert bounds == [Ge(MIN_CLUSTERS), Le(MAX_CLUSTERS)]
    assert get_args(requests.RegionName) == REGION_NAMES
