"""The networks that a run begins with instead of random ones: another run's, or those of any checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tuiface.core.errors import ModelError, quote
from tuiface.core.reading import is_folder, read_regular
from tuiface.core.strict_json import MAX_JSON_BYTES, JsonError, parse_strict_json
from tuiface.engine.checkpoint import file_sha256
from tuiface.engine.loading import load_checkpoint
from tuiface.engine.networks.config import GeneratorConfig
from tuiface.engine.networks.discriminator import Discriminator
from tuiface.engine.networks.generator import Generator
from tuiface.engine.training.gan.growing import rearrange_latents, transfer_discriminator, transfer_generator
from tuiface.engine.training.gan.settings import SNAPSHOT_NAME, NetworkSettings
from tuiface.engine.training.gan.snapshots import read_networks, read_snapshot_header
from tuiface.engine.training.gan.state import TrainingState


@dataclass(frozen=True, slots=True, eq=False)
class WarmStart:
    """Trained networks."""

    generator: Generator
    generator_ema: Generator
    """The same as `generator` where the file holds only one."""
    discriminator: Discriminator | None
    network: NetworkSettings
    resolution: int
    sha256: str
    """Of the file."""
    latent_names: tuple[str, ...] = ()
    """The draws that its z stands for; none where nobody recorded them."""


def open_warm_start(path: Path) -> WarmStart:
    """Networks of a run's folder, its snapshot, or a checkpoint of any supported format.

    Raises ModelError, or InputFileError for a damaged snapshot.
    """
    file = path / SNAPSHOT_NAME if is_folder(path) else path
    if file.name == SNAPSHOT_NAME:
        settings, _ = read_snapshot_header(file)
        generator, averaged, discriminator = read_networks(file)
        return WarmStart(
            generator,
            averaged,
            discriminator,
            settings.network,
            settings.resolution,
            file_sha256(file),
            settings.latent_names,
        )
    checkpoint = load_checkpoint(file)
    generator, config = checkpoint.generator, checkpoint.generator.config
    network = _network_settings(config, file)
    digest = file_sha256(file)
    names = _read_latent_names(file.with_suffix(".json"), digest)
    return WarmStart(generator, generator, checkpoint.discriminator, network, config.img_resolution, digest, names)


def apply_warm_start(start: WarmStart, state: TrainingState) -> None:
    """Put `start` into the networks of `state`; raises ModelError where they do not fit."""
    transfer_generator(start.generator, state.generator)
    transfer_generator(start.generator_ema, state.generator_ema)
    before, after = start.latent_names, state.settings.latent_names
    if before and after and before != after and state.generator.config.z_dim == start.network.z_dim:
        for generator in (state.generator, state.generator_ema):
            rearrange_latents(generator, before, after)
    if start.discriminator is not None:
        transfer_discriminator(start.discriminator, state.discriminator)


def _read_latent_names(summary: Path, sha256: str) -> tuple[str, ...]:
    """What the numbers of z stand for, from the summary beside a network that was trained here; () without one."""
    try:
        value = parse_strict_json(read_regular(summary, MAX_JSON_BYTES).decode())
    except (OSError, UnicodeDecodeError, JsonError):
        return ()
    if not isinstance(value, dict) or value.get("file_sha256") != sha256:
        return ()
    settings = value.get("settings")
    names = settings.get("latent_names") if isinstance(settings, dict) else None
    if not isinstance(names, list):
        return ()
    return tuple(name for name in names if isinstance(name, str))


def _network_settings(config: GeneratorConfig, file: Path) -> NetworkSettings:
    """The settings that give `config`; raises ModelError where none do."""
    network = NetworkSettings(
        channel_base=config.channels[-1] * config.img_resolution,
        channel_max=max(config.channels),
        z_dim=config.z_dim,
        w_dim=config.w_dim,
        mapping_layers=len(config.mapping_features),
        mapping_width=config.mapping_features[0],
        conv_clamp=config.conv_clamp,
    )
    widths = (*[network.mapping_width] * (network.mapping_layers - 1), network.w_dim)
    regular = network.channels(config.img_resolution) == config.channels and widths == config.mapping_features
    if not regular or config.c_dim:
        reason = "has classes" if config.c_dim else "has channels that no channel_base and channel_max give"
        raise ModelError(f"{quote(file)} cannot be trained on: it {reason}", "start from another network")
    return network
