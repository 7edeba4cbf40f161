"""Reading and writing our own checkpoint format, safetensors; `native_header` says what the header means.

`container` has the bytes around both. Tensors stream to the disk without a copy of the whole file.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from tuiface.engine.checkpoints.container import encoded_header, float32_tensors
from tuiface.engine.checkpoints.contents import (
    CheckpointContents,
    DiscriminatorTensors,
    GeneratorTensors,
)
from tuiface.engine.checkpoints.digest import network_digest
from tuiface.engine.checkpoints.native_header import FORMAT, expected_shapes, parse_header
from tuiface.engine.checkpoints.source_file import SourceFile
from tuiface.engine.config import config_to_json
from tuiface.errors import ModelError
from tuiface.files import explained

Precision = Literal["float32", "float16"]

#: Code in the header and element type of each precision.
STORED_TYPES: Final[Mapping[Precision, tuple[str, npt.DTypeLike]]] = {
    "float32": ("F32", np.dtype("<f4")),
    "float16": ("F16", np.dtype("<f2")),
}


def read_native(source: SourceFile) -> CheckpointContents:
    """The contents of a tuiface model. Raises ModelError where it is unsound or was changed since its conversion."""
    header = parse_header(source.data, len(source.data))
    tensors = float32_tensors(source.data)
    shapes = expected_shapes(header.generator_config, header.discriminator_config, has_w_avg=header.has_w_avg)
    generator = {name.removeprefix("G."): tensors[name] for name in shapes if name.startswith("G.")}
    discriminator = {name.removeprefix("D."): tensors[name] for name in shapes if name.startswith("D.")}
    _check_digest("generator", header.network_sha256, network_digest(header.generator_config, generator))
    config = header.discriminator_config
    if config is not None:
        _check_digest("discriminator", header.discriminator_sha256, network_digest(config, discriminator))
    return CheckpointContents(
        format="tuiface safetensors",
        generator=GeneratorTensors(header.generator_config, generator),
        discriminator=None if config is None else DiscriminatorTensors(config, discriminator),
        generator_source=header.generator_source,
        has_w_avg=header.has_w_avg,
        notices=header.notices,
        assumptions=header.assumptions,
        licence=header.licence,
        origin_sha256=header.origin_sha256,
        network_sha256=header.network_sha256,
        origin_format=header.origin_format,
        name=header.name,
    )


def _check_digest(network: str, recorded: str | None, computed: str) -> None:
    if computed != recorded:
        raise ModelError(
            f"its {network} has the digest {computed[:16]}..., recorded is {str(recorded)[:16]}...",
            "the file was changed or damaged: convert the original again",
        )


def write_native(
    contents: CheckpointContents,
    path: Path,
    *,
    licence: str | None = None,
    name: str | None = None,
    precision: Precision = "float32",
) -> None:
    """Write a tuiface model, replacing `path` in one step; equal contents give equal bytes.

    `licence` and `name` default to those of the contents. Half precision rounds the tensors: the file is then another
    network, with the digest of the rounded values. Raises OutputError, leaving nothing behind, if it cannot be written,
    and ModelError if a value does not fit half precision.
    """
    header = _encoded_header(contents, licence or contents.licence, name or contents.name, precision)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    with explained(path):
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(header)
                for _, tensor in _stored_tensors(contents, precision):
                    file.write(tensor.reshape(-1).data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_folder(path.parent)


def _stored_tensors(
    contents: CheckpointContents, precision: Precision
) -> Iterator[tuple[str, npt.NDArray[np.floating]]]:
    """All tensors in the order of the file, in the element type of the file."""
    dtype = STORED_TYPES[precision][1]
    for prefix, network in (("G.", contents.generator), ("D.", contents.discriminator)):
        if network is None:
            continue
        for name in sorted(network.tensors):
            with np.errstate(over="ignore"):
                stored = np.asarray(network.tensors[name], dtype, order="C")
            if precision == "float16" and not np.isfinite(stored).all():
                raise ModelError(f"tensor {prefix}{name} has values beyond half precision (65504); use float32")
            yield prefix + name, stored


def _encoded_header(contents: CheckpointContents, licence: str | None, name: str | None, precision: Precision) -> bytes:
    code = STORED_TYPES[precision][0]
    tensors = ((key, code, tensor.shape, tensor.nbytes) for key, tensor in _stored_tensors(contents, precision))
    return encoded_header(_metadata(contents, licence, name, precision), tensors)


def _metadata(
    contents: CheckpointContents, licence: str | None, name: str | None, precision: Precision
) -> dict[str, str]:
    metadata = {
        "format": FORMAT,
        "config": json.dumps(config_to_json(contents.generator.config)),
        "network_sha256": _stored_digest(contents.generator, precision),
        "origin_sha256": contents.origin_sha256,
        "origin_format": contents.origin_format,
        "generator_source": contents.generator_source,
        "notices": json.dumps(contents.notices),
        "assumptions": json.dumps(contents.assumptions),
    }
    if contents.discriminator is not None:
        metadata["discriminator_config"] = json.dumps(config_to_json(contents.discriminator.config))
        metadata["discriminator_sha256"] = _stored_digest(contents.discriminator, precision)
    if licence is not None:
        metadata["licence"] = licence
    if name is not None:
        metadata["name"] = name
    return metadata


def _stored_digest(network: GeneratorTensors | DiscriminatorTensors, precision: Precision) -> str:
    """The digest of the values that a reader of the file gets."""
    if precision == "float32":
        return network_digest(network.config, network.tensors)
    with np.errstate(over="ignore"):
        rounded = {key: tensor.astype(np.float16).astype(np.float32) for key, tensor in network.tensors.items()}
    return network_digest(network.config, rounded)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself survive a power cut, where the file system can sync a folder."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
