"""Checkpoints of every kind from random tensors, for the shapes and settings that the golden fixtures do not have."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tuiface.engine.checkpoints.architecture import discriminator_shapes, generator_shapes
from tuiface.engine.networks.config import DiscriminatorConfig, GeneratorConfig, block_resolutions

from .pickles import Call, Named, numpy_array, numpy_scalar, tensor

Arrays = dict[str, npt.NDArray[np.float32]]
Overrides = Mapping[str, Mapping[str, Any]]

FILTER: npt.NDArray[np.float32] = np.asarray(np.outer([1, 3, 3, 1], [1, 3, 3, 1]), np.float32) / np.float32(64)
SOURCE_TEXT = "raise SystemExit('module source must never be executed')"


def generator_config(resolution: int = 8, **changes: Any) -> GeneratorConfig:
    """A small unconditional generator with odd widths; `changes` replace single fields."""
    widths = (7, 5, 33, 6, 4, 3, 2, 2, 1)[: len(block_resolutions(resolution))]
    fields: dict[str, Any] = {"z_dim": 9, "c_dim": 0, "w_dim": 6, "img_resolution": resolution, "img_channels": 3}
    return GeneratorConfig(**{**fields, "channels": widths, "mapping_features": (6, 6), **changes})


def discriminator_config(resolution: int = 8, **changes: Any) -> DiscriminatorConfig:
    """A small unconditional discriminator with odd widths."""
    widths = (7, 5, 33, 6, 4, 3, 2, 2, 1)[: len(block_resolutions(resolution))]
    fields: dict[str, Any] = {"c_dim": 0, "img_resolution": resolution, "img_channels": 3, "channels": widths}
    return DiscriminatorConfig(**{**fields, **changes})


def random_tensors(config: GeneratorConfig | DiscriminatorConfig, seed: int = 0, *, w_avg: bool = True) -> Arrays:
    """Every tensor of a network, and for a generator the mean of w."""
    generator = isinstance(config, GeneratorConfig)
    shapes = generator_shapes(config) if generator else discriminator_shapes(config)  # type: ignore[arg-type]
    if isinstance(config, GeneratorConfig) and w_avg:
        shapes["mapping.w_avg"] = (config.w_dim,)
    random = np.random.default_rng(seed)
    return {name: np.asarray(random.standard_normal(shape), np.float32) for name, shape in shapes.items()}


# -- NVIDIA's persistent modules ---------------------------------------------------------------------------------------


def persistent(class_name: str, state: Mapping[str, Any]) -> Call:
    """A persistent object of NVIDIA's writers."""
    meta = {"type": "class", "version": 6, "module_src": SOURCE_TEXT, "class_name": class_name, "state": dict(state)}
    return Call(Named("torch_utils.persistence", "_reconstruct_persistent_obj"), (meta,))


def module_pickle(classes: Mapping[str, str], tensors: Mapping[str, Any], attributes: Overrides) -> Call:
    """The module tree of the paths in `classes`; tensors are arrays, or prepared pickle values."""

    def build(path: str) -> Call:
        prefix = f"{path}." if path else ""
        children = [p for p in classes if p != path and p.startswith(prefix) and "." not in p[len(prefix) :]]
        own = [name for name in tensors if name.startswith(prefix) and "." not in name[len(prefix) :]]
        held: dict[str, dict[str, Any]] = {"_parameters": {}, "_buffers": {}}
        for name in own:
            leaf = name.removeprefix(prefix)
            group = "_buffers" if leaf in ("resample_filter", "noise_const", "w_avg") else "_parameters"
            value = tensors[name]
            is_array = isinstance(value, np.ndarray)
            held[group][leaf] = tensor(value, parameter=group == "_parameters") if is_array else value
        modules = {child.removeprefix(prefix): build(child) for child in children}
        hooks = {"_backward_hooks": Call(Named("collections", "OrderedDict")), "_non_persistent_buffers_set": set()}
        state = {"training": False, **held, **hooks, "_modules": modules, **attributes.get(path, {})}
        return persistent(classes[path], state)

    return build("")


def generator_pickle(
    config: GeneratorConfig,
    tensors: Mapping[str, Any],
    overrides: Overrides | None = None,
    *,
    stored: Mapping[str, Any] | None = None,
    stylegan3: bool = False,
) -> Call:
    """A persistent Generator. `overrides` replace attributes by module path, `stored` what is written for a tensor."""
    names = ("z_dim", "c_dim", "w_dim", "img_resolution", "img_channels", "num_ws")
    classes = {"": "Generator", "mapping": "MappingNetwork", "synthesis": "SynthesisNetwork"}
    attributes: dict[str, dict[str, Any]] = {"": {name: getattr(config, name) for name in names}}
    members = dict(tensors)
    for resolution in config.block_resolutions:
        block = f"synthesis.b{resolution}"
        classes[block] = "SynthesisBlock"
        attributes[block] = {"architecture": "skip", "use_fp16": resolution in config.fp16_resolutions}
        members[f"{block}.resample_filter"] = FILTER
        for leaf in ("conv0", "conv1") if resolution > 4 else ("conv1",):
            layer = f"{block}.{leaf}"
            classes[layer] = "SynthesisLayer"
            gain = numpy_scalar(math.sqrt(2))
            fixed = {"activation": "lrelu", "use_noise": True, "padding": 1, "act_gain": gain}
            attributes[layer] = {**fixed, "up": 2 if leaf == "conv0" else 1, "conv_clamp": _clamp(config)}
            if stylegan3:
                attributes[layer]["in_channels"] = tensors[f"{layer}.weight"].shape[1]
            members[f"{layer}.resample_filter"] = FILTER
        classes[f"{block}.torgb"] = "ToRGBLayer"
        weight_gain = numpy_scalar(1 / math.sqrt(config.channels_at(resolution)))
        attributes[f"{block}.torgb"] = {"conv_clamp": _clamp(config), "weight_gain": weight_gain}
    _add_linear_layers(tensors, classes, attributes, config.mapping_lr_multiplier)
    return module_pickle(classes, members | dict(stored or {}), _overridden(attributes, overrides))


def discriminator_pickle(
    config: DiscriminatorConfig, tensors: Mapping[str, Any], overrides: Overrides | None = None
) -> Call:
    """A persistent Discriminator."""
    classes = {"": "Discriminator", "b4": "DiscriminatorEpilogue", "b4.mbstd": "MinibatchStdLayer"}
    mbstd = {"group_size": config.mbstd_group_size, "num_channels": config.mbstd_num_channels}
    attributes: dict[str, dict[str, Any]] = {
        "": {"c_dim": config.c_dim, "img_resolution": config.img_resolution},
        "b4": {"architecture": config.architecture},
        "b4.mbstd": mbstd,
    }
    if config.c_dim:
        classes["mapping"] = "MappingNetwork"
    stored = dict(tensors)
    for resolution in config.block_resolutions[1:]:
        classes[f"b{resolution}"] = "DiscriminatorBlock"
        attributes[f"b{resolution}"] = {"architecture": config.architecture}
    for name in [name for name in tensors if name.endswith(".weight") and tensors[name].ndim == 4]:
        layer = name.removesuffix(".weight")
        leaf, skip = layer.rpartition(".")[2], layer.endswith("skip")
        classes[layer] = "Conv2dLayer"
        attributes[layer] = {
            "activation": "linear" if skip else "lrelu",
            "act_gain": 1 if skip else numpy_scalar(math.sqrt(2)),
            "up": 1,
            "down": 2 if leaf in ("conv1", "skip") else 1,
            "padding": tensors[name].shape[-1] // 2,
            "weight_gain": numpy_scalar(1 / math.sqrt(math.prod(tensors[name].shape[1:]))),
            "conv_clamp": None if skip else _clamp(config),
        }
        stored[f"{layer}.resample_filter"] = FILTER
    _add_linear_layers(tensors, classes, attributes, config.mapping_lr_multiplier)
    return module_pickle(classes, stored, _overridden(attributes, overrides))


def nvidia_checkpoint(generator: Call, discriminator: Call | None = None, **entries: Any) -> dict[str, Any]:
    """The dict that the trainers write, in the order of stylegan2-ada-pytorch."""
    kwargs = Call(
        Named("dnnlib.util", "EasyDict"), new=True, items={"class_name": "training.dataset.ImageFolderDataset"}
    )
    held = {"training_set_kwargs": kwargs, "G": generator, "D": discriminator, "G_ema": generator, "augment_pipe": None}
    return {**held, **entries}


def _add_linear_layers(
    tensors: Mapping[str, Any], classes: dict[str, str], attributes: dict[str, dict[str, Any]], multiplier: float
) -> None:
    for name in [name for name in tensors if name.endswith(".weight") and tensors[name].ndim == 2]:
        layer = name.removesuffix(".weight")
        gain = multiplier if layer.startswith("mapping.fc") else 1
        linear = layer.endswith((".affine", ".out", ".embed"))
        classes[layer] = "FullyConnectedLayer"
        attributes[layer] = {
            "activation": "linear" if linear else "lrelu",
            "weight_gain": numpy_scalar(gain / math.sqrt(tensors[name].shape[1])),
            "bias_gain": gain,
        }


def _clamp(config: GeneratorConfig | DiscriminatorConfig) -> int | None:
    return None if config.conv_clamp is None else int(config.conv_clamp)


def _overridden(attributes: Mapping[str, Mapping[str, Any]], overrides: Overrides | None) -> Overrides:
    changed = {path: {**held, **(overrides or {}).get(path, {})} for path, held in attributes.items()}
    return changed | {path: held for path, held in (overrides or {}).items() if path not in changed}


# -- TensorFlow --------------------------------------------------------------------------------------------------------


def tensorflow_checkpoint(
    generator: Arrays, discriminator: Arrays, *, version: int = 4, settings: Mapping[str, Any] | None = None
) -> tuple[Call, Call, Call]:
    """(G, D, Gs) with the inverse of the conversions that the reader applies."""
    held = dict(settings or {})
    kwargs = {"num_channels": 3, "resolution": 8, "label_size": 0, **held}
    mapping: list[tuple[str, Any]] = []
    synthesis: list[tuple[str, Any]] = []
    own: list[tuple[str, Any]] = [("lod", np.float32(0))] if version == 4 else []
    for name, array in generator.items():
        stored, values = _tensorflow_generator(name, array)
        target = own if stored == "dlatent_avg" else mapping if name.startswith("mapping") else synthesis
        target.append((stored, values))
    components = {
        "synthesis": network_pickle("G_synthesis", version, kwargs, synthesis),
        "mapping": network_pickle("G_mapping", version, kwargs, mapping),
    }
    gs = network_pickle("Gs", version, kwargs, own, components)
    d = network_pickle("D", version, kwargs, [_tensorflow_discriminator(*item) for item in discriminator.items()])
    return network_pickle("G", version, kwargs, []), d, gs


def network_pickle(
    name: str,
    version: int,
    kwargs: Any,
    variables: Iterable[tuple[str, Any]],
    components: Mapping[str, Any] | None = None,
) -> Call:
    """One dnnlib Network."""
    state = {
        "version": version,
        "name": name,
        "static_kwargs": dict(kwargs),
        "components": dict(components or {}),
        "build_module_src": SOURCE_TEXT,
        "build_func_name": "G_main",
        "variables": [(stored, numpy_array(np.asarray(values, np.float32))) for stored, values in variables],
    }
    return Call(Named("dnnlib.tflib.network", "Network"), new=True, state=state)


def _tensorflow_generator(name: str, array: npt.NDArray[np.float32]) -> tuple[str, Any]:
    part, _, rest = name.partition(".")
    if part == "mapping":
        if rest == "w_avg":
            return "dlatent_avg", array
        layer, leaf = rest.split(".")
        stored = "LabelEmbed" if layer == "embed" else layer.replace("fc", "Dense")
        return f"{stored}/{leaf}", array.T if leaf == "weight" else array
    block, _, rest = rest.partition(".")
    resolution = int(block[1:])
    scope = f"{resolution}x{resolution}"
    if rest == "const":
        return f"{scope}/Const/const", array[None]
    layer, _, leaf = rest.partition(".")
    if leaf == "noise_const":
        return f"noise{2 * int(math.log2(resolution)) - (5 if layer == 'conv0' else 4)}", array[None, None]
    stored = {"conv0": "Conv0_up", "conv1": "Conv1" if resolution > 4 else "Conv", "torgb": "ToRGB"}[layer]
    match leaf:
        case "weight":
            values = array.transpose(2, 3, 1, 0)
            return f"{scope}/{stored}/weight", values[::-1, ::-1] if layer == "conv0" else values
        case "affine.weight":
            return f"{scope}/{stored}/mod_weight", array.T
        case "affine.bias":
            return f"{scope}/{stored}/mod_bias", array - 1
        case _:
            return f"{scope}/{stored}/{leaf}", array


def _tensorflow_discriminator(name: str, array: npt.NDArray[np.float32]) -> tuple[str, Any]:
    block, layer, leaf = name.split(".")
    scope = f"{block[1:]}x{block[1:]}"
    stored = {
        "fromrgb": "FromRGB",
        "conv0": "Conv0",
        "conv1": "Conv1_down",
        "skip": "Skip",
        "conv": "Conv",
        "fc": "Dense0",
    }
    path = "Output" if layer == "out" else f"{scope}/{stored[layer]}"
    values = array.transpose(2, 3, 1, 0) if array.ndim == 4 else array.T
    return f"{path}/{leaf}", values


# -- rosinality --------------------------------------------------------------------------------------------------------


def rosinality_generator(tensors: Arrays) -> Arrays:
    """A generator's state dict under rosinality's names; without the mean of w, which lies outside."""
    stored: Arrays = {}
    for name, array in tensors.items():
        part, _, rest = name.partition(".")
        if part == "mapping":
            if rest != "w_avg":
                layer, leaf = rest.split(".")
                stored[f"style.{int(layer[2:]) + 1}.{leaf}"] = array
            continue
        block, _, rest = rest.partition(".")
        index = int(math.log2(int(block[1:]))) - 3
        layer, _, leaf = rest.partition(".")
        if layer == "const":
            stored["input.input"] = array[None]
            continue
        if layer == "torgb":
            path = "to_rgb1" if index < 0 else f"to_rgbs.{index}"
        else:
            path = "conv1" if index < 0 else f"convs.{2 * index + int(layer[-1])}"
        match leaf:
            case "weight":
                stored[f"{path}.conv.weight"] = array[None]
            case "bias" if layer == "torgb":
                stored[f"{path}.bias"] = array[None, :, None, None]
            case "bias":
                stored[f"{path}.activate.bias"] = array
            case "noise_strength":
                stored[f"{path}.noise.weight"] = array.reshape(1)
            case "noise_const":
                stored[f"noises.noise_{2 * index + 1 + int(layer[-1])}"] = array[None, None]
            case _:
                stored[f"{path}.conv.{leaf.replace('affine', 'modulation')}"] = array
        if layer == "conv0":
            stored[f"{path}.conv.blur.kernel"] = FILTER * np.float32(4)
        if layer == "torgb" and index >= 0:
            stored[f"{path}.upsample.kernel"] = FILTER * np.float32(4)
    return stored
