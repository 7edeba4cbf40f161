"""A checkpoint as NVIDIA's trainer writes it, with random weights: what the first opening is measured on.

A pickle of persistent modules, as `engine.checkpoints.nvidia` reads them: G, D and G_ema, each a tree of objects that
hold their parameters as torch's legacy streams. Run as a module it writes one, in memory of its own:
`python -m tuiface.benchmarks.nvidia_pickle PATH RESOLUTION`.
"""

from __future__ import annotations

import contextlib
import math
import pickle
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from tuiface.benchmarks.networks import CONFIG_F
from tuiface.core.files import write_file
from tuiface.engine.networks.config import DiscriminatorConfig, GeneratorConfig
from tuiface.engine.networks.discriminator import (
    Conv2dLayer,
    Discriminator,
    DiscriminatorBlock,
    DiscriminatorEpilogue,
)
from tuiface.engine.networks.generator import Generator
from tuiface.engine.networks.layers import FullyConnectedLayer, SynthesisLayer, ToRGBLayer
from tuiface.engine.networks.synthesis import SynthesisBlock

_GENERATOR_FIELDS = ("z_dim", "c_dim", "w_dim", "img_resolution", "img_channels", "num_ws")


def write_checkpoint(path: Path, config: GeneratorConfig) -> None:
    """G, D and G_ema, 382 MB for config F at 1024 px; the discriminator is as wide as the generator."""
    discriminator = DiscriminatorConfig(0, config.img_resolution, config.img_channels, config.channels)
    torch.manual_seed(0)
    entries = {
        "training_set_kwargs": None,
        "G": _Persistent(Generator(config)),
        "D": _Persistent(Discriminator(discriminator)),
        "G_ema": _Persistent(Generator(config)),
        "augment_pipe": None,
    }
    with _nvidia_modules():
        write_file(path, pickle.dumps(entries, protocol=4))


class _Persistent:
    """A module of ours, pickled as NVIDIA's module of the same class name."""

    def __init__(self, module: nn.Module) -> None:
        self._module = module

    def __reduce__(self) -> tuple[Any, tuple[dict[str, Any]]]:
        module = self._module
        parameters = {name: nn.Parameter(p.detach().contiguous()) for name, p in module.named_parameters(recurse=False)}
        children: dict[str, object] = {name: _Persistent(child) for name, child in module.named_children()}
        if isinstance(module, DiscriminatorEpilogue):
            statistics = {"group_size": module.group_size, "num_channels": module.num_channels}
            children["mbstd"] = _Stated("MinibatchStdLayer", {**_NO_MEMBERS, **statistics})
        state = {
            "_parameters": parameters,
            "_buffers": dict(module.named_buffers(recurse=False)),
            "_modules": children,
            **_list_attributes(module),
        }
        return _Stated(type(module).__name__, state).__reduce__()


class _Stated:
    """A persistent object of a class name and a state."""

    def __init__(self, class_name: str, state: Mapping[str, object]) -> None:
        self._meta = {"type": "class", "version": 6, "module_src": "", "class_name": class_name, "state": dict(state)}

    def __reduce__(self) -> tuple[Any, tuple[dict[str, Any]]]:
        return _reconstruct_persistent_obj, (self._meta,)


_NO_MEMBERS: Mapping[str, object] = {"_parameters": {}, "_buffers": {}, "_modules": {}}


def _list_attributes(module: nn.Module) -> dict[str, object]:
    """What a layer of NVIDIA's says of its arithmetic, beside its tensors."""
    match module:
        case Generator():
            return {name: getattr(module.config, name) for name in _GENERATOR_FIELDS}
        case Discriminator():
            return {"c_dim": module.config.c_dim, "img_resolution": module.config.img_resolution}
        case SynthesisBlock():
            return {"architecture": "skip", "use_fp16": False}
        case SynthesisLayer():
            fixed = {"activation": "lrelu", "use_noise": True, "padding": 1, "act_gain": math.sqrt(2)}
            return {**fixed, "up": 2 if module.up else 1, "conv_clamp": module.clamp}
        case ToRGBLayer():
            return {"conv_clamp": module.clamp, "weight_gain": module.weight_gain}
        case DiscriminatorBlock() | DiscriminatorEpilogue():
            return {"architecture": "resnet"}
        case Conv2dLayer():
            return {
                "activation": "lrelu" if module.activate else "linear",
                "act_gain": math.sqrt(2) if module.activate else 1.0,
                "up": 1,
                "down": 2 if module.down else 1,
                "padding": module.weight.shape[-1] // 2,
                "weight_gain": module.weight_gain,
                "conv_clamp": module.clamp,
            }
        case FullyConnectedLayer():
            gains = {"weight_gain": module.weight_gain, "bias_gain": module.bias_gain}
            return {"activation": "lrelu" if module.activate else "linear", **gains}
    return {}


def _reconstruct_persistent_obj(meta: dict[str, Any]) -> dict[str, Any]:
    """Stands where NVIDIA's function is, which would run the source text in `meta`; nobody calls it."""
    return meta


_reconstruct_persistent_obj.__module__ = "torch_utils.persistence"


@contextlib.contextmanager
def _nvidia_modules() -> Iterator[None]:
    """Pickle writes a function by its name only where Python finds it by that name."""
    persistence = ModuleType("torch_utils.persistence")
    persistence._reconstruct_persistent_obj = _reconstruct_persistent_obj  # type: ignore[attr-defined]
    modules = {"torch_utils": ModuleType("torch_utils"), "torch_utils.persistence": persistence}
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in modules:
            del sys.modules[name]


if __name__ == "__main__":
    write_checkpoint(Path(sys.argv[1]), CONFIG_F.config(int(sys.argv[2])))
