"""Opening checkpoints: the cache of conversions, digests, missing parts, damaged files."""

from __future__ import annotations

import hashlib
import itertools
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.conftest import CHECKPOINTS, MODEL
from tuiface.core import files
from tuiface.core.errors import ModelError
from tuiface.engine import load_checkpoint
from tuiface.engine.checkpoint import Checkpoint, ModelStore, file_sha256
from tuiface.engine.checkpoints import read_checkpoint, source_file, write_native


def load_and_keep(path: Path, cache: Path) -> Checkpoint:
    """`load_checkpoint`, and wait until its conversion is written or given up."""
    checkpoint = load_checkpoint(path, cache=cache)
    join_writers()
    return checkpoint


def join_writers() -> None:
    """Wait until every conversion is written or given up."""
    for thread in threading.enumerate():
        if thread.name == "conversion":
            thread.join()


def images_equal(a: Path, b: Path, cache: Path) -> bool:
    first, second = load_checkpoint(a, cache=cache).generator, load_checkpoint(b, cache=cache).generator
    ws = first.map(torch.ones(1, first.config.z_dim))
    return torch.equal(first.synthesize(ws), second.synthesize(ws))


def test_second_start_reads_the_conversion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load_and_keep(MODEL, tmp_path)
    monkeypatch.setattr("tuiface.engine.checkpoint.read_contents", lambda *_: pytest.fail("parsed again"))
    second = load_checkpoint(MODEL, cache=tmp_path)
    assert second.info == first.info
    ws = first.generator.map(torch.ones(1, 64))
    assert torch.equal(first.generator.synthesize(ws), second.generator.synthesize(ws))


def test_damaged_conversion_is_made_again(tmp_path: Path) -> None:
    load_and_keep(MODEL, tmp_path)
    converted = ModelStore(tmp_path).conversion_path(file_sha256(MODEL))
    sound = converted.read_bytes()
    damaged = bytearray(sound)
    damaged[8 + int.from_bytes(sound[:8], "little") + 100] ^= 0x40
    for bad in (bytes(damaged), sound[:1000], b""):
        converted.write_bytes(bad)
        load_and_keep(MODEL, tmp_path)
        assert converted.read_bytes() == sound


def test_cache_that_cannot_be_written_is_said_and_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    checkpoint = load_checkpoint(MODEL, cache=tmp_path / "file")
    assert any("cannot be written" in text for text in checkpoint.info.notices)


def test_conversion_that_does_not_fit_the_disk_is_said_before_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    checkpoint = load_and_keep(MODEL, tmp_path)
    assert any("cannot be written" in text for text in checkpoint.info.notices)
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_network_that_is_changed_while_its_conversion_is_written_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_changed = threading.Event()

    def write_after_change(path: Path, content: Iterator[bytes], *, force: bool) -> None:
        header = next(content)
        assert is_changed.wait(60)
        files.write_file(path, itertools.chain([header], content), force=force)

    with monkeypatch.context() as patch:
        patch.setattr("tuiface.engine.checkpoint.write_file", write_after_change)
        patch.setattr(ModelStore, "note_network", lambda *_: None)
        checkpoint = load_checkpoint(MODEL, cache=tmp_path)
        assert checkpoint.discriminator is not None
        next(checkpoint.discriminator.parameters()).data.add_(1)
        is_changed.set()
        join_writers()
    assert list((tmp_path / "checkpoints").iterdir()) == []


@pytest.mark.parametrize("size", [2, 7, 8, 14, 20])
def test_file_is_read_whole_whatever_the_part_that_is_hashed(
    size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_file, "PART_BYTES", 7)
    path = tmp_path / "network.pkl"
    path.write_bytes((b"\x80\x04" + bytes(range(20)))[:size])
    source = source_file.read_source(path)
    assert bytes(source.data) == path.read_bytes()
    assert source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_converted_file_is_the_same_network(tmp_path: Path) -> None:
    out = tmp_path / "converted.safetensors"
    write_native(read_checkpoint(MODEL), out, licence="CC0-1.0", name="small")
    info = load_checkpoint(out, cache=tmp_path).info
    assert info.network_sha256 == load_checkpoint(MODEL, cache=tmp_path).info.network_sha256
    assert (info.licence, info.name) == ("CC0-1.0", "small")
    assert images_equal(MODEL, out, tmp_path)


def test_changed_tensor_in_a_native_file_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "converted.safetensors"
    write_native(read_checkpoint(MODEL), out)
    data = bytearray(out.read_bytes())
    start = 8 + int.from_bytes(data[:8], "little")  # the first tensor belongs to the generator
    data[start + 100] ^= 1
    out.write_bytes(data)
    with pytest.raises(ModelError, match="changed or damaged"):
        load_checkpoint(out, cache=tmp_path)


def test_missing_latent_mean_is_estimated_and_said(tmp_path: Path) -> None:
    checkpoint = load_checkpoint(CHECKPOINTS["d2_ros_train32"], cache=tmp_path)
    assert any("1000 draws" in text for text in checkpoint.info.notices)
    assert float(checkpoint.generator.mapping.w_avg.abs().max()) > 0


def test_network_is_found_again_by_its_digest(tmp_path: Path) -> None:
    info = load_checkpoint(MODEL, cache=tmp_path).info
    assert ModelStore(tmp_path).find_network(info.network_sha256) == MODEL
    assert ModelStore(tmp_path).find_network("0" * 64) is None


@pytest.mark.parametrize("path", ["missing.pkl", "missing.safetensors", ".", "/dev/zero"])
def test_what_is_no_file_is_one_line(path: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        load_checkpoint(tmp_path / path, cache=tmp_path)
    assert "\n" not in str(caught.value)


def test_opened_networks_are_frozen(tmp_path: Path) -> None:
    checkpoint = load_checkpoint(MODEL, cache=tmp_path)
    assert checkpoint.discriminator is not None
    for network in (checkpoint.generator, checkpoint.discriminator):
        assert not network.training
        assert not any(p.requires_grad for p in network.parameters())
