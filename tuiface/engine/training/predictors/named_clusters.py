"""A segmenter for one network's faces, taught by its own activations whose clusters a person has named.

    clusters (engine/predictors/clusters.py) + names -> region maps of drawn faces -> a small U-Net that reads pictures

It reads pictures, not activations, so that pasted and blended faces are measured like any other.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tuiface.core.regions import REGION_NAMES, Region
from tuiface.engine.networks.generator import Generator
from tuiface.engine.pixels import denormalise
from tuiface.engine.predictors.clusters import ActivationClusters, ClusteredFaces, draw_faces
from tuiface.engine.predictors.files import encode_predictor
from tuiface.engine.scheduler import Pause, no_pause
from tuiface.engine.training.predictors.settings import PredictorSettings
from tuiface.engine.training.predictors.training import PredictorTraining
from tuiface.engine_api.requests import LearnedRegions, OnStep

NUM_FACES, NUM_HELD_OUT = 768, 64
KIMG = 16.0
_WORKING_SIDE = 128
_NOTE_KIMG = 4.0


class NamedFaces:
    """Drawn faces with the regions that their clusters were named; the first `held_out_count` are held out."""

    def __init__(self, faces: ClusteredFaces, names: Sequence[Region], held_out_count: int) -> None:
        table = torch.tensor([int(region) for region in names], dtype=torch.uint8)
        self._pixels = denormalise(faces.pictures.cpu())
        self._regions = table[faces.clusters.cpu().long()]
        self._num_held_out = held_out_count

    def count_available(self) -> int:
        """Training faces."""
        return len(self._pixels) - self._num_held_out

    def pixels(self, indices: Tensor) -> Tensor:
        """uint8 [N, R, R, 3]."""
        return self._pixels[self._num_held_out :][indices]

    def regions(self, indices: Tensor) -> Tensor:
        """uint8 [N, R, R]."""
        return self._regions[self._num_held_out :][indices]

    def held_out(self) -> Tensor:
        """uint8 [M, R, R, 3]."""
        return self._pixels[: self._num_held_out]

    def held_out_regions(self) -> Tensor:
        """uint8 [M, R, R]."""
        return self._regions[: self._num_held_out]


def train_own_regions(
    generator: Generator,
    clusters: ActivationClusters,
    names: Sequence[str],
    note: OnStep,
    pause: Pause = no_pause,
    *,
    faces: int = NUM_FACES,
    kimg: float = KIMG,
) -> LearnedRegions:
    """Teach a segmenter by faces whose clusters have `names`, in the order of their numbers."""
    side = min(_WORKING_SIDE, generator.config.img_resolution)
    note(f"drawing {faces} faces")
    drawn = clusters.faces(generator, draw_faces(generator, 0, faces), side, pause)
    held_out = min(NUM_HELD_OUT, faces // 4)
    regions = [Region(REGION_NAMES.index(name)) for name in names]
    device = drawn.pictures.device
    settings = PredictorSettings.model_validate({
        "kind": "segmenter", "resolution": side, "kimg": kimg, "name": "regions named by hand", "recasting": 0.3,
        "precision": "bfloat16" if device.type == "cuda" else "float32",
    })  # fmt: skip
    training = PredictorTraining(settings, NamedFaces(drawn, regions, held_out), device)
    next_note = 0.0
    while training.images < 1000 * kimg:
        loss = training.step()
        pause()
        if training.images >= next_note:
            note(f"learning regions: {training.images / 1000:.1f} of {kimg:g} kimg  loss {loss:.3f}")
            next_note += 1000 * _NOTE_KIMG
    card, network = training.finish({"images": training.images, "faces": faces, "clusters": len(names)})
    return LearnedRegions(encode_predictor(card, network), card.figures)
