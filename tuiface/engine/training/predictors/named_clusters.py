"""A segmenter for one network's faces, taught by its own activations whose clusters a person has named.

    clusters (engine/predictors/clusters.py) + names -> region maps of drawn faces -> a small U-Net that reads pictures

It reads pictures, not activations, so that pasted and blended faces are measured like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from tuiface.core.errors import UsageError, suggest_nearest
from tuiface.core.files import make_folder
from tuiface.core.regions import REGION_NAMES, Region
from tuiface.engine.networks.generator import Generator
from tuiface.engine.pixels import denormalise
from tuiface.engine.predictors.clusters import ActivationClusters, ClusteredFaces, draw_faces
from tuiface.engine.predictors.files import write_predictor
from tuiface.engine.training.predictors.settings import PredictorSettings
from tuiface.engine.training.predictors.training import PredictorTraining

NUM_FACES, NUM_HELD_OUT = 768, 64
KIMG = 16.0
_WORKING_SIDE = 128
_NOTE_KIMG = 4.0


class NamedFaces:
    """Drawn faces with the regions that their clusters were named; the first `held_out_count` are held out."""

    def __init__(self, faces: ClusteredFaces, names: Mapping[int, Region], held_out_count: int) -> None:
        table = torch.tensor([int(names[number]) for number in range(len(names))], dtype=torch.uint8)
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


def parse_names(texts: list[str], count: int) -> dict[int, Region]:
    """Regions by cluster number from texts like "1,4=hair"; raises UsageError unless each of `count` has one name."""
    names: dict[int, Region] = {}
    for text in texts:
        numbers, _, region = text.partition("=")
        if region not in REGION_NAMES:
            raise UsageError(
                f"--name {text}: accepted: {', '.join(REGION_NAMES)}", suggest_nearest(region, REGION_NAMES)
            )
        for number in numbers.split(","):
            if not number.isdecimal() or int(number) >= count:
                raise UsageError(f"--name {text}: '{number}' is no cluster", f"accepted: 0 to {count - 1}")
            if int(number) in names:
                raise UsageError(f"--name {text}: cluster {number} has a name already")
            names[int(number)] = Region(REGION_NAMES.index(region))
    missing = [str(number) for number in range(count) if number not in names]
    if missing:
        raise UsageError(f"clusters {', '.join(missing)} have no name", f"--name {','.join(missing)}=background")
    if len(set(names.values())) == 1:
        raise UsageError("all clusters have one name, so no region differs from another", "look at the sheet: --out")
    return names


def train_own_regions(
    generator: Generator,
    clusters: ActivationClusters,
    names: Mapping[int, Region],
    path: Path,
    note: Callable[[str], None],
    *,
    faces: int = NUM_FACES,
    kimg: float = KIMG,
) -> dict[str, float]:
    """Teach a segmenter and write it to `path`; returns its figures on held-out faces, against the clusters.

    Raises OutputError where it cannot be written.
    """
    side = min(_WORKING_SIDE, generator.config.img_resolution)
    note(f"drawing {faces} faces")
    drawn = clusters.faces(generator, draw_faces(generator, 0, faces), side)
    held_out = min(NUM_HELD_OUT, faces // 4)
    device = drawn.pictures.device
    settings = PredictorSettings.model_validate({
        "kind": "segmenter", "resolution": side, "kimg": kimg, "name": "regions named by hand", "recasting": 0.3,
        "precision": "bfloat16" if device.type == "cuda" else "float32",
    })  # fmt: skip
    training = PredictorTraining(settings, NamedFaces(drawn, names, held_out), device)
    next_note = 0.0
    while training.images < 1000 * kimg:
        loss = training.step()
        if training.images >= next_note:
            note(f"learning regions: {training.images / 1000:.1f} of {kimg:g} kimg  loss {loss:.3f}")
            next_note += 1000 * _NOTE_KIMG
    card, network = training.finish({"images": training.images, "faces": faces, "clusters": len(names)})
    make_folder(path.parent)
    write_predictor(path, card, network)
    return card.figures
