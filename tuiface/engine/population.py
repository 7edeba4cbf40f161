"""A network's own population of latents: its spread, and how far a face lies outside it.

Shape legend: L = num_ws, w = w_dim, k = principal components that are kept, I = channels of a style layer, N = draws.
Population: `latents.LATENT_POPULATION_DRAWS` draws at psi 1. GANSpace (Härkönen et al. 2020, arXiv 2004.02546) is
its PCA.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tuiface.engine.latents import LATENT_POPULATION_DRAWS, LATENT_POPULATION_SEED, draw_w
from tuiface.engine.networks.generator import Generator
from tuiface.engine.networks.layers import SynthesisLayer, ToRGBLayer

#: Share of the variance that the kept components explain. The rest is rounding of the mapping network, and dividing by
#: its spread would let any edit, however small, count as far.
EXPLAINED_VARIANCE = 0.999


@dataclass(frozen=True, slots=True, eq=False)
class LatentPopulation:
    """First and second moments of w, and its principal axes."""

    mean: Tensor
    """float32 [w]."""
    covariance: Tensor
    """float32 [w, w]."""
    axes: Tensor
    """float32 [w, k]: unit principal axes, largest first."""
    deviations: Tensor
    """float32 [k]: standard deviation along each axis."""
    radius_mean: float
    """Mean over the population of the distance from its centre, in whitened coordinates."""
    radius_deviation: float

    @classmethod
    def of(cls, generator: Generator) -> LatentPopulation:
        """Draw it: a tenth of a second."""
        # In float64, so that the number of threads that share a sum leaves the float32 result alone.
        w = draw_w(generator, LATENT_POPULATION_SEED, LATENT_POPULATION_DRAWS).double()  # [N, w]
        mean, covariance = w.mean(dim=0), torch.cov(w.t())
        values, vectors = torch.linalg.eigh(covariance)
        values, vectors = values.flip(0).clamp_min(0), fix_signs(vectors.flip(1))
        kept = int((values.cumsum(0) < EXPLAINED_VARIANCE * values.sum()).sum()) + 1
        axes, deviations = vectors[:, :kept], values[:kept].sqrt()
        radii = ((w - mean) @ axes / deviations).norm(dim=1)
        return cls(
            mean.float(), covariance.float(), axes.float(), deviations.float(), float(radii.mean()), float(radii.std())
        )

    @property
    def basis(self) -> Tensor:
        """float32 [w, k]: a step along column i moves w by one standard deviation of component i."""
        return self.axes * self.deviations

    def whiten(self, w: Tensor) -> Tensor:
        """w [..., w] -> standardised components [..., k]."""
        return (w - self.mean) @ self.axes / self.deviations

    def sigma_of(self, step: Tensor) -> float:
        """Standard deviation of w along `step` [w]; 0 for a step that is zero."""
        length = float(step.norm())
        unit = step / length if length else step
        return float(torch.sqrt(unit @ self.covariance @ unit))

    def channel_sigma(self, layer: SynthesisLayer | ToRGBLayer) -> Tensor:
        """float32 [I]: standard deviation of each style of a layer.

        A style is linear in w, so that of a.w + b is sqrt(a^T C a).
        """
        rows = layer.affine.weight * layer.affine.weight_gain  # [I, w]
        return torch.sqrt(((rows @ self.covariance) * rows).sum(dim=1))

    def distance_sigma(self, ws: Tensor) -> float:
        """How far the outermost row of ws [1, L, w] lies beyond a typical draw, in standard deviations of their radius.

        0 is as far from the centre as the average draw at psi 1, negative nearer; beyond about 3 no draw lies.
        """
        radii = self.whiten(ws[0]).norm(dim=1)  # [L, k] -> [L]
        return (float(radii.max()) - self.radius_mean) / self.radius_deviation


def fix_signs(vectors: Tensor) -> Tensor:
    """Columns turned so that the largest number of each is positive: eigenvectors have no sign of their own."""
    largest = vectors.abs().argmax(dim=0)
    return vectors * vectors[largest, torch.arange(vectors.shape[1], device=vectors.device)].sign()
