"""What is looked at between snapshots: pictures, distances, and whether the discriminator learns by heart."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tuiface.engine.latents import z_from_seed
from tuiface.engine.training.data import TrainingData, normalise
from tuiface.engine.training.head_data import HeadData
from tuiface.engine.training.metrics import diversity, overfitting, patch_swd
from tuiface.engine.training.paired import synthesize_w
from tuiface.engine.training.report import Report
from tuiface.engine.training.state import TrainingState
from tuiface.heads import encode

GRID_FACES, GRID_COLUMNS = 48, 8
GRID_PSI = 0.7
_FAKES = 512
_BATCH = 32
_ALARM = 0.5
"""r_v from which on D is said to know its training pictures by heart."""

Measures = dict[str, object]


class Evaluation:
    """Measures one state against held-out data. Draws on no chance of the run, so it may happen at any time."""

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
        averaged = self._state.averaged
        z_dim = self._state.settings.network.z_dim
        z = torch.cat([z_from_seed(seed, z_dim) for seed in range(_FAKES)]).to(self._state.device)
        ws = averaged.map(z)
        grid = averaged.synthesize(averaged.truncate(ws[:GRID_FACES], GRID_PSI))
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
        assert state.encoder is not None
        w = state.encoder(encode(data.held_out_parameters()).to(state.device))
        side = state.settings.resolution
        drawn = torch.cat([synthesize_w(state.averaged, part, side, torch.float32) for part in torch.split(w, _BATCH)])
        drawn = drawn.clamp(-1, 1)
        shown = (torch.split(images[: GRID_FACES // 2], GRID_COLUMNS) for images in (self._held_out, drawn))
        self._report.grid(torch.cat([row for pair in zip(*shown, strict=True) for row in pair]), GRID_COLUMNS, name)
        return {"held_out_l1": round(float(F.l1_loss(drawn, self._held_out)), 4)}

    def _watch_overfitting(self, fakes: Tensor) -> float:
        """r_v, with a remark when it is high."""
        count = min(len(self._held_out), self._data.available())
        trained = normalise(self._data.pixels(torch.arange(count)), self._state.device)
        sets = (trained, self._held_out[:count], fakes)
        logits = [torch.cat([self._state.discriminator(part) for part in torch.split(x, _BATCH)]) for x in sets]
        ratio = overfitting(*logits)
        if ratio > _ALARM:
            self._report.note(
                f"note: the discriminator knows its training pictures by heart (r_v {ratio:.2f}, alarm at {_ALARM}): "
                "use more pictures, --mirror, or stop here"
            )
        return round(ratio, 3)
