"""Snapshots: one safetensors file that holds a whole run, replaced atomically; nothing in it is executed.

metadata    format, settings (TrainingSettings as JSON), progress (Progress as JSON)
tensors     G.* G_ema.* D.* E.*                           networks, by the names of their parameters
            optimizer.NAME.INDEX.{step,exp_avg,exp_avg_sq}  Adam's state of the stage, in order of its parameters
            path_length_mean, chance, statistics.*          controllers, random generator, losses since the last tick
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from tuiface.core.errors import InputFileError, UsageError, quote
from tuiface.core.files import write_file
from tuiface.core.values import parse_json
from tuiface.engine.networks.discriminator import Discriminator
from tuiface.engine.networks.generator import Generator
from tuiface.engine.training.gan.settings import TrainingSettings
from tuiface.engine.training.gan.state import Progress, TrainingState

FORMAT = "tuiface.training-snapshot/1"
SNAPSHOT_NAME = "snapshot.safetensors"
_ADAM = ("step", "exp_avg", "exp_avg_sq")


def save_snapshot(state: TrainingState, path: Path) -> None:
    """Replace `path` by the state as it is; where that fails, raises OutputError and the old snapshot is intact."""
    tensors = {
        f"{prefix}.{name}": tensor
        for prefix, module in state.modules().items()
        for name, tensor in _named_tensors(module)
    }
    for name, optimizer in state.optimizers.items():
        tensors |= _optimizer_tensors(f"optimizer.{name}", optimizer)
    tensors |= {f"statistics.{name}": sums for name, sums in state.statistics.sums.items()}
    tensors["path_length_mean"] = state.path_length_mean
    tensors["chance"] = state.rng.generator.get_state()
    metadata = {
        "format": FORMAT,
        "settings": state.settings.canonical_json().decode(),
        "progress": state.progress.canonical_json().decode(),
    }
    # clone: channels-last weights must be stored in the order of their axes, and no two names may share memory
    stored = {name: t.detach().cpu().clone(memory_format=torch.contiguous_format) for name, t in tensors.items()}
    write_file(path, safetensors.torch.save(stored, metadata), force=True)


def read_snapshot_header(path: Path) -> tuple[TrainingSettings, Progress]:
    """Settings and progress of a snapshot, without its tensors; raises InputFileError for any other file."""
    try:
        with path.open("rb"):  # safetensors says of every file that it cannot open that there is none
            pass
        # "pt" would open the path a second time to map it: a running trainer may have replaced the file in between.
        with safetensors.safe_open(path, framework="numpy") as file:
            metadata: Mapping[str, str] = file.metadata() or {}
    except (OSError, safetensors.SafetensorError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputFileError(f"cannot read the snapshot {quote(path)}: {reason}", "give a run's folder") from None
    if metadata.get("format") != FORMAT:
        raise InputFileError(f"{quote(path)} is no training snapshot", "give a run's folder")
    settings = parse_json(TrainingSettings, metadata.get("settings", ""), f"{path.name}: settings")
    return settings, parse_json(Progress, metadata.get("progress", ""), f"{path.name}: progress")


def load_snapshot(state: TrainingState, path: Path) -> None:
    """Put networks, controllers and random generator of a snapshot into `state`; `restore_optimizers` does the rest.

    Raises UsageError, naming what differs, for a snapshot of other settings.
    """
    settings, progress = read_snapshot_header(path)
    differences = list(list_differences(settings.model_dump(mode="json"), state.settings.model_dump(mode="json")))
    if differences:
        more = f" (and {len(differences) - 1} more)" if len(differences) > 1 else ""
        raise UsageError(
            f"{quote(path)} is of another configuration: {differences[0]}{more}",
            "resume with the run's own settings, or begin a new run from its networks with --from",
        )
    tensors = safetensors.torch.load_file(path)
    for prefix, module in state.modules().items():
        own = {name.removeprefix(f"{prefix}."): t for name, t in tensors.items() if name.startswith(f"{prefix}.")}
        module.load_state_dict(own)
    sums = {n.removeprefix("statistics."): t for n, t in tensors.items() if n.startswith("statistics.")}
    state.statistics.sums = {name: tensor.to(state.device) for name, tensor in sums.items()}
    state.path_length_mean = tensors["path_length_mean"].to(state.device)
    state.rng.generator.set_state(tensors["chance"])
    state.progress = progress


def read_networks(path: Path) -> tuple[Generator, Generator, Discriminator]:
    """G, G_ema and D of a snapshot; raises InputFileError for any other file."""
    settings, _ = read_snapshot_header(path)
    tensors = safetensors.torch.load_file(path)
    networks = (
        Generator(settings.generator_config()),
        Generator(settings.generator_config()),
        Discriminator(settings.discriminator_config()),
    )
    for prefix, network in zip(("G.", "G_ema.", "D.network."), networks, strict=True):
        network.load_state_dict({n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)})
    return networks


def restore_optimizers(state: TrainingState, path: Path) -> None:
    """Adam's state of each of the stage's optimisers, from the snapshot that `load_snapshot` took the rest from."""
    with safetensors.safe_open(path, framework="pt") as file:
        names = set(file.keys())
        for name, optimizer in state.optimizers.items():
            for index, parameter in enumerate(_list_parameters(optimizer)):
                prefix = f"optimizer.{name}.{index}"
                if f"{prefix}.step" in names:  # Adam has no state before its first step
                    values = {key: file.get_tensor(f"{prefix}.{key}") for key in _ADAM}
                    optimizer.state[parameter] = {
                        "step": values["step"].to(parameter.device),  # where fused Adam keeps it
                        "exp_avg": _copy_like(parameter, values["exp_avg"]),
                        "exp_avg_sq": _copy_like(parameter, values["exp_avg_sq"]),
                    }


def list_differences(old: object, new: object, path: str = "") -> list[str]:
    """`adversarial.gamma: 0.1 there, 0.2 here` for each leaf in which two JSON values differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted(old.keys() | new.keys())
        inner = (list_differences(old.get(k), new.get(k), f"{path}.{k}" if path else k) for k in keys)
        return [line for lines in inner for line in lines]
    return [] if old == new else [f"{path}: {json.dumps(old)} there, {json.dumps(new)} here"]


def _named_tensors(module: nn.Module) -> list[tuple[str, Tensor]]:
    return list(module.state_dict().items())


def _optimizer_tensors(prefix: str, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for index, parameter in enumerate(_list_parameters(optimizer)):
        kept: dict[str, Any] = optimizer.state.get(parameter, {})
        tensors |= {f"{prefix}.{index}.{key}": torch.as_tensor(kept[key]) for key in _ADAM if key in kept}
    return tensors


def _list_parameters(optimizer: torch.optim.Optimizer) -> list[nn.Parameter]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _copy_like(parameter: Tensor, values: Tensor) -> Tensor:
    """`values` on the device and in the memory layout of `parameter`, as Adam would have made them."""
    return torch.empty_like(parameter, memory_format=torch.preserve_format).copy_(values).detach()
