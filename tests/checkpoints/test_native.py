"""Our own format: equal contents give equal bytes, headers open fast, and no metadata is taken on trust."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from tuiface.core.errors import ModelError, OutputError
from tuiface.engine.checkpoints import (
    CheckpointContents,
    GeneratorTensors,
    network_digest,
    read_checkpoint,
    read_native_header,
    write_native,
)

from .conftest import SavePickle
from .golden import golden
from .writers import (
    discriminator_config,
    discriminator_pickle,
    generator_config,
    generator_pickle,
    nvidia_checkpoint,
    random_tensors,
)


@pytest.fixture
def contents(save: SavePickle) -> CheckpointContents:
    config, other = generator_config(c_dim=2, embed_features=6, conv_clamp=256.0), discriminator_config()
    pickles = generator_pickle(config, random_tensors(config)), discriminator_pickle(other, random_tensors(other))
    return read_checkpoint(save(nvidia_checkpoint(*pickles)))


def header_of(data: bytes) -> tuple[dict[str, Any], bytes]:
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def with_header(header: dict[str, Any], tensors: bytes) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + tensors


def test_equal_contents_give_equal_bytes_that_the_library_reads(contents: CheckpointContents, tmp_path: Path) -> None:
    first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    write_native(contents, first, licence="CC0-1.0", name="tiny")
    write_native(contents, second, licence="CC0-1.0", name="tiny")
    assert first.read_bytes() == second.read_bytes()
    held = safetensors.numpy.load_file(first)
    for name, tensor in contents.generator.tensors.items():
        np.testing.assert_array_equal(held[f"G.{name}"], tensor)


def test_header_alone_tells_configurations_digests_and_licence(contents: CheckpointContents, tmp_path: Path) -> None:
    write_native(contents, tmp_path / "m.safetensors", licence="CC0-1.0", name="tiny")
    header = read_native_header(tmp_path / "m.safetensors")
    assert header.generator_config == contents.generator.config
    assert contents.discriminator is not None
    assert header.discriminator_config == contents.discriminator.config
    assert (header.network_sha256, header.origin_sha256) == (contents.network_sha256, contents.origin_sha256)
    assert (header.licence, header.name, header.has_w_avg) == ("CC0-1.0", "tiny", True)
    assert header.origin_format == "stylegan2-ada-pytorch pickle"
    assert header.notices == contents.notices
    assert header.dtypes == {"F32"}
    again = read_checkpoint(tmp_path / "m.safetensors")
    assert (again.licence, again.name, again.format) == ("CC0-1.0", "tiny", "tuiface safetensors")


def test_a_header_opens_in_twenty_milliseconds(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    write_native(read_checkpoint(golden("b_ada_cond64").path), path)
    seconds = []
    for _ in range(10):
        start = time.perf_counter()
        read_native_header(path)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.02


def test_half_precision_is_another_network_with_its_own_digest(contents: CheckpointContents, tmp_path: Path) -> None:
    path = tmp_path / "half.safetensors"
    write_native(contents, path, precision="float16")
    again = read_checkpoint(path)
    rounded = {name: t.astype(np.float16).astype(np.float32) for name, t in contents.generator.tensors.items()}
    assert again.network_sha256 == network_digest(contents.generator.config, rounded) != contents.network_sha256
    assert all(tensor.dtype == np.float32 for tensor in again.generator.tensors.values())
    assert read_native_header(path).dtypes == {"F16"}


def test_values_beyond_half_precision_are_refused_before_writing(contents: CheckpointContents, tmp_path: Path) -> None:
    large = {name: t * np.float32(1e6) for name, t in contents.generator.tensors.items()}
    changed = replace(contents, generator=GeneratorTensors(contents.generator.config, large))
    with pytest.raises(ModelError, match="beyond half precision"):
        write_native(changed, tmp_path / "half.safetensors", precision="float16")
    assert not (tmp_path / "half.safetensors").exists()


def test_bfloat16_tensors_widen_exactly(contents: CheckpointContents, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    write_native(replace(contents, discriminator=None), path)
    header, data = header_of(path.read_bytes())
    values = np.frombuffer(data, np.uint32) & np.uint32(0xFFFF0000)
    for entry in header.values():
        if "dtype" in entry:
            entry["dtype"], entry["data_offsets"] = "BF16", [offset // 2 for offset in entry["data_offsets"]]
    truncated = {
        name: (t.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
        for name, t in contents.generator.tensors.items()
    }
    header["__metadata__"]["network_sha256"] = network_digest(contents.generator.config, truncated)
    path.write_bytes(with_header(header, (values >> 16).astype("<u2").tobytes()))
    held = read_checkpoint(path).generator.tensors
    for name, expected in truncated.items():
        np.testing.assert_array_equal(held[name], expected)


def test_a_failed_write_leaves_nothing_behind(contents: CheckpointContents, tmp_path: Path) -> None:
    (tmp_path / "folder.safetensors").mkdir()
    before = sorted(tmp_path.iterdir())
    with pytest.raises(OutputError, match=r"cannot write .*Is a directory"):
        write_native(contents, tmp_path / "folder.safetensors")
    with pytest.raises(OutputError, match="cannot write"):
        write_native(contents, tmp_path / "absent" / "m.safetensors")
    assert sorted(tmp_path.iterdir()) == before


def test_a_header_that_could_not_be_read_back_is_not_written(contents: CheckpointContents, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="accepted are up to 1048576"):
        write_native(contents, tmp_path / "m.safetensors", licence="x" * (1 << 20))
    assert not list(tmp_path.glob("*.safetensors*"))


def test_a_write_replaces_the_old_file_in_one_step(contents: CheckpointContents, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(b"old")
    write_native(contents, path)
    assert read_checkpoint(path).network_sha256 == contents.network_sha256
    assert [entry.name for entry in tmp_path.glob("*.safetensors*")] == ["m.safetensors"]


@pytest.mark.parametrize("name", ["G.synthesis.b8.conv0.weight", "D.b4.out.bias"])
def test_a_changed_tensor_is_noticed(name: str, contents: CheckpointContents, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    write_native(contents, path)
    header, data = header_of(path.read_bytes())
    start = header[name]["data_offsets"][0]
    path.write_bytes(with_header(header, data[:start] + np.float32(0.5).tobytes() + data[start + 4 :]))
    with pytest.raises(ModelError, match="the file was changed or damaged"):
        read_checkpoint(path)


def lie(header: dict[str, Any], where: str, **changes: Any) -> None:
    metadata = header["__metadata__"]
    metadata[where] = json.dumps({**json.loads(metadata[where]), **changes})


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


METADATA_LIES: dict[str, tuple[Any, str]] = {
    "no format": (lambda h: h["__metadata__"].pop("format"), "'format' is None; accepted is 'tuiface.model/1'"),
    "no metadata": (lambda h: h.pop("__metadata__"), "not a tuiface model"),
    "a number as metadata": (lambda h: h["__metadata__"].update(licence=3), "'licence' is 3 instead of text"),
    "no config": (lambda h: h["__metadata__"].pop("config"), "'config' is missing"),
    "config is no JSON": (lambda h: h["__metadata__"].update(config="{"), "'config' is not sound JSON"),
    "a list as config": (lambda h: h["__metadata__"].update(config="[]"), "a list of 0 instead of a JSON object"),
    "a deep config": (lambda h: h["__metadata__"].update(config=nested(100_000)), "not sound JSON"),
    "a deep entry": (lambda h: h["__metadata__"].update(notices=nested(900)), "'notices' is not"),
    "a huge resolution": (lambda h: lie(h, "config", img_resolution=2**30), "img_resolution is 1073741824"),
    "a huge w": (lambda h: lie(h, "config", w_dim=10**9, mapping_features=[6, 10**9]), "accepted are 1 to 65536"),
    "another w": (lambda h: lie(h, "config", w_dim=12, mapping_features=[6, 12]), r"has shape \[6"),
    "an integer of 400 digits": (lambda h: lie(h, "config", conv_clamp=10**400), "conv_clamp is"),
    "a negative clamp": (lambda h: lie(h, "config", conv_clamp=-1), "conv_clamp is -1"),
    "a clamp as text": (lambda h: lie(h, "config", conv_clamp="256"), "conv_clamp is '256'"),
    "true as a size": (lambda h: lie(h, "config", z_dim=True), "z_dim is True"),
    "text as channels": (lambda h: lie(h, "config", channels=["7", "5"]), "channels is a list of 2"),
    "too few channels": (lambda h: lie(h, "config", channels=[7]), "number of block widths is 1"),
    "an unknown entry": (lambda h: lie(h, "config", payload="x"), "unknown entry 'payload'"),
    "another architecture": (lambda h: lie(h, "config", architecture="orig"), "architecture is 'orig'"),
    "a false digest": (lambda h: h["__metadata__"].update(network_sha256="0" * 63), "accepted is a SHA-256"),
    "an unknown origin": (lambda h: h["__metadata__"].update(origin_format="x"), "'origin_format' is 'x'"),
    "a false discriminator digest": (lambda h: h["__metadata__"].pop("discriminator_sha256"), "discriminator_sha256"),
    "mbstd of zero": (lambda h: lie(h, "discriminator_config", mbstd_group_size=0), "mbstd_group_size is 0"),
    "a missing tensor": (lambda h: h.pop("G.mapping.fc0.bias"), r"G\.mapping\.fc0\.bias \[6\] is missing"),
    "a surplus tensor": (lambda h: h.update({"X.y": h["G.mapping.w_avg"]}), "'X.y' does not belong"),
    "an integer tensor": (lambda h: h["G.mapping.w_avg"].update(dtype="I32"), "of type 'I32'"),
    "a false shape": (lambda h: h["G.mapping.w_avg"].update(shape=[2, 3]), r"shape \[2, 3\]"),
    "a bomb as shape": (lambda h: h["G.mapping.w_avg"].update(shape=[[[]]]), r"shape \[a list of 1\]"),
    "overlapping data": (lambda h: h["G.mapping.w_avg"].update(data_offsets=[0, 24]), "a gap or an overlap"),
    "negative data": (lambda h: h["G.mapping.w_avg"].update(data_offsets=[-24, 0]), "a gap or an overlap"),
    "short data": (lambda h: h["G.mapping.w_avg"].update(data_offsets=[0, 4]), "takes 4 bytes"),
    "an entry that is text": (lambda h: h.update({"G.mapping.w_avg": "x"}), "is described by 'x'"),
}


@pytest.mark.parametrize("kind", METADATA_LIES)
def test_metadata_that_lies_is_refused_from_the_header_alone(
    kind: str, contents: CheckpointContents, tmp_path: Path
) -> None:
    change, message = METADATA_LIES[kind]
    path = tmp_path / "m.safetensors"
    write_native(contents, path)
    header, data = header_of(path.read_bytes())
    change(header)
    path.write_bytes(with_header(header, data))
    with pytest.raises(ModelError, match=message) as refusal:
        read_native_header(path)
    assert str(refusal.value).startswith("m.safetensors: ")
    with pytest.raises(ModelError, match=message):
        read_checkpoint(path)


@pytest.mark.parametrize("cut", [0, 4, 8, 100, -1])
def test_a_cut_file_is_refused(cut: int, contents: CheckpointContents, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    write_native(contents, path)
    path.write_bytes(path.read_bytes()[:cut])
    for read in (read_native_header, read_checkpoint):
        with pytest.raises(ModelError):
            read(path)


def test_doubled_header_keys_and_not_a_numbers_are_refused(contents: CheckpointContents, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    write_native(contents, path)
    header, data = header_of(path.read_bytes())
    for text in ('{"a": 1, "a": 2}', '{"a": NaN}', "[]", '{"a": 1'):
        path.write_bytes(len(text).to_bytes(8, "little") + text.encode() + data)
        with pytest.raises(ModelError, match=r"safetensors header is|no JSON object begins"):
            read_native_header(path)
    assert header
