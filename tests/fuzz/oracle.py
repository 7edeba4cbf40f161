"""What must hold for any file whatever: one clear ModelError, or contents that keep every promise of the reader."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tuiface.core.errors import ModelError
from tuiface.core.visible import to_visible
from tuiface.engine.checkpoints import inspect_checkpoint, network_digest, read_checkpoint, read_native_header
from tuiface.engine.checkpoints.architecture import (
    check_discriminator_config,
    check_generator_config,
    discriminator_shapes,
    generator_shapes,
)


def check_any_file(path: Path) -> bool:
    """Read the file in every way. Returns whether it opened; raises AssertionError for a broken promise."""
    if path.suffix == ".safetensors":
        try:
            read_native_header(path)
        except ModelError as error:
            _check_message(error)
    try:
        check_contents(path)
    except ModelError as error:
        _check_message(error)
        return False
    return True


def check_contents(path: Path) -> None:
    """Read a checkpoint's contents; raises ModelError as the reader does, AssertionError for a broken promise."""
    contents = read_checkpoint(path)
    check_generator_config(contents.generator.config)
    expected = generator_shapes(contents.generator.config)
    if contents.has_w_avg:
        expected["mapping.w_avg"] = (contents.generator.config.w_dim,)
    networks = [(contents.generator.tensors, expected)]
    if contents.discriminator is not None:
        check_discriminator_config(contents.discriminator.config)
        networks.append((contents.discriminator.tensors, discriminator_shapes(contents.discriminator.config)))
    for tensors, shapes in networks:
        assert {name: tensor.shape for name, tensor in tensors.items()} == shapes
        assert all(tensor.dtype == np.float32 and np.isfinite(tensor).all() for tensor in tensors.values())
    assert contents.network_sha256 == network_digest(contents.generator.config, contents.generator.tensors)
    assert inspect_checkpoint(path).refused is None


def _check_message(error: ModelError) -> None:
    assert to_visible(str(error), None) == str(error)
    assert "\n" not in str(error)
    assert len(str(error)) < 600
