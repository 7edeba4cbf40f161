"""Data sets of heads on disk: complete or absent, never overwritten, readable back."""

from __future__ import annotations

import json
import os
import resource
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tuiface.core.errors import OutputError, UsageError
from tuiface.core.regions import REGION_COLOURS, REGION_NAMES
from tuiface.heads import HeadParameters, HeadRenderer, render_heads, sample_parameters, write_dataset


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


def test_processes_write_the_same_folder_and_prepare_themselves(tmp_path: Path) -> None:
    counts: list[int] = []
    write_dataset(tmp_path / "one", 33, 32, seed=2, sheet=True)
    write_dataset(
        tmp_path / "two", 33, 32, seed=2, sheet=True, processes=2, progress=lambda done, _: counts.append(done)
    )
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert len(files) == 2 * 33 + 4
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes(), file
    assert (len(counts), counts[-1]) == (3, 33)


def test_a_renderer_writes_the_same_folder_in_threads(tmp_path: Path) -> None:
    seen: list[int] = []
    write_dataset(tmp_path / "one", 18, 32, seed=2)
    renderer = HeadRenderer(32)
    write_dataset(
        tmp_path / "two", 18, 32, 2, renderer=renderer, processes=2, progress=lambda done, _: seen.append(done)
    )
    for file in [path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*")]:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes(), file
    assert seen == [16, 18]


def test_an_existing_folder_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "heads").mkdir()
    (tmp_path / "heads" / "mine").write_text("keep")
    with pytest.raises(OutputError, match="exists already"):
        write_dataset(tmp_path / "heads", 1, 32)
    assert (tmp_path / "heads" / "mine").read_text() == "keep"


@pytest.mark.usefixtures("warm_workers")
@pytest.mark.parametrize("processes", [1, 2])
def test_a_failure_half_way_leaves_nothing_behind(tmp_path: Path, processes: int) -> None:
    def stop(done: int, count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_dataset(tmp_path / "heads", 17, 32, processes=processes, progress=stop)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("warm_workers")
def test_a_process_that_dies_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="a rendering process died"):
        write_dataset(tmp_path / "heads", 17, 32, processes=2, prepare=os.abort)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("warm_workers")
def test_a_process_that_cannot_write_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="File too large"):
        write_dataset(tmp_path / "heads", 17, 32, processes=2, prepare=_allow_no_file)
    assert list(tmp_path.iterdir()) == []


def _allow_no_file() -> None:
    """Make every write of this process fail with an OSError."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="a file is in the way"):
        write_dataset(tmp_path / "file" / "heads", 1, 32)


@pytest.mark.parametrize("count", [0, -3])
def test_a_count_below_one_is_refused(tmp_path: Path, count: int) -> None:
    with pytest.raises(UsageError, match="at least one"):
        write_dataset(tmp_path / "heads", count, 32)


def test_sheets_show_the_first_heads_in_rows_of_eight(tmp_path: Path) -> None:
    write_dataset(tmp_path / "heads", 10, 32, seed=8, sheet=True)
    heads = render_heads(sample_parameters(10, seed=8), 32)
    with Image.open(tmp_path / "heads" / "sheet.png") as sheet:
        pixels = np.array(sheet)
    assert pixels.shape == (64, 8 * 32, 3)
    assert np.array_equal(pixels[32:, 32:64], heads.pixels[9].numpy())
    assert not pixels[32:, 64:].any()
    with Image.open(tmp_path / "heads" / "sheet-regions.png") as sheet:
        colours = np.array(sheet)
    assert np.array_equal(colours[:32, 64:96], np.array(REGION_COLOURS, np.uint8)[heads.regions[2].numpy()])
