"""A network whose w is stretched draws at psi 1 what it drew farther from its mean."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.training.conftest import tiny_settings
from tuiface.engine.networks.generator import Generator
from tuiface.engine.training.gan.export import rescale_psi
from tuiface.engine.training.gan.state import TrainingState


@pytest.fixture
def generator(tmp_path: Path) -> Generator:
    """An untrained one, with a mean that is not 0."""
    made = TrainingState(tiny_settings(tmp_path)).generator
    made.mapping.w_avg.copy_(torch.linspace(-1, 1, len(made.mapping.w_avg)))
    return made


@torch.no_grad()
@pytest.mark.parametrize("factor", [0.8, 1.0, 1.3])
def test_faces_at_psi_1_are_those_at_the_factor(generator: Generator, factor: float) -> None:
    changed = rescale_psi(generator, factor)
    z = torch.randn(3, generator.config.z_dim, generator=torch.Generator().manual_seed(1))
    before = generator.synthesize(generator.truncate(generator.map(z), factor))
    after = changed.synthesize(changed.map(z))
    assert torch.allclose(before, after, atol=1e-4 * float(before.abs().max()))
    mean = generator.synthesize(generator.truncate(generator.map(z), 0.0))
    assert torch.allclose(mean, changed.synthesize(changed.truncate(changed.map(z), 0.0)), atol=1e-4)


def test_the_network_itself_is_left_alone(generator: Generator) -> None:
    kept = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    rescale_psi(generator, 1.5)
    assert all(torch.equal(kept[name], tensor) for name, tensor in generator.state_dict().items())
