"""Learning that was interrupted goes on where it was, with the same bytes, whatever became of what it kept."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor

from tests.edits.fakes import PixelAttributes, QuarterRegions
from tuiface.core.values import Value
from tuiface.directions.direction import encode_direction
from tuiface.engine.learning import reading_precision, work_cache
from tuiface.engine.learning.batch_predict import EXACT
from tuiface.engine.learning.learn import learn_directions
from tuiface.engine.learning.pace import Pace
from tuiface.engine.learning.reading_precision import measure_precision
from tuiface.engine.learning.work_cache import WorkCache
from tuiface.engine.opened_network import OpenedNetwork
from tuiface.engine_api.requests import AttributesRequest

PLAN = AttributesRequest(names=("top_left", "top_right", "bottom_left"), draws=200, faces=2, seeds=4)


class CountingAttributes(PixelAttributes):
    """Counts the pictures that it reads."""

    num_read = 0

    def read(self, images: Tensor) -> Tensor:
        self.num_read += len(images)
        return super().read(images)


class GoneError(Exception):
    """The work's owner went away."""


def learn(
    network: OpenedNetwork, cache: WorkCache, plan: AttributesRequest = PLAN, *, stop_after: int | None = None
) -> tuple[list[bytes], int, list[str]]:
    """Files of directions, pictures read for them, and what was told; raises where told to stop."""
    reader, notes = CountingAttributes(), []

    def note(text: str) -> None:
        notes.append(text)
        if stop_after is not None and len([text for text in notes if "monotone on" in text]) > stop_after:
            raise GoneError

    found = learn_directions(network, reader, QuarterRegions(), plan, note, cache=cache)
    return [encode_direction(one.direction) for one in found], reader.num_read, notes


@pytest.fixture(scope="module")
def uninterrupted(network: OpenedNetwork) -> list[bytes]:
    return learn(network, work_cache.NOTHING_KEPT)[0]


@pytest.fixture(scope="module")
def kept(network: OpenedNetwork, uninterrupted: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that a whole run has left."""
    folder = tmp_path_factory.mktemp("learning")
    assert learn(network, WorkCache(folder, {"network": "this"}))[0] == uninterrupted
    return folder


def test_an_interrupted_run_goes_on_where_it_was(
    network: OpenedNetwork, uninterrupted: list[bytes], tmp_path: Path
) -> None:
    cache = WorkCache(tmp_path, {"network": "this"})
    with pytest.raises(GoneError):
        learn(network, cache, stop_after=0)
    found, num_read, notes = learn(network, cache)
    assert found == uninterrupted
    assert "reading 200 faces" not in notes
    assert "taking gradients on 2 faces" not in notes
    for number, text in enumerate(notes, start=1):
        assert f"; {number} of 3" in text
        assert text.endswith(" left") == (number == 2), "what was kept says nothing of how long others take"
    assert 0 < num_read < PLAN.draws + 2 * 7 * PLAN.seeds
    assert learn(network, cache)[:2] == (uninterrupted, 0)


@pytest.mark.parametrize("damage", ["cut off", "a bit turned", "another format", "a folder"])
def test_what_was_kept_and_is_damaged_is_made_again(
    network: OpenedNetwork, uninterrupted: list[bytes], kept: Path, tmp_path: Path, damage: str
) -> None:
    for path in kept.iterdir():
        data = path.read_bytes()
        damaged = {
            "cut off": data[: len(data) - 5],
            "a bit turned": data[:-9] + bytes([data[-9] ^ 4]) + data[-8:],
            "another format": data.replace(b"tuiface.learning/1", b"tuiface.learning/0"),
        }
        if damage == "a folder":
            (tmp_path / path.name).mkdir()
        else:
            assert damaged[damage] != data
            (tmp_path / path.name).write_bytes(damaged[damage])
    found, num_read, _ = learn(network, WorkCache(tmp_path, {"network": "this"}))
    assert found == uninterrupted
    assert num_read > PLAN.draws


def test_other_settings_or_another_origin_share_nothing_wrong(
    network: OpenedNetwork, uninterrupted: list[bytes], kept: Path
) -> None:
    cache = WorkCache(kept, {"network": "this"})
    plan = PLAN.model_copy(update={"names": ("top_left",)})
    assert learn(network, cache, plan)[:2] == (uninterrupted[:1], 0)
    found, _, notes = learn(network, cache, plan.model_copy(update={"held": ()}))
    assert found != uninterrupted[:1]
    assert "reading 200 faces" not in notes, "what does not hang on it is shared"
    assert "reading 201 faces" in learn(network, cache, plan.model_copy(update={"draws": 201}))[2]
    assert "reading 200 faces" in learn(network, WorkCache(kept, {"network": "that"}), plan)[2]


def test_a_folder_that_cannot_be_written_keeps_nothing(
    network: OpenedNetwork, uninterrupted: list[bytes], tmp_path: Path
) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert learn(network, WorkCache(tmp_path / "file", {}))[0] == uninterrupted


def test_what_was_used_longest_ago_makes_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work_cache, "MAX_BYTES", 20_000)
    cache, shapes = WorkCache(tmp_path, {}), {"numbers": (1000,)}
    made: list[int] = []

    def recall(number: int) -> np.ndarray:
        def make() -> dict[str, np.ndarray]:
            made.append(number)
            return {"numbers": np.full(1000, float(number))}

        for age, path in enumerate(sorted(tmp_path.iterdir(), key=lambda path: -path.stat().st_mtime_ns)):
            os.utime(path, ns=(0, 10**9 * (1000 - age)))  # in the same order, clearly apart
        return cache.recall("numbers", {"number": number}, shapes, make)["numbers"]

    for number in (1, 2, 1, 3, 1, 2):
        assert (recall(number) == number).all()
    assert made == [1, 2, 3, 2]
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 20_000


def test_what_is_too_large_or_cannot_be_json_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Number(Value):
        value: float

    cache = WorkCache(tmp_path, {})
    monkeypatch.setattr(work_cache, "MAX_ENTRY_BYTES", 100)
    assert cache.recall("numbers", {}, {"n": (99,)}, lambda: {"n": np.zeros(99)})["n"].shape == (99,)
    assert np.isnan(cache.recall_value("number", {}, Number, lambda: Number.model_construct(value=np.nan)).value)
    assert list(tmp_path.iterdir()) == []


def test_the_cheapest_precision_that_reads_alike_is_taken(
    network: OpenedNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "draft_dtype", "bfloat16")
    reader, tolerances = PixelAttributes(), {"everything": 1e9, "nothing": -1.0}
    found = {}
    for name, tolerance in tolerances.items():
        monkeypatch.setattr(reading_precision, "TOLERANCE", tolerance)
        found[name] = [measure_precision(network, reader, full=full) for full in (False, True)]
    inner, full = found["everything"]
    assert (inner.precision.dtype, inner.precision.resolution) == ("bfloat16", reader.resolution)
    assert (full.precision.dtype, full.precision.resolution) == ("bfloat16", None)
    assert inner.error > full.error > 0
    assert [one.precision for one in found["nothing"]] == [EXACT, EXACT]
    monkeypatch.setattr(reading_precision, "TOLERANCE", (inner.error + full.error) / 2)
    chosen = measure_precision(network, reader, full=False)
    assert full.error <= chosen.error < inner.error


class Overflowing(PixelAttributes):
    """Reads nothing finite of pictures in half precision."""

    def read(self, images: Tensor) -> Tensor:
        import torch

        is_half = torch.is_autocast_enabled("cpu")
        return super().read(images) * (float("nan") if is_half else 1.0)


def test_a_precision_that_reads_nothing_finite_is_not_taken(
    network: OpenedNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "draft_dtype", "bfloat16")
    monkeypatch.setattr(reading_precision, "TOLERANCE", 1e9)
    assert measure_precision(network, Overflowing(), full=True).precision.reader_dtype == "float32"


def test_directions_say_how_they_were_read(network: OpenedNetwork) -> None:
    plan = PLAN.model_copy(update={"names": ("top_left",)})
    [one] = learn_directions(network, PixelAttributes(), QuarterRegions(), plan, lambda text: None)
    settings = one.direction.header.origin.settings
    assert settings["dtype"] in ("float32", "bfloat16")
    assert settings["reader_dtype"] in ("float32", "bfloat16")
    assert 0 <= float(settings["reading_error"]) <= reading_precision.TOLERANCE
    assert settings["read_px"] in network.generator.config.block_resolutions


def test_pace_tells_what_is_left_by_what_was_worked_out() -> None:
    times = iter([0.0, 1.0, 100.0, 200.0, 250.0])
    pace = Pace(4, lambda: next(times))
    with pace.step():
        pass
    assert pace.describe() == "1 of 4"
    with pace.step():
        pace.count_this()
    assert pace.describe() == "2 of 4, 3 min left"
