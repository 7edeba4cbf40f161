"""Every golden checkpoint opens, and every tensor of it is the one that its writer stored."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rfc8785

from tuiface.engine.checkpoints import Tensors, network_digest, read_checkpoint, read_native_header, write_native
from tuiface.engine.networks.config import config_to_json

from .golden import NAMES, NVIDIA_NAMES, ROSINALITY_NAMES, golden
from .writers import rosinality_generator

FORMATS = {
    "a_ada_uncond32": "stylegan2-ada-pytorch pickle",
    "b_ada_cond64": "stylegan2-ada-pytorch pickle",
    "c_tf_stylegan2_32": "tensorflow stylegan2 pickle",
    "d2_ros_train32": "rosinality pt",
    "d_ros_converted64": "rosinality pt",
    "e_sg3repo_uncond32": "stylegan3-repository pickle",
}
#: Recipes refer to networks by these digests: they must never change.
NETWORK_DIGESTS = {
    "a_ada_uncond32": "f051d03da0a15ccb94408b6e591b5230014d96e02d443c4880fed433a64256e5",
    "b_ada_cond64": "a9122651b18575d68e11e053e99a7e1be44d08f06429bb382abb45cb2bba4585",
    "c_tf_stylegan2_32": "8b50964a6e05d326a943e476381f89ef295bb96571d883ae747636a3cf3bd89d",
    "d2_ros_train32": "34ae9d52d3127b1a0dc0a99a440acdfe4bd7dc30beb116ec1ce2e6fe9eb8c10a",
    "d_ros_converted64": "52560b52c9408f76adabfcc8045503ef981add780a85027d5460c673905ea4a9",
    "e_sg3repo_uncond32": "bc0d052d642788cf52d8af5e40077fd164d08e81e0df16db35133efd3819b613",
}


def facts_of(tensors: Tensors) -> dict[str, Any]:
    return {
        name: {"shape": list(tensor.shape), "sha256": hashlib.sha256(tensor.tobytes()).hexdigest()[:16]}
        for name, tensor in tensors.items()
    }


@pytest.mark.parametrize("name", NVIDIA_NAMES)
def test_tensors_of_g_ema_and_d_are_those_of_the_writer(name: str) -> None:
    case = golden(name)
    contents = read_checkpoint(case.path)
    assert facts_of(contents.generator.tensors) == case.tensors("G_ema")
    assert contents.discriminator is not None
    assert facts_of(contents.discriminator.tensors) == case.tensors("D")


@pytest.mark.parametrize("name", ROSINALITY_NAMES)
def test_renamed_rosinality_tensors_are_those_of_the_writer(name: str) -> None:
    case = golden(name)
    contents = read_checkpoint(case.path)
    stored = rosinality_generator(dict(contents.generator.tensors))
    kept = {key: array for key, array in stored.items() if not key.endswith("kernel")}
    expected = {key: {"shape": fact["shape"], "sha256": fact["sha256"]} for key, fact in case.tensors("g_ema").items()}
    assert facts_of(kept) == expected


@pytest.mark.parametrize("name", NAMES)
def test_format_source_and_digests(name: str) -> None:
    case = golden(name)
    contents = read_checkpoint(case.path)
    assert contents.format == contents.origin_format == FORMATS[name]
    assert contents.generator_source in case.facts["which_network"]
    assert contents.origin_sha256 == case.facts["checkpoint_sha256"]
    assert contents.network_sha256 == NETWORK_DIGESTS[name]
    assert contents.generator.config.num_ws == case.facts["num_ws"]
    assert contents.has_w_avg == ("mapping.w_avg" in contents.generator.tensors) == (name != "d2_ros_train32")


@pytest.mark.parametrize("name", ["a_ada_uncond32", "b_ada_cond64", "e_sg3repo_uncond32"])
def test_configuration_matches_the_constructor_arguments(name: str) -> None:
    facts = golden(name).facts["generator_init_kwargs"]
    config = read_checkpoint(golden(name).path).generator.config
    for field in ("z_dim", "c_dim", "w_dim", "img_resolution", "img_channels"):
        assert getattr(config, field) == facts[field]
    assert len(config.mapping_features) == facts["mapping_kwargs"]["num_layers"]
    held = {**facts, **facts.get("synthesis_kwargs", {})}
    widths = tuple(min(held["channel_base"] // r, held["channel_max"]) for r in config.block_resolutions)
    assert config.channels == widths


def test_clamp_and_half_precision_come_from_the_layers_where_the_arguments_do_not_record_them() -> None:
    contents = read_checkpoint(golden("e_sg3repo_uncond32").path)
    assert contents.generator.config.conv_clamp == 256
    assert contents.generator.config.fp16_resolutions == (8, 16, 32)
    assert contents.discriminator is not None
    assert contents.discriminator.config.conv_clamp == 256


def test_a_conditional_checkpoint_keeps_its_labels() -> None:
    contents = read_checkpoint(golden("b_ada_cond64").path)
    assert (contents.generator.config.c_dim, contents.generator.config.embed_features) == (3, 64)
    assert contents.discriminator is not None
    assert (contents.discriminator.config.c_dim, contents.discriminator.config.cmap_dim) == (3, 24)
    assert len(contents.discriminator.config.mapping_features) == 8
    assert "conditional discriminator" in contents.notices


def test_a_file_without_a_mean_says_so() -> None:
    assert any("no mean of w" in notice for notice in read_checkpoint(golden("d2_ros_train32").path).notices)


def test_rosinality_discriminator_equals_what_torch_reads() -> None:
    torch = pytest.importorskip("torch")
    path = golden("d2_ros_train32").path
    stored = torch.load(path, map_location="cpu", weights_only=False)["d"]
    contents = read_checkpoint(path)
    assert contents.discriminator is not None
    ours = contents.discriminator.tensors
    for name, key in {
        "b32.fromrgb.weight": "convs.0.0.weight",
        "b32.fromrgb.bias": "convs.0.1.bias",
        "b32.conv0.weight": "convs.1.conv1.0.weight",
        "b16.conv1.weight": "convs.2.conv2.1.weight",
        "b8.conv1.bias": "convs.3.conv2.2.bias",
        "b8.skip.weight": "convs.3.skip.1.weight",
        "b4.conv.weight": "final_conv.0.weight",
        "b4.fc.weight": "final_linear.0.weight",
        "b4.out.bias": "final_linear.1.bias",
    }.items():
        np.testing.assert_array_equal(ours[name], stored[key].numpy())


@pytest.mark.parametrize("name", NAMES)
def test_tensors_are_plain_float32_that_own_their_memory(name: str) -> None:
    contents = read_checkpoint(golden(name).path)
    for tensor in contents.generator.tensors.values():
        assert tensor.dtype == np.float32
        assert tensor.flags.c_contiguous
        assert tensor.flags.aligned
        assert tensor.flags.writeable


@pytest.mark.parametrize("name", NAMES)
def test_a_network_keeps_its_digest_through_conversion(name: str, tmp_path: Path) -> None:
    contents = read_checkpoint(golden(name).path)
    write_native(contents, tmp_path / "model.safetensors")
    again = read_checkpoint(tmp_path / "model.safetensors")
    assert again.network_sha256 == contents.network_sha256
    assert network_digest(again.generator.config, again.generator.tensors) == contents.network_sha256
    assert again.generator.config == contents.generator.config
    assert again.origin_sha256 == contents.origin_sha256
    assert facts_of(again.generator.tensors) == facts_of(contents.generator.tensors)
    assert (again.discriminator is None) == (contents.discriminator is None)
    assert read_native_header(tmp_path / "model.safetensors").network_sha256 == contents.network_sha256


def test_digest_follows_its_written_definition() -> None:
    contents = read_checkpoint(golden("a_ada_uncond32").path)
    config, tensors = contents.generator.config, contents.generator.tensors
    described = config_to_json(config)
    del described["fp16_resolutions"]
    header: Any = {"config": described, "tensors": [[name, list(tensors[name].shape)] for name in sorted(tensors)]}
    data = b"".join(tensors[name].astype("<f4").tobytes() for name in sorted(tensors))
    written = b"tuiface.network/1\n" + rfc8785.dumps(header) + b"\n" + data
    assert contents.network_sha256 == hashlib.sha256(written).hexdigest()
