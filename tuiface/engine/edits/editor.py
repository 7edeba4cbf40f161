"""The whole way from a recipe to a measured picture: edits, locks in their three stages, and measures.

the unedited face     -> its regions (kept while other edits of the same face follow)
direction             -> a step in W+ that undoes the edit in what is locked
blend                 -> features of the unedited face where the mask holds
paste                 -> its very pixels there
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tuiface.directions.frame_metric import frame_variation_percent
from tuiface.engine.edits.blend import border_jump_ratio, build_feature_blend, paste
from tuiface.engine.edits.crossing import CROSS_ITERATIONS, CrossedFace, cross_weights, inner_difference_percent
from tuiface.engine.edits.edits import EditSum
from tuiface.engine.edits.frame_correction import NUM_STEPS, CorrectedContour, correct_contour
from tuiface.engine.edits.lock import LockStep, LockWeights, lambda_from_strength, normalise_weights, solve_lock_step
from tuiface.engine.edits.masks import RegionPredictor, build_lock_mask, refuse_immovable, refuse_unknown_regions
from tuiface.engine.edits.measures import (
    change_measures,
    contour_measures,
    identity_features,
    identity_similarity,
    segment_contour,
)
from tuiface.engine.latents import recipe_ws
from tuiface.engine.networks.discriminator import Discriminator
from tuiface.engine.predictors.segmenter import group_probabilities
from tuiface.engine.renderer import Renderer, exact_convolutions, to_pixels
from tuiface.engine_api.protocol import Dtype, Quality, Superseded
from tuiface.faces.recipe import Noise, Recipe, RegionLock

#: Pictures are observed at this side for locks: coarse enough to be quick, fine enough for a face's outline.
OBSERVED_SIDE = 64
#: Blocks beyond this are left out of what locks see: they paint detail.
LOCKED_SIDE = 256
MAX_CACHED_FACES = 4
#: Weight of the frame's own classes beside the pixels, for locks that hold an outline.
OUTLINE_WEIGHT = 4.0
_OUTLINE_REGIONS = ("frame", "hairline", "hair", "background")
#: Farther than this beyond the average draw, hardly one in a thousand lies.
FAR_SIGMA = 3.0


def _always() -> bool:
    return True


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class MeasuredPicture:
    """A picture and what was measured of it."""

    pixels: np.ndarray
    """uint8 [R, R, 3]."""
    measures: dict[str, float] = field(default_factory=dict)
    notices: tuple[str, ...] = ()


class _UneditedFace:
    """One face without its edits, with what was found out about it."""

    def __init__(self, recipe: Recipe, ws: Tensor) -> None:
        self.recipe = recipe
        self.ws = ws
        self.images: dict[tuple[int, Dtype], Tensor] = {}
        self.labels: dict[int, np.ndarray] = {}
        self.found: LockStep | None = None


class Editor:
    """Renders recipes with edits and locks; keeps what it found out about the last few unedited faces."""

    def __init__(
        self, renderer: Renderer, open_reader: Callable[[], RegionPredictor], discriminator: Discriminator | None = None
    ) -> None:
        self.renderer = renderer
        self._open_region_predictor = open_reader
        self._discriminator = discriminator
        self._faces: OrderedDict[str, _UneditedFace] = OrderedDict()

    @cached_property
    def reader(self) -> RegionPredictor:
        """Says what the pixels of a face show; opened with the first edit."""
        return self._open_region_predictor()

    @torch.no_grad()
    def render(
        self,
        recipe: Recipe,
        resolution: int | None = None,
        dtype: Dtype = "float32",
        *,
        quality: Quality = "final",
        is_wanted: Callable[[], bool] = _always,
    ) -> MeasuredPicture:
        """The recipe's picture at a block's resolution, with measures where it has edits.

        A preview has no measures, and its locks take the step of the last picture that was none, in proportion.
        Raises UsageError or ModelError for parts that do not fit, before anything is computed for long, and Superseded
        where `is_wanted` says no while a lock's step is looked for.
        """
        until = self.renderer.check_resolution(resolution)
        if not recipe.edits:
            return MeasuredPicture(self.renderer.render(recipe.derive(locks=()), resolution, dtype))
        with exact_convolutions():
            edits = self.renderer.edits(recipe)
            if quality == "preview":
                return MeasuredPicture(self._render_preview(recipe, edits, until, dtype))
            if not recipe.locks:
                pixels = self.renderer.render(recipe, resolution, dtype)
                if quality == "unmeasured":
                    return MeasuredPicture(pixels)
                return self._measure(recipe, edits, pixels, until, dtype, None, {})
            picture = self._render_locked(recipe, edits, until, dtype, is_wanted)
            return MeasuredPicture(picture.pixels) if quality == "unmeasured" else picture

    def _render_preview(self, recipe: Recipe, edits: EditSum, until: int, dtype: Dtype) -> np.ndarray:
        """uint8 [until, until, 3]: with the locks' last step where there was one; nothing blended or measured."""
        face = self._unedited_face(recipe)
        if recipe.locks and face.found is not None and face.found.has_equal_locks(recipe):
            edits = EditSum(edits.ws + face.found.scale_to(edits), edits.styles)
        return to_pixels(self._synthesize_face(face, edits, until, dtype))

    def _render_locked(
        self, recipe: Recipe, edits: EditSum, until: int, dtype: Dtype, is_wanted: Callable[[], bool]
    ) -> MeasuredPicture:
        refuse_unknown_regions(recipe.locks, self.reader)
        face = self._unedited_face(recipe)
        held = self._build_unedited_mask(face, recipe.locks)
        refuse_immovable(held)
        turned = self.solve_lock(recipe, edits, is_wanted)
        measures = {"predicted_outside_change": round(self.predict_outside_change(recipe, turned), 4)}
        image = self._synthesize_face(face, turned, until, dtype)
        firm = tuple(lock for lock in recipe.locks if lock.guarantee != "direction")
        if firm:
            image = self._blend_features(face, turned, firm, image, until, dtype)
        pixels = to_pixels(image)
        mask = self._build_union_mask(face, recipe.locks, image, until)
        pasted = tuple(lock for lock in recipe.locks if lock.guarantee == "paste")
        if pasted:
            unedited = to_pixels(self._synthesize_face(face, None, until, dtype))
            before = change_measures(unedited, pixels, mask)
            measures |= {f"unpasted_{key}": value for key, value in before.items() if key.startswith("outside")}
            stays = self._build_union_mask(face, pasted, image, until)
            pixels = paste(unedited, pixels, stays)
            measures["border_jump_ratio"] = round(border_jump_ratio(unedited, pixels, stays), 3)
        return self._measure(recipe, turned, pixels, until, dtype, mask, measures)

    # --- stages --------------------------------------------------------------------------------------------------

    def solve_lock(self, recipe: Recipe, edits: EditSum, is_wanted: Callable[[], bool] = _always) -> EditSum:
        """The recipe's `edits` with the step that keeps them out of its locked regions; the last one is kept."""
        face = self._unedited_face(recipe)
        if face.found is None or not face.found.is_reusable_for(recipe):
            side = self._lock_resolution()
            synthesis, noise = self.renderer.generator.synthesis, self.renderer.noise_maps(face.recipe.noise, side)

            def observe(step: Tensor, edits: EditSum = edits) -> Tensor:
                if not is_wanted():
                    raise Superseded
                styles = self.renderer.edit_styles(face.ws + step, edits, side)
                return self._observe_images(synthesis(styles, noise, side))[0]

            still = EditSum(torch.zeros_like(face.ws))
            target, base = observe(still.ws), observe(still.ws, still)
            weights = self._weigh_locks(face, recipe.locks)
            step = solve_lock_step(self.renderer.population(), weights, target, base, face.ws.shape[1], observe)
            face.found = LockStep(recipe, torch.get_num_threads(), edits, step)
        return EditSum(edits.ws + face.found.step, edits.styles)

    def predict_outside_change(self, recipe: Recipe, edits: EditSum) -> float:
        """What the edits will change in the locked regions, root mean square in levels, before they are made.

        sqrt(d^T M_b d) with the curvature along d: both from half a step forwards and half a step back.
        """
        face = self._unedited_face(recipe)
        half = [self._observe_edits(face, _scale_edits(edits, share)) for share in (0.5, -0.5)]
        base = self._observe_edits(face, _scale_edits(edits, 0.0))
        slope, bend = half[0] - half[1], 2 * (half[0] + half[1] - 2 * base)
        return self._outside_rms(face, recipe.locks, slope + bend)

    def measure_outside_change(self, recipe: Recipe, edits: EditSum) -> float:
        """What the edits do change there, in the same unit."""
        face = self._unedited_face(recipe)
        change = self._observe_edits(face, edits) - self._observe_edits(face, _scale_edits(edits, 0.0))
        return self._outside_rms(face, recipe.locks, change)

    def _blend_features(
        self,
        face: _UneditedFace,
        edits: EditSum,
        locks: tuple[RegionLock, ...],
        image: Tensor,
        until: int,
        dtype: Dtype,
    ) -> Tensor:
        """The edited face with features of the unedited one where `locks` hold in either."""
        held = torch.from_numpy(self._build_union_mask(face, locks, image, until)).to(image.device)[None, None]
        unedited = self.renderer.generator.synthesis.styles(face.ws, until)
        edited = self.renderer.edit_styles(face.ws, edits, until)
        styles = {name: torch.cat([style, edited[name]]) for name, style in unedited.items()}
        plan = self.renderer.generator.plan(getattr(torch, dtype))
        noise = self.renderer.noise_maps(face.recipe.noise, until)
        return plan.synthesize(styles, noise, until, build_feature_blend(held))[1:]

    def correct_contour(
        self, recipe: Recipe, reference: Recipe, num_steps: int = NUM_STEPS, between: Callable[[], None] = _nothing
    ) -> CorrectedContour:
        """The recipe's face with its coarse rows changed until its frame is that of the unedited `reference`.

        `between` is called before each picture; it may render others.
        """
        generator = self.renderer.generator
        side = self._lock_resolution()

        def synthesize(ws: Tensor) -> Tensor:
            between()
            noise = generator.noise_maps("none", side)
            with torch.enable_grad():
                return generator.synthesis(  # type: ignore[no-any-return]
                    self.renderer.edit_styles(ws, EditSum(torch.zeros_like(ws), edits.styles), side), noise, side
                )

        with torch.no_grad():
            edits = self.renderer.edits(recipe)
            ws = recipe_ws(generator, recipe) + edits.ws
            image = self._synthesize_face(self._unedited_face(reference), None, side, "float32")
        return correct_contour(synthesize, self.reader, self.renderer.population(), ws, image, num_steps)

    @torch.no_grad()
    def cross_faces(self, contour: Recipe, inner: Recipe, between: Callable[[], None] = _nothing) -> CrossedFace:
        """The face of `contour` with the inner face of `inner`: both with their edits, neither with its locks.

        `between` is called before each picture; it may render others.
        """
        side, frame = self._lock_resolution(), RegionLock(region="frame")
        refuse_unknown_regions((frame,), self.reader)
        with exact_convolutions():
            edits = self.renderer.edits(contour)
            start = self._unedited_face(contour).ws + edits.ws
            still = EditSum(torch.zeros_like(start), edits.styles)
            images = [
                self._synthesize_face(self._unedited_face(r), self.renderer.edits(r), side, "float32")
                for r in (contour, inner)
            ]
            seen = [self._observe_images(image)[0] for image in images]
            frames = [
                build_lock_mask(self.reader.probabilities(image.clamp(-1, 1)), (frame,), side) for image in images
            ]
            weights = cross_weights(_pool(frames[0])[0, 0], _pool(frames[1])[0, 0], OUTLINE_WEIGHT)
            synthesis, noise = self.renderer.generator.synthesis, self.renderer.noise_maps(contour.noise, side)

            def synthesize(step: Tensor) -> Tensor:
                between()
                return synthesis(self.renderer.edit_styles(start + step, still, side), noise, side)  # type: ignore[no-any-return]

            step = solve_lock_step(
                self.renderer.population(), weights, seen[1], seen[0], start.shape[1],
                lambda step: self._observe_images(synthesize(step))[0], CROSS_ITERATIONS,
            )  # fmt: skip
            image = synthesize(step)
        labels = [segment_contour(picture, self.reader) for picture in (images[0], image)]
        return CrossedFace(
            start + step,
            frame_variation_percent(*labels),
            inner_difference_percent(weights, self._observe_images(image)[0], *seen),
        )

    def forget(self) -> None:
        """Drop what was found out about faces, as after a change of reader."""
        self._faces.clear()

    # --- pictures ------------------------------------------------------------------------------------------------

    def _unedited_face(self, recipe: Recipe) -> _UneditedFace:
        plain = recipe.derive(edits=(), locks=())
        face = self._faces.pop(plain.digest, None)
        if face is None:
            face = _UneditedFace(plain, recipe_ws(self.renderer.generator, plain))
        self._faces[plain.digest] = face
        while len(self._faces) > MAX_CACHED_FACES:
            self._faces.popitem(last=False)
        return face

    @cached_property
    def _mean_image(self) -> Tensor:
        """float32 [1, 3, R, R]: the mean face."""
        generator = self.renderer.generator
        ws = generator.mapping.w_avg.expand(1, generator.num_ws, -1)
        return self.renderer.synthesize(generator.synthesis.styles(ws), Noise(), generator.config.img_resolution)

    def _synthesize_face(self, face: _UneditedFace, edits: EditSum | None, until: int, dtype: Dtype) -> Tensor:
        """float32 [1, 3, until, until]; the unedited face's is kept."""
        if edits is not None:
            styles = self.renderer.edit_styles(face.ws, edits, until)
            return self.renderer.synthesize(styles, face.recipe.noise, until, dtype)
        key = (until, dtype)
        if key not in face.images:
            styles = self.renderer.generator.synthesis.styles(face.ws, until)
            face.images[key] = self.renderer.synthesize(styles, face.recipe.noise, until, dtype)
        return face.images[key]

    def _lock_resolution(self) -> int:
        return min(self.renderer.generator.config.img_resolution, LOCKED_SIDE)

    def _observe_edits(self, face: _UneditedFace, edits: EditSum) -> Tensor:
        """float32 [P]: what locks see of one edited face."""
        return self._observe_images(self._synthesize_face(face, edits, self._lock_resolution(), "float32"))[0]

    def _observe_images(self, images: Tensor) -> Tensor:
        """Pictures [N, 3, R, R] -> float32 [N, 6 * s * s]: colours and frame classes at `OBSERVED_SIDE`."""
        groups = group_probabilities(self.reader.probabilities(images.clamp(-1, 1)))
        return torch.cat([_pool(images), _pool(groups)], dim=1).flatten(1)

    # --- masks ---------------------------------------------------------------------------------------------------

    def _build_unedited_mask(self, face: _UneditedFace, locks: tuple[RegionLock, ...]) -> Tensor:
        """[1, 1, R, R] of the unedited face at the full resolution."""
        side = self.renderer.generator.config.img_resolution
        image = self._synthesize_face(face, None, side, "float32").clamp(-1, 1)
        return build_lock_mask(self.reader.probabilities(image), locks, side)

    def _build_union_mask(
        self, face: _UneditedFace, locks: tuple[RegionLock, ...], image: Tensor, until: int
    ) -> np.ndarray:
        """float32 [until, until]: where the locks hold in the unedited face or in the edited one."""
        held = _resize(self._build_unedited_mask(face, locks), until)
        edited = build_lock_mask(self.reader.probabilities(image.clamp(-1, 1)), locks, until)
        mask: np.ndarray = torch.maximum(held, edited)[0, 0].cpu().numpy()
        return mask

    def _weigh_locks(self, face: _UneditedFace, locks: tuple[RegionLock, ...]) -> LockWeights:
        held = _pool(self._build_unedited_mask(face, locks))[0, 0]
        colours, classes = held.expand(3, -1, -1), torch.zeros_like(held).expand(3, -1, -1)
        outline = max((lock.strength for lock in locks if lock.region in _OUTLINE_REGIONS), default=0.0)
        firm = torch.full_like(held, outline).expand(3, -1, -1)
        inside = torch.cat([normalise_weights(1 - colours), classes])
        outside = torch.cat([
            lambda_from_strength(colours) * normalise_weights(colours),
            OUTLINE_WEIGHT * lambda_from_strength(firm) * normalise_weights(firm),
        ])  # fmt: skip
        return LockWeights(inside.flatten(), outside.flatten())

    def _outside_rms(self, face: _UneditedFace, locks: tuple[RegionLock, ...], change: Tensor) -> float:
        held = _pool(self._build_unedited_mask(face, locks))[0, 0]
        colours = change.view(6, *held.shape)[:3]
        return 127.5 * float(((colours**2 * held).sum() / (3 * held.sum()).clamp_min(1e-6)).sqrt())

    # --- measures ------------------------------------------------------------------------------------------------

    def _measure(
        self,
        recipe: Recipe,
        edits: EditSum,
        pixels: np.ndarray,
        until: int,
        dtype: Dtype,
        mask: np.ndarray | None,
        measures: dict[str, float],
    ) -> MeasuredPicture:
        face = self._unedited_face(recipe)
        before = self._synthesize_face(face, None, until, dtype)
        after = (torch.from_numpy(pixels.copy()).to(before.device).permute(2, 0, 1)[None].float() + 0.5 - 128) / 127.5
        if until not in face.labels:
            face.labels[until] = segment_contour(before, self.reader)
        found = dict(measures)
        found |= contour_measures(face.labels[until], segment_contour(after, self.reader), until)
        if mask is not None:
            found |= change_measures(to_pixels(before), pixels, mask)
        if self._discriminator is not None and until == self._discriminator.config.img_resolution:
            seen = [identity_features(self._discriminator, x) for x in (before, after, self._mean_image)]
            found["identity_similarity"] = identity_similarity(*seen)
        distance = self.renderer.population().distance_sigma(face.ws + edits.ws)
        found["population_sigma"] = round(distance, 3)
        far = f"edited {distance:.1f} sigma beyond this network's population" if distance > FAR_SIGMA else ""
        return MeasuredPicture(pixels, found, (far,) if far else ())


def _scale_edits(edits: EditSum, share: float) -> EditSum:
    return EditSum(edits.ws * share, {name: step * share for name, step in edits.styles.items()})


def _pool(maps: Tensor) -> Tensor:
    """[N, C, R, R] -> [N, C, s, s] with s at most `OBSERVED_SIDE`, averaged."""
    return maps if maps.shape[-1] <= OBSERVED_SIDE else F.avg_pool2d(maps, maps.shape[-1] // OBSERVED_SIDE)


def _resize(maps: Tensor, side: int) -> Tensor:
    if maps.shape[-1] == side:
        return maps
    return F.interpolate(maps, size=side, mode="bilinear", align_corners=False, antialias=side < maps.shape[-1])
