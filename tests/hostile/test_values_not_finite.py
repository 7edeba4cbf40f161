"""Weights that are NaN or infinite are refused wherever a network is opened, under whatever digest they come."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from tests.checkpoints.writers import Arrays, generator_config, random_tensors
from tests.training.conftest import tiny_limits, tiny_settings, write_pictures
from tuiface.core.errors import InputFileError, ModelError
from tuiface.core.settings import Settings
from tuiface.engine import load_checkpoint
from tuiface.engine.checkpoints import (
    CheckpointContents,
    GeneratorTensors,
    StoragePrecision,
    inspect_checkpoint,
    network_digest,
    read_checkpoint,
    write_native,
)
from tuiface.engine.loading import open_engine
from tuiface.engine.training import SNAPSHOT_NAME, train
from tuiface.engine.training.gan.snapshots import restore_optimizers, save_snapshot
from tuiface.engine.training.gan.state import TrainingState
from tuiface.engine.training.gan.warm_start import open_warm_start
from tuiface.faces.studio import Studio

SEEN = Path(__file__).parent / "data" / "s14b_inf_weights.safetensors"


def write_network(path: Path, value: float, precision: StoragePrecision = "float32") -> Path:
    """A sound tuiface model but for one weight, with the digest of exactly these weights."""

    def change(tensors: Arrays) -> None:
        tensors["synthesis.b8.conv0.weight"][0, 0, 0, 0] = value

    return write_changed(path, change, precision)


def write_changed(path: Path, change: Callable[[Arrays], None], precision: StoragePrecision = "float32") -> Path:
    """A tuiface model of random weights that were changed, with the right digest."""
    config = generator_config()
    tensors = random_tensors(config)
    change(tensors)
    contents = CheckpointContents(
        format="stylegan2-ada-pytorch pickle",
        generator=GeneratorTensors(config, tensors),
        discriminator=None,
        generator_source="G_ema",
        has_w_avg=True,
        notices=(),
        licence=None,
        origin_sha256="0" * 64,
        network_sha256=network_digest(config, tensors),
        origin_format="stylegan2-ada-pytorch pickle",
    )
    write_native(contents, path, precision=precision)
    return path


def as_bfloat16(path: Path) -> Path:
    """The same network, its float32 values cut to their upper halves."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    for name, entry in header.items():
        if name != "__metadata__":
            entry.update(dtype="BF16", data_offsets=[offset // 2 for offset in entry["data_offsets"]])
    text = json.dumps(header).encode()
    halves = np.frombuffer(data, "<u4", offset=8 + length) >> 16
    path.write_bytes(len(text).to_bytes(8, "little") + text + halves.astype("<u2").tobytes())
    return path


NETWORKS: dict[str, Callable[[Path], Path]] = {
    "seen": lambda folder: SEEN,
    "nan": lambda folder: write_network(folder / "m.safetensors", float("nan")),
    "minus infinity": lambda folder: write_network(folder / "m.safetensors", -float("inf")),
    "bfloat16": lambda folder: as_bfloat16(write_network(folder / "m.safetensors", float("inf"))),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_of_values_that_are_not_finite_opens_nowhere(name: str, tmp_path: Path) -> None:
    path = NETWORKS[name](tmp_path)
    for open_it in (read_checkpoint, open_warm_start, lambda p: load_checkpoint(p, cache=tmp_path)):
        with pytest.raises(ModelError, match=rf"^{path.name}: tensor \S+ holds values that are not finite"):
            open_it(path)
    assert "not finite" in str(inspect_checkpoint(path).refused)


def test_a_finite_network_opens(tmp_path: Path) -> None:
    for precision in ("float32", "float16"):
        path = write_network(tmp_path / f"{precision}.safetensors", 3.0, precision)
        assert load_checkpoint(path, cache=tmp_path).generator.config == generator_config()


def large_latents(tensors: Arrays) -> None:
    for name in tensors:
        if name.startswith("mapping.fc"):
            tensors[name][...] = 3e38


def opposite_weights(tensors: Arrays) -> None:
    tensors["synthesis.b8.torgb.weight"][...] = 3e38
    tensors["synthesis.b8.torgb.weight"][:, ::2] *= -1


def large_mean(tensors: Arrays) -> None:
    tensors["mapping.w_avg"][...] = 3e38


def no_weights(tensors: Arrays) -> None:
    for tensor in tensors.values():
        tensor[...] = 0


@pytest.mark.parametrize(
    ("change", "drawn", "measured"),
    [
        (large_latents, "draws values that are not finite", "latents lie beyond 1000000"),
        (opposite_weights, "draws values that are not finite", "draws values that are not finite"),
        (large_mean, "draws values that are not finite", "draws values that are not finite"),
        (no_weights, "", "latents are all the same"),
    ],
)
def test_weights_that_overflow_are_one_line_where_they_are_used(
    change: Callable[[Arrays], None], drawn: str, measured: str, tmp_path: Path
) -> None:
    path = write_changed(tmp_path / "m.safetensors", change)
    settings = Settings(model=path, cache=tmp_path / "cache", directions=tmp_path / "directions", threads=1)
    face = Studio(open_engine(settings), settings).face(0)
    with pytest.raises(ModelError, match=drawn) if drawn else contextlib.nullcontext():
        face.render()
    with pytest.raises(ModelError, match=measured):
        face.edit("b8.conv0:1", 2.0).render()


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> TrainingState:
    """A run that has not begun: networks of a few thousand random weights, and Adam's state of one."""
    data = write_pictures(tmp_path_factory.mktemp("run") / "pictures")
    state = TrainingState(tiny_settings(data), "cpu")
    parameters = list(state.generator.parameters())
    optimizer = torch.optim.Adam(parameters)
    sum(parameter.sum() for parameter in parameters).backward()  # type: ignore[union-attr]
    optimizer.step()
    state.optimizers = {"G": optimizer}
    return state


def changed(state: TrainingState, folder: Path, name: str, value: float | torch.Tensor | None) -> Path:
    """A snapshot in which one tensor has another value, or is left out for None."""
    path = folder / SNAPSHOT_NAME
    save_snapshot(state, path)
    tensors = safetensors.torch.load(path.read_bytes())
    with safetensors.safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    assert name in tensors
    if value is None:
        del tensors[name]
    elif isinstance(value, torch.Tensor):
        tensors[name] = value
    else:
        tensors[name].view(-1)[0] = value
    path.write_bytes(safetensors.torch.save(tensors, metadata))
    return path


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("G.synthesis.b8.conv0.weight", float("nan"), "not finite"),
        ("G_ema.synthesis.b8.conv0.weight", float("inf"), "not finite"),
        ("D.network.b4.fc.weight", -float("inf"), "not finite"),
        ("G.mapping.fc0.weight", torch.zeros(2, 2), r"is of shape \[2, 2\]"),
        ("G.mapping.fc0.weight", None, "is absent"),
        ("G.mapping.fc0.weight", torch.zeros(8, 8, dtype=torch.float64), "is of type F64"),
    ],
)
def test_a_snapshot_of_unsound_tensors_is_neither_resumed_nor_begun_from(
    name: str, value: float | torch.Tensor | None, reason: str, state: TrainingState, tmp_path: Path
) -> None:
    path = changed(state, tmp_path, name, value)
    with pytest.raises(InputFileError, match=f"cannot read the snapshot .*{name} .*{reason}"):
        train(state.settings, tiny_limits(tmp_path), resume=path)
    with pytest.raises(InputFileError, match=reason):
        open_warm_start(path)


def test_adam_s_state_is_checked_too(state: TrainingState, tmp_path: Path) -> None:
    sound = changed(state, tmp_path, "path_length_mean", 1.0)
    restore_optimizers(state, sound)
    path = changed(state, tmp_path, "optimizer.G.0.exp_avg", float("nan"))
    with pytest.raises(InputFileError, match=r"optimizer\.G\.0\.exp_avg holds values that are not finite"):
        restore_optimizers(state, path)


def test_random_numbers_of_another_size_are_refused(state: TrainingState, tmp_path: Path) -> None:
    path = changed(state, tmp_path, "chance", torch.zeros(3, dtype=torch.uint8))
    with pytest.raises(InputFileError, match=r"chance is of shape \[3\]"):
        train(state.settings, tiny_limits(tmp_path), resume=path)
