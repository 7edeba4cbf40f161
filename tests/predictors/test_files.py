"""A reader's file is taken at its word for nothing: whatever is wrong with it is one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.predictors.conftest import attributes_card, segmenter_card, write
from tuiface.core.errors import ModelError
from tuiface.engine.predictors import AttributePredictor, Segmenter
from tuiface.engine.predictors.files import load_predictor


def test_card_and_tensors_come_back(tmp_path: Path) -> None:
    card = attributes_card(figures={"visible": 2.0}, training={"kimg": 1.5, "precision": "bfloat16"})
    read, network = load_predictor(write(tmp_path / "a.safetensors", card), "attributes")
    assert read == card
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert all(parameter.dtype == torch.float32 for parameter in network.parameters())


def test_equal_readers_give_equal_bytes(tmp_path: Path) -> None:
    files = [write(tmp_path / name, segmenter_card()) for name in ("a.safetensors", "b.safetensors")]
    assert files[0].read_bytes() == files[1].read_bytes()


Header = dict[str, Any]


def changed(path: Path, change: Callable[[Header], None]) -> None:
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])


def with_card(**changes: object) -> Callable[[Header], None]:
    def change(header: Header) -> None:
        card = json.loads(header["__metadata__"]["card"])
        header["__metadata__"]["card"] = json.dumps({**card, **changes})

    return change


def without_card(header: Header) -> None:
    del header["__metadata__"]["card"]


def without_a_tensor(header: Header) -> None:
    del header["out.convolution.bias"]


def with_another_shape(header: Header) -> None:
    header["out.convolution.bias"]["shape"] = [24, 2]


def as_another_format(header: Header) -> None:
    header["__metadata__"]["format"] = "tuiface.model/1"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without_card, "metadata 'card' is missing"),
        (without_a_tensor, "out.convolution.bias"),
        (with_another_shape, "out.convolution.bias has shape"),
        (as_another_format, "not a reader of faces"),
        (with_card(kind="attributes"), "reads nothing"),
        (with_card(widths=[4, 6, 6, 100_000]), "accepted are 1 to 512"),
        (with_card(widths=[4, 6]), "widths"),
        (with_card(resolution=10_000_000), "resolution"),
        (with_card(resolution=33), "resolution"),
        (with_card(surprise=1), "surprise"),
        (with_card(regions=["background", "face"]), "out.convolution"),
    ],
)
def test_a_changed_header_is_one_line(change: Callable[[Header], None], message: str, segmenter_file: Path) -> None:
    changed(segmenter_file, change)
    assert_refused(segmenter_file, message)


def test_values_that_are_not_finite_are_refused(segmenter_file: Path) -> None:
    data = segmenter_file.read_bytes()
    segmenter_file.write_bytes(data[:-2] + np.float16("nan").tobytes())
    assert_refused(segmenter_file, "not finite")


@pytest.mark.parametrize("kept", [0, 4, 8, 100, -1])
def test_a_cut_file_is_refused(kept: int, segmenter_file: Path) -> None:
    segmenter_file.write_bytes(segmenter_file.read_bytes()[:kept])
    assert_refused(segmenter_file, "")


def test_a_missing_file_and_another_kind_are_refused(tmp_path: Path, attributes_file: Path) -> None:
    assert_refused(tmp_path / "nowhere.safetensors", "no such file")
    assert_refused(attributes_file, "kind 'attributes'")
    with pytest.raises(ModelError, match="kind 'segmenter'"):
        AttributePredictor.load(write(tmp_path / "s.safetensors", segmenter_card()))


def test_a_segmenter_of_other_regions_is_refused(tmp_path: Path) -> None:
    card = segmenter_card(regions=("background", "face", "hair"))
    assert_refused(write(tmp_path / "s.safetensors", card), "segments background, face, hair")


def assert_refused(path: Path, message: str) -> None:
    with pytest.raises(ModelError) as caught:
        Segmenter.load(path)
    assert message in str(caught.value)
    assert path.name in str(caught.value)
    assert "\n" not in str(caught.value)
