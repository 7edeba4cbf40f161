"""The networks reproduce the reference implementations' recorded outputs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.conftest import CHECKPOINTS
from tuiface.engine import Checkpoint, load_checkpoint

CASES = sorted(CHECKPOINTS)


class Golden:
    """One case: its opened checkpoint and what the reference made of it."""

    def __init__(self, name: str, cache: Path) -> None:
        path = CHECKPOINTS[name]
        self.checkpoint: Checkpoint = load_checkpoint(path, cache=cache)
        self.generator = self.checkpoint.generator
        self.case = json.loads((path.parent / "case.json").read_text())
        with np.load(path.parent / "expected.npz") as arrays:
            self.expected = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
        self.z = self.expected["z"]
        self.c = self.expected.get("c")

    @property
    def ws(self) -> torch.Tensor:
        return self.generator.map(self.z, self.c)

    def close(self, name: str, got: torch.Tensor) -> None:
        expected = self.expected[name]
        assert got.shape == expected.shape
        worst = float((got - expected).abs().max())
        assert worst <= 1e-4 * max(1.0, float(expected.abs().max())), f"{name} is off by {worst}"


@pytest.fixture(scope="module", params=CASES)
def golden(request: pytest.FixtureRequest, shared_cache: Path) -> Golden:
    return Golden(request.param, shared_cache)


def test_mapping_and_truncation(golden: Golden) -> None:
    golden.close("w", golden.ws)
    golden.close("w_psi07", golden.generator.truncate(golden.ws, 0.7))
    golden.close("w_psi07_cut4", golden.generator.truncate(golden.ws, 0.7, cutoff=4))


def test_images(golden: Golden) -> None:
    generator = golden.generator
    golden.close("img_const", generator.synthesize(golden.ws))
    golden.close("img_none", generator.synthesize(golden.ws, noise="none"))
    golden.close("img_const_psi07", generator.synthesize(generator.truncate(golden.ws, 0.7)))


def test_style_mixing(golden: Golden) -> None:
    ws, k = golden.ws, golden.case["style_mix_k"]
    golden.close("img_mixed_const", golden.generator.synthesize(torch.cat([ws[:1, :k], ws[1:2, k:]], dim=1)))


def test_partial_rgb_at_every_resolution(golden: Golden) -> None:
    for resolution in golden.generator.config.block_resolutions:
        golden.close(f"rgb_{resolution}", golden.generator.synthesize(golden.ws, resolution=resolution))


def test_differentiable_twin(golden: Golden) -> None:
    ws = golden.ws.requires_grad_()
    image = golden.generator.synthesize(ws)
    assert image.requires_grad
    golden.close("img_const", image.detach())


def test_one_sample_equals_its_row_of_the_batch(golden: Golden) -> None:
    """A single picture takes another path (styles folded into weights) than a batch."""
    single = torch.cat([golden.generator.synthesize(golden.ws[i : i + 1]) for i in range(3)])
    golden.close("img_const", single)


def test_discriminator(golden: Golden) -> None:
    if "d_logits_img_const" not in golden.expected:
        assert golden.checkpoint.discriminator is None
        return
    assert golden.checkpoint.discriminator is not None
    golden.close("d_logits_img_const", golden.checkpoint.discriminator(golden.expected["img_const"], golden.c))


def test_seeds_follow_the_fields_convention(golden: Golden) -> None:
    from tuiface.engine.latents import z_from_seed

    z = torch.cat([z_from_seed(seed, golden.generator.config.z_dim) for seed in golden.case["z_seeds"]])
    assert torch.equal(z, golden.z)
