"""The discriminator's activations have the precision that was asked for."""

from __future__ import annotations

import torch

from tuiface.engine.networks.config import DiscriminatorConfig
from tuiface.engine.networks.discriminator import Discriminator


def test_bfloat16_reaches_the_convolutions_and_logits_stay_float32() -> None:
    torch.manual_seed(0)
    network = Discriminator(DiscriminatorConfig(c_dim=0, img_resolution=16, img_channels=3, channels=(8, 8, 8)))
    seen: list[torch.dtype] = []
    network.get_submodule("b8").register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    images = torch.rand(4, 3, 16, 16) * 2 - 1
    exact, coarse = network(images), network(images, dtype=torch.bfloat16)
    assert seen == [torch.float32, torch.bfloat16]
    assert coarse.dtype == torch.float32
    assert torch.allclose(exact, coarse, atol=0.1)
