"""`tuiface model inspect` explains any file: what it holds, what it names, and why it was refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tuiface.engine.checkpoints import inspect_checkpoint, network_digest, read_checkpoint, write_native

from .conftest import SavePickle
from .golden import HOSTILE, NAMES, golden
from .writers import SOURCE_TEXT, generator_config, generator_pickle, nvidia_checkpoint, random_tensors


@pytest.mark.parametrize("name", NAMES)
def test_report_of_a_golden_file_agrees_with_its_facts(name: str) -> None:
    case = golden(name)
    report, contents = inspect_checkpoint(case.path), read_checkpoint(case.path)
    assert report.refused is None
    assert report.stock
    assert report.file_sha256 == case.facts["checkpoint_sha256"]
    assert report.file_bytes == case.path.stat().st_size
    assert report.num_ws == case.facts["num_ws"]
    assert report.network_sha256 == contents.network_sha256
    assert report.notices == contents.notices
    assert report.globals == tuple(sorted(report.globals))
    if contents.discriminator is not None:
        digest = network_digest(contents.discriminator.config, contents.discriminator.tensors)
        assert report.discriminator_sha256 == digest
    assert json.loads(json.dumps(report.to_json()))["resolution"] == contents.generator.config.img_resolution


def test_a_trainer_file_lists_its_networks_classes_and_globals() -> None:
    report = inspect_checkpoint(golden("a_ada_uncond32").path)
    assert report.networks == ("G", "D", "G_ema", "augment_pipe")
    assert {"Generator", "SynthesisLayer", "AugmentPipe"} <= set(report.class_names)
    assert "torch_utils.persistence._reconstruct_persistent_obj" in report.globals
    assert len(report.globals) == 9


def test_a_training_file_of_rosinality_lists_its_networks() -> None:
    assert inspect_checkpoint(golden("d2_ros_train32").path).networks == ("g", "d", "g_ema")


def test_source_texts_are_told_by_their_digest(save: SavePickle) -> None:
    config = generator_config()
    report = inspect_checkpoint(save(nvidia_checkpoint(generator_pickle(config, random_tensors(config)))))
    assert report.source_digests == (hashlib.sha256(SOURCE_TEXT.encode()).hexdigest(),)


def test_trained_values_are_counted_without_noise_maps_and_the_mean(save: SavePickle) -> None:
    config = generator_config(8, z_dim=2, w_dim=3, channels=(4, 5), mapping_features=(3,))
    report = inspect_checkpoint(save(generator_pickle(config, random_tensors(config))))
    mapping = 2 * 3 + 3
    layers = sum(i * o * 9 + o + 1 + i * 3 + i for i, o in ((4, 4), (4, 5), (5, 5)))
    colours = sum(3 * c + 3 + c * 3 + c for c in (4, 5))
    assert report.generator_parameters == mapping + 4 * 16 + layers + colours


def test_a_converted_model_tells_its_origin(tmp_path: Path) -> None:
    case = golden("c_tf_stylegan2_32")
    write_native(read_checkpoint(case.path), tmp_path / "m.safetensors", licence="CC0-1.0")
    report = inspect_checkpoint(tmp_path / "m.safetensors")
    assert report.origin_sha256 == case.facts["checkpoint_sha256"] != report.file_sha256
    assert (report.format, report.origin_format) == ("tuiface safetensors", "tensorflow stylegan2 pickle")
    assert (report.licence, report.networks) == ("CC0-1.0", ("Gs", "D"))


def test_a_refused_file_is_reported_with_the_globals_that_it_named() -> None:
    report = inspect_checkpoint(HOSTILE / "01b_os_system_in_valid_network.pkl")
    assert report.refused is not None
    assert "posix.system" in report.refused
    assert {"posix.system", "torch.FloatStorage"} <= set(report.globals)
    assert report.format is None
    assert report.network_sha256 is None


def test_a_file_of_another_kind_is_reported_with_its_digest(tmp_path: Path) -> None:
    (tmp_path / "page.pkl").write_bytes(b"<!doctype html>")
    report = inspect_checkpoint(tmp_path / "page.pkl")
    assert report.refused is not None
    assert "web page" in report.refused
    assert report.file_sha256 == hashlib.sha256(b"<!doctype html>").hexdigest()
    assert report.globals == ()


def test_names_from_the_file_are_fit_for_a_terminal(save: SavePickle) -> None:
    report = inspect_checkpoint(save(b"\x80\x04c\x1b[31mred\nname\n."))
    assert report.globals == ("\\x1b[31mred.name",)
