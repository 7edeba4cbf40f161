"""A trained network as a tuiface model: safetensors, and a JSON summary from which a model card is written.

Its w is stretched about the mean first, which gives back the variety that regression takes. A mapping network that was
taught to foretell w explains most of its variance and not all, and what it cannot foretell it draws as the mean; so do
losses that hold a picture to a known head. Faces then lie nearer to the mean than the data's do. The network with

    M'(z) = s M(z)        S'(w) = S(w / s + (1 - 1 / s) w_avg)

draws at psi 1 what the former drew at psi s. Both are the same layers with other numbers: leaky ReLU is homogeneous, so
s goes into the last layer of M, and the mean into the biases of the affine maps.
"""

from __future__ import annotations

import copy
import hashlib
import json
import platform
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from tuiface.core.files import write_pair
from tuiface.core.version import __version__
from tuiface.engine.checkpoints import CheckpointContents, network_digest
from tuiface.engine.checkpoints.contents import DiscriminatorTensors, GeneratorTensors
from tuiface.engine.checkpoints.native import StoragePrecision, encode_native
from tuiface.engine.device import device_name
from tuiface.engine.networks.generator import Generator
from tuiface.engine.training.gan.state import TrainingState


@torch.no_grad()
def rescale_psi(generator: Generator, factor: float) -> Generator:
    """A copy of `generator` whose faces at psi 1 are those at psi `factor`; its w_avg is `factor` times as long."""
    changed = copy.deepcopy(generator)
    mapping, w_avg = changed.mapping, generator.mapping.w_avg
    for parameter in mapping.get_submodule(f"fc{mapping.num_layers - 1}").parameters():
        parameter.mul_(factor)
    mapping.w_avg.mul_(factor)
    for _, layer, _ in changed.synthesis.style_layers():
        affine = layer.affine
        affine.bias.add_((1 - factor) / affine.bias_gain * (affine.weight * affine.weight_gain @ w_avg))
    return changed


SUMMARY_FORMAT = "tuiface.training-summary/1"


def export_model(
    state: TrainingState,
    path: Path,
    measures: Mapping[str, object],
    precision: StoragePrecision = "float32",
) -> None:
    """Write G_ema, stretched as the settings say, and D to `path`, with a summary (.json); raises OutputError."""
    settings = state.settings
    generator = GeneratorTensors(
        state.generator.config, _to_arrays(rescale_psi(state.generator_ema, settings.paired.stretch))
    )
    network = state.discriminator.network
    digest = network_digest(generator.config, generator.tensors)
    origin = hashlib.sha256(settings.canonical_json() + digest.encode()).hexdigest()
    contents = CheckpointContents(
        format="tuiface safetensors",
        generator=generator,
        discriminator=DiscriminatorTensors(network.config, _to_arrays(network)),
        generator_source="G_ema",
        has_w_avg=True,
        notices=(),
        licence=settings.licence,
        origin_sha256=origin,
        origin_format="tuiface safetensors",
        network_sha256=digest,
        name=settings.name,
    )
    content = list(encode_native(contents, precision=precision))
    file_digest = hashlib.sha256()
    for part in content:
        file_digest.update(part)
    summary = {
        "format": SUMMARY_FORMAT,
        "name": settings.name,
        "licence": settings.licence,
        "file": path.name,
        "file_sha256": file_digest.hexdigest(),
        "precision": precision,
        "generator_parameters": generator.num_parameters,
        "discriminator_parameters": sum(p.numel() for p in network.parameters()),
        "settings": {**settings.model_dump(mode="json"), "data": Path(settings.data).name},
        "progress": state.progress.model_dump(mode="json"),
        "measures": dict(measures),
        "software": {"tuiface": __version__, "torch": torch.__version__},
        "hardware": {
            "machine": platform.machine(),
            "processor": device_name(torch.device("cpu")),
            "threads": torch.get_num_threads(),
            "ranks": state.ranks.count,
            "batch_per_rank": state.batch_share,
        },
    }
    write_pair(path, content, path.with_suffix(".json"), (json.dumps(summary, indent=2) + "\n").encode(), force=True)


def _to_arrays(network: nn.Module) -> dict[str, npt.NDArray[np.float32]]:
    """Tensors as a checkpoint holds them: float32, C order."""
    state = network.state_dict()
    return {name: np.array(tensor.float().cpu().numpy(), np.float32, order="C") for name, tensor in state.items()}
