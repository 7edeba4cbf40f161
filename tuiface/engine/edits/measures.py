"""What an edit did to a face, in numbers that go with the picture into its provenance.

Pictures are float32 [1, 3, R, R] in [-1, 1], their pixels uint8 [R, R, 3]; changes are in levels of 255.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tuiface.core.errors import ModelError
from tuiface.directions.concepts import attribute_name
from tuiface.directions.frame_metric import contour_shift_px, frame_variation_percent
from tuiface.engine.edits.blend import border_jump_ratio
from tuiface.engine.edits.edits import EditSum
from tuiface.engine.edits.face_cache import FaceCache, UneditedFace
from tuiface.engine.edits.observation import segment_contour
from tuiface.engine.networks.discriminator import Discriminator
from tuiface.engine.pixels import image_of_pixels, to_pixels
from tuiface.engine.predictors.attributes import AttributePredictor
from tuiface.engine_api.protocol import Dtype
from tuiface.faces.recipe import DirectionEdit, Noise, Recipe

#: Smallest outside change, in levels, that a ratio divides by: below it lies rounding.
MIN_CHANGE = 0.01
#: An edit that moves its concept by less than this, in standard deviations, is lost in what the reader gets wrong.
MIN_MOVED = 0.1
#: Shares of an edit beyond this are the reader's noise.
MAX_SHARE = 2.0
#: Farther than this beyond the average draw, hardly one in a thousand lies.
FAR_SIGMA = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class EditedPicture:
    """A picture before it is measured, with what it is measured against."""

    face: UneditedFace
    edits: EditSum
    """With the step of locks."""
    dtype: Dtype
    """Arithmetic that it was rendered in."""
    pixels: np.ndarray
    """uint8 [R, R, 3]."""
    unpasted: np.ndarray
    """The same before pixels of the unedited face were pasted into it."""
    held: np.ndarray | None = None
    """float32 [R, R]: how firmly locks hold each pixel; None without locks."""
    pasted: np.ndarray | None = None
    """float32 [R, R]: how much of each pixel is pasted; None where nothing is."""


class EditMeasurer:
    """Measures edited pictures of one network."""

    def __init__(
        self,
        faces: FaceCache,
        discriminator: Discriminator | None,
        find_reader: Callable[[], object] = lambda: None,
    ) -> None:
        """`find_reader` finds the attribute reader when it is needed first; None for none."""
        self._find_reader = find_reader
        self._faces = faces
        self._renderer = faces.renderer
        self._discriminator = discriminator

    def measure(self, picture: EditedPicture) -> tuple[dict[str, float], tuple[str, ...]]:
        """Measures by name (docs/formats.md), and notices for the user. Raises ModelError where one is not finite."""
        face, pixels, side = picture.face, picture.pixels, picture.pixels.shape[0]
        before = face.image(side, picture.dtype)
        after = image_of_pixels(pixels, before.device)
        measures: dict[str, float] = {}
        if picture.held is not None and picture.pasted is not None:
            unedited = to_pixels(before)
            unpasted = change_measures(unedited, picture.unpasted, picture.held)
            measures |= {f"unpasted_{key}": value for key, value in unpasted.items() if key.startswith("outside")}
            measures["border_jump_ratio"] = round(border_jump_ratio(unedited, pixels, picture.pasted), 3)
        contours = face.contour(side, picture.dtype), segment_contour(after, self._faces.region_predictor)
        measures["frame_variation_percent"] = round(frame_variation_percent(*contours), 4)
        measures["contour_shift_px"] = round(contour_shift_px(*contours, side), 3)
        if picture.held is not None:
            measures |= change_measures(to_pixels(before), pixels, picture.held)
        if self._discriminator is not None and side == self._discriminator.config.img_resolution:
            measures["identity_similarity"] = identity_similarity(self._discriminator, before, after, self._mean_image)
        sigma = self._renderer.population().distance_sigma(face.ws + picture.edits.ws)
        measures["population_sigma"] = round(sigma, 3)
        if not all(map(math.isfinite, measures.values())):
            raise ModelError("the edited face lies too far out to be measured", "use smaller amounts or other latents")
        far = f"edited {sigma:.1f} sigma beyond this network's population"
        return measures, (far,) if sigma > FAR_SIGMA else ()

    def measure_delivery(self, picture: EditedPicture, recipe: Recipe, unlocked: EditSum) -> dict[str, float]:
        """What is left of the recipe's edits under its locks, as the attribute reader sees it; none without a reader.

        `unlocked`: the edits without the step of locks.
        """
        reader = self._find_reader()
        asked = {e.direction: e.amount for e in recipe.edits if isinstance(e, DirectionEdit) and not e.foreign}
        if not isinstance(reader, AttributePredictor) or len(asked) < len(recipe.edits):
            return {}  # what a channel moves, or one direction twice, has no reading of its own
        side = picture.pixels.shape[0]
        before = picture.face.image(side, picture.dtype)
        alone = picture.face.edited_image(unlocked, side, picture.dtype)
        images = torch.cat([before, alone, image_of_pixels(picture.pixels, before.device)]).float().clamp(-1, 1)
        spread = torch.tensor([attribute.spread for attribute in reader.attributes])
        return delivered_amounts(asked, reader.names, reader.read(images).cpu(), spread)

    @cached_property
    def _mean_image(self) -> Tensor:
        """float32 [1, 3, R, R]: the mean face."""
        generator = self._renderer.generator
        ws = generator.mapping.w_avg.expand(1, generator.num_ws, -1)
        return self._renderer.synthesize(generator.synthesis.styles(ws), Noise(), generator.config.img_resolution)


def delivered_amounts(
    asked: Mapping[str, float], names: Sequence[str], readings: Tensor, spread: Tensor
) -> dict[str, float]:
    """What is left of each edit under the locks, in its own unit, as measures "delivered_..." (docs/directions.md).

    asked: amounts by direction. readings: float [3, A], of the unedited face, of the face edited without locks, and of
    the picture. The locked picture moves the concept by a share of what the edit moves it alone; the amount is asked
    for times that share. spread: float [A], deviations of attributes; where the edit alone moves its concept by less
    than `MIN_MOVED` of one, the reader cannot tell a share.
    """
    found = {}
    for name, amount in asked.items():
        attribute = attribute_name(name)
        if attribute not in names:
            continue
        before, alone, locked = readings[:, list(names).index(attribute)].tolist()
        if abs(alone - before) < MIN_MOVED * float(spread[list(names).index(attribute)]):
            continue
        share = (locked - before) / (alone - before)
        found[f"delivered_{name}"] = round(amount * min(max(share, -MAX_SHARE), MAX_SHARE), 2)
    return found


def change_measures(before: np.ndarray, after: np.ndarray, held: np.ndarray) -> dict[str, float]:
    """Mean and largest change outside what may change, and how much of the change lies inside.

    before, after: uint8 [R, R, 3]; held: float [R, R], largest where nothing may change, 0 where everything may.
    """
    change = np.abs(after.astype(np.int16) - before).max(axis=2)
    outside, inside = (held >= held.max()) & (held > 0), held <= 0
    found = {}
    if outside.any():
        found["outside_change_mean"] = round(float(change[outside].mean()), 4)
        found["outside_change_max"] = float(change[outside].max())
    if outside.any() and inside.any():
        ratio = float(change[inside].mean()) / max(float(change[outside].mean()), MIN_CHANGE)
        found["inside_outside_ratio"] = round(ratio, 3)
    return found


def identity_similarity(discriminator: Discriminator, before: Tensor, after: Tensor, mean_face: Tensor) -> float:
    """Cosine of two faces as seen from the mean face: 1 for the same picture.

    A face is what the discriminator makes of its picture at 4 px, all channels: features of the checkpoint's own
    discriminator are a perceptual measure that needs no other network. What all faces share would bring any two of them
    near 1, so the mean face's are taken away.
    """
    a, b, mean = (discriminator.features(image)[-1].float().flatten() for image in (before, after, mean_face))
    return round(float(F.cosine_similarity(a - mean, b - mean, dim=0, eps=1e-6)), 4)
