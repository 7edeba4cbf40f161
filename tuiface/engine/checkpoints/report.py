"""What `tuiface model inspect` says about a file: read like any checkpoint, never built, refusals included."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

from tuiface.core.errors import ModelError
from tuiface.core.visible import to_visible
from tuiface.engine.checkpoints.accounting import Inventory
from tuiface.engine.checkpoints.contents import CheckpointContents, CheckpointFormat
from tuiface.engine.checkpoints.reader import read_contents
from tuiface.engine.checkpoints.source_file import ForeignFileError, hash_file, read_source

MAX_LISTED = 200


@dataclass(frozen=True, slots=True)
class CheckpointReport:
    """The facts about one file. Fields about networks are None, or empty, where the file was refused."""

    file: str
    file_bytes: int
    file_sha256: str
    refused: str | None
    """Why the file was not opened: one line. None for a file that opens."""
    globals: tuple[str, ...] = ()
    """`module.name` of everything that the file asks to import, sorted; for a refused file, up to the refusal."""
    class_names: tuple[str, ...] = ()
    """Classes of its persistent module objects."""
    source_digests: tuple[str, ...] = ()
    """SHA-256 of each source text that the file carries, which is never run."""
    networks: tuple[str, ...] = ()
    """Entries that hold a network: G, D, G_ema, Gs, augment_pipe ..."""
    notices: tuple[str, ...] = ()
    format: CheckpointFormat | None = None
    origin_format: CheckpointFormat | None = None
    origin_sha256: str | None = None
    licence: str | None = None
    stock: bool | None = None
    """Whether the generator is the published StyleGAN2 architecture; all that open are."""
    resolution: int | None = None
    z_dim: int | None = None
    w_dim: int | None = None
    c_dim: int | None = None
    num_ws: int | None = None
    mapping_layers: int | None = None
    channels: tuple[int, ...] = ()
    """C(4), C(8), ..., C(resolution) of the generator."""
    conv_clamp: float | None = None
    has_w_avg: bool | None = None
    generator_parameters: int | None = None
    discriminator_parameters: int | None = None
    network_sha256: str | None = None
    """The digest that recipes refer to."""
    discriminator_sha256: str | None = None

    def to_json(self) -> dict[str, object]:
        """The report as plain JSON values."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}


def inspect_checkpoint(path: Path) -> CheckpointReport:
    """Say what a file holds without building or running anything. Raises ModelError only if it cannot be read."""
    try:
        source = read_source(path)
    except ForeignFileError as error:
        return _report_foreign_file(path, str(error))
    except ModelError as error:
        raise ModelError(f"{to_visible(path.name)}: {error.message}", error.hint) from None
    inventory = Inventory()
    contents: CheckpointContents | None = None
    refused = None
    try:
        contents = read_contents(source, inventory)
    except ModelError as error:
        refused = str(error)
    report = CheckpointReport(
        file=source.name,
        file_bytes=len(source.data),
        file_sha256=source.sha256,
        refused=refused,
        globals=_list_names(inventory.globals),
        class_names=_list_names(inventory.class_names),
        source_digests=_list_names(inventory.source_digests),
        networks=tuple(to_visible(name) for name in inventory.networks),
        notices=tuple(inventory.notices),
    )
    return report if contents is None else _add_contents(report, contents)


def _report_foreign_file(path: Path, refused: str) -> CheckpointReport:
    file_bytes, sha256 = hash_file(path)
    return CheckpointReport(to_visible(path.name), file_bytes, sha256, refused)


def _add_contents(report: CheckpointReport, contents: CheckpointContents) -> CheckpointReport:
    config, discriminator = contents.generator.config, contents.discriminator
    return replace(
        report,
        notices=contents.notices,
        format=contents.format,
        origin_format=contents.origin_format,
        origin_sha256=contents.origin_sha256,
        licence=contents.licence,
        stock=True,
        resolution=config.img_resolution,
        z_dim=config.z_dim,
        w_dim=config.w_dim,
        c_dim=config.c_dim,
        num_ws=config.num_ws,
        mapping_layers=len(config.mapping_features),
        channels=config.channels,
        conv_clamp=config.conv_clamp,
        has_w_avg=contents.has_w_avg,
        generator_parameters=contents.generator.num_parameters,
        discriminator_parameters=None if discriminator is None else discriminator.num_parameters,
        network_sha256=contents.network_sha256,
        discriminator_sha256=None if discriminator is None else discriminator.sha256,
    )


def _list_names(names: set[str]) -> tuple[str, ...]:
    """Names from the file, sorted, fit for a terminal; a file that names thousands is cut."""
    return tuple(to_visible(name) for name in sorted(names)[:MAX_LISTED])
