"""What a pixel of a face can show: the classes of segmentation, for renderer, predictors and locks alike."""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path


class Region(IntEnum):
    """What a pixel shows. Beard and glasses are told apart from hair and skin: a face-frame measure needs that."""

    BACKGROUND = 0
    HAIR = 1
    SKIN = 2
    BROWS = 3
    EYES = 4
    NOSE = 5
    MOUTH = 6
    EARS = 7
    NECK = 8
    CLOTHING = 9
    GLASSES = 10
    BEARD = 11


REGION_NAMES: tuple[str, ...] = tuple(region.name.lower() for region in Region)

REGION_COLOURS: tuple[tuple[int, int, int], ...] = (
    (40, 40, 44),
    (122, 72, 34),
    (240, 192, 162),
    (70, 170, 80),
    (70, 120, 250),
    (250, 160, 70),
    (226, 48, 84),
    (196, 120, 220),
    (170, 140, 112),
    (60, 176, 180),
    (250, 240, 60),
    (60, 40, 30),
)
"""sRGB of each region in contact sheets, in the order of `Region`."""


def own_regions_path(folder: Path, network_sha256: str) -> Path:
    """Where the segmenter lies that a user taught for a network's faces (`tuiface model regions`)."""
    return folder / f"{network_sha256[:20]}.safetensors"
