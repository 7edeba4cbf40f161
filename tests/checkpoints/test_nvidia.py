"""Persistent module pickles beyond the golden ones: other shapes and settings open, other architectures are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tuiface.core.errors import ModelError
from tuiface.engine.checkpoints import Tensors, read_checkpoint

from .conftest import SavePickle
from .pickles import numpy_scalar, tensor
from .writers import (
    discriminator_config,
    discriminator_pickle,
    generator_config,
    generator_pickle,
    nvidia_checkpoint,
    persistent,
    random_tensors,
)


def assert_same(held: Tensors, expected: Tensors) -> None:
    assert held.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(held[name], values, err_msg=name)


@pytest.mark.parametrize(
    "config",
    [
        generator_config(8),
        generator_config(64, conv_clamp=256.0, fp16_resolutions=(32, 64)),
        generator_config(16, z_dim=5, w_dim=11, mapping_features=(20, 3, 11), mapping_lr_multiplier=0.5),
        generator_config(8, c_dim=4, embed_features=6, mapping_features=(6,)),
        generator_config(1024),
    ],
    ids=["8px", "clamped", "uneven mapping", "labels", "1024px"],
)
def test_any_stock_generator_opens(config: Any, save: SavePickle) -> None:
    tensors = random_tensors(config)
    contents = read_checkpoint(save(nvidia_checkpoint(generator_pickle(config, tensors))))
    assert contents.generator.config == config
    assert_same(contents.generator.tensors, tensors)
    assert contents.discriminator is None


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_pickle_protocol_since_2_opens(protocol: int, save: SavePickle) -> None:
    config = generator_config()
    tensors = random_tensors(config)
    value = nvidia_checkpoint(generator_pickle(config, tensors))
    assert_same(read_checkpoint(save(value, protocol=protocol)).generator.tensors, tensors)


@pytest.mark.parametrize(
    "config",
    [
        discriminator_config(8, conv_clamp=256.0),
        discriminator_config(16, architecture="orig"),
        discriminator_config(8, mbstd_group_size=None),
        discriminator_config(8, c_dim=3, cmap_dim=5, embed_features=5, mapping_features=(5,) * 8),
    ],
    ids=["clamped", "orig", "whole batch", "labels"],
)
def test_any_stock_discriminator_opens(config: Any, save: SavePickle) -> None:
    generator, tensors = generator_config(8), random_tensors(config)
    pickles = generator_pickle(generator, random_tensors(generator)), discriminator_pickle(config, tensors)
    contents = read_checkpoint(save(nvidia_checkpoint(*pickles)))
    assert contents.discriminator is not None, contents.notices
    assert contents.discriminator.config == config
    assert_same(contents.discriminator.tensors, tensors)


def test_the_averaged_generator_is_read_not_the_trained_one(save: SavePickle) -> None:
    config = generator_config()
    averaged, trained = random_tensors(config, 1), random_tensors(config, 2)
    value = nvidia_checkpoint(generator_pickle(config, averaged), G=generator_pickle(config, trained))
    assert_same(read_checkpoint(save(value)).generator.tensors, averaged)


def test_a_bare_persistent_generator_opens(save: SavePickle) -> None:
    config = generator_config()
    tensors = random_tensors(config)
    assert_same(read_checkpoint(save(generator_pickle(config, tensors))).generator.tensors, tensors)


def test_a_generator_without_a_mean_opens_with_a_notice(save: SavePickle) -> None:
    config = generator_config()
    contents = read_checkpoint(save(generator_pickle(config, random_tensors(config, w_avg=False))))
    assert not contents.has_w_avg
    assert "mapping.w_avg" not in contents.generator.tensors
    assert any("no mean of w" in notice for notice in contents.notices)


def test_layers_with_their_own_widths_mark_the_stylegan3_repository(save: SavePickle) -> None:
    config = generator_config()
    contents = read_checkpoint(save(generator_pickle(config, random_tensors(config), stylegan3=True)))
    assert contents.format == "stylegan3-repository pickle"


@pytest.mark.parametrize(
    ("kind", "dtype"), [("HalfStorage", "<f2"), ("DoubleStorage", "<f8"), ("BFloat16Storage", "<u2")]
)
def test_other_floating_point_types_become_float32(kind: str, dtype: str, save: SavePickle) -> None:
    config = generator_config()
    tensors = random_tensors(config)
    name = "synthesis.b8.conv0.weight"
    values = np.arange(tensors[name].size, dtype=np.float32).reshape(tensors[name].shape) / 4
    bits = (values.view(np.uint32) >> 16).astype("<u2") if kind == "BFloat16Storage" else values.astype(dtype)
    expected = (bits.astype(np.uint32) << 16).view(np.float32) if kind == "BFloat16Storage" else values
    pickle = generator_pickle(config, tensors, stored={name: tensor(bits, kind)})
    np.testing.assert_array_equal(read_checkpoint(save(pickle)).generator.tensors[name], expected)


GENERATOR_REFUSALS: dict[str, tuple[str, dict[str, Any], str]] = {
    "clamps that differ": ("synthesis.b8.conv1", {"conv_clamp": 64}, "conv_clamp differs"),
    "a clamp that is no number": ("synthesis.b8.conv1", {"conv_clamp": "256"}, "conv_clamp is '256'"),
    "another activation": ("synthesis.b8.conv0", {"activation": "relu"}, r"b8\.conv0\.activation is 'relu'"),
    "no noise": ("synthesis.b4.conv1", {"use_noise": False}, "use_noise is False"),
    "another gain": ("synthesis.b4.conv1", {"act_gain": 1.0}, r"act_gain is 1\.0"),
    "residual blocks": ("synthesis.b8", {"architecture": "resnet"}, "architecture is 'resnet'"),
    "another up-sampling": ("synthesis.b8.conv0", {"up": 4}, "up is 4"),
    "multipliers that differ": ("mapping.fc1", {"bias_gain": 0.1, "weight_gain": 0.1 / 6**0.5}, "multipliers"),
    "another weight gain": ("mapping.fc0", {"weight_gain": 1.0}, "weight_gain"),
    "false dimensions": ("", {"z_dim": 512}, r"G_ema\.z_dim is 512"),
    "a nested bomb as attribute": ("", {"num_ws": [[[]]]}, "num_ws is a list of 1"),
}


@pytest.mark.parametrize("kind", GENERATOR_REFUSALS)
def test_a_generator_with_other_arithmetic_is_refused_by_name(kind: str, save: SavePickle) -> None:
    path, attributes, message = GENERATOR_REFUSALS[kind]
    config = generator_config(conv_clamp=256.0)
    pickle = generator_pickle(config, random_tensors(config), {path: attributes})
    with pytest.raises(ModelError, match=message) as refusal:
        read_checkpoint(save(pickle))
    assert "not a stock StyleGAN2 architecture" in str(refusal.value)


def test_an_original_generator_is_named_by_its_architecture(save: SavePickle) -> None:
    """It has one toRGB, in its last block."""
    config = generator_config()
    tensors = {name: value for name, value in random_tensors(config).items() if "b4.torgb" not in name}
    blocks = {f"synthesis.b{r}": {"architecture": "orig"} for r in config.block_resolutions}
    with pytest.raises(ModelError, match=r"b8\.architecture is 'orig'; expected is 'skip'"):
        read_checkpoint(save(generator_pickle(config, tensors, blocks)))


def test_a_generator_that_is_not_averaged_opens_where_there_is_no_other(save: SavePickle) -> None:
    config = generator_config()
    contents = read_checkpoint(save({"G": generator_pickle(config, random_tensors(config))}))
    assert contents.generator_source == "G"
    assert any("no averaged generator" in notice for notice in contents.notices)


WEIGHT = "synthesis.b8.conv0.weight"
WEIGHT_SHAPE = (5, 7, 3, 3)
BIAS = "synthesis.b8.conv0.bias"
SURPLUS = "synthesis.b8.conv0.extra"
EYE = np.eye(4, dtype=np.float32)
TENSOR_REFUSALS: dict[str, tuple[str, Any, str]] = {
    "missing": ("synthesis.b8.torgb.affine.bias", None, r"torgb\.affine\.bias \[5\] is missing"),
    "surplus": (SURPLUS, np.zeros(3, np.float32), r"additional tensor 'synthesis\.b8\.conv0\.extra'"),
    "mis-shaped": (BIAS, np.zeros(4, np.float32), r"conv0\.bias has shape \[4\]; expected is \[5\]"),
    "empty": (BIAS, np.zeros(0, np.float32), r"conv0\.bias has shape \[0\]"),
    "integers": (BIAS, tensor(np.zeros(5, "<i8"), "LongStorage"), r"conv0\.bias holds int64"),
    "beyond float32": (WEIGHT, tensor(np.full(WEIGHT_SHAPE, 1e300), "DoubleStorage"), r"conv0\.weight holds values"),
    "not a number": (WEIGHT, np.full(WEIGHT_SHAPE, np.nan, np.float32), r"conv0\.weight holds values"),
    "another filter": ("synthesis.b8.resample_filter", EYE, r"filter synthesis\.b8\.resample_filter"),
    "a number instead": (BIAS, 3, r"conv0\.bias is 3 instead of a tensor"),
}


@pytest.mark.parametrize("kind", TENSOR_REFUSALS)
def test_absent_or_unsound_tensors_are_named(kind: str, save: SavePickle) -> None:
    name, value, message = TENSOR_REFUSALS[kind]
    config = generator_config()
    with pytest.raises(ModelError, match=message):
        read_checkpoint(save(generator_pickle(config, random_tensors(config), stored={name: value})))


def test_a_discriminator_of_another_kind_costs_a_notice_only(save: SavePickle) -> None:
    generator, config = generator_config(), discriminator_config()
    other = discriminator_pickle(config, random_tensors(config), {"b8": {"architecture": "skip"}})
    contents = read_checkpoint(save(nvidia_checkpoint(generator_pickle(generator, random_tensors(generator)), other)))
    assert contents.discriminator is None
    assert any("discriminator ignored" in notice and "'skip'" in notice for notice in contents.notices)


def test_a_stylegan3_network_is_recognised(save: SavePickle) -> None:
    synthesis = persistent("SynthesisNetwork", {"_modules": {"input": persistent("SynthesisInput", {})}})
    modules = {"_modules": {"synthesis": synthesis}}
    with pytest.raises(ModelError, match="StyleGAN3"):
        read_checkpoint(save({"G_ema": persistent("Generator", modules)}))


def test_a_layer_of_another_class_is_refused(save: SavePickle) -> None:
    config = generator_config()
    pickle = generator_pickle(config, random_tensors(config))
    blocks = pickle.arguments[0]["state"]["_modules"]["synthesis"].arguments[0]["state"]["_modules"]
    blocks["b8"].arguments[0]["state"]["_modules"]["conv0"].arguments[0]["class_name"] = "ToRGBLayer"
    with pytest.raises(ModelError, match=r"b8\.conv0 is of class 'ToRGBLayer'; expected is SynthesisLayer"):
        read_checkpoint(save(pickle))


def test_a_discriminator_whose_minibatch_layer_is_absent_is_left_out(save: SavePickle) -> None:
    generator, config = generator_config(), discriminator_config()
    other = discriminator_pickle(config, random_tensors(config))
    del other.arguments[0]["state"]["_modules"]["b4"].arguments[0]["state"]["_modules"]["mbstd"]
    contents = read_checkpoint(save(nvidia_checkpoint(generator_pickle(generator, random_tensors(generator)), other)))
    assert contents.discriminator is None
    assert any("0 MinibatchStdLayer" in notice for notice in contents.notices)


@pytest.mark.parametrize("name", ["StyledGenerator", "ToGray\n\x1b[2J"])
def test_a_module_of_an_unknown_class_is_refused_on_one_printable_line(name: str, save: SavePickle) -> None:
    with pytest.raises(ModelError, match="is of class") as refusal:
        read_checkpoint(save({"G_ema": persistent(name, {})}))
    assert str(refusal.value).isprintable()


def test_colours_other_than_rgb_are_refused(save: SavePickle) -> None:
    config = generator_config(img_channels=1)
    with pytest.raises(ModelError, match=r"img_channels is 1; accepted is 3"):
        read_checkpoint(save(generator_pickle(config, random_tensors(config))))


def test_gains_may_be_numpy_scalars_or_numbers(save: SavePickle) -> None:
    config = generator_config()
    gains: dict[str, dict[str, Any]] = {
        "synthesis.b4.conv1": {"act_gain": 2**0.5},
        "synthesis.b4.torgb": {"weight_gain": numpy_scalar(7**-0.5)},
    }
    assert read_checkpoint(save(generator_pickle(config, random_tensors(config), gains))).generator.config == config
