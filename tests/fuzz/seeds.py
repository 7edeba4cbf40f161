"""Small sound checkpoints of every format and container, as bytes: what the fuzzers mutate."""

from __future__ import annotations

import io
import struct
import tempfile
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

from tests.checkpoints.pickles import MAGIC_NUMBER, Call, Named, OutsideReference, pickled, tensor, view
from tests.checkpoints.writers import (
    Arrays,
    discriminator_config,
    discriminator_pickle,
    generator_config,
    generator_pickle,
    nvidia_checkpoint,
    random_tensors,
    rosinality_generator,
    tensorflow_checkpoint,
)
from tuiface.engine.checkpoints import read_checkpoint, write_native

Value = Any
"""A value as tests/checkpoints/pickles.py writes it."""

CONFIG = generator_config(8, z_dim=2, w_dim=2, channels=(2, 2), mapping_features=(2,))
D_CONFIG = discriminator_config(8, channels=(2, 2))


@cache
def values() -> dict[str, Value]:
    """Name -> what the pickle of that kind holds; every one opens."""
    generator, discriminator = random_tensors(CONFIG), random_tensors(D_CONFIG)
    return {
        "nvidia": generator_pickle(CONFIG, generator),
        "nvidia_d": nvidia_checkpoint(
            generator_pickle(CONFIG, generator), discriminator_pickle(D_CONFIG, discriminator)
        ),
        "tensorflow": tensorflow_checkpoint(generator, discriminator),
        "state_dict": {name: tensor(array) for name, array in generator.items()},
        "rosinality": {
            "g_ema": {name: tensor(array) for name, array in rosinality_generator(generator).items()},
            "latent_avg": tensor(generator["mapping.w_avg"]),
        },
    }


@cache
def seeds() -> dict[str, bytes]:
    """File name -> content; every one opens."""
    stored = rosinality_generator(random_tensors(CONFIG))
    files = {
        "nvidia.pkl": pickled(values()["nvidia"]),
        "nvidia_d.pkl": pickled(values()["nvidia_d"], 2),
        "tensorflow.pkl": pickled(values()["tensorflow"]),
        "zip.pt": torch_zip(pickled(_state_dict(stored, ()), 2), stored),
        "legacy.pt": _legacy(stored),
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "seed.pkl"
        path.write_bytes(files["nvidia_d.pkl"])
        write_native(read_checkpoint(path), Path(folder) / "seed.safetensors")
        files["native.safetensors"] = (Path(folder) / "seed.safetensors").read_bytes()
    return files


def _state_dict(tensors: Arrays, tail: tuple[Any, ...]) -> dict[str, Any]:
    def reference(key: int, name: str) -> Call:
        array = tensors[name]
        identity = ("storage", Named("torch", "FloatStorage"), str(key), "cpu", array.size, *tail)
        strides = tuple(stride // 4 for stride in array.copy().strides)
        return view(OutsideReference(identity), 0, array.shape, strides)

    items = {name: reference(key, name) for key, name in enumerate(tensors)}
    return {"g_ema": Call(Named("collections", "OrderedDict"), items=items, state={"_metadata": {}})}


def torch_zip(pickle: bytes, storages: Arrays) -> bytes:
    """A torch container around a pickle and the storages that it names by number."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", pickle)
        archive.writestr("archive/byteorder", b"little")
        for key, array in enumerate(storages.values()):
            archive.writestr(f"archive/data/{key}", array.tobytes())
    return buffer.getvalue()


def _legacy(tensors: Arrays) -> bytes:
    keys = [str(key) for key in range(len(tensors))]
    parts = (MAGIC_NUMBER, 1001, {"little_endian": True}, _state_dict(tensors, (None,)), keys)
    data = [struct.pack("<q", array.size) + array.tobytes() for array in tensors.values()]
    return b"".join([pickled(part, 2) for part in parts] + data)
