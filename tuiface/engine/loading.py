"""Opening a checkpoint of any format as networks ready to run.

A foreign file is parsed once, without executing anything in it, and kept as safetensors under the cache folder by its
SHA-256; the next start maps that file into memory.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import platformdirs
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from tuiface.engine.checkpoints import network_digest, open_native_header, read_checkpoint
from tuiface.engine.config import DiscriminatorConfig, GeneratorConfig
from tuiface.engine.discriminator import Discriminator
from tuiface.engine.generator import Generator
from tuiface.engine.latents import W_AVG_DRAWS, estimate_w_avg
from tuiface.engine.model_store import NATIVE_SUFFIX, ModelStore, file_sha256
from tuiface.errors import ModelError, quoted
from tuiface.settings import APP


@dataclass(frozen=True, slots=True)
class CheckpointInfo:
    """What is known of an opened checkpoint besides its networks."""

    path: Path
    """The file that was asked for."""
    name: str
    """As recorded, else the file's name without its ending."""
    format: str
    """Format of the file that the network first came from."""
    network_sha256: str
    """Digest of the generator: what recipes refer to."""
    origin_sha256: str
    """SHA-256 of the file that the network first came from."""
    licence: str | None
    notices: tuple[str, ...]
    """What pictures depend on and the file left open: an estimated latent mean, assumed gains."""


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """Networks ready to run: evaluation mode, no gradients of parameters."""

    generator: Generator
    """G_ema."""
    discriminator: Discriminator | None
    info: CheckpointInfo


def load_checkpoint(path: str | os.PathLike[str], device: str = "cpu", cache: Path | None = None) -> Checkpoint:
    """Open a checkpoint of any supported format on `device` ("cpu", "cuda", "cuda:1").

    Nothing in the file is executed. `cache` defaults to the user's cache folder. Raises ModelError, one clear line, for
    anything that is not a sound StyleGAN2 checkpoint.
    """
    source = Path(path)
    store = ModelStore(platformdirs.user_cache_path(APP) if cache is None else cache)
    if source.suffix.lower() == NATIVE_SUFFIX:
        checkpoint = _open_native(source, source, device)
    else:
        checkpoint = _open_foreign(source, store, device)
    store.note_network(checkpoint.info.network_sha256, source)
    return checkpoint


def _open_foreign(source: Path, store: ModelStore, device: str) -> Checkpoint:
    """A pickle or torch container: through its conversion in the cache, made now if there is none."""
    if source.is_dir():
        raise ModelError(f"{quoted(source)} is a folder; a checkpoint is a file")
    converted = store.converted_path(file_sha256(source))
    if converted.exists():
        try:
            return _open_native(converted, source, device)
        except ModelError:  # a damaged conversion is made again from the original
            converted.unlink(missing_ok=True)
    contents = read_checkpoint(source)
    notices = contents.assumptions
    if store.keep(contents, source.stem) is None:
        notices = (*notices, f"the cache {converted.parent} cannot be written: this checkpoint is parsed at each start")
    tensors = {f"G.{name}": torch.from_numpy(array) for name, array in contents.generator.tensors.items()}
    discriminator_config = None
    if contents.discriminator is not None:
        discriminator_config = contents.discriminator.config
        tensors |= {f"D.{name}": torch.from_numpy(array) for name, array in contents.discriminator.tensors.items()}
    info = CheckpointInfo(
        path=source,
        name=contents.name or source.stem,
        format=contents.origin_format,
        network_sha256=contents.network_sha256,
        origin_sha256=contents.origin_sha256,
        licence=contents.licence,
        notices=notices,
    )
    return _build(contents.generator.config, discriminator_config, tensors, info, device)


def _open_native(path: Path, source: Path, device: str) -> Checkpoint:
    """Our own format at `path`, mapped into memory; `source` is the file that the user named."""
    header = open_native_header(path)
    tensors = {name: tensor.float() for name, tensor in load_file(path).items()}
    generator = {name.removeprefix("G."): t.numpy() for name, t in tensors.items() if name.startswith("G.")}
    if network_digest(header.generator_config, generator) != header.network_sha256:
        raise ModelError(
            f"{path.name}: its tensors are not those that network_sha256 {header.network_sha256[:10]} was recorded for",
            "the file was changed or damaged: convert the original again",
        )
    info = CheckpointInfo(
        path=source,
        name=source.stem if path != source else header.name or source.stem,
        format=header.origin_format,
        network_sha256=header.network_sha256,
        origin_sha256=header.origin_sha256,
        licence=header.licence,
        notices=header.assumptions,
    )
    return _build(header.generator_config, header.discriminator_config, tensors, info, device)


def _build(
    generator_config: GeneratorConfig,
    discriminator_config: DiscriminatorConfig | None,
    tensors: Mapping[str, Tensor],
    info: CheckpointInfo,
    device: str,
) -> Checkpoint:
    """Networks around tensors whose names and shapes have been checked; no weight is initialised or copied."""
    with torch.device("meta"):
        generator = Generator(generator_config)
        discriminator = None if discriminator_config is None else Discriminator(discriminator_config)
    _assign(generator, _part(tensors, "G."), device)
    if discriminator is not None:
        _assign(discriminator, _part(tensors, "D."), device)
    if "G.mapping.w_avg" not in tensors:
        generator.mapping.w_avg = estimate_w_avg(generator)
        notice = f"no latent mean (w_avg) in the file: estimated from {W_AVG_DRAWS} draws"
        info = replace(info, notices=(*info.notices, notice))
    return Checkpoint(generator, discriminator, info)


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _assign(network: nn.Module, tensors: dict[str, Tensor], device: str) -> None:
    """Give `network`, built on the meta device, its tensors."""
    moved = {name: tensor.to(device) for name, tensor in tensors.items()}
    if isinstance(network, Generator) and "mapping.w_avg" not in moved:
        moved["mapping.w_avg"] = torch.zeros(network.config.w_dim, device=device)
    network.load_state_dict(moved, assign=True)
    network.eval().requires_grad_(requires_grad=False)
