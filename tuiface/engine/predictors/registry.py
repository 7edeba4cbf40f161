"""Which predictor of regions a network's faces get: its user's own, the shipped one where it fits, or boxes."""

from __future__ import annotations

from pathlib import Path

import torch

from tuiface.core.assets import asset_for
from tuiface.core.errors import ModelError
from tuiface.core.limits import DEFAULT_PSI
from tuiface.engine.checkpoint import file_sha256
from tuiface.engine.edits.masks import BoxRegions, RegionPredictor
from tuiface.engine.latents import draw_w
from tuiface.engine.learning.batch_predict import SupportsAttributePrediction, synthesize_images
from tuiface.engine.networks.generator import Generator
from tuiface.engine.predictors import AttributePredictor, Segmenter
from tuiface.engine.predictors.attributes import ATTRIBUTES_ASSET
from tuiface.engine.predictors.files import read_predictor_card
from tuiface.engine.predictors.segmenter import SEGMENTER_ASSET

_TRIAL_SEED, _TRIAL_FACES = 3_000_003, 8
#: A face that a segmenter knows is decided nearly everywhere, and neither a speck nor the whole picture.
MIN_CERTAINTY = 0.75
FACE_FRACTION_RANGE = (0.08, 0.7)


def open_region_predictor(
    generator: Generator, device: str, own: Path | None = None, model: Path | None = None
) -> RegionPredictor:
    """The user's own predictor at `own` if there is one, the segmenter if it fits the faces of `generator`, else boxes.

    `model`: file of the network, whose edition may have a segmenter of its own; so in what follows.

    Raises ModelError for a file at `own` that is no sound predictor.
    """
    if own is not None and own.exists():
        return Segmenter.load(own, device)
    path = asset_for(model, SEGMENTER_ASSET)
    if not path.exists():
        return BoxRegions()
    segmenter = Segmenter.load(path, device)
    return segmenter if segmenter_fits(segmenter, generator) else BoxRegions()


def segmenter_version(own: Path, model: Path | None = None) -> str:
    """Digest of the predictor's file, as provenance records it: another one may hold other pixels under a lock."""
    path = own if own.exists() else asset_for(model, SEGMENTER_ASSET)
    return file_sha256(path)[:16] if path.exists() else "none"


def attribute_reader_version(model: Path | None = None) -> str:
    """Digest of the attribute predictor's file."""
    path = asset_for(model, ATTRIBUTES_ASSET)
    return file_sha256(path)[:16] if path.exists() else "none"


@torch.no_grad()
def segmenter_fits(segmenter: Segmenter, generator: Generator) -> bool:
    """Whether the segmenter knows what it sees in faces of `generator`."""
    w = draw_w(generator, _TRIAL_SEED, _TRIAL_FACES)[:, None].expand(-1, generator.num_ws, -1)
    images = synthesize_images(generator, generator.truncate(w, DEFAULT_PSI))
    certainty = float(segmenter.probabilities(images).amax(dim=1).mean())
    face_fraction = float((segmenter.groups(images).argmax(dim=1) == 1).float().mean())
    return certainty >= MIN_CERTAINTY and FACE_FRACTION_RANGE[0] <= face_fraction <= FACE_FRACTION_RANGE[1]


def attribute_names(model: Path | None = None) -> tuple[str, ...]:
    """What the shipped attribute predictor reads; empty where there is none, or a damaged one."""
    path = asset_for(model, ATTRIBUTES_ASSET)
    try:
        return tuple(attribute.name for attribute in read_predictor_card(path).attributes) if path.exists() else ()
    except ModelError:
        return ()


def open_attribute_predictor(device: str, model: Path | None = None) -> SupportsAttributePrediction:
    """The shipped attribute predictor. Raises ModelError, one line, where there is none."""
    path = asset_for(model, ATTRIBUTES_ASSET)
    if not path.exists():
        raise ModelError(
            "no attribute reader is installed, so nothing says what a face shows",
            "tuiface train attributes makes one; or learn from your own answers: --ask CONCEPT",
        )
    return AttributePredictor.load(path, device)
