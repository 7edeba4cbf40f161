"""Snapshots of a reader's training: one safetensors file that holds a whole run, replaced atomically.

metadata    format, settings (PredictorSettings as JSON), progress (PredictorProgress as JSON)
tensors     network.* average.*                        by the names of their parameters
            optimizer.INDEX.{step,exp_avg,exp_avg_sq}   Adam's state, in order of its parameters
            chance                                      the random generator
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import safetensors.torch
import torch
from pydantic import Field
from torch import Tensor, nn

from tuiface.core.bounds import ExactCount
from tuiface.core.errors import InputFileError, ModelError, UsageError, quote
from tuiface.core.files import write_file
from tuiface.core.reading import open_regular
from tuiface.core.safetensors_header import read_places
from tuiface.core.tensor_file import read_header, read_tensor, to_float32
from tuiface.core.values import Value, parse_json
from tuiface.engine.training.gan.snapshots import list_differences, optimizer_tensors, restore_optimizer
from tuiface.engine.training.predictors.settings import PredictorSettings
from tuiface.engine.training.rng import RandomGenerator

FORMAT = "tuiface.reader-snapshot/1"


class PredictorProgress(Value):
    """How far a run is."""

    images: ExactCount = 0
    """Pictures that were trained on."""
    available: ExactCount = 0
    """Heads that batches are drawn from."""
    seconds: float = Field(0.0, ge=0)
    """Spent, over all sessions."""


class Resumable(Protocol):
    """A run as it is kept."""

    settings: PredictorSettings
    network: nn.Module
    network_ema: nn.Module
    optimizer: torch.optim.AdamW
    rng: RandomGenerator
    progress: PredictorProgress


def save_predictor_snapshot(run: Resumable, path: Path) -> None:
    """Replace `path` by the run as it is; where that fails, raises OutputError and the old snapshot is intact."""
    tensors = {f"network.{name}": tensor for name, tensor in run.network.state_dict().items()}
    tensors |= {f"average.{name}": tensor for name, tensor in run.network_ema.state_dict().items()}
    tensors |= optimizer_tensors("optimizer", run.optimizer)
    tensors["chance"] = run.rng.generator.get_state()
    metadata = {
        "format": FORMAT,
        "settings": run.settings.canonical_json().decode(),
        "progress": run.progress.canonical_json().decode(),
    }
    stored = {name: t.detach().cpu().clone(memory_format=torch.contiguous_format) for name, t in tensors.items()}
    write_file(path, safetensors.torch.save(stored, metadata), force=True)


def read_predictor_progress(path: Path) -> PredictorProgress:
    """How far the run of a snapshot is; raises InputFileError for any other file."""
    try:
        with open_regular(path) as file:
            metadata = read_header(file.fileno(), "a reader's snapshot").metadata
    except (OSError, ModelError) as error:
        raise InputFileError(f"cannot read the snapshot {quote(path)}: {error}", "begin in another folder") from None
    return parse_json(PredictorProgress, metadata.get("progress", ""), f"{path.name}: progress")


def load_predictor_snapshot(run: Resumable, path: Path) -> None:
    """Put a snapshot into `run`. Raises InputFileError for any other file, UsageError for other settings."""
    try:
        with open_regular(path) as file:
            header = read_header(file.fileno(), "a reader's snapshot")
            places = read_places(header, ("F32", "I64", "U8"))
            if header.metadata.get("format") != FORMAT:
                raise InputFileError(f"{quote(path)} is no snapshot of a reader's training", "begin in another folder")
            settings = parse_json(PredictorSettings, header.metadata.get("settings", ""), f"{path.name}: settings")
            progress = parse_json(PredictorProgress, header.metadata.get("progress", ""), f"{path.name}: progress")
            _refuse_other_settings(path, settings, run.settings)

            def read(name: str, like: Tensor) -> Tensor:
                place = places.get(name)
                if place is None or place.shape != tuple(like.shape):
                    raise ModelError(f"tensor {name} is absent or of another shape than {list(like.shape)}")
                stored = read_tensor(file.fileno(), header, place)
                return torch.from_numpy(to_float32(name, "F32", stored) if place.dtype == "F32" else stored)

            for prefix, module in (("network", run.network), ("average", run.network_ema)):
                held = {name: read(f"{prefix}.{name}", tensor) for name, tensor in module.state_dict().items()}
                module.load_state_dict(held)
            restore_optimizer(run.optimizer, "optimizer", places, read)
            run.rng.generator.set_state(read("chance", run.rng.generator.get_state()))
            run.progress = progress
    except (OSError, ModelError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputFileError(f"cannot read the snapshot {quote(path)}: {reason}", "begin in another folder") from None


def _refuse_other_settings(path: Path, held: PredictorSettings, wanted: PredictorSettings) -> None:
    differences = list_differences(held.model_dump(mode="json"), wanted.model_dump(mode="json"))
    if differences:
        raise UsageError(f"{quote(path)} is of another training: {differences[0]}", "begin in another folder")
