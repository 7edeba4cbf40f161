"""Regions of a network's own faces: its activations, clustered once, for a person to name.

Features of one kind of thing point the same way in any face (Collins et al. 2020, arXiv 2004.14367): spherical
k-means over the activations of one block finds hair, skin and background in networks that no segmenter was made for.

Shape legend: N = faces, K = clusters, C = channels, r = side of the clustered block, s = side of a map.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tuiface.core.limits import DEFAULT_PSI
from tuiface.directions.report import draw_contact_strip
from tuiface.engine.latents import draw_w
from tuiface.engine.networks.generator import Generator
from tuiface.engine.pixels import to_pixels
from tuiface.engine.scheduler import Pause, no_pause

CLUSTERED_SIDE = 32
CLUSTERING_SEED = 5_000_003
NUM_FACES, NUM_ITERATIONS, SHOWN_FACES = 32, 40, 6
_BATCH = 16
_DIMMED = 0.2
"""Brightness, on a sheet, of what is not in the cluster."""


@dataclass(frozen=True, slots=True, eq=False)
class ClusteredFaces:
    """Faces and the clusters that their pixels belong to."""

    pictures: Tensor
    """float32 [N, 3, s, s] in [-1, 1]."""
    clusters: Tensor
    """uint8 [N, s, s]."""


@dataclass(frozen=True, slots=True, eq=False)
class ActivationClusters:
    """Directions of the activations at one block."""

    side: int
    """r."""
    mean: Tensor
    """float32 [C]."""
    deviation: Tensor
    """float32 [C]."""
    centres: Tensor
    """float32 [K, C], each of length 1; the one that most pixels belong to first."""

    @classmethod
    @torch.no_grad()
    def of(
        cls, generator: Generator, count: int, faces: int = NUM_FACES, pause: Pause = no_pause
    ) -> ActivationClusters:
        """Cluster the activations of `faces` draws; equal calls give equal clusters.

        `pause` is called between its steps.
        """
        side = min(CLUSTERED_SIDE, generator.config.img_resolution)
        _, activations = _synthesize(generator, draw_faces(generator, 0, faces), side, side)
        points = activations.permute(0, 2, 3, 1).reshape(-1, activations.shape[1])
        mean, deviation = points.mean(dim=0), points.std(dim=0).clamp_min(1e-6)
        pause()
        centres = spherical_k_means(F.normalize((points - mean) / deviation, dim=1), count, pause)
        return cls(side, mean, deviation, centres)

    @torch.no_grad()
    def faces(self, generator: Generator, ws: Tensor, side: int, pause: Pause = no_pause) -> ClusteredFaces:
        """Pictures of ws [N, L, w] at the block of `side` px, which is at least r, and their clusters."""
        found = []
        for chunk in torch.split(ws, _BATCH):
            found.append(_synthesize(generator, chunk, side, self.side))
            pause()
        pictures = torch.cat([picture for picture, _ in found])
        clusters = torch.cat([self._assign(activations, side) for _, activations in found])
        return ClusteredFaces(pictures, clusters)

    def _assign(self, activations: Tensor, side: int) -> Tensor:
        """Activations [N, C, r, r] -> uint8 [N, s, s]; likeness is interpolated, so that borders are smooth."""
        standard = (activations - self.mean[:, None, None]) / self.deviation[:, None, None]
        likeness = torch.einsum("kc,nchw->nkhw", self.centres, F.normalize(standard, dim=1))
        larger = F.interpolate(likeness, size=side, mode="bilinear", align_corners=False)
        return larger.argmax(dim=1).to(torch.uint8)


def draw_faces(generator: Generator, start: int, count: int) -> Tensor:
    """float32 [count, L, w]: faces that are clustered and learned from, neither numbered nor measured elsewhere."""
    w = draw_w(generator, CLUSTERING_SEED, start + count)[start:, None].expand(-1, generator.num_ws, -1)
    return generator.truncate(w, DEFAULT_PSI)


def spherical_k_means(points: Tensor, count: int, pause: Pause = no_pause) -> Tensor:
    """float32 [count, C] of length 1, by size: k-means of unit vectors [M, C] by cosine, spread out at first.

    Dhillon & Modha 2001; the first centres as k-means++ draws them (Arthur & Vassilvitskii 2007).
    """
    rng = np.random.RandomState(0)
    chosen = [int(rng.randint(len(points)))]
    distance = 1 - points @ points[chosen[0]]
    while len(chosen) < count:
        weights = distance.clamp_min(0).double().cpu().numpy()
        total = weights.sum()
        chosen.append(int(rng.choice(len(points), p=weights / total if total > 0 else None)))
        distance = torch.minimum(distance, 1 - points @ points[chosen[-1]])
        pause()
    centres = points[chosen]
    for _ in range(NUM_ITERATIONS):
        nearest = (points @ centres.t()).argmax(dim=1)
        sums = torch.zeros_like(centres).index_add_(0, nearest, points)
        # A cluster that lost all its points stays where it was.
        centres = torch.where(sums.norm(dim=1, keepdim=True) > 0, F.normalize(sums, dim=1), centres)
        pause()
    sizes = torch.bincount((points @ centres.t()).argmax(dim=1), minlength=count)
    return centres[sizes.argsort(descending=True, stable=True)]


def draw_cluster_sheet(generator: Generator, clusters: ActivationClusters) -> np.ndarray:
    """uint8 [H, W, 3]: a row for each cluster, in which all else is dark, beneath the faces themselves."""
    side = min(max(128, clusters.side), generator.config.img_resolution)
    shown = clusters.faces(generator, draw_faces(generator, 0, SHOWN_FACES), side)
    pixels = [to_pixels(picture[None]) for picture in shown.pictures]
    sheet, labels = [pixels], [""]
    for number in range(len(clusters.centres)):
        inside = (shown.clusters == number).cpu().numpy()[..., None]
        lit = [np.where(mask, p, p * _DIMMED).astype(np.uint8) for p, mask in zip(pixels, inside, strict=True)]
        sheet.append(lit)
        labels.append(str(number))
    return draw_contact_strip(sheet, [""] * SHOWN_FACES, labels)


def _synthesize(generator: Generator, ws: Tensor, until: int, observed: int) -> tuple[Tensor, Tensor]:
    """Pictures float32 [N, 3, until, until] in [-1, 1] and the activations [N, C, r, r] of the block `observed`."""
    caught: list[Tensor] = []

    def catch(features: Tensor, resolution: int) -> Tensor:
        if resolution == observed and not caught:  # the block's features come first, then the RGB sum
            caught.append(features.float().clone())
        return features

    styles, noise = generator.synthesis.styles(ws, until), generator.noise_maps("const", until)
    image = generator.plan(torch.float32).synthesize(styles, noise, until, catch)
    return image.clamp(-1, 1), caught[0]
