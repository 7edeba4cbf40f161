"""Mirror images of heads, as parameters: each head that was rendered is the picture of a second one."""

from __future__ import annotations

import torch

from tuiface.heads.parameters import HeadParameters
from tuiface.heads.specification import COLUMN

SIDED = ("asymmetry", "parting", "gaze_x", "yaw", "roll", "light_azimuth")
"""Parameters that tell left from right; each is drawn symmetrically around zero."""


def mirrored(parameters: HeadParameters) -> HeadParameters:
    """The heads whose pictures are the mirror images, up to what is drawn rather than described (single strands)."""
    values = parameters.values.clone()
    columns = torch.tensor([COLUMN[name] for name in SIDED], device=values.device)
    values[:, columns] = -values[:, columns]
    return HeadParameters(values, parameters.seeds)
