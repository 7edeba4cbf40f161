"""Snapshots: one safetensors file that holds a whole run, replaced atomically; nothing in it is executed.

metadata    format, settings (TrainingSettings as JSON), progress (Progress as JSON)
tensors     G.* G_ema.* D.* E.*                           networks, by the names of their parameters
            optimizer.NAME.INDEX.{step,exp_avg,exp_avg_sq}  Adam's state of the stage, in order of its parameters
            path_length_mean, chance, statistics.*          controllers, random generator, losses since the last tick
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from tuiface.core.errors import InputFileError, ModelError, UsageError, quote
from tuiface.core.files import write_file
from tuiface.core.reading import open_regular
from tuiface.core.safetensors_header import ContainerHeader, read_places
from tuiface.core.tensor_file import read_header, read_tensor, to_float32
from tuiface.core.values import parse_json
from tuiface.engine.networks.discriminator import Discriminator
from tuiface.engine.networks.generator import Generator
from tuiface.engine.training.gan.settings import TrainingSettings
from tuiface.engine.training.gan.state import Progress, TrainingState

FORMAT = "tuiface.training-snapshot/1"
_ADAM = ("step", "exp_avg", "exp_avg_sq")


def save_snapshot(state: TrainingState, path: Path) -> None:
    """Replace `path` by the state as it is; where that fails, raises OutputError and the old snapshot is intact."""
    state.read_controllers()
    tensors = {
        f"{prefix}.{name}": tensor
        for prefix, module in state.modules().items()
        for name, tensor in _named_tensors(module)
    }
    for name, optimizer in state.optimizers.items():
        tensors |= optimizer_tensors(f"optimizer.{name}", optimizer)
    statistics = state.statistics.read()
    tensors |= {f"statistics.{name}": torch.tensor(sums, dtype=torch.float64) for name, sums in statistics.items()}
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
    with _open_snapshot(path) as snapshot:
        return snapshot.settings, snapshot.progress


@dataclass(frozen=True, slots=True, eq=False)
class _Snapshot:
    """A snapshot that is open: a trainer that replaces it meanwhile leaves this one as it is."""

    handle: int
    header: ContainerHeader
    settings: TrainingSettings
    progress: Progress

    def read(self, name: str, like: Tensor) -> Tensor:
        """A tensor of the shape and type of `like`; raises ModelError where there is none, or float32 is not finite."""
        place = self.header.places.get(name)
        if place is None or place.shape != tuple(like.shape):
            held = "absent" if place is None else f"of shape {list(place.shape)}"
            raise ModelError(f"tensor {name} is {held}; expected is {list(like.shape)}")
        stored = read_tensor(self.handle, self.header, place)
        tensor = torch.from_numpy(to_float32(name, place.dtype, stored) if place.dtype == "F32" else stored)
        if tensor.dtype != like.dtype:
            raise ModelError(f"tensor {name} is of type {place.dtype}; expected is {like.dtype}")
        return tensor

    def read_module(self, prefix: str, module: nn.Module) -> dict[str, Tensor]:
        """The state of a module under `prefix`, of the names and shapes that it has."""
        return {name: self.read(f"{prefix}.{name}", tensor) for name, tensor in _named_tensors(module)}


@contextlib.contextmanager
def _open_snapshot(path: Path) -> Iterator[_Snapshot]:
    """The snapshot at `path`; raises InputFileError for any other file, and for a ModelError of the block."""
    try:
        with open_regular(path) as file:
            header = read_header(file.fileno(), "a snapshot")
            read_places(header, ("F32", "F64", "I64", "U8"))
            if header.metadata.get("format") != FORMAT:
                raise InputFileError(f"{quote(path)} is no training snapshot", "give a run's folder")
            settings = parse_json(TrainingSettings, header.metadata.get("settings", ""), f"{path.name}: settings")
            progress = parse_json(Progress, header.metadata.get("progress", ""), f"{path.name}: progress")
            yield _Snapshot(file.fileno(), header, settings, progress)
    except (OSError, ModelError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InputFileError(f"cannot read the snapshot {quote(path)}: {reason}", "give a run's folder") from None


def load_snapshot(state: TrainingState, path: Path) -> None:
    """Put networks, controllers and random generator of a snapshot into `state`; `restore_optimizers` does the rest.

    Raises UsageError, naming what differs, for a snapshot of other settings.
    """
    with _open_snapshot(path) as snapshot:
        _refuse_other_settings(path, snapshot.settings, state.settings)
        for prefix, module in state.modules().items():
            module.load_state_dict(snapshot.read_module(prefix, module))
        names = [name for name in snapshot.header.places if name.startswith("statistics.")]
        sums = {
            name.removeprefix("statistics."): snapshot.read(name, torch.empty(2, dtype=torch.float64)) for name in names
        }
        state.statistics.sums = {name: tensor.to(state.device) for name, tensor in sums.items()}
        state.path_length_mean.copy_(snapshot.read("path_length_mean", state.path_length_mean))
        state.rng.generator.set_state(snapshot.read("chance", state.rng.generator.get_state()))
        state.progress = snapshot.progress
        state.augmentation.restore(state.progress.augment_p, state.progress.sign_sum)


def _refuse_other_settings(path: Path, held: TrainingSettings, wanted: TrainingSettings) -> None:
    moved = {"data": wanted.data}  # by its fingerprint one sees whether it is the same
    differences = list(list_differences(held.model_dump(mode="json") | moved, wanted.model_dump(mode="json")))
    if differences:
        more = f" (and {len(differences) - 1} more)" if len(differences) > 1 else ""
        raise UsageError(
            f"{quote(path)} is of another configuration: {differences[0]}{more}",
            "resume with the run's own settings, or begin a new run from its networks with --from",
        )


def read_networks(path: Path) -> tuple[Generator, Generator, Discriminator]:
    """G, G_ema and D of a snapshot; raises InputFileError for any other file."""
    with _open_snapshot(path) as snapshot:
        settings = snapshot.settings
        with torch.device("meta"):  # shapes alone: a file that claims more than it holds allocates nothing
            outlines = Generator(settings.generator_config()), Discriminator(settings.discriminator_config())
        prefixes = ("G", "G_ema", "D.network")
        outline_of = dict(zip(prefixes, (outlines[0], *outlines), strict=True))
        held = {prefix: snapshot.read_module(prefix, outline) for prefix, outline in outline_of.items()}
        networks = (
            Generator(settings.generator_config()),
            Generator(settings.generator_config()),
            Discriminator(settings.discriminator_config()),
        )
        for prefix, network in zip(prefixes, networks, strict=True):
            network.load_state_dict(held[prefix])
        return networks


def restore_optimizers(state: TrainingState, path: Path) -> None:
    """Adam's state of each of the stage's optimisers, from the snapshot that `load_snapshot` took the rest from."""
    with _open_snapshot(path) as snapshot:
        for name, optimizer in state.optimizers.items():
            restore_optimizer(optimizer, f"optimizer.{name}", snapshot.header.places, snapshot.read)


def restore_optimizer(
    optimizer: torch.optim.Optimizer, prefix: str, names: Container[str], read: Callable[[str, Tensor], Tensor]
) -> None:
    """Adam's state from the tensors `names`; `read` gives one, of the shape and type of another."""
    for index, parameter in enumerate(_list_parameters(optimizer)):
        own = f"{prefix}.{index}"
        if f"{own}.step" in names:  # Adam has no state before its first step
            shapes = zip(_ADAM, (torch.empty(()), parameter, parameter), strict=True)
            values = {key: read(f"{own}.{key}", like) for key, like in shapes}
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


def optimizer_tensors(prefix: str, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Adam's state as tensors, by `prefix`, the place of a parameter, and what is kept of it."""
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
