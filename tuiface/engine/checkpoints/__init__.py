"""The safe reader of every checkpoint format, in numpy alone: nothing in a file is ever imported or executed.

    path -> SourceFile -> PickleMachine (inert values) -> a format's reader (views) -> materialise -> CheckpointContents

`read_checkpoint` opens NVIDIA's pickles (stylegan2-ada-pytorch, stylegan3 repository), TensorFlow's StyleGAN2 and
StyleGAN2-ADA, rosinality's .pt, plain state dicts and our own safetensors. `inspect_checkpoint` explains any file,
refused ones included. `write_native` and `read_native_header` are our own format, `network_digest` a network's name.
"""

from __future__ import annotations

from pathlib import Path

from tuiface.core.errors import ModelError, to_printable
from tuiface.engine.checkpoints.arrays import read_arrays
from tuiface.engine.checkpoints.contents import (
    CheckpointContents,
    CheckpointFormat,
    DiscriminatorTensors,
    GeneratorSource,
    GeneratorTensors,
    NetworkTensors,
    Tensors,
    network_digest,
)
from tuiface.engine.checkpoints.formats import open_contents
from tuiface.engine.checkpoints.inventory import Inventory
from tuiface.engine.checkpoints.native import NativeHeader, StoragePrecision, read_native_header, write_native
from tuiface.engine.checkpoints.report import CheckpointReport, inspect_checkpoint
from tuiface.engine.checkpoints.source_file import read_source

__all__ = [
    "CheckpointContents",
    "CheckpointFormat",
    "CheckpointReport",
    "DiscriminatorTensors",
    "GeneratorSource",
    "GeneratorTensors",
    "NativeHeader",
    "NetworkTensors",
    "StoragePrecision",
    "Tensors",
    "inspect_checkpoint",
    "network_digest",
    "read_arrays",
    "read_checkpoint",
    "read_native_header",
    "write_native",
]


def read_checkpoint(path: Path) -> CheckpointContents:
    """Read a checkpoint of any supported format into float32 tensors, executing nothing.

    Raises ModelError, one line with the file's name and the reason, for a file that is missing, damaged, hostile, of
    another kind, or not a stock StyleGAN2. Memory: the file plus the float32 tensors of the averaged generator and the
    discriminator; time: about a second for 380 MB.
    """
    try:
        return open_contents(read_source(path), Inventory())
    except ModelError as error:
        raise ModelError(f"{to_printable(path.name)}: {error.message}", error.hint) from None
