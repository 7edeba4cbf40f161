"""The standard normal draws behind each head: what makes its parameters a function of z ~ N(0, I).

`sample_parameters` draws every number from a named uniform stream keyed by the head's seed. Read as normal quantiles,
these streams are a z whose distribution is exactly the generator's, with the head as its known picture.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tuiface.heads import HeadParameters
from tuiface.heads.mirroring import SIDED
from tuiface.heads.randomness import normals
from tuiface.heads.sampling import draw_streams

_UNCLAMPED = 6.0


def mirror_latents(z: Tensor) -> Tensor:
    """z [N, z_dim] of the mirror images of the heads of z: sidedness is drawn symmetrically around nothing."""
    streams = draw_streams()[: z.shape[1]]
    signs = torch.tensor([-1.0 if name in SIDED else 1.0 for name in streams], device=z.device)
    return z * F.pad(signs, (0, z.shape[1] - len(streams)), value=1.0)


def head_latents(parameters: HeadParameters, z_dim: int) -> Tensor:
    """z float32 [N, z_dim] of sampled heads: their draws, then draws of no consequence up to `z_dim`.

    A z_dim below the number of draws leaves out the last ones: their effect is noise to the network.
    """
    seeds = parameters.seeds
    columns = [normals(seeds, stream, 1, _UNCLAMPED) for stream in draw_streams()[:z_dim]]
    spare = z_dim - len(columns)
    return torch.cat([*columns, normals(seeds, "spare latent", spare, _UNCLAMPED)] if spare else columns, dim=1)
