"""What an edit did to a face, in numbers that go with the picture into its provenance.

Pictures are float32 [1, 3, R, R] in [-1, 1], their pixels uint8 [R, R, 3]; changes are in levels of 255.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from tuiface.core.errors import ModelError
from tuiface.directions.frame_metric import contour_shift_px, frame_variation_percent
from tuiface.engine.edits.blend import border_jump_ratio
from tuiface.engine.edits.edits import EditSum
from tuiface.engine.edits.face_cache import FaceCache, UneditedFace
from tuiface.engine.edits.observation import segment_contour
from tuiface.engine.networks.discriminator import Discriminator
from tuiface.engine.pixels import image_of_pixels, to_pixels
from tuiface.engine_api.protocol import Dtype
from tuiface.faces.recipe import Noise

#: Smallest outside change, in levels, that a ratio divides by: below it lies rounding.
MIN_CHANGE = 0.01
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

    def __init__(self, faces: FaceCache, discriminator: Discriminator | None) -> None:
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

    @cached_property
    def _mean_image(self) -> Tensor:
        """float32 [1, 3, R, R]: the mean face."""
        generator = self._renderer.generator
        ws = generator.mapping.w_avg.expand(1, generator.num_ws, -1)
        return self._renderer.synthesize(generator.synthesis.styles(ws), Noise(), generator.config.img_resolution)


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
