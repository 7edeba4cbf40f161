"""NVIDIA's PyTorch pickles: persistent module objects of stylegan2-ada-pytorch and of the stylegan3 repository.

Shapes come from the tensors; what shapes cannot say (clamp, half precision, gains, activations) is read from every
layer's own state, because the stylegan3 repository does not record it in the constructor arguments. A layer that
differs from the published network is refused: its pictures would be silently wrong.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from tuiface.core.errors import ModelError, describe_value
from tuiface.core.safetensors_header import Shape
from tuiface.core.visible import to_visible
from tuiface.engine.checkpoints.accounting import Meter
from tuiface.engine.checkpoints.architecture import (
    discriminator_config_from_shapes,
    generator_config_from_shapes,
)
from tuiface.engine.checkpoints.contents import GeneratorSource
from tuiface.engine.checkpoints.description import (
    CheckpointDescription,
    NetworkDescription,
    TensorSource,
    not_stock_error,
    shapes_of,
)
from tuiface.engine.checkpoints.storages import TorchTensor
from tuiface.engine.checkpoints.stubs import PersistentModule
from tuiface.engine.networks.config import DiscriminatorConfig, GeneratorConfig

MAX_MODULES: Final = 2_000
MAX_DEPTH: Final = 8
SQRT_2: Final = math.sqrt(2)

#: Last part of a module's path, without its number unless that matters -> class in NVIDIA's source.
GENERATOR_CLASSES: Final[Mapping[str, str]] = {
    "": "Generator",
    "mapping": "MappingNetwork",
    "embed": "FullyConnectedLayer",
    "fc": "FullyConnectedLayer",
    "synthesis": "SynthesisNetwork",
    "b": "SynthesisBlock",
    "conv": "SynthesisLayer",
    "torgb": "ToRGBLayer",
    "affine": "FullyConnectedLayer",
}
DISCRIMINATOR_CLASSES: Final[Mapping[str, str]] = {
    "": "Discriminator",
    "mapping": "MappingNetwork",
    "embed": "FullyConnectedLayer",
    "fc": "FullyConnectedLayer",
    "b": "DiscriminatorBlock",
    "fromrgb": "Conv2dLayer",
    "conv": "Conv2dLayer",
    "skip": "Conv2dLayer",
    "b4": "DiscriminatorEpilogue",
    "mbstd": "MinibatchStdLayer",
    "out": "FullyConnectedLayer",
}


def describe_networks(
    name: GeneratorSource,
    generator: PersistentModule,
    entries: Mapping[object, object],
    meter: Meter,
    notices: tuple[str, ...] = (),
) -> CheckpointDescription:
    """The generator that `entries` holds as `name` and, perhaps, `D`."""
    tree = build_module_tree(name, generator, meter)
    written_by_stylegan3 = any("in_channels" in layer.state for _, layer in tree.of_class("SynthesisLayer"))
    discriminator = entries.get("D")
    augmented = entries.get("augment_pipe") is not None
    return CheckpointDescription(
        format="stylegan3-repository pickle" if written_by_stylegan3 else "stylegan2-ada-pytorch pickle",
        generator_source=name,
        generator=describe_generator(tree),
        discriminator=(lambda: describe_discriminator(build_module_tree("D", discriminator, meter)))
        if isinstance(discriminator, PersistentModule)
        else None,
        notices=(*notices, *(("augment_pipe ignored: it is only used in training",) if augmented else ())),
    )


def describe_generator(tree: ModuleTree) -> NetworkDescription[GeneratorConfig]:
    """Configuration and tensor views of a persistent Generator."""
    root = tree.modules[""]
    if any(module.class_name == "SynthesisInput" for module in tree.modules.values()):
        raise ModelError(f"{tree.network} is a StyleGAN3 network: accepted is StyleGAN2", "use a StyleGAN2 checkpoint")
    _check_classes(tree, GENERATOR_CLASSES)
    for path, block in tree.of_class("SynthesisBlock"):
        _expect(tree, path, block, {"architecture": "skip"})
    shapes = shapes_of(tree.sources)
    config = generator_config_from_shapes(shapes)
    for path, layer in tree.of_class("SynthesisLayer"):
        up = 2 if path.endswith(".conv0") else 1
        fixed = {"activation": "lrelu", "use_noise": True, "padding": 1, "act_gain": SQRT_2, "up": up}
        _expect(tree, path, layer, fixed)
    for path, layer in tree.of_class("ToRGBLayer"):
        _expect(tree, path, layer, {"weight_gain": _weight_gain(shapes, path)})
    clamped = [*tree.of_class("SynthesisLayer"), *tree.of_class("ToRGBLayer")]
    config = replace(
        config,
        conv_clamp=_read_conv_clamp(tree, clamped),
        mapping_lr_multiplier=_check_linear_layers(tree, shapes),
        fp16_resolutions=tuple(
            resolution
            for resolution in config.block_resolutions
            if _require_module(tree, f"synthesis.b{resolution}").attribute("use_fp16") is True
        ),
    )
    recorded = {
        "z_dim": config.z_dim,
        "c_dim": config.c_dim,
        "w_dim": config.w_dim,
        "img_resolution": config.img_resolution,
        "img_channels": config.img_channels,
        "num_ws": config.num_ws,
    }
    _expect(tree, "", root, recorded)
    notices = ("conditional generator: pictures need a class label",) if config.c_dim else ()
    return NetworkDescription(tree.network, config, tree.sources, notices)


def describe_discriminator(tree: ModuleTree) -> NetworkDescription[DiscriminatorConfig]:
    """Configuration and tensor views of a persistent Discriminator."""
    _check_classes(tree, DISCRIMINATOR_CLASSES)
    shapes = shapes_of(tree.sources)
    config = discriminator_config_from_shapes(shapes)
    blocks = [*tree.of_class("DiscriminatorBlock"), *tree.of_class("DiscriminatorEpilogue")]
    for path, block in blocks:
        _expect(tree, path, block, {"architecture": config.architecture})
    convolutions = tree.of_class("Conv2dLayer")
    for path, layer in convolutions:
        _expect(tree, path, layer, _convolution_attributes(shapes, path))
    group_size: int | None = None
    groups = tree.of_class("MinibatchStdLayer")
    if len(groups) != min(1, config.mbstd_num_channels):
        raise not_stock_error(
            f"D has {len(groups)} MinibatchStdLayer for {config.mbstd_num_channels} additional channels"
        )
    for path, layer in groups:
        _expect(tree, path, layer, {"num_channels": config.mbstd_num_channels})
        group_size = _check_group_size(layer.attribute("group_size"))
    multiplier = _check_linear_layers(tree, shapes)
    config = replace(
        config,
        # The linear skip is never clamped; the block's sum is, through conv1.
        conv_clamp=_read_conv_clamp(tree, [item for item in convolutions if not item[0].endswith(".skip")]),
        mbstd_group_size=group_size,
        mapping_lr_multiplier=multiplier,
    )
    _expect(tree, "", tree.modules[""], {"c_dim": config.c_dim, "img_resolution": config.img_resolution})
    notices = ("conditional discriminator",) if config.c_dim else ()
    return NetworkDescription(tree.network, config, tree.sources, notices)


@dataclass(slots=True)
class ModuleTree:
    """A network's modules and tensors by their dotted paths."""

    network: str
    modules: dict[str, PersistentModule] = field(default_factory=dict)
    sources: dict[str, TensorSource] = field(default_factory=dict)

    def of_class(self, class_name: str) -> list[tuple[str, PersistentModule]]:
        """Paths and modules of one class, in the order of the file."""
        return [(path, module) for path, module in self.modules.items() if module.class_name == class_name]


def build_module_tree(network: str, root: PersistentModule, meter: Meter) -> ModuleTree:
    """All modules under `root`, walked iteratively: shared or cyclic references end at a fixed count and depth."""
    tree = ModuleTree(network)
    waiting: list[tuple[str, PersistentModule, int]] = [("", root, 0)]
    while waiting:
        path, module, depth = waiting.pop()
        if depth > MAX_DEPTH or len(tree.modules) >= MAX_MODULES:
            raise not_stock_error(
                f"{network} has more than {MAX_MODULES} modules, or nests them deeper than {MAX_DEPTH}"
            )
        tree.modules[path] = module
        for group in ("_parameters", "_buffers"):
            members = module.children(group)
            meter.visit(len(members))
            for name, tensor in members.items():
                if isinstance(tensor, TorchTensor):
                    full_name = _join_path(path, name)
                    tree.sources[full_name] = TensorSource(tensor, full_name)
                elif tensor is not None:
                    raise not_stock_error(
                        f"{network}: {_join_path(path, name)} is {describe_value(tensor)} instead of a tensor"
                    )
        children = module.children("_modules")
        meter.visit(len(children))
        for name, child in children.items():
            if isinstance(child, PersistentModule):
                waiting.append((_join_path(path, name), child, depth + 1))
            elif child is not None:
                raise not_stock_error(
                    f"{network}: {_join_path(path, name)} is {describe_value(child)} instead of a module"
                )
    return tree


def _join_path(path: str, name: object) -> str:
    if not isinstance(name, str) or len(name) > 64 or not name.isprintable():
        raise not_stock_error(f"a module has a member named {describe_value(name)}")
    return f"{path}.{name}" if path else name


def _check_classes(tree: ModuleTree, classes: Mapping[str, str]) -> None:
    for path, module in tree.modules.items():
        leaf = path.rpartition(".")[2]
        accepted = classes.get(leaf) or classes.get(leaf.rstrip("0123456789"))
        if module.class_name != accepted:
            where = f"{tree.network}.{path}" if path else tree.network
            expected = f"; expected is {accepted}" if accepted else ""
            raise not_stock_error(f"{where} is of class '{to_visible(module.class_name)}'{expected}")


def _expect(tree: ModuleTree, path: str, module: PersistentModule, attributes: Mapping[str, object]) -> None:
    """Refuse a module whose attributes are not these; numbers may differ by rounding."""
    for name, expected in attributes.items():
        held = module.attribute(name)
        if isinstance(expected, float):
            number = _number(held)
            same = number is not None and math.isclose(number, expected, rel_tol=1e-6)
        else:
            same = type(held) is type(expected) and held == expected
        if not same:
            where = f"{tree.network}.{path}" if path else tree.network
            raise not_stock_error(f"{where}.{name} is {describe_value(held)}; expected is {describe_value(expected)}")


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _weight_gain(shapes: Mapping[str, Shape], path: str, multiplier: float = 1.0) -> float:
    """The runtime weight gain of equalised learning rate: multiplier / sqrt(fan-in)."""
    return multiplier / math.sqrt(math.prod(shapes.get(f"{path}.weight", ())[1:]) or 1)


def _convolution_attributes(shapes: Mapping[str, Shape], path: str) -> Mapping[str, object]:
    leaf = path.rpartition(".")[2]
    kernel = (shapes.get(f"{path}.weight") or (1,))[-1]
    return {
        "activation": "linear" if leaf == "skip" else "lrelu",
        "act_gain": 1.0 if leaf == "skip" else SQRT_2,
        "up": 1,
        "down": 2 if leaf in ("conv1", "skip") else 1,
        "padding": kernel // 2,
        "weight_gain": _weight_gain(shapes, path),
    }


def _check_linear_layers(tree: ModuleTree, shapes: Mapping[str, Shape]) -> float:
    """Check all fully connected layers; the learning rate multiplier that the mapping's layers share."""
    multipliers = set()
    for path, layer in tree.of_class("FullyConnectedLayer"):
        leaf = path.rpartition(".")[2]
        in_mapping = path.startswith("mapping.fc")
        multiplier = _number(layer.attribute("bias_gain")) if in_mapping else 1.0
        if multiplier is None or not 0 < multiplier <= 1:
            raise not_stock_error(f"{tree.network}.{path}.bias_gain is {describe_value(layer.attribute('bias_gain'))}")
        linear = leaf in ("affine", "out", "embed")
        gains = {"weight_gain": _weight_gain(shapes, path, multiplier), "bias_gain": multiplier}
        _expect(tree, path, layer, {"activation": "linear" if linear else "lrelu", **gains})
        if in_mapping:
            multipliers.add(multiplier)
    if len(multipliers) > 1:
        raise not_stock_error(f"{tree.network}: the mapping's layers have the multipliers {sorted(multipliers)[:4]}")
    return multipliers.pop() if multipliers else 0.01


def _read_conv_clamp(tree: ModuleTree, layers: Iterable[tuple[str, PersistentModule]]) -> float | None:
    """The clamp that all layers share."""
    held: dict[float | None, str] = {}
    for path, layer in layers:
        clamp = layer.attribute("conv_clamp")
        number = _number(clamp)
        if clamp is not None and (number is None or not 0 < number < math.inf):
            raise not_stock_error(f"{tree.network}.{path}.conv_clamp is {describe_value(clamp)}")
        held.setdefault(number, path)
    if len(held) > 1:
        listed = ", ".join(f"{clamp} in {path}" for clamp, path in list(held.items())[:3])
        raise not_stock_error(f"{tree.network}: conv_clamp differs between layers: {listed}")
    return next(iter(held), None)


def _check_group_size(value: object) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value > 0):
        return value
    raise not_stock_error(f"D.b4.mbstd.group_size is {describe_value(value)}")


def _require_module(tree: ModuleTree, path: str) -> PersistentModule:
    module = tree.modules.get(path)
    if module is None:
        raise not_stock_error(f"{tree.network} has no module {path}")
    return module
