"""TensorFlow pickles: (G, D, Gs) of dnnlib's Network, StyleGAN2 (state version 4) and StyleGAN2-ADA (version 5).

Gs may also stand alone, or last in a list or tuple with None for the others.

Variables are named by scope and layer (`8x8/Conv0_up/weight`) and stored with channels last:

| TensorFlow                                  | shape         | ours                                            |
|---------------------------------------------|---------------|-------------------------------------------------|
| Dense{i}, LabelEmbed: weight                | [in, out]     | transposed                                      |
| 4x4/Const/const                             | [1, C, 4, 4]  | element 0                                       |
| convolutions: weight                        | [k, k, i, o]  | axes (3, 2, 0, 1); Conv0_up flipped before      |
| mod_weight, mod_bias                        | [w, in], [in] | transposed; 1 is added to the bias              |
| noise{k}                                    | [1, 1, r, r]  | element 0, 0; k = 2 log2(r) - 5, - 4 for Conv1  |
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from tuiface.core.errors import ModelError, describe_value
from tuiface.core.visible import to_visible
from tuiface.engine.checkpoints.accounting import Inventory, Meter
from tuiface.engine.checkpoints.architecture import (
    RESOLUTIONS,
    discriminator_config_from_shapes,
    generator_config_from_shapes,
)
from tuiface.engine.checkpoints.description import (
    Arrangement,
    CheckpointDescription,
    NetworkDescription,
    TensorSource,
    not_stock_error,
    shapes_of,
)
from tuiface.engine.checkpoints.stubs import Instance, NumpyArray
from tuiface.engine.networks.config import RESAMPLE_TAPS, DiscriminatorConfig, GeneratorConfig

STYLEGAN2_VERSION: Final = 4
ADA_VERSION: Final = 5
MAX_COMPONENTS: Final = 16

TRANSPOSED: Final = Arrangement(2, lambda a: a.transpose(1, 0))
ONLY_SAMPLE: Final = Arrangement(4, lambda a: a[0], unit_axes=1)
ONLY_CHANNEL: Final = Arrangement(4, lambda a: a[0, 0], unit_axes=2)
CHANNELS_FIRST: Final = Arrangement(4, lambda a: a.transpose(3, 2, 0, 1))
#: TensorFlow's up-sampling convolution is a correlation, torch's transposed one a convolution.
FLIPPED_CHANNELS_FIRST: Final = Arrangement(4, lambda a: a[::-1, ::-1].transpose(3, 2, 0, 1))

Settings = Mapping[str, object]

#: Settings that change the arithmetic, and the published networks' values.
GENERATOR_SETTINGS: Final[Settings] = {
    "architecture": "skip",
    "resample_kernel": list(RESAMPLE_TAPS),
    "num_channels": 3,
    "normalize_latents": True,
    "use_noise": True,
    "nonlinearity": "lrelu",
    "mapping_nonlinearity": "lrelu",
    "dtype": "float32",
}
DISCRIMINATOR_SETTINGS: Final[Settings] = {
    "resample_kernel": list(RESAMPLE_TAPS),
    "num_channels": 3,
    "nonlinearity": "lrelu",
    "dtype": "float32",
}
#: Settings that are read elsewhere, follow from the tensors' shapes, or belong to training and to truncation, which is
#: ours to choose. Any other setting may mean another picture.
KNOWN_GENERATOR_SETTINGS: Final = frozenset({
    *("conv_clamp", "mapping_lrmul", "num_fp16_res"),
    *("dlatent_size", "fmap_base", "fmap_decay", "fmap_max", "fmap_min", "label_size", "latent_size"),
    *("mapping_fmaps", "mapping_layers", "resolution", "dlatent_broadcast"),
    *("components", "func_name", "fused_modconv", "is_template_graph", "mapping_func", "synthesis_func"),
    *("dlatent_avg_beta", "is_training", "is_validation", "randomize_noise", "return_dlatents", "style_mixing_prob"),
    *("truncation_cutoff", "truncation_cutoff_val", "truncation_psi", "truncation_psi_val"),
})  # fmt: skip
KNOWN_DISCRIMINATOR_SETTINGS: Final = frozenset({
    *("architecture", "conv_clamp", "mbstd_group_size", "mbstd_num_features", "num_fp16_res"),
    *("fmap_base", "fmap_decay", "fmap_max", "fmap_min", "label_size", "resolution"),
    *("freeze_layers", "func_name", "is_template_graph", "is_training"),
    *("mapping_fmaps", "mapping_layers", "mapping_lrmul"),  # of labels, which it has none of
})  # fmt: skip

#: Renaming of one variable: TensorFlow's name, ours, arrangement, addend.
Rule = tuple[str, str, Arrangement | None, float]


def find_networks(value: object) -> dict[str, Instance]:
    """The networks of a TensorFlow checkpoint by their names, Gs among them; empty for any other value."""
    members = list(value) if isinstance(value, tuple | list) and 1 <= len(value) <= 3 else [value]
    if not all(member is None or _is_network(member) for member in members):
        return {}
    names = ("G", "D", "Gs")[3 - len(members) :]
    found = {name: member for name, member in zip(names, members, strict=True) if isinstance(member, Instance)}
    return found if "Gs" in found else {}


def describe_networks(networks: Mapping[str, Instance], meter: Meter, inventory: Inventory) -> CheckpointDescription:
    """The averaged generator Gs and, where the file has one, the discriminator."""
    generator, discriminator = networks["Gs"], networks.get("D")
    version = generator.state.get("version")
    if not isinstance(version, int) or version not in (STYLEGAN2_VERSION, ADA_VERSION):
        kind = "StyleGAN1 network" if isinstance(version, int) and version < STYLEGAN2_VERSION else "network"
        raise ModelError(f"a TensorFlow {kind} of version {describe_value(version)}: accepted are 4 and 5 (StyleGAN2)")
    for network in networks.values():
        _note_sources(network, inventory)
    ada = version == ADA_VERSION
    return CheckpointDescription(
        format="tensorflow stylegan2-ada pickle" if ada else "tensorflow stylegan2 pickle",
        generator_source="Gs",
        generator=_describe_generator(generator, meter),
        discriminator=(lambda: _describe_discriminator(discriminator, meter, default_group_size=None if ada else 4))
        if discriminator is not None
        else None,
    )


def _describe_generator(network: Instance, meter: Meter) -> NetworkDescription[GeneratorConfig]:
    components = network.state.get("components")
    synthesis = components.get("synthesis") if isinstance(components, dict) else None
    mapping = components.get("mapping") if isinstance(components, dict) else None
    if not isinstance(synthesis, Instance) or not isinstance(mapping, Instance):
        raise not_stock_error("Gs has no synthesis and mapping components")
    variables = _collect_variables("Gs", meter, network, mapping, synthesis)
    if any("ToRGB_lod" in name for name in variables):
        raise not_stock_error("Gs is a progressive network (ToRGB_lod, configurations A to D); accepted are E and F")
    if "LabelConcat/weight" in variables:
        raise not_stock_error("Gs concatenates labels (LabelConcat) as no published network does")
    settings = {**_read_settings(network), **_read_settings(synthesis), **_read_settings(mapping)}
    _refuse_unknown_settings("Gs", settings, GENERATOR_SETTINGS, KNOWN_GENERATOR_SETTINGS)
    _check_settings("Gs", settings, GENERATOR_SETTINGS)
    sources = dict(_rename_variables(variables, _generator_rules()))
    config = generator_config_from_shapes(shapes_of(sources))
    config = replace(
        config,
        mapping_lr_multiplier=_read_multiplier(settings),
        conv_clamp=_read_conv_clamp(settings),
        fp16_resolutions=_read_fp16_resolutions(config, settings),
    )
    notices = ("conditional generator: pictures need a class label",) if config.c_dim else ()
    return NetworkDescription("Gs", config, sources, notices)


def _describe_discriminator(
    network: Instance, meter: Meter, *, default_group_size: int | None
) -> NetworkDescription[DiscriminatorConfig]:
    settings = _read_settings(network)
    if settings.get("label_size", 0) != 0:
        raise not_stock_error("D has labels, whose layout differs between releases")
    variables = _collect_variables("D", meter, network)
    _refuse_unknown_settings("D", settings, DISCRIMINATOR_SETTINGS, KNOWN_DISCRIMINATOR_SETTINGS)
    _check_settings("D", settings, DISCRIMINATOR_SETTINGS)
    sources = dict(_rename_variables(variables, _discriminator_rules()))
    config = discriminator_config_from_shapes(shapes_of(sources))
    _check_settings("D", {"architecture": "resnet", **settings}, {"architecture": config.architecture})
    group_size = settings.get("mbstd_group_size", default_group_size)
    if group_size is not None and (not isinstance(group_size, int) or group_size < 1):
        raise not_stock_error(f"D has the mbstd_group_size {describe_value(group_size)}")
    config = replace(config, mbstd_group_size=group_size, conv_clamp=_read_conv_clamp(settings))
    return NetworkDescription("D", config, sources)


def _generator_rules() -> Iterator[Rule]:
    yield "dlatent_avg", "mapping.w_avg", None, 0.0
    yield "LabelEmbed/weight", "mapping.embed.weight", TRANSPOSED, 0.0
    yield "LabelEmbed/bias", "mapping.embed.bias", None, 0.0
    for index in range(64):
        yield f"Dense{index}/weight", f"mapping.fc{index}.weight", TRANSPOSED, 0.0
        yield f"Dense{index}/bias", f"mapping.fc{index}.bias", None, 0.0
    yield "4x4/Const/const", "synthesis.b4.const", ONLY_SAMPLE, 0.0
    yield from _layer_rules("4x4/Conv", "synthesis.b4.conv1", CHANNELS_FIRST, noise=0)
    yield from _torgb_rules(4)
    for resolution in RESOLUTIONS[1:]:
        block, noise = f"synthesis.b{resolution}", 2 * int(math.log2(resolution)) - 5
        scope = f"{resolution}x{resolution}"
        yield from _layer_rules(f"{scope}/Conv0_up", f"{block}.conv0", FLIPPED_CHANNELS_FIRST, noise=noise)
        yield from _layer_rules(f"{scope}/Conv1", f"{block}.conv1", CHANNELS_FIRST, noise=noise + 1)
        yield from _torgb_rules(resolution)


def _layer_rules(stored: str, name: str, arrangement: Arrangement, *, noise: int) -> Iterator[Rule]:
    yield from _modulated_rules(stored, name, arrangement)
    yield f"{stored}/noise_strength", f"{name}.noise_strength", None, 0.0
    yield f"noise{noise}", f"{name}.noise_const", ONLY_CHANNEL, 0.0


def _torgb_rules(resolution: int) -> Iterator[Rule]:
    return _modulated_rules(f"{resolution}x{resolution}/ToRGB", f"synthesis.b{resolution}.torgb", CHANNELS_FIRST)


def _modulated_rules(stored: str, name: str, arrangement: Arrangement) -> Iterator[Rule]:
    yield f"{stored}/weight", f"{name}.weight", arrangement, 0.0
    yield f"{stored}/bias", f"{name}.bias", None, 0.0
    yield f"{stored}/mod_weight", f"{name}.affine.weight", TRANSPOSED, 0.0
    yield f"{stored}/mod_bias", f"{name}.affine.bias", None, 1.0


def _discriminator_rules() -> Iterator[Rule]:
    layers = [("4x4/Conv", "b4.conv")]
    for resolution in RESOLUTIONS[1:]:
        scope, block = f"{resolution}x{resolution}", f"b{resolution}"
        layers += [(f"{scope}/FromRGB", f"{block}.fromrgb"), (f"{scope}/Conv0", f"{block}.conv0")]
        layers += [(f"{scope}/Conv1_down", f"{block}.conv1"), (f"{scope}/Skip", f"{block}.skip")]
    for stored, name in layers:
        yield f"{stored}/weight", f"{name}.weight", CHANNELS_FIRST, 0.0
        yield f"{stored}/bias", f"{name}.bias", None, 0.0
    for stored, name in (("4x4/Dense0", "b4.fc"), ("Output", "b4.out")):
        yield f"{stored}/weight", f"{name}.weight", TRANSPOSED, 0.0
        yield f"{stored}/bias", f"{name}.bias", None, 0.0


def _rename_variables(
    variables: Mapping[str, NumpyArray | float], rules: Iterator[Rule]
) -> Iterator[tuple[str, TensorSource]]:
    """All variables as sources under our names; a variable without a rule keeps its name, and is refused later."""
    left = dict(variables)
    for stored, name, arrangement, plus in rules:
        if stored in left:
            yield name, TensorSource(left.pop(stored), stored, arrangement, plus)
    for stored, value in left.items():
        if stored != "lod":
            yield stored, TensorSource(value, stored)


def _collect_variables(label: str, meter: Meter, *networks: Instance) -> dict[str, NumpyArray | float]:
    """The variables of a network and its components, whose names do not collide."""
    variables: dict[str, NumpyArray | float] = {}
    for network in networks:
        pairs = network.state.get("variables")
        if not isinstance(pairs, list):
            raise not_stock_error(f"{label} has no list of variables")
        meter.visit(len(pairs))
        for pair in pairs:
            match pair:
                case (str() as name, NumpyArray() | float() as value) if name not in variables:
                    variables[name] = value
                case _:
                    raise not_stock_error(
                        f"{label} has a variable that is {describe_value(pair)}, not a new name with an array"
                    )
    return variables


def _read_settings(network: Instance) -> dict[str, object]:
    settings = network.state.get("static_kwargs")
    if not isinstance(settings, dict):
        return {}
    return {key: value for key, value in settings.items() if isinstance(key, str)}


def _refuse_unknown_settings(label: str, settings: Settings, fixed: Settings, known: frozenset[str]) -> None:
    for name, value in settings.items():
        if name not in fixed and name not in known:
            raise not_stock_error(
                f"{label} has the setting {to_visible(name)} = {describe_value(value)}, which no published network has"
            )


def _check_settings(label: str, settings: Settings, fixed: Mapping[str, object]) -> None:
    for name, expected in fixed.items():
        held = settings.get(name, expected)
        if isinstance(expected, list):
            same = isinstance(held, list) and len(held) == len(expected) and all(map(_same_number, held, expected))
        else:
            same = type(held) is type(expected) and held == expected
        if not same:
            raise not_stock_error(f"{label} has the setting {name} = {describe_value(held)}; accepted is {expected}")


def _same_number(held: object, expected: object) -> bool:
    return isinstance(held, int | float) and held == expected


def _read_multiplier(settings: Settings) -> float:
    value = settings.get("mapping_lrmul", 0.01)
    if isinstance(value, int | float) and 0 < value <= 1:
        return float(value)
    raise not_stock_error(
        f"Gs has the setting mapping_lrmul = {describe_value(value)}; accepted are numbers above 0 up to 1"
    )


def _read_conv_clamp(settings: Settings) -> float | None:
    value = settings.get("conv_clamp")
    if value is None or (isinstance(value, int | float) and 0 < value < math.inf):
        return None if value is None else float(value)
    raise not_stock_error(f"the setting conv_clamp is {describe_value(value)}; accepted are None and positive numbers")


def _read_fp16_resolutions(config: GeneratorConfig, settings: Settings) -> tuple[int, ...]:
    count = settings.get("num_fp16_res", 0)
    return config.block_resolutions[-count:] if isinstance(count, int) and count > 0 else ()


def _note_sources(network: Instance, inventory: Inventory) -> None:
    """Record the source texts of a network and its components, which are never run."""
    components = network.state.get("components")
    members = list(components.values())[:MAX_COMPONENTS] if isinstance(components, dict) else []
    for member in (network, *members):
        source = member.state.get("build_module_src") if isinstance(member, Instance) else None
        if isinstance(source, str):
            inventory.note_source(source)


def _is_network(value: object) -> bool:
    return isinstance(value, Instance) and value.class_name == "Network"
