"""The safe reader of every checkpoint format, in numpy alone: nothing in a file is ever imported or executed.

`reader` goes from a path to CheckpointContents in named steps, top to bottom. `read_checkpoint` opens NVIDIA's pickles
(stylegan2-ada-pytorch, stylegan3 repository), TensorFlow's StyleGAN2 and StyleGAN2-ADA, rosinality's .pt, plain state
dicts and our own safetensors; `read_arrays` the arrays of any of these containers. `inspect_checkpoint` explains any
file, refused ones included. `write_native` and `read_native_header` are our own format, `network_digest` a network's
name.
"""

from __future__ import annotations

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
from tuiface.engine.checkpoints.native import NativeHeader, StoragePrecision, read_native_header, write_native
from tuiface.engine.checkpoints.reader import read_arrays, read_checkpoint
from tuiface.engine.checkpoints.report import CheckpointReport, inspect_checkpoint

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
