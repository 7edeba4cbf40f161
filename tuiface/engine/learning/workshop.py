"""Where directions are made: an opened network with its population, and the records of what was made of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tuiface.core.errors import InputFileError, UsageError, quote
from tuiface.core.settings import Settings
from tuiface.directions.direction import STEP, Direction, DirectionHeader, DirectionOrigin, Labels, labels_of
from tuiface.engine.checkpoint import Checkpoint, prepare_checkpoint
from tuiface.engine.edits.masks import RegionPredictor
from tuiface.engine.networks.building import build_checkpoint
from tuiface.engine.networks.generator import Generator
from tuiface.engine.population import LatentPopulation
from tuiface.engine.predictors.registry import open_region_predictor, own_regions_path
from tuiface.engine_api.protocol import Dtype
from tuiface.faces.recipe import ModelRef


@dataclass(frozen=True)
class Workshop:
    """A network and what directions are measured against."""

    checkpoint: Checkpoint
    own_regions: Path | None = None
    """File of the regions that the user named for this network; it may be absent."""

    @classmethod
    def open(cls, settings: Settings) -> Workshop:
        """Open the network of `settings` on its device. Raises ModelError or EngineError."""
        from tuiface.core.assets import embedded_model_path
        from tuiface.engine.device import choose_device, keep_freed_memory

        keep_freed_memory()
        prepared = prepare_checkpoint(settings.model or embedded_model_path(), settings.cache)
        if settings.threads:
            torch.set_num_threads(settings.threads)
        checkpoint = build_checkpoint(prepared, str(choose_device(settings.device)), settings.cache)
        return cls(checkpoint, own_regions_path(settings.regions, checkpoint.info.network_sha256))

    @property
    def generator(self) -> Generator:
        """G_ema."""
        return self.checkpoint.generator

    @property
    def model(self) -> ModelRef:
        """What directions that are made here belong to."""
        return ModelRef(sha256=self.checkpoint.info.network_sha256, name=self.checkpoint.info.name)

    @cached_property
    def population(self) -> LatentPopulation:
        """Drawn once."""
        return LatentPopulation.of(self.generator)

    @cached_property
    def regions(self) -> RegionPredictor:
        """Says what the pixels of its faces show."""
        return open_region_predictor(self.generator, str(self.population.mean.device), self.own_regions)

    def first_class(self, count: int) -> Tensor | None:
        """Labels [count, c_dim] of class 0 for a network with classes, else None."""
        c_dim = self.generator.config.c_dim
        return torch.eye(c_dim, device=self.population.mean.device)[:1].expand(count, -1) if c_dim else None

    @cached_property
    def draft_dtype(self) -> Dtype:
        """The quicker arithmetic of this machine, for measuring over many faces."""
        from tuiface.engine.device import draft_dtype

        return draft_dtype(self.population.mean.device)

    def direction(
        self,
        name: str,
        unit_step: Tensor,
        origin: DirectionOrigin,
        *,
        rows: tuple[int, int] | None = None,
        labels: Labels | None = None,
        licence: str | None = None,
        sigma: float | None = None,
    ) -> Direction:
        """A direction of this network whose amount 1 is `unit_step` [w_dim] or [num_ws, w_dim].

        sigma: length of one standard deviation; the step's own length unless given. The licence defaults to that of
        the weights. Raises UsageError for a name that cannot be one.
        """
        array = unit_step.detach().cpu().numpy().astype(np.float32)
        return self._record(
            name,
            {STEP: array},
            space="w" if array.ndim == 1 else "w+",
            rows=rows,
            labels=labels or labels_of(name),
            origin=origin,
            sigma=float(np.linalg.norm(array)) if sigma is None else sigma,
            licence=licence or self.checkpoint.info.licence or "unknown",
        )

    def channel_direction(
        self, name: str, channels: dict[str, dict[int, float]], origin: DirectionOrigin, *, licence: str | None = None
    ) -> Direction:
        """A direction that moves single style channels, each by the given share of its own standard deviation."""
        layers = {layer: module for layer, module, _ in self.generator.synthesis.style_layers()}
        arrays = {}
        for layer, steps in channels.items():
            sigma = self.population.channel_sigma(layers[layer]).cpu().numpy()
            array = np.zeros(len(sigma), np.float32)
            for channel, amount in steps.items():
                array[channel] = amount * sigma[channel]
            arrays[layer] = array
        return self._record(
            name,
            arrays,
            space="styles",
            labels=labels_of(name),
            origin=origin,
            limit=30.0,
            licence=licence or self.checkpoint.info.licence or "unknown",
        )

    def imported(
        self,
        name: str,
        step: np.ndarray,
        rows: tuple[int, int] | None,
        *,
        file: str,
        raw: bool,
        system: str | None,
        licence: str,
        paper: str,
    ) -> Direction:
        """A direction from a user's array, in standard deviations of w along it unless `raw`.

        step: float32 [w_dim] or [num_ws, w_dim]. Raises InputFileError where the population does not vary along it.
        """
        if rows is not None and rows[1] > self.generator.num_ws:
            raise UsageError(f"rows {rows[0]}-{rows[1]} end beyond the model's {self.generator.num_ws} rows")
        vector = torch.from_numpy(step).to(self.population.mean.device)
        norm = float(vector.norm())
        sigma = self._sigma(vector)
        if sigma < 1e-6 * float(self.population.deviations[0]):
            raise InputFileError(f"{file}: this network's population does not vary along it, so it has no unit")
        settings: dict[str, str | int | float | bool] = {"file": file, "raw_norm": norm}
        if system:
            settings["system"] = system
        origin = DirectionOrigin(method="import", data=file, paper=paper, settings=settings)
        unit_step = vector if raw else vector * (sigma / norm)
        made = self.direction(name, unit_step, origin, rows=rows, licence=licence, sigma=sigma)
        return Direction(made.header.model_copy(update={"unit": "raw"}), made.arrays) if raw else made

    def _sigma(self, step: Tensor) -> float:
        """Length of one standard deviation of w along a step, as a step of the same form."""
        if step.ndim == 1:
            return self.population.sigma_of(step)
        # The rows of W+ are copies of one w over the population, so the projection on the step is w times its sum.
        total = step.sum(dim=0)
        return float(total.norm() / step.norm()) * self.population.sigma_of(total)

    def _record(self, name: str, arrays: dict[str, np.ndarray], **fields: object) -> Direction:
        from pydantic import ValidationError

        try:
            header = DirectionHeader.model_validate({"name": name, "model": self.model, **fields})
        except ValidationError as error:
            if error.errors()[0]["loc"] == ("name",):
                raise UsageError(
                    f"name {quote(name)}; accepted: a small letter, then small letters, digits and _", "--name NAME"
                ) from None
            raise
        return Direction(header, arrays)
