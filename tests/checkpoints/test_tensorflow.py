"""TensorFlow's (G, D, Gs): conversions invert, both releases open, other networks are refused by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tuiface.core.errors import ModelError
from tuiface.engine.checkpoints import inspect_checkpoint, read_checkpoint

from .conftest import SavePickle
from .pickles import numpy_scalar
from .writers import (
    discriminator_config,
    generator_config,
    network_pickle,
    random_tensors,
    tensorflow_checkpoint,
)

CONFIG = generator_config(16)
TENSORS = random_tensors(CONFIG)
D_CONFIG = discriminator_config(16)
D_TENSORS = random_tensors(D_CONFIG, 1)


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_conversion_inverts_the_writer(protocol: int, save: SavePickle) -> None:
    contents = read_checkpoint(save(tensorflow_checkpoint(TENSORS, D_TENSORS), protocol=protocol))
    assert contents.generator.config == CONFIG
    for name, values in TENSORS.items():
        # Only mod_bias passes through an addition.
        np.testing.assert_allclose(contents.generator.tensors[name], values, atol=1e-6, err_msg=name)
    assert contents.discriminator is not None
    assert contents.discriminator.config == D_CONFIG
    for name, values in D_TENSORS.items():
        np.testing.assert_array_equal(contents.discriminator.tensors[name], values, err_msg=name)


def test_the_ada_release_brings_labels_clamp_half_precision_and_whole_batch_groups(save: SavePickle) -> None:
    config = generator_config(16, c_dim=3, embed_features=6, conv_clamp=256.0, fp16_resolutions=(8, 16))
    settings = {"conv_clamp": 256, "num_fp16_res": 2, "mapping_lrmul": 0.01}
    contents = read_checkpoint(
        save(tensorflow_checkpoint(random_tensors(config), D_TENSORS, version=5, settings=settings))
    )
    assert contents.format == "tensorflow stylegan2-ada pickle"
    assert contents.generator.config == config
    assert contents.discriminator is not None
    assert contents.discriminator.config.mbstd_group_size is None


def test_a_discriminator_without_skips_is_original(save: SavePickle) -> None:
    config = discriminator_config(16, architecture="orig")
    value = tensorflow_checkpoint(TENSORS, random_tensors(config))
    value[1].state["static_kwargs"]["architecture"] = "orig"
    contents = read_checkpoint(save(value))
    assert contents.discriminator is not None
    assert contents.discriminator.config == config


def test_a_discriminator_with_labels_is_left_out_with_a_notice(save: SavePickle) -> None:
    value = tensorflow_checkpoint(TENSORS, D_TENSORS)
    value[1].state["static_kwargs"]["label_size"] = 10
    contents = read_checkpoint(save(value))
    assert contents.discriminator is None
    assert any("D has labels" in notice for notice in contents.notices)


@pytest.mark.parametrize(
    ("version", "message"), [(3, "StyleGAN1 network of version 3"), (9, "version 9"), ("4", "version '4'")]
)
def test_other_versions_are_refused(version: Any, message: str, save: SavePickle) -> None:
    with pytest.raises(ModelError, match=message):
        read_checkpoint(save(tensorflow_checkpoint(TENSORS, D_TENSORS, version=version)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"architecture": "resnet"}, "architecture = 'resnet'"),
        ({"resample_kernel": [1, 2, 1]}, "resample_kernel = a list of 3"),
        ({"num_channels": 1}, "num_channels = 1"),
        ({"nonlinearity": "relu"}, "nonlinearity = 'relu'"),
        ({"mapping_nonlinearity": "relu"}, "mapping_nonlinearity = 'relu'"),
        ({"dtype": "float16"}, "dtype = 'float16'"),
        ({"blur_filter": None}, "blur_filter = None, which no published network has"),
        ({"a\x1b[2J": 1}, r"a\\x1b\[2J = 1"),
        ({"conv_clamp": -1}, "conv_clamp is -1"),
        ({"mapping_lrmul": "much"}, "mapping_lrmul = 'much'"),
    ],
)
def test_settings_of_other_networks_are_refused(settings: Any, message: str, save: SavePickle) -> None:
    with pytest.raises(ModelError, match=message):
        read_checkpoint(save(tensorflow_checkpoint(TENSORS, D_TENSORS, settings=settings)))


def test_settings_of_training_and_truncation_are_known(save: SavePickle) -> None:
    settings = {"truncation_psi": 0.5, "randomize_noise": True, "mapping_nonlinearity": "lrelu", "fmap_base": 16384}
    contents = read_checkpoint(save(tensorflow_checkpoint(TENSORS, D_TENSORS, settings=settings)))
    assert contents.generator.config == CONFIG


@pytest.mark.parametrize("value", ["Gs", "[Gs]", "(None, None, Gs)", "[D, Gs]", "[G, D, Gs]"])
def test_a_generator_may_stand_alone(value: str, save: SavePickle) -> None:
    """Report: maua-stylegan2 issue 13."""
    g, d, gs = tensorflow_checkpoint(TENSORS, D_TENSORS)
    held = {"Gs": gs, "[Gs]": [gs], "(None, None, Gs)": (None, None, gs), "[D, Gs]": [d, gs], "[G, D, Gs]": [g, d, gs]}
    contents = read_checkpoint(save(held[value]))
    assert contents.generator.config == CONFIG
    assert (contents.discriminator is not None) == ("D" in value)


@pytest.mark.parametrize("value", ["(G, D, None)", "[]", "(Gs, Gs, Gs, Gs)", "(Gs, 3)"])
def test_without_the_averaged_generator_nothing_opens(value: str, save: SavePickle) -> None:
    g, d, gs = tensorflow_checkpoint(TENSORS, D_TENSORS)
    held = {"(G, D, None)": (g, d, None), "[]": [], "(Gs, Gs, Gs, Gs)": (gs,) * 4, "(Gs, 3)": (gs, 3)}
    with pytest.raises(ModelError, match=r"it holds a (tuple|list) of \d instead of networks"):
        read_checkpoint(save(held[value]))


def test_noise_maps_that_the_file_lacks_are_drawn(save: SavePickle) -> None:
    tensors = {name: values for name, values in TENSORS.items() if not name.endswith("noise_const")}
    contents = read_checkpoint(save(tensorflow_checkpoint(tensors, D_TENSORS)))
    assert contents.generator.tensors.keys() == TENSORS.keys()
    assert any("noise maps" in assumption for assumption in contents.assumptions)


@pytest.mark.parametrize(
    ("name", "message"),
    [("16x16/ToRGB_lod0/weight", "progressive"), ("LabelConcat/weight", "LabelConcat"), ("extra", "additional tensor")],
)
def test_variables_of_other_networks_are_refused(name: str, message: str, save: SavePickle) -> None:
    value = tensorflow_checkpoint(TENSORS, D_TENSORS)
    extra = network_pickle("x", 4, {}, [(name, np.zeros((1, 1, 2, 3)))]).state["variables"]
    value[2].state["components"]["synthesis"].state["variables"].extend(extra)
    with pytest.raises(ModelError, match=message):
        read_checkpoint(save(value))


def test_arrays_of_the_wrong_rank_are_refused_by_name(save: SavePickle) -> None:
    value = tensorflow_checkpoint(TENSORS, D_TENSORS)
    variables = value[2].state["components"]["synthesis"].state["variables"]
    index = next(i for i, (name, _) in enumerate(variables) if name == "8x8/Conv0_up/weight")
    variables[index] = ("8x8/Conv0_up/weight", numpy_scalar(1.0))
    with pytest.raises(ModelError, match=r"8x8/Conv0_up/weight has shape \[\]; expected are 4 axes"):
        read_checkpoint(save(value))


def test_source_texts_are_reported_by_digest(save: SavePickle) -> None:
    report = inspect_checkpoint(save(tensorflow_checkpoint(TENSORS, D_TENSORS)))
    assert report.refused is None
    assert len(report.source_digests) == 1
    assert report.networks == ("G", "D", "Gs")
