"""Readers without a network: regions at fixed places, attributes as simple functions of pixels."""

from __future__ import annotations

import torch
from torch import Tensor

from tuiface.core.regions import Region


class QuarterRegions:
    """Hair above, a face in the middle with a mouth and eyes, background around; the same for every picture."""

    def probabilities(self, images: Tensor) -> Tensor:
        side = images.shape[-1]
        ids = torch.full((side, side), Region.BACKGROUND)
        ids[side // 8 : side * 7 // 8, side // 8 : side * 7 // 8] = Region.SKIN
        ids[: side // 3, side // 8 : side * 7 // 8] = Region.HAIR
        ids[side // 2 : side * 9 // 16, side // 4 : side * 3 // 4] = Region.EYES
        ids[side * 11 // 16 : side * 3 // 4, side * 3 // 8 : side * 5 // 8] = Region.MOUTH
        maps = torch.nn.functional.one_hot(ids, len(Region)).permute(2, 0, 1).float()
        return maps.expand(images.shape[0], -1, -1, -1)


class ShadeRegions:
    """Bright pixels are face and dark ones background, so that regions follow the edited picture."""

    def probabilities(self, images: Tensor) -> Tensor:
        grey = torch.nn.functional.avg_pool2d(images.mean(dim=1, keepdim=True), 15, stride=1, padding=7)[:, 0]
        face = torch.sigmoid(40 * (grey - grey.mean(dim=(1, 2), keepdim=True)))
        maps = torch.zeros(images.shape[0], len(Region), *images.shape[2:])
        maps[:, Region.SKIN], maps[:, Region.BACKGROUND] = face, 1 - face
        return maps


class PixelAttributes:
    """Brightness of each quarter of the picture."""

    names = ("top_left", "top_right", "bottom_left", "bottom_right")
    resolution = 16

    def read(self, images: Tensor) -> Tensor:
        return self.features(images)

    def features(self, images: Tensor) -> Tensor:
        half = images.shape[-1] // 2
        grey = images.mean(dim=1)
        quarters = [grey[:, :half, :half], grey[:, :half, half:], grey[:, half:, :half], grey[:, half:, half:]]
        return torch.stack([q.mean(dim=(1, 2)) for q in quarters], dim=1)
