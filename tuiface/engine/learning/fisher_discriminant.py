"""How attributes answer to steps in W+ near a network's faces, and the step that moves one of them and no other.

Every attribute's exact gradient on a few dozen faces says more than thousands of read faces do: which rows carry it,
and on which faces it goes together with what. The step that is wanted is a discriminant in that tangent space:

    maximise    (E[g_t] . x)^2 / (sum_j E[(g_j . x)^2] + E[((g_t - E[g_t]) . x)^2] + ridge |E[g_t]|^2 |x|^2)

with g_t the gradient of the target and g_j those of what is to be held still. It is Fisher's criterion with leakage and
unevenness as the scatter within, and InterFaceGAN's conditional direction (Shen et al. 2020, arXiv 2005.09635) where
gradients are the same on all faces and the ridge goes to 0.

Pictures are disturbed before they are read (`augment_images`): by a predictor that was trained on its own, smile then
moves by three quarters of what the first one reads, and by two thirds without.

Shape legend: N = faces, A = attributes, L = num_ws, w = w_dim, k = whitened components, R = stacked constraints.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tuiface.engine.learning.batch_predict import (
    Precision,
    SupportsAttributePrediction,
    gradient_batch_size,
    read_images,
    synthesize_differentiable,
)
from tuiface.engine.opened_network import OpenedNetwork
from tuiface.engine.predictors.attributes import augment_images
from tuiface.engine.scheduler import Pause, no_pause

BATCH = 8
RIDGE = 0.3
"""What a step of the least length for its effect costs, against a leakage of one deviation for each of its own."""
NOISE = 0.12
"""Standard deviation of the noise that pictures are disturbed by."""
SEED = 3_000_003
"""Where the disturbance of pictures comes from."""


def compute_attribute_gradients(
    network: OpenedNetwork,
    predictor: SupportsAttributePrediction,
    ws: Tensor,
    deviation: Tensor,
    precision: Precision,
    pause: Pause = no_pause,
) -> Tensor:
    """float32 [N, A, L, k]: attributes' deviations for one of each component on each row, at ws [N, L, w].

    deviation: float32 [A], one standard deviation of each attribute. One pass forward serves all attributes. Going back
    once for each is as short as it gets: what the reader reads them from is wider than they are many.
    """
    precision, generator = precision.for_gradients(), network.generator
    together = gradient_batch_size(generator.check_resolution(precision.resolution), BATCH)
    basis = network.population.basis
    rng = torch.Generator().manual_seed(SEED)
    parts = []
    for chunk in torch.split(ws, together):
        rows = chunk.detach().clone().requires_grad_()
        with torch.enable_grad():
            images = synthesize_differentiable(generator, rows, precision.dtype, precision.resolution)
            disturbed = augment_images(images, rng, NOISE)
            values = read_images(predictor, disturbed, precision.reader_dtype) / deviation
            gradients: list[Tensor] = []
            for a in range(values.shape[1]):
                gradients += torch.autograd.grad(values[:, a].sum(), rows, retain_graph=a + 1 < values.shape[1])
                pause()
        parts.append(torch.stack(gradients, dim=1) @ basis)
    return torch.cat(parts)


def solve_discriminant_step(gradients: Tensor, target: int, held: list[int], strictness: float = 1.0) -> Tensor:
    """float64 [L, k]: the step that the module's criterion wants, of unit effect on attribute `target`.

    gradients [N, A, L, k]; held: attributes whose leakage counts, times `strictness`.
    """
    num, _, rows, components = gradients.shape
    flat = gradients.double().flatten(2)  # [N, A, L * k]
    own = flat[:, target].mean(dim=0)
    uneven = flat[:, target] - own
    leaks = flat[:, held].flatten(0, 1) * strictness**0.5
    constraints = torch.cat([uneven, leaks]) / num**0.5  # [R, L * k]
    ridge = RIDGE * float(own @ own)
    # (ridge I + C^T C)^-1 own, by the identity of Woodbury: R is smaller than L * k, or about as large.
    small = constraints @ constraints.t()
    small.diagonal().add_(ridge)
    step = own - constraints.t() @ torch.linalg.solve(small, constraints @ own)
    unit: Tensor = step / (own @ step)
    return unit.reshape(rows, components)
