"""Which reader of regions a network's faces get: the shipped segmenter where it fits them, else the boxes."""

from __future__ import annotations

import torch

from tuiface.assets import asset_path
from tuiface.engine.editing.reading import AttributeReading, pictures
from tuiface.engine.editing.regions import BoxRegions, RegionReader
from tuiface.engine.generator import Generator
from tuiface.engine.latents import draw_w
from tuiface.engine.readers import AttributeReader, Segmenter
from tuiface.engine.readers.attributes import ATTRIBUTES_ASSET
from tuiface.engine.readers.segmenter import SEGMENTER_ASSET
from tuiface.errors import ModelError

_TRIAL_SEED, _TRIAL_FACES, _TRIAL_PSI = 3_000_003, 8, 0.7
#: A face that a segmenter knows is decided nearly everywhere, and neither a speck nor the whole picture.
LEAST_CERTAINTY = 0.75
FACE_SHARE = (0.08, 0.7)


def open_region_reader(generator: Generator, device: str) -> RegionReader:
    """The segmenter if it is at hand and fits the faces of `generator`, else `BoxRegions`."""
    path = asset_path(SEGMENTER_ASSET)
    if not path.exists():
        return BoxRegions()
    segmenter = Segmenter.load(path, device)
    return segmenter if fits(segmenter, generator) else BoxRegions()


@torch.no_grad()
def fits(segmenter: Segmenter, generator: Generator) -> bool:
    """Whether the segmenter knows what it sees in faces of `generator`."""
    w = draw_w(generator, _TRIAL_SEED, _TRIAL_FACES)[:, None].expand(-1, generator.num_ws, -1)
    images = pictures(generator, generator.truncate(w, _TRIAL_PSI))
    certainty = float(segmenter.probabilities(images).amax(dim=1).mean())
    share = float((segmenter.groups(images).argmax(dim=1) == 1).float().mean())
    return certainty >= LEAST_CERTAINTY and FACE_SHARE[0] <= share <= FACE_SHARE[1]


def open_attribute_reader(device: str) -> AttributeReading:
    """The shipped attribute reader. Raises ModelError, one line, where there is none."""
    path = asset_path(ATTRIBUTES_ASSET)
    if not path.exists():
        raise ModelError(
            "no attribute reader is installed, so nothing says what a face shows",
            "tuiface train attributes makes one; or learn from your own answers: --ask CONCEPT",
        )
    return AttributeReader.load(path, device)
