"""The stock StyleGAN2 networks as tables: which tensors of which shape a configuration means, and the way back.

Shape legend: R = img_resolution, C(r) = channels at resolution r, w = w_dim, z = z_dim, c = c_dim.
Names are NVIDIA's, relative to the network: `synthesis.b8.conv0.weight`, `mapping.fc0.weight`, `b32.fromrgb.weight`.
Source: Karras et al. 2020 (arXiv 1912.04958), section 2 and appendix B; 2020b (2006.06676) for labels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import pairwise

from tuiface.core.errors import ModelError
from tuiface.core.limits import MAX_WIDTH
from tuiface.core.safetensors_header import Shape
from tuiface.engine.networks.config import MAX_RESOLUTION, DiscriminatorConfig, GeneratorConfig, block_resolutions

Shapes = Mapping[str, Shape]

W_AVG = "mapping.w_avg"
MAX_MAPPING_LAYERS = 64
RESOLUTIONS = block_resolutions(MAX_RESOLUTION)


def generator_shapes(config: GeneratorConfig) -> dict[str, Shape]:
    """Every tensor of the generator except the optional `mapping.w_avg` [w]."""
    shapes: dict[str, Shape] = {}
    shapes.update(_mapping_shapes(config.z_dim, config.c_dim, config.embed_features, config.mapping_features))
    previous = 0
    for resolution in config.block_resolutions:
        channels = config.channels_at(resolution)
        block = f"synthesis.b{resolution}"
        if resolution == 4:
            shapes[f"{block}.const"] = (channels, 4, 4)
        else:
            shapes.update(_layer_shapes(f"{block}.conv0", (previous, channels), resolution, config.w_dim))
        shapes.update(_layer_shapes(f"{block}.conv1", (channels, channels), resolution, config.w_dim))
        shapes[f"{block}.torgb.weight"] = (config.img_channels, channels, 1, 1)
        shapes[f"{block}.torgb.bias"] = (config.img_channels,)
        shapes[f"{block}.torgb.affine.weight"] = (channels, config.w_dim)
        shapes[f"{block}.torgb.affine.bias"] = (channels,)
        previous = channels
    return shapes


def _layer_shapes(name: str, channels: tuple[int, int], resolution: int, w_dim: int) -> Iterator[tuple[str, Shape]]:
    channels_in, channels_out = channels
    yield f"{name}.weight", (channels_out, channels_in, 3, 3)
    yield f"{name}.bias", (channels_out,)
    yield f"{name}.noise_strength", ()
    yield f"{name}.noise_const", (resolution, resolution)
    yield f"{name}.affine.weight", (channels_in, w_dim)
    yield f"{name}.affine.bias", (channels_in,)


def _mapping_shapes(z_dim: int, c_dim: int, embed_features: int, features: Shape) -> Iterator[tuple[str, Shape]]:
    if c_dim:
        yield "mapping.embed.weight", (embed_features, c_dim)
        yield "mapping.embed.bias", (embed_features,)
    for index, (width_in, width_out) in enumerate(pairwise((z_dim + embed_features, *features))):
        yield f"mapping.fc{index}.weight", (width_out, width_in)
        yield f"mapping.fc{index}.bias", (width_out,)


def discriminator_shapes(config: DiscriminatorConfig) -> dict[str, Shape]:
    """Every tensor of the discriminator."""
    shapes: dict[str, Shape] = {}
    if config.c_dim:
        shapes.update(_mapping_shapes(0, config.c_dim, config.embed_features, config.mapping_features))
    top = config.img_resolution
    shapes[f"b{top}.fromrgb.weight"] = (config.channels_at(top), config.img_channels, 1, 1)
    shapes[f"b{top}.fromrgb.bias"] = (config.channels_at(top),)
    for resolution in reversed(config.block_resolutions[1:]):
        channels, channels_out = config.channels_at(resolution), config.channels_at(resolution // 2)
        block = f"b{resolution}"
        shapes[f"{block}.conv0.weight"] = (channels, channels, 3, 3)
        shapes[f"{block}.conv0.bias"] = (channels,)
        shapes[f"{block}.conv1.weight"] = (channels_out, channels, 3, 3)
        shapes[f"{block}.conv1.bias"] = (channels_out,)
        if config.architecture == "resnet":
            shapes[f"{block}.skip.weight"] = (channels_out, channels, 1, 1)
    channels = config.channels_at(4)
    shapes["b4.conv.weight"] = (channels, channels + config.mbstd_num_channels, 3, 3)
    shapes["b4.conv.bias"] = (channels,)
    shapes["b4.fc.weight"] = (channels, channels * 16)
    shapes["b4.fc.bias"] = (channels,)
    num_logits = config.cmap_dim if config.c_dim else 1
    shapes["b4.out.weight"] = (num_logits, channels)
    shapes["b4.out.bias"] = (num_logits,)
    return shapes


def check_generator_config(config: GeneratorConfig) -> None:
    """Raise ModelError for a configuration that no engine can build; shapes computed from others would be nonsense."""
    _check_common(config)
    _check_range("z_dim", config.z_dim, 1, MAX_WIDTH)
    _check_range("w_dim", config.w_dim, 1, MAX_WIDTH)
    _check_range("mapping layers", len(config.mapping_features), 1, MAX_MAPPING_LAYERS)
    if config.mapping_features[-1] != config.w_dim:
        raise ModelError(
            f"the mapping ends in {config.mapping_features[-1]} features; expected is w_dim {config.w_dim}"
        )
    if not set(config.fp16_resolutions) <= set(config.block_resolutions):
        raise ModelError(f"fp16_resolutions {list(config.fp16_resolutions)[:12]} are not blocks of this network")


def check_discriminator_config(config: DiscriminatorConfig) -> None:
    """Raise ModelError for a configuration that no engine can build."""
    _check_common(config)
    _check_range("mbstd_num_channels", config.mbstd_num_channels, 0, config.channels_at(4))
    if config.mbstd_num_channels and config.channels_at(4) % config.mbstd_num_channels:
        raise ModelError(
            f"C(4) = {config.channels_at(4)} is not divisible by {config.mbstd_num_channels} mbstd channels"
        )
    if config.mbstd_group_size is not None:
        _check_range("mbstd_group_size", config.mbstd_group_size, 1, MAX_WIDTH)
    _check_range("mapping layers", len(config.mapping_features), 1 if config.c_dim else 0, MAX_MAPPING_LAYERS)
    _check_range("cmap_dim", config.cmap_dim, 1 if config.c_dim else 0, MAX_WIDTH if config.c_dim else 0)
    if config.c_dim and config.mapping_features[-1] != config.cmap_dim:
        raise ModelError(f"the label mapping ends in {config.mapping_features[-1]} features, not {config.cmap_dim}")


def _check_common(config: GeneratorConfig | DiscriminatorConfig) -> None:
    if config.img_resolution not in RESOLUTIONS[1:]:
        raise ModelError(f"img_resolution is {config.img_resolution}; accepted are powers of two from 8 to 1024")
    if config.img_channels != 3:
        raise ModelError(f"img_channels is {config.img_channels}; accepted is 3 (RGB)")
    _check_range(
        "number of block widths", len(config.channels), len(config.block_resolutions), len(config.block_resolutions)
    )
    for width in (*config.channels, *config.mapping_features):
        _check_range("layer width", width, 1, MAX_WIDTH)
    _check_range("c_dim", config.c_dim, 0, MAX_WIDTH)
    _check_range("embed_features", config.embed_features, 1 if config.c_dim else 0, MAX_WIDTH if config.c_dim else 0)
    if not 0 < config.mapping_lr_multiplier <= 1:
        raise ModelError(
            f"mapping_lr_multiplier is {config.mapping_lr_multiplier}; accepted are numbers above 0 up to 1"
        )
    if config.conv_clamp is not None and not 0 < config.conv_clamp < math.inf:
        raise ModelError(f"conv_clamp is {config.conv_clamp}; accepted are null and positive numbers")


def _check_range(name: str, value: int, smallest: int, largest: int) -> None:
    if not smallest <= value <= largest:
        raise ModelError(f"{name} is {value}; accepted are {smallest} to {largest}")


def generator_config_from_shapes(shapes: Shapes) -> GeneratorConfig:
    """The configuration that follows from the tensors alone: no clamp, no half precision, multiplier 0.01.

    Consistency is not checked here: compare with `generator_shapes` of the result.
    """
    resolution = _infer_resolution(shapes, "synthesis.b{}.conv1.weight")
    channels = tuple(_side(shapes, f"synthesis.b{r}.conv1.weight", 0, 4) for r in block_resolutions(resolution))
    c_dim, embed_features, z_dim, features = _mapping_dimensions(shapes)
    return GeneratorConfig(
        z_dim=z_dim,
        c_dim=c_dim,
        w_dim=features[-1],
        img_resolution=resolution,
        img_channels=_side(shapes, "synthesis.b4.torgb.weight", 0, 4),
        channels=channels,
        mapping_features=features,
        embed_features=embed_features,
    )


def discriminator_config_from_shapes(shapes: Shapes) -> DiscriminatorConfig:
    """The configuration that follows from the tensors alone: no clamp, groups of 4, multiplier 0.01."""
    resolution = _infer_resolution(shapes, "b{}.conv0.weight")
    channels_4 = _side(shapes, "b4.conv.weight", 0, 4)
    channels = (channels_4, *(_side(shapes, f"b{r}.conv0.weight", 0, 4) for r in block_resolutions(resolution)[1:]))
    c_dim, embed_features = 0, 0
    features: Shape = ()
    if "mapping.embed.weight" in shapes:
        c_dim, embed_features, _, features = _mapping_dimensions(shapes)
    return DiscriminatorConfig(
        c_dim=c_dim,
        img_resolution=resolution,
        img_channels=_side(shapes, f"b{resolution}.fromrgb.weight", 1, 4),
        channels=channels,
        architecture="resnet" if f"b{resolution}.skip.weight" in shapes else "orig",
        mbstd_num_channels=_side(shapes, "b4.conv.weight", 1, 4) - channels_4,
        cmap_dim=_side(shapes, "b4.out.weight", 0, 2) if c_dim else 0,
        mapping_features=features,
        embed_features=embed_features,
    )


def _mapping_dimensions(shapes: Shapes) -> tuple[int, int, int, Shape]:
    """c, width of the embedding, z, output width of each layer."""
    c_dim, embed_features = 0, 0
    if "mapping.embed.weight" in shapes:
        embed_features = _side(shapes, "mapping.embed.weight", 0, 2)
        c_dim = _side(shapes, "mapping.embed.weight", 1, 2)
    num_layers = 0
    while f"mapping.fc{num_layers}.weight" in shapes:
        num_layers += 1
    if not 1 <= num_layers <= MAX_MAPPING_LAYERS:
        raise ModelError(f"the mapping network has {num_layers} layers; accepted are 1 to {MAX_MAPPING_LAYERS}")
    features = tuple(_side(shapes, f"mapping.fc{index}.weight", 0, 2) for index in range(num_layers))
    return c_dim, embed_features, _side(shapes, "mapping.fc0.weight", 1, 2) - embed_features, features


def _infer_resolution(shapes: Shapes, pattern: str) -> int:
    held = [r for r in RESOLUTIONS[1:] if pattern.format(r) in shapes]
    if not held:
        raise ModelError(f"no tensor is named {pattern.format('8')}: not a StyleGAN2 network of 8 to 1024 pixels")
    return held[-1]


def _side(shapes: Shapes, name: str, axis: int, num_axes: int) -> int:
    shape = shapes.get(name)
    if shape is None:
        raise ModelError(f"tensor {name} is missing")
    if len(shape) != num_axes or not all(0 < side <= MAX_WIDTH for side in shape):
        raise ModelError(f"tensor {name} has shape {list(shape)}; expected are {num_axes} sides of 1 to {MAX_WIDTH}")
    return shape[axis]
