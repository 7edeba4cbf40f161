"""What is looked at between snapshots: pictures, distances, and whether the discriminator learns by heart.

None of it needs another network. Patch-SWD, the sliced Wasserstein distance between 7x7 patches of Laplacian pyramids
(Karras et al. 2018, arXiv 1710.10196, section 5), says how close textures are at each scale, and keeps the best network
of a run. The distances of discriminator features would not do for that: the discriminator changes from one snapshot to
the next.

Shape legend: N = batch, R = resolution.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tuiface.core.limits import DEFAULT_PSI
from tuiface.engine.latents import z_from_seed
from tuiface.engine.pixels import normalise
from tuiface.engine.training.data.head_data import HeadData, head_latents
from tuiface.engine.training.data.sources import TrainingData
from tuiface.engine.training.gan.paired import synthesize_w
from tuiface.engine.training.gan.state import TrainingState
from tuiface.engine.training.report import Report
from tuiface.heads import encode

_PATCH = 7
_PATCHES_PER_IMAGE = 64
_PROJECTIONS = 128
_COARSEST = 16


def patch_swd(images: Tensor, reference: Tensor, seed: int = 0) -> dict[int, float]:
    """Distance by resolution (R, R/2, ..., 16) between two sets of as many pictures [N, 3, R, R] in [-1, 1].

    Patches are compared as they are, so that colour counts; times 1000.
    """
    generator = torch.Generator().manual_seed(seed)
    distances = {}
    for a, b in zip(_pyramid(images), _pyramid(reference), strict=True):
        size = _PATCH if a.shape[2] >= _PATCH else a.shape[2]
        places = torch.randint(0, (a.shape[2] - size + 1) ** 2, (len(a), _PATCHES_PER_IMAGE), generator=generator)
        directions = torch.randn(3 * size**2, _PROJECTIONS, generator=generator)
        directions = (directions / directions.norm(dim=0)).to(a.device)
        first, second = (torch.sort(_patches(x, places.to(x.device), size) @ directions, dim=0).values for x in (a, b))
        distances[a.shape[2]] = float((first - second).abs().mean()) * 1000
    return distances


def diversity(images: Tensor, reference: Tensor) -> float:
    """Mean distance between pictures [N, 3, R, R] at 16 px, over that of the reference: below 1, modes collapse."""
    shrink = max(images.shape[2] // _COARSEST, 1)
    spread, wanted = (float(torch.pdist(F.avg_pool2d(x, shrink).flatten(1)).mean()) for x in (images, reference))
    return spread / max(wanted, 1e-8)


def overfitting(training_logits: Tensor, held_out_logits: Tensor, fake_logits: Tensor) -> float:
    """r_v of Karras et al. 2020b, eq. 1: 0 while D treats held-out pictures as it does those it learns from, 1 when it
    takes them for generated ones."""
    train, held_out, fake = (float(logits.mean()) for logits in (training_logits, held_out_logits, fake_logits))
    return (train - held_out) / max(train - fake, 1e-8)


def _pyramid(images: Tensor) -> list[Tensor]:
    """Laplacian pyramid from R down; its last level is the 16 px picture itself."""
    levels = []
    while images.shape[2] > _COARSEST:
        coarse = F.avg_pool2d(images, 2)
        levels.append(images - F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=False))
        images = coarse
    return [*levels, images]


def _patches(images: Tensor, places: Tensor, size: int) -> Tensor:
    """Patches [N * P, 3 * size^2] at `places` int64 [N, P] of images [N, 3, r, r]."""
    unfolded = F.unfold(images, size)  # [N, 3 * size^2, places]
    index = places[:, None].expand(-1, unfolded.shape[1], -1)
    return unfolded.gather(2, index).transpose(1, 2).flatten(0, 1)


GRID_FACES, GRID_COLUMNS = 48, 8
_NUM_FAKES = 512
_BATCH = 32
_OVERFITTING_ALARM = 0.5
"""r_v from which on D is said to know its training pictures by heart."""

Measures = dict[str, object]


class Evaluation:
    """Measures one state against held-out data. Draws no random number of the run, so it may happen at any time."""

    def __init__(self, state: TrainingState, data: TrainingData, report: Report) -> None:
        self._state, self._data, self._report = state, data, report
        self._held_out = normalise(data.held_out(), state.device)

    @torch.no_grad()
    def evaluate(self) -> Measures:
        """Save a sample grid and return the measures that the stage has."""
        progress = self._state.progress
        name = f"{progress.total_images // 1000:06}-{progress.stage}"
        if progress.stage == "regression":
            return self._evaluate_regression(name)
        averaged = self._state.generator_ema
        z_dim = self._state.settings.network.z_dim
        z = torch.cat([z_from_seed(seed, z_dim) for seed in range(_NUM_FAKES)]).to(self._state.device)
        ws = averaged.map(z)
        grid = averaged.synthesize(averaged.truncate(ws[:GRID_FACES], DEFAULT_PSI))
        self._report.grid(grid, GRID_COLUMNS, name)
        fakes = torch.cat([averaged.synthesize(rows) for rows in torch.split(ws, _BATCH)]).clamp(-1, 1)
        count = min(len(fakes), len(self._held_out))
        distances = patch_swd(fakes[:count], self._held_out[:count])
        measures: Measures = {
            "patch_swd": round(sum(distances.values()) / len(distances), 3),
            "patch_swd_by_px": {str(px): round(value, 2) for px, value in distances.items()},
            "diversity": round(diversity(fakes[:count], self._held_out[:count]), 3),
        }
        if progress.stage == "adversarial":
            measures["overfitting"] = self._watch_overfitting(fakes)
        return measures

    def _evaluate_regression(self, name: str) -> Measures:
        """Grid of held-out heads over their regressions, and the distance of all of them."""
        state, data = self._state, self._data
        assert isinstance(data, HeadData)
        parameters = data.held_out_parameters()
        if state.settings.paired.through_mapping:
            w = state.generator_ema.mapping(head_latents(parameters, state.settings.network.z_dim).to(state.device))
        else:
            assert state.encoder is not None
            w = state.encoder(encode(parameters).to(state.device))
        side = state.settings.resolution
        drawn = torch.cat(
            [synthesize_w(state.generator_ema, part, side, torch.float32) for part in torch.split(w, _BATCH)]
        )
        drawn = drawn.clamp(-1, 1)
        shown = (torch.split(images[: GRID_FACES // 2], GRID_COLUMNS) for images in (self._held_out, drawn))
        self._report.grid(torch.cat([row for pair in zip(*shown, strict=True) for row in pair]), GRID_COLUMNS, name)
        return {"held_out_l1": round(float(F.l1_loss(drawn, self._held_out)), 4)}

    def _watch_overfitting(self, fakes: Tensor) -> float:
        """r_v, with a remark when it is high."""
        count = min(len(self._held_out), self._data.count_available())
        trained = normalise(self._data.pixels(torch.arange(count)), self._state.device)
        sets = (trained, self._held_out[:count], fakes)
        logits = [torch.cat([self._state.discriminator(part) for part in torch.split(x, _BATCH)]) for x in sets]
        ratio = overfitting(*logits)
        if ratio > _OVERFITTING_ALARM:
            self._report.note(
                f"note: the discriminator knows its training pictures by heart "
                f"(r_v {ratio:.2f}, alarm at {_OVERFITTING_ALARM}): "
                "use more pictures, --mirror, or stop here"
            )
        return round(ratio, 3)
