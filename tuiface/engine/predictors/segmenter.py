"""From the picture of an aligned face to what each of its pixels shows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn

from tuiface.core.assets import asset_path
from tuiface.core.errors import ModelError
from tuiface.core.regions import REGION_COLOURS, REGION_NAMES, Region
from tuiface.engine.interpolation import resize_bilinear
from tuiface.engine.predictors.files import PredictorCard, load_predictor
from tuiface.engine.predictors.networks import resize_images

SEGMENTER_ASSET = "segmenter.safetensors"

GROUPS: Final = ("background", "face", "hair")
"""The coarse classes of face-frame measures."""

_FACE: Final = (
    Region.SKIN, Region.BROWS, Region.EYES, Region.NOSE, Region.MOUTH, Region.EARS, Region.GLASSES, Region.BEARD,
)  # fmt: skip


class Segmenter:
    """Soft region maps, differentiable in the picture."""

    def __init__(self, card: PredictorCard, network: nn.Module) -> None:
        self.card = card
        self._network = network

    @classmethod
    def load(cls, path: Path | None = None, device: str = "cpu") -> Segmenter:
        """Open the shipped segmenter, or the one at `path`; raises ModelError, one line, for anything else."""
        source = asset_path(SEGMENTER_ASSET) if path is None else path
        card, network = load_predictor(source, "segmenter")
        if card.regions != REGION_NAMES:
            raise ModelError(
                f"{source.name}: segments {', '.join(card.regions)}; this version knows {', '.join(REGION_NAMES)}",
                "train one with this version: tuiface train segmenter",
            )
        return cls(card, network.to(device))

    def probabilities(self, images: Tensor) -> Tensor:
        """Images float32 [N, 3, R, R] in [-1, 1] -> [N, K, R, R], index k = `Region(k)`, summing to 1 over k.

        The network sees its working resolution; its logits are interpolated to R.
        """
        side = images.shape[-1]
        logits: Tensor = self._network(resize_images(images, self.card.resolution))
        if logits.shape[-1] != side:
            logits = resize_bilinear(logits, side)
        return logits.softmax(dim=1)

    def groups(self, images: Tensor) -> Tensor:
        """Images as above -> probabilities [N, 3, R, R] of `GROUPS`, as `group_probabilities` adds them up."""
        return group_probabilities(self.probabilities(images))

    @torch.no_grad()
    def regions(self, images: Tensor) -> Tensor:
        """Images as above -> the most probable region of each pixel, uint8 [N, R, R]."""
        return self.probabilities(images).argmax(dim=1).to(torch.uint8)


def group_probabilities(probabilities: Tensor) -> Tensor:
    """Probabilities [N, K, R, R] of regions -> [N, 3, R, R] of `GROUPS`.

    A beard and glasses belong to the face; neck and clothing, like what is behind them, to the background: a face frame
    is the outline of face and hair.
    """
    hair = probabilities[:, Region.HAIR]
    face = sum_regions(probabilities, _FACE)[:, 0]
    return torch.stack([1 - face - hair, face, hair], dim=1)


def sum_regions(probabilities: Tensor, regions: Sequence[Region]) -> Tensor:
    """Probabilities [N, K, R, R] -> [N, 1, R, R], that of any of `regions`; without a copy from the host."""
    chosen = probabilities.index_select(1, _indices(tuple(regions), probabilities.device))
    return chosen.sum(dim=1, keepdim=True)


@cache
def _indices(regions: tuple[Region, ...], device: torch.device) -> Tensor:
    return torch.tensor(regions, device=device)


def group_regions(regions: Tensor) -> Tensor:
    """Region ids uint8 [...] -> indices of `GROUPS`, uint8 [...]."""
    table = torch.zeros(len(Region), dtype=torch.uint8, device=regions.device)
    table[list(_FACE)] = GROUPS.index("face")
    table[Region.HAIR] = GROUPS.index("hair")
    return table[regions.long()]


def colour_regions(regions: Tensor) -> Tensor:
    """Paint region ids uint8 [..., H, W] as sRGB uint8 [..., H, W, 3] for people to look at."""
    return torch.tensor(REGION_COLOURS, dtype=torch.uint8, device=regions.device)[regions.long()]
