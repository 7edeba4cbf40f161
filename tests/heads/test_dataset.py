"""Data sets of heads on disk: complete or absent, never overwritten, readable back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tuiface.errors import OutputError, UsageError
from tuiface.heads import REGION_NAMES, HeadParameters, render_heads, write_dataset, write_sheet


def test_a_dataset_can_be_rendered_again_from_its_labels(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    write_dataset(tmp_path / "deep" / "heads", 3, 32, seed=5, progress=lambda done, count: seen.append((done, count)))
    folder = tmp_path / "deep" / "heads"
    lines = (folder / "labels.jsonl").read_text().splitlines()
    assert [json.loads(line)["file"] for line in lines] == ["000000.png", "000001.png", "000002.png"]
    heads = render_heads(HeadParameters.from_json(*lines), 32)
    for index in range(3):
        with Image.open(folder / "images" / f"{index:06d}.png") as picture:
            assert picture.mode == "RGB"
            assert np.array_equal(np.asarray(picture), heads.pixels[index].numpy())
        with Image.open(folder / "regions" / f"{index:06d}.png") as regions:
            assert np.array_equal(np.asarray(regions), heads.regions[index].numpy())
    description = json.loads((folder / "dataset.json").read_text())
    assert description["count"] == 3
    assert description["regions"] == list(REGION_NAMES)
    assert seen == [(3, 3)]


def test_an_existing_folder_or_sheet_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "heads").mkdir()
    (tmp_path / "heads" / "mine").write_text("keep")
    (tmp_path / "sheet.png").write_text("keep")
    with pytest.raises(OutputError, match="exists already"):
        write_dataset(tmp_path / "heads", 1, 32)
    with pytest.raises(OutputError, match="exists already"):
        write_sheet(tmp_path / "sheet.png", 1, 1, 32)
    assert (tmp_path / "heads" / "mine").read_text() == (tmp_path / "sheet.png").read_text() == "keep"


def test_a_failure_half_way_leaves_nothing_behind(tmp_path: Path) -> None:
    def stop(done: int, count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_dataset(tmp_path / "heads", 2, 32, progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        write_dataset(tmp_path / "file" / "heads", 1, 32)
    with pytest.raises(OutputError, match="cannot write"):
        write_sheet(tmp_path / "absent" / "sheet.png", 1, 1, 32)


@pytest.mark.parametrize("count", [0, -3])
def test_a_count_below_one_is_refused(tmp_path: Path, count: int) -> None:
    with pytest.raises(UsageError, match="at least one"):
        write_dataset(tmp_path / "heads", count, 32)


def test_a_sheet_shows_the_first_samples_in_rows(tmp_path: Path) -> None:
    from tuiface.heads import sample_parameters

    write_sheet(tmp_path / "sheet.png", columns=3, rows=2, resolution=32, seed=8)
    heads = render_heads(sample_parameters(6, seed=8), 32)
    with Image.open(tmp_path / "sheet.png") as sheet:
        pixels = torch.from_numpy(np.array(sheet))
    assert pixels.shape == (64, 96, 3)
    assert torch.equal(pixels[32:, 32:64], heads.pixels[4])
    with pytest.raises(UsageError, match="at least 1"):
        write_sheet(tmp_path / "empty.png", columns=0)
