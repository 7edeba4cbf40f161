"""Hostile files meet one clear line: nothing runs, nothing is written, and time and memory stay small."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tracemalloc
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tuiface.core.errors import ModelError
from tuiface.engine.checkpoints import inspect_checkpoint, read_checkpoint, read_native_header

from .attacks import MARKER, attacks
from .golden import HOSTILE, HOSTILE_FACTS

MAX_RSS_MB = 200
MAX_SECONDS = 5


def watched(paths: Iterable[Path], folder: Path) -> list[dict[str, Any]]:
    """What a watched process made of each file; it works in `folder`, and must leave it as it was."""
    before = sorted(folder.rglob("*"))
    command = [sys.executable, "-m", "tests.checkpoints.watched_reader", *map(str, paths)]
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root), "OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert sorted(folder.rglob("*")) == before
    return [json.loads(line) for line in done.stdout.splitlines()]


def assert_harmless(result: dict[str, Any]) -> None:
    assert result["forbidden_events"] == []
    assert not result["torch"]
    assert result["seconds"] < MAX_SECONDS
    assert result["max_rss_mb"] < MAX_RSS_MB
    assert result["message"].isprintable()
    assert len(result["message"]) < 500
    assert result["report_agrees"]


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Every known hostile file, read by one watched process."""
    names, work = [facts["file"] for facts in HOSTILE_FACTS], tmp_path_factory.mktemp("work")
    results = watched([HOSTILE / name for name in names], work)
    assert not (work / MARKER).exists()
    return dict(zip(names, results, strict=True))


@pytest.mark.parametrize("facts", HOSTILE_FACTS, ids=lambda facts: facts["file"])
def test_each_known_hostile_file_meets_its_verdict(facts: dict[str, Any], known: dict[str, dict[str, Any]]) -> None:
    result = known[facts["file"]]
    assert_harmless(result)
    if facts["must"] in ("reject", "reject_without_executing"):
        assert result["outcome"] == "refused", facts["what"]


def test_a_network_with_hostile_source_text_opens_and_its_source_is_only_hashed() -> None:
    report = inspect_checkpoint(HOSTILE / "03_module_src_payload.pkl")
    assert report.refused is None
    assert len(report.source_digests) == 1
    assert report.stock


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Every attack, read by one watched process."""
    files, work = tmp_path_factory.mktemp("attacks"), tmp_path_factory.mktemp("work")
    paths = {}
    for index, attack in enumerate(attacks()):
        paths[attack.name] = files / f"{index:03d}{attack.suffix}"
        paths[attack.name].write_bytes(attack.build())
    results = watched(paths.values(), work)
    assert not (work / MARKER).exists()
    return dict(zip(paths, results, strict=True))


@pytest.mark.parametrize("attack", attacks(), ids=lambda attack: attack.name)
def test_attack_is_refused(attack: Any, verdicts: dict[str, dict[str, Any]]) -> None:
    result = verdicts[attack.name]
    assert_harmless(result)
    assert result["outcome"] == "refused"
    assert re.search(attack.refusal, result["message"]), result["message"]


FOREIGN = {
    "page.pkl": (
        b"<!DOCTYPE html>\n<html><body>Quota exceeded",
        "this is a web page, not a checkpoint: the download failed",
    ),
    "page2.pkl": (b"\xef\xbb\xbf  <html>", "web page"),
    "pointer.pkl": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "Git LFS pointer"),
    "packed.pkl": (b"\x1f\x8b\x08\x00", "gzip-compressed"),
    "archive.pkl": (bytes(257) + b"ustar" + bytes(300), "a tar archive"),
    "picture.pkl": (b"\x89PNG\r\n", "a PNG picture"),
    "array.pkl": (b"\x93NUMPY\x01\x00", "a numpy array"),
    "one_byte.pkl": (b"\x80", "not a checkpoint: starts with the bytes 80"),
    "text.pkl": (b"hello", "starts with the bytes 68 65 6c 6c 6f"),
    "old.pkl": (b"(dp0\n.", "not a checkpoint"),
    "other.safetensors": (b"\x02\0\0\0\0\0\0\0{}", "not a tuiface model"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_other_files_are_recognised(name: str, tmp_path: Path) -> None:
    data, message = FOREIGN[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ModelError, match=message) as refusal:
        read_checkpoint(tmp_path / name)
    assert str(refusal.value).startswith(f"{name}: ")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.pkl").touch()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "huge.pkl").touch()
    os.truncate(tmp_path / "huge.pkl", 5 << 30)
    for name, message in {
        "absent.pkl": "no such file",
        "folder": "is a folder",
        "empty.pkl": "is empty",
        "pipe": "not a regular file",
        "huge.pkl": "accepted are up to 4294967296",
    }.items():
        for read in (read_checkpoint, inspect_checkpoint, read_native_header):
            with pytest.raises(ModelError, match=f"^{name}: .*{message}"):
                read(tmp_path / name)


def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret.pkl"
    path.write_bytes(b"x")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(ModelError, match="Permission denied"):
        read_checkpoint(path)


def test_a_file_that_begins_like_nothing_known_is_not_read_into_memory(tmp_path: Path) -> None:
    path = tmp_path / "sparse.pkl"
    path.touch()
    os.truncate(path, 3 << 30)
    tracemalloc.start()
    with pytest.raises(ModelError, match="starts with the bytes 00 00"):
        read_checkpoint(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20
