"""Networks around tensors whose names and shapes have been checked: no weight is initialised, none is copied."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from tuiface.core.errors import ModelError
from tuiface.engine.checkpoint import Checkpoint, ModelStore, PreparedCheckpoint, prepare_checkpoint
from tuiface.engine.checkpoints import network_digest
from tuiface.engine.checkpoints.native import read_native_tensors
from tuiface.engine.latents import W_AVG_DRAWS, estimate_w_avg
from tuiface.engine.networks.discriminator import Discriminator
from tuiface.engine.networks.generator import Generator


def build_checkpoint(prepared: PreparedCheckpoint, device: str, cache: Path) -> Checkpoint:
    """Networks of what was prepared, on `device`; a conversion that turns out damaged is made again.

    Raises ModelError if the tensors of a file that the user named are not the recorded ones.
    """
    try:
        checkpoint = _build(prepared, device)
    except ModelError:
        if not prepared.is_conversion or prepared.native_path is None:
            raise
        with contextlib.suppress(OSError):
            prepared.native_path.unlink()
        checkpoint = _build(prepare_checkpoint(prepared.info.path, cache), device)
    ModelStore(cache).note_network(checkpoint.info.network_sha256, checkpoint.info.path)
    return checkpoint


def _build(prepared: PreparedCheckpoint, device: str) -> Checkpoint:
    """The prepared checkpoint on `device`; raises ModelError if its tensors are not the recorded ones."""
    tensors = (
        _read_native_tensors(prepared, prepared.native_path)
        if prepared.native_path is not None
        else _convert_parsed_tensors(prepared)
    )
    with torch.device("meta"):
        generator = Generator(prepared.generator_config)
        config = prepared.discriminator_config
        discriminator = None if config is None else Discriminator(config)
    _assign(generator, _select_prefix(tensors, "G."), device)
    if discriminator is not None:
        _assign(discriminator, _select_prefix(tensors, "D."), device)
    info = prepared.info
    if "G.mapping.w_avg" not in tensors:
        generator.mapping.w_avg = estimate_w_avg(generator)
        notice = f"no latent mean (w_avg) in the file: estimated from {W_AVG_DRAWS} draws"
        info = replace(info, notices=(*info.notices, notice))
    conversion = prepared.conversion
    if conversion is not None and conversion.is_refused:
        notice = f"the cache {conversion.path.parent} cannot be written: this checkpoint is parsed at each start"
        info = replace(info, notices=(*info.notices, notice))
    return Checkpoint(generator, discriminator, info)


def _convert_parsed_tensors(prepared: PreparedCheckpoint) -> dict[str, Tensor]:
    contents = prepared.contents
    assert contents is not None
    tensors = {f"G.{name}": torch.from_numpy(array) for name, array in contents.generator.tensors.items()}
    if contents.discriminator is not None:
        tensors |= {f"D.{name}": torch.from_numpy(array) for name, array in contents.discriminator.tensors.items()}
    return tensors


def _read_native_tensors(prepared: PreparedCheckpoint, path: Path) -> dict[str, Tensor]:
    """Float32 tensors of a tuiface model, all finite."""
    header, arrays = read_native_tensors(path)
    described = (header.generator_config, header.discriminator_config)
    if described != (prepared.generator_config, prepared.discriminator_config):
        raise ModelError(f"{path.name}: was replaced while it was opened", "open it again")
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    generator = {name.removeprefix("G."): array for name, array in arrays.items() if name.startswith("G.")}
    if network_digest(prepared.generator_config, generator) != prepared.info.network_sha256:
        raise ModelError(
            f"{path.name}: its tensors are not those that network_sha256 {prepared.info.network_sha256[:10]} was "
            "recorded for",
            "the file was changed or damaged: convert the original again",
        )
    return tensors


def _select_prefix(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _assign(network: nn.Module, tensors: dict[str, Tensor], device: str) -> None:
    """Give `network`, built on the meta device, its tensors."""
    moved = {name: tensor.to(device) for name, tensor in tensors.items()}
    if isinstance(network, Generator) and "mapping.w_avg" not in moved:
        moved["mapping.w_avg"] = torch.zeros(network.config.w_dim, device=device)
    network.load_state_dict(moved, assign=True)
    network.eval().requires_grad_(requires_grad=False)
