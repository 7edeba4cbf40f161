"""How two sets of feature vectors differ: as distributions, and in what they cover.

Shape legend: N, M = vectors in a set, F = length of a vector.
"""

from __future__ import annotations

import torch
from torch import Tensor

NEIGHBOURS = 3
"""k of precision and recall."""


def kernel_distance(x: Tensor, y: Tensor) -> float:
    """KID: the unbiased squared maximum mean discrepancy of x [N, F] and y [M, F] under k(a, b) = (a.b / F + 1)^3.

    0 in the mean for samples of one distribution, so it may be slightly negative. Binkowski et al. 2018 (1801.01401),
    section 4; there with Inception features, so that figures compare only within one kind of features.
    """
    n, m = len(x), len(y)
    assert n > 1
    assert m > 1
    x, y = x.double(), y.double()

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return (a @ b.t() / a.shape[1] + 1) ** 3

    within_x, within_y = kernel(x, x), kernel(y, y)
    first = (within_x.sum() - within_x.diagonal().sum()) / (n * (n - 1))
    second = (within_y.sum() - within_y.diagonal().sum()) / (m * (m - 1))
    return float(first + second - 2 * kernel(x, y).mean())


def precision_and_recall(generated: Tensor, data: Tensor) -> tuple[float, float]:
    """Improved precision and recall of generated [N, F] against data [M, F], k = 3.

    Precision is the share of generated vectors that lie within the third-neighbour distance of some data vector;
    recall the same with the roles exchanged. Kynkaanniemi et al. 2019 (1904.06991), eq. 1 and 2.
    """
    distances = torch.cdist(generated.double(), data.double())
    precision = (distances <= _radii(data)[None, :]).any(dim=1).float().mean()
    recall = (distances <= _radii(generated)[:, None]).any(dim=0).float().mean()
    return float(precision), float(recall)


def mean_distance(x: Tensor) -> float:
    """Mean distance between two of x [N, F]."""
    return float(torch.pdist(x.double()).mean())


def histogram_intersection(x: Tensor, y: Tensor, edges: Tensor) -> float:
    """Overlap of two histograms of numbers x [N] and y [M] over bins with `edges`: 0 apart, 1 alike."""
    return float(torch.minimum(histogram(x, edges), histogram(y, edges)).sum())


def histogram(values: Tensor, edges: Tensor) -> Tensor:
    """Shares of values [N] in the bins between `edges` [B + 1], [B]; what lies beyond counts to the outer bins."""
    places = torch.bucketize(values.contiguous(), edges[1:-1])
    return torch.bincount(places, minlength=len(edges) - 1).float() / len(values)


def _radii(vectors: Tensor) -> Tensor:
    """Distance [N] of each vector to its third-nearest neighbour among the others."""
    distances = torch.cdist(vectors.double(), vectors.double())
    return distances.kthvalue(min(NEIGHBOURS + 1, len(vectors)), dim=1).values
