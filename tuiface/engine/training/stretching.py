"""Giving back the variety that regression takes: w is stretched about its mean.

A mapping network that was taught to foretell w explains most of its variance and not all, and what it cannot foretell
it draws as the mean; so do losses that hold a picture to a known head. Faces then lie nearer to the mean than the
data's do. The network with

    M'(z) = s M(z)        S'(w) = S(w / s + (1 - 1 / s) w_avg)

draws at psi 1 what the former drew at psi s. Both are the same layers with other numbers: leaky ReLU is homogeneous, so
s goes into the last layer of M, and the mean into the biases of the affine maps.
"""

from __future__ import annotations

import copy

import torch

from tuiface.engine.generator import Generator


@torch.no_grad()
def stretched(generator: Generator, factor: float) -> Generator:
    """A copy of `generator` whose faces at psi 1 are those at psi `factor`; its w_avg is `factor` times as long."""
    changed = copy.deepcopy(generator)
    mapping, w_avg = changed.mapping, generator.mapping.w_avg
    for parameter in mapping.get_submodule(f"fc{mapping.num_layers - 1}").parameters():
        parameter.mul_(factor)
    mapping.w_avg.mul_(factor)
    for _, layer, _ in changed.synthesis.style_layers():
        affine = layer.affine
        affine.bias.add_((1 - factor) / affine.bias_gain * (affine.weight * affine.weight_gain @ w_avg))
    return changed
