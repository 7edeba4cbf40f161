"""From sources to rows of W+, in the recipe's order; and the network's own population of latents.

seed   -> z [1, z_dim]     `z_from_seed`
z      -> ws [1, L, w]     mapping network, its w [1, w] on every row
ws     -> ws               truncation of rows [0, cutoff) towards a centre [w]
mixes  -> ws               rows [start, stop) of other sources, truncated alike

The population, `LATENT_POPULATION_DRAWS` draws at psi 1, gives the spread of w, and says how far a face lies outside
it. GANSpace (Härkönen et al. 2020, arXiv 2004.02546) is its PCA.

Shape legend: L = num_ws, w = w_dim, C = number of classes, k = principal components that are kept, I = channels of a
style layer, N = draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tuiface.core.errors import ModelError, UsageError
from tuiface.core.limits import W_AVG
from tuiface.engine.networks.generator import Generator
from tuiface.engine.networks.layers import SynthesisLayer, ToRGBLayer
from tuiface.engine.scheduler import Pause, no_pause
from tuiface.faces.recipe import LatentSource, Recipe, SeedSource, Truncation

#: How a missing latent mean is estimated: 1000 rows of RandomState(123), as rosinality's tools do.
W_AVG_SEED = 123
W_AVG_DRAWS = 1000

#: Draws behind population statistics such as a style channel's standard deviation.
LATENT_POPULATION_SEED = 0
LATENT_POPULATION_DRAWS = 10_000
#: Faces that the mapping network takes in one batch: the last bit of a row may depend on how many there are.
DRAWN_AT_ONCE = LATENT_POPULATION_DRAWS


def z_from_seed(seed: int, z_dim: int) -> Tensor:
    """float32 [1, z_dim]: numpy RandomState(seed).randn(1, z_dim), the whole field's convention; drawn on the CPU."""
    return torch.from_numpy(np.random.RandomState(seed).randn(1, z_dim).astype(np.float32))


def draw_w(generator: Generator, seed: int, count: int, pause: Pause = no_pause) -> Tensor:
    """float32 [count, w_dim] at psi 1, from RandomState(seed).randn(count, z_dim); classes in turn if there are any.

    Drawn in parts, `pause` between them: a million faces at once would take gigabytes for z alone.
    """
    config = generator.config
    state, device = np.random.RandomState(seed), generator.mapping.w_avg.device
    parts = []
    for start in range(0, count, DRAWN_AT_ONCE):
        if start:
            pause()
        stop = min(start + DRAWN_AT_ONCE, count)
        z = torch.from_numpy(state.randn(stop - start, config.z_dim).astype(np.float32))
        c = torch.eye(config.c_dim)[torch.arange(start, stop) % config.c_dim] if config.c_dim else None
        with torch.no_grad():
            parts.append(generator.mapping(z.to(device), None if c is None else c.to(device)))
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def estimate_w_avg(generator: Generator) -> Tensor:
    """float32 [w_dim]: the mean of w over `W_AVG_DRAWS` fixed draws, for checkpoints that hold none."""
    return draw_w(generator, W_AVG_SEED, W_AVG_DRAWS).mean(dim=0)


def recipe_ws(generator: Generator, recipe: Recipe) -> Tensor:
    """float32 [1, L, w] after source, truncation and mixes. Raises ModelError for what does not fit the network."""
    ws = _truncate_source(generator, recipe.source, recipe)
    for i, mix in enumerate(recipe.mixes):
        start, stop = mix.rows
        if stop > generator.num_ws:
            raise ModelError(f"mixes[{i}].rows: [{start}, {stop}) ends beyond the model's {generator.num_ws} rows")
        ws = ws.clone()  # a given latent is a view of the recipe's own
        ws[:, start:stop] = _truncate_source(generator, mix.source, recipe)[:, start:stop]
    return ws


def map_z(generator: Generator, z: np.ndarray, label: int | None, pause: Pause = no_pause) -> np.ndarray:
    """float [N, z_dim] -> float32 [N, w_dim] at psi 1, one row at a time: a batch may be summed in another order.

    `pause` is called between two rows. Raises UsageError for another width, ModelError for a class that the network
    lacks.
    """
    config = generator.config
    if z.ndim != 2 or z.shape[1] != config.z_dim:
        raise UsageError(f"z of shape {list(z.shape)}; this model takes [N, {config.z_dim}]")
    device = generator.mapping.w_avg.device
    c = _one_hot(label, config.c_dim)
    c = None if c is None else c.to(device)
    rows: list[Tensor] = []
    with torch.no_grad():
        for row in z:
            if rows:
                pause()
            rows.append(generator.mapping(torch.from_numpy(row[None].astype(np.float32)).to(device), c))
    w: np.ndarray = torch.cat(rows).cpu().numpy() if rows else np.zeros((0, config.w_dim), np.float32)
    return w


def _truncate_source(generator: Generator, source: SeedSource | LatentSource, recipe: Recipe) -> Tensor:
    """float32 [1, L, w] of a source under the recipe's truncation."""
    ws, truncation = _source_ws(generator, source), recipe.truncation
    return generator.truncate(ws, truncation.psi, truncation.cutoff, _truncation_centre(generator, truncation))


def _truncation_centre(generator: Generator, truncation: Truncation) -> Tensor | None:
    """float32 [w_dim] that faces are truncated towards; None for w_avg."""
    if truncation.center == W_AVG:
        return None
    centre, w_dim = truncation.centre(), generator.config.w_dim
    if centre is None:
        raise ModelError(
            f"truncation.center: no population '{truncation.center}' for this model; accepted: {W_AVG}",
            "a recipe holds its population's numbers in truncation.center_w",
        )
    if len(centre) != w_dim:
        raise ModelError(f"truncation.center_w: {len(centre)} numbers; this model takes {w_dim}")
    return torch.from_numpy(centre).to(generator.mapping.w_avg.device)


def _source_ws(generator: Generator, source: SeedSource | LatentSource) -> Tensor:
    """float32 [1, L, w] at psi 1, or as given."""
    device = generator.mapping.w_avg.device
    config = generator.config
    if isinstance(source, SeedSource):
        c = _one_hot(source.label, config.c_dim)
        z = z_from_seed(source.seed, config.z_dim).to(device)
        return generator.map(z, None if c is None else c.to(device))
    expected = (config.w_dim,) if source.space == "w" else (config.num_ws, config.w_dim)
    if source.shape != expected:
        raise ModelError(f"source.shape: {list(source.shape)} in {source.space}; this model takes {list(expected)}")
    latent = torch.from_numpy(source.array()).to(device)
    return latent.expand(1, config.num_ws, config.w_dim)  # [w] or [L, w] -> [1, L, w]


def _one_hot(label: int | None, c_dim: int) -> Tensor | None:
    """float32 [1, C] of a class, None for a network without classes; raises ModelError for what does not fit."""
    if c_dim == 0:
        if label is not None:
            raise ModelError(f"source.label: {label}; this model has no classes", "leave the class out")
        return None
    if label is None or label >= c_dim:
        given = "none given" if label is None else str(label)
        raise ModelError(f"source.label: {given}; this model needs a class from 0 to {c_dim - 1}", "--class N")
    return torch.eye(c_dim)[label : label + 1]


#: Share of the variance that the kept components explain. The rest is rounding of the mapping network, and dividing by
#: its spread would let any edit, however small, count as far.
EXPLAINED_VARIANCE = 0.999


MAX_LATENT = 1e6
"""Of one number of w, which has a deviation near 1: beyond it squares and their sums overflow."""


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
        """Draw it: a tenth of a second. Raises ModelError for a network whose latents overflow or are all the same."""
        # In float64, so that the number of threads that share a sum leaves the float32 result alone.
        w = draw_w(generator, LATENT_POPULATION_SEED, LATENT_POPULATION_DRAWS).double()  # [N, w]
        if not bool((w.abs() < MAX_LATENT).all()):
            raise ModelError(f"this network's latents lie beyond {MAX_LATENT:.0f}", "its weights are too large")
        mean, covariance = w.mean(dim=0), torch.cov(w.t())
        if not bool(covariance.any()):
            raise ModelError("this network's latents are all the same: nothing can be measured by their spread")
        # On the processor: for so few numbers a GPU's library takes longer to load than they take here.
        values, vectors = torch.linalg.eigh(covariance.cpu())
        values, vectors = values.to(w.device).flip(0).clamp_min(0), fix_signs(vectors.to(w.device).flip(1))
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
