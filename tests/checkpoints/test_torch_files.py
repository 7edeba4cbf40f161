"""Containers that torch.save writes: zip and legacy, around persistent objects, rosinality's dicts and state dicts."""

from __future__ import annotations

import argparse
import math
import sys
import types
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest

from tuiface.core.errors import ModelError
from tuiface.engine.checkpoints import read_checkpoint

from .pickles import Call, Named
from .writers import (
    discriminator_config,
    generator_config,
    generator_pickle,
    random_tensors,
    rosinality_generator,
)

torch = pytest.importorskip("torch")

CONFIG = generator_config(16)
TENSORS = random_tensors(CONFIG)
SQUARE = generator_config(16, z_dim=6)


def tensors_of(arrays: dict[str, Any]) -> OrderedDict[str, Any]:
    return OrderedDict((name, torch.from_numpy(array.copy())) for name, array in arrays.items())


@pytest.fixture(params=[True, False], ids=["zip", "legacy"])
def save_torch(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    def write(value: Any) -> Path:
        path = tmp_path / "network.pt"
        torch.save(value, path, _use_new_zipfile_serialization=request.param)
        return path

    return write


def assert_holds(path: Path, expected: dict[str, Any]) -> None:
    held = read_checkpoint(path).generator.tensors
    assert held.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(held[name], values, err_msg=name)


def state_dict_of(arrays: dict[str, Any]) -> Any:
    """What the real state_dict() of a torch module gives for these parameters: an OrderedDict with metadata."""
    root = torch.nn.Module()
    for name, array in arrays.items():
        parent = root
        *path, leaf = name.split(".")
        for part in path:
            if part not in parent._modules:
                parent.add_module(part, torch.nn.Module())
            parent = parent._modules[part]
        parent.register_parameter(leaf, torch.nn.Parameter(torch.from_numpy(array.copy()), requires_grad=False))
    return root.state_dict()


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_state_dict_opens_with_its_assumptions_as_notices(save_torch: Any, *, wrapped: bool) -> None:
    state = state_dict_of(TENSORS)
    path = save_torch({"G_ema": state} if wrapped else state)
    assert_holds(path, TENSORS)
    contents = read_checkpoint(path)
    assert contents.format == "torch state dict"
    assert contents.generator.config == CONFIG
    assert any("no clamp" in notice for notice in contents.notices)


def test_a_state_dict_may_bring_its_discriminator(save_torch: Any) -> None:
    config = discriminator_config(16, architecture="orig")
    value = {"G_ema": tensors_of(TENSORS), "D": tensors_of(random_tensors(config))}
    contents = read_checkpoint(save_torch(value))
    assert contents.discriminator is not None
    assert contents.discriminator.config == config


def rosinality_arrays() -> dict[str, Any]:
    return rosinality_generator(random_tensors(SQUARE))


def test_a_rosinality_checkpoint_opens(save_torch: Any) -> None:
    tensors = random_tensors(SQUARE)
    value = {"g_ema": tensors_of(rosinality_arrays()), "latent_avg": torch.from_numpy(tensors["mapping.w_avg"])}
    assert_holds(save_torch(value), tensors)


def test_a_bare_rosinality_state_dict_opens_without_a_mean(save_torch: Any) -> None:
    assert_holds(save_torch(tensors_of(rosinality_arrays())), random_tensors(SQUARE, w_avg=False) | {})


def test_a_decoder_inside_an_encoder_checkpoint_opens(save_torch: Any) -> None:
    tensors = random_tensors(SQUARE)
    state = tensors_of({f"decoder.{name}": array for name, array in rosinality_arrays().items()})
    state["encoder.input_layer.0.weight"] = torch.zeros(64, 3, 3, 3)
    mean = torch.from_numpy(tensors["mapping.w_avg"]).repeat(SQUARE.num_ws, 1)
    assert_holds(save_torch({"state_dict": state, "latent_avg": mean, "opts": {"lr": 1e-4}}), tensors)


@pytest.mark.parametrize("kind", ["array", "double array", "list", "list of a list", "rows"])
def test_a_mean_that_people_added_themselves_is_used(kind: str, save_torch: Any) -> None:
    """Report: e4e issue 30."""
    tensors = random_tensors(SQUARE)
    mean = tensors["mapping.w_avg"]
    held = {
        "array": mean,
        "double array": mean.astype(np.float64),
        "list": mean.tolist(),
        "list of a list": [mean.tolist()],
        "rows": np.tile(mean, (SQUARE.num_ws, 1)),
    }[kind]
    assert_holds(save_torch({"g_ema": tensors_of(rosinality_arrays()), "latent_avg": held}), tensors)


@pytest.mark.parametrize(
    ("mean", "message"),
    [
        ("zero", "latent_avg is 'zero'"),
        ([], "latent_avg is a list of 0"),
        ([0.5, "1"], "latent_avg is a list of 2"),
        ([True] * 6, "latent_avg is a list of 6"),
        ([0.5] * 5, r"shape \[5\]; expected is \[6\]"),
        ([math.nan] * 6, "not finite"),
    ],
)
def test_what_is_no_mean_is_refused(mean: Any, message: str, save_torch: Any) -> None:
    with pytest.raises(ModelError, match=message):
        read_checkpoint(save_torch({"g_ema": tensors_of(rosinality_arrays()), "latent_avg": mean}))


def test_noise_maps_that_the_file_lacks_are_drawn_and_said(save_torch: Any) -> None:
    """Reports: rosinality issues 71 and 176."""
    arrays = {name: array for name, array in rosinality_arrays().items() if not name.startswith("noises.")}
    first, second = (read_checkpoint(save_torch({"g_ema": tensors_of(arrays)})) for _ in range(2))
    maps = {name: map_ for name, map_ in first.generator.tensors.items() if name.endswith("noise_const")}
    assert maps.keys() == {name for name in random_tensors(SQUARE) if name.endswith("noise_const")}
    assert all(map_.shape[0] == int(name.split(".")[1][1:]) for name, map_ in maps.items())
    assert 0.9 < np.concatenate([map_.ravel() for map_ in maps.values()]).std() < 1.1
    assert first.network_sha256 == second.network_sha256
    assert [a for a in first.assumptions if "noise maps" in a] == [a for a in first.notices if "noise maps" in a] != []


def test_a_file_that_lacks_some_noise_maps_is_incomplete(save_torch: Any) -> None:
    arrays = rosinality_arrays()
    del arrays["noises.noise_1"]
    with pytest.raises(ModelError, match=r"b8\.conv0\.noise_const \[8, 8\] is missing"):
        read_checkpoint(save_torch({"g_ema": tensors_of(arrays)}))


def parallel(entries: Any) -> Any:
    return OrderedDict((f"module.{name}", tensor) for name, tensor in entries.items())


@pytest.mark.parametrize("wrap", [parallel, lambda e: {"params_ema": e}, lambda e: {"params_ema": parallel(e)}])
def test_wrappings_of_a_state_dict_are_looked_through(wrap: Any, save_torch: Any) -> None:
    assert_holds(save_torch(wrap(tensors_of(TENSORS))), TENSORS)
    assert_holds(save_torch(wrap(tensors_of(rosinality_arrays()))), random_tensors(SQUARE, w_avg=False) | {})


@pytest.mark.parametrize("key", ["G", "g"])
def test_a_generator_that_is_not_averaged_is_taken_where_there_is_no_other(key: str, save_torch: Any) -> None:
    nvidia = (TENSORS, "G_ema", "mapping.fc0.weight")
    arrays, other, first = nvidia if key == "G" else (rosinality_arrays(), "g_ema", "style.1.weight")
    notices = read_checkpoint(save_torch({key: tensors_of(arrays)})).notices
    assert any("no averaged generator" in notice for notice in notices)
    doubled = {name: np.asarray(2 * array) for name, array in arrays.items()}
    contents = read_checkpoint(save_torch({key: tensors_of(doubled), other: tensors_of(arrays)}))
    np.testing.assert_array_equal(contents.generator.tensors["mapping.fc0.weight"], arrays[first])
    assert not any("no averaged generator" in notice for notice in contents.notices)


def test_names_of_another_program_are_said(save_torch: Any) -> None:
    state = {"constant_input.weight": torch.zeros(1, 6, 4, 4), "style_mlp.1.weight": torch.zeros(6, 6)}
    with pytest.raises(ModelError, match="BasicSR's names"):
        read_checkpoint(save_torch({"params_ema": state}))


def test_values_that_no_network_needs_are_passed_over(save_torch: Any) -> None:
    """Reports: PyTorch 2.6's weights_only, ai4g-flood issue 15."""
    arguments = argparse.Namespace(
        out=Path("runs/1"),
        device=torch.device("cuda", 0),
        dtype=torch.bfloat16,
        nothing=None,
        paths=[PurePosixPath("a")],
    )
    tensors = random_tensors(SQUARE)
    value = {
        "g_ema": tensors_of(rosinality_arrays()),
        "latent_avg": torch.from_numpy(tensors["mapping.w_avg"]),
        "args": arguments,
        "device": torch.device("cpu"),
    }
    assert_holds(save_torch(value), tensors)


@pytest.mark.parametrize("value", [torch.device("cpu"), torch.float32, Path("a")])
def test_such_a_value_is_no_tensor(value: Any, save_torch: Any) -> None:
    entries = {**tensors_of(rosinality_arrays()), "input.input": value}
    with pytest.raises(ModelError, match="no StyleGAN2 generator found"):
        read_checkpoint(save_torch({"g_ema": entries}))
    with pytest.raises(ModelError, match=r"latent_avg is a (torch|pathlib)\."):
        read_checkpoint(save_torch({"g_ema": tensors_of(rosinality_arrays()), "latent_avg": value}))


def test_rows_of_a_mean_that_differ_are_refused(save_torch: Any) -> None:
    mean = torch.arange(12.0).reshape(2, 6)
    with pytest.raises(ModelError, match="rows that differ"):
        read_checkpoint(save_torch({"g_ema": tensors_of(rosinality_arrays()), "latent_avg": mean}))


def test_strided_views_and_shared_storages_are_read_as_torch_reads_them(save_torch: Any) -> None:
    tensors = random_tensors(SQUARE)
    state = tensors_of(rosinality_arrays())
    state["style.1.weight"] = state["style.1.weight"].t().contiguous().t()
    both = torch.cat([state["style.1.bias"], state["style.2.bias"]])
    state["style.1.bias"], state["style.2.bias"] = both[:6], both[6:]
    value = {"g_ema": state, "latent_avg": torch.from_numpy(tensors["mapping.w_avg"])}
    assert_holds(save_torch(value), tensors)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_other_precisions_widen_as_torch_widens_them(dtype: str, save_torch: Any) -> None:
    state = OrderedDict((name, t.to(getattr(torch, dtype))) for name, t in tensors_of(TENSORS).items())
    assert_holds(save_torch(state), {name: t.float().numpy() for name, t in state.items()})


@pytest.mark.parametrize("factor", [0.25, 2.0])
def test_a_rosinality_kernel_of_another_gain_is_refused(factor: float, save_torch: Any) -> None:
    state = tensors_of(rosinality_arrays())
    state["convs.0.conv.blur.kernel"] *= factor
    with pytest.raises(ModelError, match=r"filter convs\.0\.conv\.blur\.kernel"):
        read_checkpoint(save_torch({"g_ema": state}))


def test_a_missing_rosinality_tensor_is_named(save_torch: Any) -> None:
    state = tensors_of(rosinality_arrays())
    del state["to_rgbs.0.bias"]
    with pytest.raises(ModelError, match=r"tensor synthesis\.b8\.torgb\.bias \[3\] is missing"):
        read_checkpoint(save_torch({"g_ema": state}))


def test_a_dict_without_a_generator_is_refused_by_its_keys(save_torch: Any) -> None:
    with pytest.raises(ModelError, match="no StyleGAN2 generator found: a dict with 'model', 'epoch'"):
        read_checkpoint(save_torch({"model": {"conv.weight": torch.zeros(2)}, "epoch": 3}))


@pytest.fixture
def persistence() -> Iterator[types.ModuleType]:
    """A stand-in for NVIDIA's package, so that torch.save writes its names; removed again."""
    package, module = types.ModuleType("torch_utils"), types.ModuleType("torch_utils.persistence")

    def _reconstruct_persistent_obj(meta: Any) -> None:
        raise AssertionError("the reader must not call this")

    _reconstruct_persistent_obj.__module__ = module.__name__
    _reconstruct_persistent_obj.__qualname__ = "_reconstruct_persistent_obj"
    vars(module)["_reconstruct_persistent_obj"] = _reconstruct_persistent_obj
    sys.modules["torch_utils"], sys.modules["torch_utils.persistence"] = package, module
    yield module
    del sys.modules["torch_utils"], sys.modules["torch_utils.persistence"]


def test_torch_containers_around_persistent_objects_open(persistence: types.ModuleType, save_torch: Any) -> None:
    class Persistent:
        def __init__(self, meta: Any) -> None:
            self.meta = meta

        def __reduce__(self) -> Any:
            return vars(persistence)["_reconstruct_persistent_obj"], (self.meta,)

    def real(value: Any) -> Any:
        """The description of a pickle as objects, which torch.save then writes in its own way."""
        if isinstance(value, dict):
            return {key: real(item) for key, item in value.items()}
        if not isinstance(value, Call):
            return value
        arguments = value.arguments
        assert isinstance(value.target, Named)
        match value.target.name:
            case "_reconstruct_persistent_obj":
                return Persistent(real(arguments[0]))
            case "OrderedDict":
                return OrderedDict()
            case "scalar":
                return np.frombuffer(arguments[1], "<f8")[0]
            case "_rebuild_parameter":
                return torch.nn.Parameter(real(arguments[0]), requires_grad=False)
            case "_rebuild_tensor_v2":
                stream, shape = arguments[0].arguments[0], arguments[2]
                data = stream[len(stream) - 4 * math.prod(shape) :]
                return torch.from_numpy(np.frombuffer(data, np.float32).reshape(shape).copy())
        raise AssertionError(value.target)

    path = save_torch({"G_ema": real(generator_pickle(CONFIG, TENSORS))})
    assert_holds(path, TENSORS)
    assert read_checkpoint(path).format == "stylegan2-ada-pytorch pickle"


def test_a_zip_with_the_wrong_content_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "archive.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("network.pkl", b"x")
    with pytest.raises(ModelError, match=r"0 members named data\.pkl"):
        read_checkpoint(path)


@pytest.fixture
def torch_zip(tmp_path: Path) -> Path:
    torch.save(tensors_of(TENSORS), tmp_path / "original.pt")
    return tmp_path / "original.pt"


def test_a_compressed_torch_zip_is_refused(torch_zip: Path) -> None:
    path = torch_zip.with_name("packed.pt")
    with zipfile.ZipFile(torch_zip) as archive, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in archive.namelist():
            packed.writestr(name, archive.read(name))
    with pytest.raises(ModelError, match=r"byteorder' is compressed.*zip -0 -r"):
        read_checkpoint(path)


def test_a_torch_zip_that_was_unpacked_says_how_to_pack_it_again(torch_zip: Path) -> None:
    """Reports: gan-transfer issue 1, StyleGAN-nada issue 23."""
    with zipfile.ZipFile(torch_zip) as archive:
        archive.extractall(torch_zip.parent)
        (root,) = {name.split("/")[0] for name in archive.namelist()}
    folder = torch_zip.parent / root
    for path in (folder, folder / "data.pkl"):
        with pytest.raises(ModelError, match=r"unpacked.*zip -0 -r"):
            read_checkpoint(path)
    packed = torch_zip.with_name("packed.pt")
    with zipfile.ZipFile(packed, "w") as archive:  # as `zip -0 -r` does from inside the folder
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))
    assert_holds(packed, TENSORS)


def test_a_zip64_container_opens(torch_zip: Path) -> None:
    path = torch_zip.with_name("wide.pt")
    with zipfile.ZipFile(torch_zip) as archive, zipfile.ZipFile(path, "w") as wide:
        for name in archive.namelist():
            with wide.open(zipfile.ZipInfo(name), "w", force_zip64=True) as member:
                member.write(archive.read(name))
    assert_holds(path, TENSORS)
