"""Verification: exact, within tolerance, or different - and what differs is named."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.fake_engine import FakeEngine
from tuiface.core.settings import Settings
from tuiface.engine_api.protocol import EngineInfo, RenderRequest, RenderResult
from tuiface.faces.provenance import encode_png, pixels_digest, read_png, read_saved_face
from tuiface.faces.studio import Studio
from tuiface.faces.verification import find_saved_recipe, verify


class OffByEngine(FakeEngine):
    """Renders each value `levels` higher, as another device might."""

    def __init__(self, levels: int) -> None:
        super().__init__()
        self._levels = levels

    def render(self, job: RenderRequest) -> RenderResult:
        frame = super().render(job)
        return dataclasses.replace(frame, pixels=frame.pixels + np.uint8(self._levels))


@pytest.fixture
def png(settings: Settings, tmp_path: Path) -> Path:
    return Studio(FakeEngine(), settings).face(seed=3).save(tmp_path / "out")


def change_json(png: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    sidecar = png.with_suffix(".json")
    value = json.loads(sidecar.read_text())
    change(value)
    sidecar.write_text(json.dumps(value))
    return sidecar


def test_exact_from_the_png_alone_and_from_the_json_alone(png: Path, tmp_path: Path) -> None:
    alone_png, alone_json = tmp_path / "a.png", tmp_path / "b.json"
    alone_png.write_bytes(png.read_bytes())
    alone_json.write_bytes(png.with_suffix(".json").read_bytes())
    for path in (png, png.with_suffix(".json"), alone_png, alone_json):
        verdict = verify(read_saved_face(path), FakeEngine())
        assert (verdict.status, verdict.differences) == ("exact", ())


@pytest.mark.parametrize(
    ("levels", "status"), [(0, "exact"), (1, "within tolerance"), (2, "within tolerance"), (3, "differs")]
)
def test_tolerance_is_told_from_exact(png: Path, levels: int, status: str) -> None:
    verdict = verify(read_saved_face(png), OffByEngine(levels))
    assert verdict.status == status
    assert verdict.max_difference == levels


def test_json_alone_cannot_be_within_tolerance(png: Path) -> None:
    saved = read_saved_face(png.with_suffix(".json"))
    verdict = verify(dataclasses.replace(saved, pixels=None), OffByEngine(1))
    assert verdict.status == "differs"
    assert "the picture is not at hand" in verdict.differences[0]


def test_retouched_picture_is_named(png: Path) -> None:
    pixels, text = read_png(png)
    retouched = pixels.copy()
    retouched[5, 5] ^= 1
    png.write_bytes(encode_png(retouched, text or ""))
    verdict = verify(read_saved_face(png), FakeEngine())
    assert verdict.status == "differs"
    assert "pixels: the picture was changed after saving" in verdict.differences


def test_picture_replaced_by_another_tool_is_named(png: Path) -> None:
    Image.new("RGB", (32, 32), "red").save(png)
    verdict = verify(read_saved_face(png), FakeEngine())
    assert verdict.status == "differs"
    assert any("picture was changed" in text for text in verdict.differences)


def test_changed_recipe_is_named(png: Path) -> None:
    sidecar = change_json(png, lambda v: v["recipe"]["truncation"].update(psi=0.5))
    verdict = verify(read_saved_face(sidecar), FakeEngine())
    assert verdict.status == "differs"
    assert verdict.differences[0].startswith("recipe: changed after saving")
    assert any("does not say the same" in text for text in verdict.differences)


def test_changed_remark_in_the_json_is_named(png: Path) -> None:
    change_json(png, lambda v: v.update(operator="somebody else"))
    verdict = verify(read_saved_face(png), FakeEngine())
    assert verdict.differences == ("provenance: the JSON file does not say the same as the text inside the PNG",)


def test_other_network_is_named(png: Path) -> None:
    verdict = verify(read_saved_face(png), FakeEngine(sha256="d" * 64))
    assert verdict.status == "differs"
    assert "model: made with 'fake' (eeeeeeeeee), opened is 'fake' (dddddddddd)" in verdict.differences


def test_changed_model_record_is_named(png: Path) -> None:
    sidecar = change_json(png, lambda v: v["model"].update(sha256="c" * 64))
    differences = verify(read_saved_face(sidecar), FakeEngine()).differences
    assert "model: the provenance names cccccccccc, its recipe eeeeeeeeee" in differences


def test_changed_direction_is_named(png: Path) -> None:
    edit = {"direction": "smile", "sha256": "1" * 64, "amount": 1.0, "rows": None}

    def change(value: dict[str, Any]) -> None:
        value["recipe"]["edits"] = [edit]
        value["directions"] = [{"name": "smile", "sha256": "2" * 64, "licence": "x"}]

    differences = verify(read_saved_face(change_json(png, change)), FakeEngine()).differences
    assert "direction 'smile': recorded 2222222222, recipe 1111111111" in differences


class MeasuringEngine(FakeEngine):
    """Measures something of every picture."""

    def render(self, job: RenderRequest) -> RenderResult:
        return dataclasses.replace(super().render(job), measures={"clipped_percent": 0.1})


def alter(png: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the JSON and the text inside the picture alike."""
    pixels, _ = read_png(png)
    text = change_json(png, change).read_text()
    png.write_bytes(encode_png(pixels, text))


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        (
            lambda v: v["measures"].update(clipped_percent=0.5),
            "measures: clipped_percent is recorded as 0.5, measured now",
        ),
        (lambda v: v["measures"].clear(), "measures: clipped_percent is recorded as nothing, measured now"),
        (lambda v: v["measures"].update(fair=1.0), "measures: fair is recorded as 1, measured now nothing"),
        (lambda v: v["model"].update(licence="ours"), "model: its licence is recorded as 'ours'; the network"),
    ],
)
def test_what_the_record_claims_is_found_out_again(
    settings: Settings, tmp_path: Path, change: Callable[[dict[str, Any]], object], difference: str
) -> None:
    png = Studio(MeasuringEngine(), settings).face(seed=3).save(tmp_path / "out")
    assert verify(read_saved_face(png), MeasuringEngine()).status == "exact"
    alter(png, change)
    verdict = verify(read_saved_face(png), MeasuringEngine())
    assert verdict.status == "differs"
    assert [text for text in verdict.differences if text.startswith(difference)]
    assert len(verdict.differences) == 1


def test_a_parent_at_hand_must_have_given_the_face_something(settings: Settings, tmp_path: Path) -> None:
    studio = Studio(FakeEngine(), settings)
    parent, stranger = studio.face(seed=4), studio.face(seed=9)
    stranger.save(tmp_path)
    child = studio.open_file(parent.save(tmp_path)).truncate(0.5)
    png = child.save(tmp_path)
    find = partial(find_saved_recipe, [tmp_path])
    assert child.parents == (parent.recipe.digest,)
    assert verify(read_saved_face(png), FakeEngine(), find).status == "exact"
    alter(png, lambda v: v.update(parents=[stranger.recipe.digest]))
    assert verify(read_saved_face(png), FakeEngine(), find).differences == (
        f"parents: {stranger.recipe.digest[:10]} is recorded, and gave this face neither source nor rows",
    )
    assert verify(read_saved_face(png), FakeEngine()).status == "exact", "nothing is known of a parent that is not here"


def test_another_name_of_the_same_network_is_said(png: Path) -> None:
    alter(png, lambda v: v["model"].update(name="renamed"))
    verdict = verify(read_saved_face(png), FakeEngine())
    assert verdict.status == "exact"
    assert verdict.context == ("network's name: renamed then, fake now",)


def test_other_software_is_context_not_a_difference(png: Path) -> None:
    class NewerEngine(FakeEngine):
        def info(self) -> EngineInfo:
            return dataclasses.replace(super().info(), software={"tuiface": "9"}, device_name="another")

    verdict = verify(read_saved_face(png), NewerEngine())
    assert verdict.status == "exact"
    assert verdict.context == ("device: a fake then, another now", "tuiface: 0 then, 9 now")


def test_digest_is_of_the_rgb_bytes() -> None:
    import hashlib

    pixels = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    assert pixels_digest(pixels) == hashlib.sha256(bytes(range(12))).hexdigest()
    assert pixels_digest(pixels[:, ::-1]) != pixels_digest(pixels)
