"""A run may be stopped in any way at any moment, and goes on as if nothing had happened."""

from __future__ import annotations

import json
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.training import run_tiny
from tests.training.conftest import tiny_limits, tiny_settings, write_pictures
from tuiface.core.errors import InputFileError, OutputError, UsageError
from tuiface.engine.training import SNAPSHOT_NAME, read_snapshot_header, train
from tuiface.engine.training.gan.settings import AdversarialSettings
from tuiface.engine.training.report import CURVES_NAME

_TIMES = ("seconds", "images_per_s")


def read_log(out: Path) -> list[dict[str, object]]:
    records = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return [{key: value for key, value in record.items() if key not in _TIMES} for record in records]


def assert_same_run(first: Path, second: Path) -> None:
    """Equal losses, and bit-equal tensors at the end."""
    assert read_log(first) == read_log(second)
    one, other = load_file(first / SNAPSHOT_NAME), load_file(second / SNAPSHOT_NAME)
    assert one.keys() == other.keys()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


def start(data: Path, out: Path, pause: float) -> subprocess.Popen[bytes]:
    """The run of `run_tiny` in a process of its own, to be stopped; here it begins again, or goes on."""
    command = [sys.executable, "-m", "tests.training.run_tiny", str(data), str(out), str(pause)]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL)


def wait_for_images(out: Path, count: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while not (out / SNAPSHOT_NAME).exists() or read_snapshot_header(out / SNAPSHOT_NAME)[1].images < count:
        assert process.poll() is None, "the run ended before it could be stopped"
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The data, and a run on them that nothing stopped."""
    folder = tmp_path_factory.mktemp("undisturbed")
    data = write_pictures(folder / "pictures")
    run_tiny.run(data, folder / "run")
    return data, folder / "run"


def test_a_run_killed_at_a_random_moment_goes_on_exactly(undisturbed: tuple[Path, Path], tmp_path: Path) -> None:
    """Losses, ADA's p, averages and weights equal those of a run that nothing disturbed."""
    pictures, whole = undisturbed
    killed = tmp_path / "killed"
    process = start(pictures, killed, pause=0.05)
    wait_for_images(killed, 40, process)
    time.sleep(random.Random(0).uniform(0, 0.3))  # anywhere in a step, or while a snapshot is written
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert read_snapshot_header(killed / SNAPSHOT_NAME)[1].images < 200
    run_tiny.run(pictures, killed)
    assert_same_run(whole, killed)
    records = [record for record in read_log(whole) if "generator" in record]
    assert any(record["augment_p"] for record in records), "augmentation never began: the test would not see it"
    assert any("r1" in record and "path_length" in record for record in records)


def test_sigterm_finishes_the_step_saves_and_leaves(undisturbed: tuple[Path, Path], tmp_path: Path) -> None:
    pictures, whole = undisturbed
    stopped = tmp_path / "stopped"
    process = start(pictures, stopped, pause=0.05)
    wait_for_images(stopped, 24, process)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert 24 <= read_snapshot_header(stopped / SNAPSHOT_NAME)[1].images < 200
    run_tiny.run(pictures, stopped)
    assert_same_run(whole, stopped)


def test_a_snapshot_of_another_configuration_is_refused_with_what_differs(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    train(tiny_settings(pictures), tiny_limits(out, kimg=0.016))
    changed = tiny_settings(pictures, adversarial=AdversarialSettings(gamma=7.0, r1_interval=3, path_length_interval=2))
    with pytest.raises(UsageError) as caught:
        train(changed, tiny_limits(out), resume=out / SNAPSHOT_NAME)
    assert "adversarial.ema_kimg: 0.1 there, 10.0 here (and 1 more)" in caught.value.message
    assert "--from" in caught.value.hint


def test_data_that_changed_since_the_snapshot_are_refused(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    train(tiny_settings(pictures), tiny_limits(out, kimg=0.016))
    write_pictures(pictures, count=25)
    with pytest.raises(UsageError, match="does not hold what the snapshot was trained on"):
        train(tiny_settings(pictures), tiny_limits(out), resume=out / SNAPSHOT_NAME)


def test_data_may_move(pictures: Path, tmp_path: Path) -> None:
    """Report: stylegan3 issue 159."""
    out, moved = tmp_path / "run", tmp_path / "moved"
    train(tiny_settings(pictures), tiny_limits(out, kimg=0.016))
    pictures.rename(moved)
    with pytest.raises(InputFileError, match="no folder or zip") as caught:
        train(tiny_settings(pictures), tiny_limits(out, kimg=0.032), resume=out / SNAPSHOT_NAME)
    assert "where it lies now" in str(caught.value)
    train(tiny_settings(moved), tiny_limits(out, kimg=0.032), resume=out / SNAPSHOT_NAME)
    settings, progress = read_snapshot_header(out / SNAPSHOT_NAME)
    assert (settings.data, progress.images, progress.kimg) == (str(moved), 32, 0.032)


def test_a_run_inside_its_data_can_be_resumed(pictures: Path) -> None:
    """Its own pictures, of curves and samples, are not trained on."""
    out = pictures / "run"
    train(tiny_settings(pictures), tiny_limits(out, kimg=0.016))
    assert (out / CURVES_NAME).is_file()
    train(tiny_settings(pictures), tiny_limits(out, kimg=0.032), resume=out / SNAPSHOT_NAME)
    assert read_snapshot_header(out / SNAPSHOT_NAME)[1].images == 32


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x02\0\0\0\0\0\0\0{}"])
def test_a_damaged_snapshot_is_named(content: bytes, pictures: Path, tmp_path: Path) -> None:
    (tmp_path / SNAPSHOT_NAME).write_bytes(content)
    with pytest.raises(InputFileError, match="snapshot"):
        train(tiny_settings(pictures), tiny_limits(tmp_path), resume=tmp_path / SNAPSHOT_NAME)


def test_a_full_disk_leaves_the_old_snapshot_intact(pictures: Path, tmp_path: Path) -> None:
    """The limit on file sizes stands for the full disk: both end a write half-way."""
    out = tmp_path / "run"
    train(tiny_settings(pictures), tiny_limits(out, kimg=0.016))
    before = (out / SNAPSHOT_NAME).read_bytes()
    files = sorted(out.iterdir())
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limits[1]))
    try:
        with pytest.raises(OutputError, match="cannot write"):
            train(tiny_settings(pictures), tiny_limits(out, kimg=0.032), resume=out / SNAPSHOT_NAME)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (out / SNAPSHOT_NAME).read_bytes() == before
    assert sorted(out.iterdir()) == files
    assert train(tiny_settings(pictures), tiny_limits(out, kimg=0.032), resume=out / SNAPSHOT_NAME).finished
