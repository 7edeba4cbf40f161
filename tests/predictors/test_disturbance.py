"""Pictures that are disturbed before they are read."""

from __future__ import annotations

import torch

from tuiface.engine.predictors.attributes import augment_images


def test_pictures_are_disturbed_each_in_its_own_way_and_always_alike() -> None:
    images = torch.linspace(-1, 1, 32).expand(2, 3, 32, 32).clone().requires_grad_()
    one, other = (augment_images(images, torch.Generator().manual_seed(seed), 0.1) for seed in (5, 5))
    assert torch.equal(one, other)
    assert not torch.equal(one[0], one[1])
    assert 0 < (one - images).abs().mean() < 0.3
    one.sum().backward()  # type: ignore[no-untyped-call]
    assert images.grad is not None
    assert torch.equal(images.grad, torch.ones_like(images))
