"""A network as an engine holds it: opened once, with what is found out about it once and shared by all that it does."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from tuiface.core.errors import ModelError
from tuiface.engine.checkpoint import Checkpoint
from tuiface.engine.edits.masks import RegionPredictor
from tuiface.engine.latents import LatentPopulation
from tuiface.engine.learning.batch_predict import SupportsAttributePrediction
from tuiface.engine.networks.discriminator import Discriminator
from tuiface.engine.networks.generator import Generator
from tuiface.engine.predictors.registry import open_attribute_predictor, open_region_predictor
from tuiface.engine_api.protocol import Dtype
from tuiface.faces.recipe import ModelRef


class OpenedNetwork:
    """A generator with its population of latents and what reads its faces; each is found when first asked for."""

    def __init__(self, checkpoint: Checkpoint, draft_dtype: Dtype, own_regions: Path) -> None:
        """`own_regions`: file of the regions that the user named for this network; it may be absent."""
        self.generator: Generator = checkpoint.generator
        """G_ema."""
        self.discriminator: Discriminator | None = checkpoint.discriminator
        self.model = ModelRef(sha256=checkpoint.info.network_sha256, name=checkpoint.info.name)
        """What recipes and directions of this network refer to."""
        self.licence = checkpoint.info.licence or "unknown"
        """Of the weights, and of directions that are made of them."""
        self.draft_dtype = draft_dtype
        """The quicker arithmetic of this machine, for drafts and for measuring over many faces."""
        self.own_regions = own_regions
        self.path = checkpoint.info.path
        """Its file: an earlier edition of the embedded model has readers of its own."""

    @property
    def device(self) -> torch.device:
        """Where its weights lie."""
        return self.generator.mapping.w_avg.device

    @property
    def layers(self) -> dict[str, int]:
        """Style layers by the checkpoint's own names, with their channel counts."""
        return {name: layer.affine.weight.shape[0] for name, layer, _ in self.generator.synthesis.style_layers()}

    @cached_property
    def population(self) -> LatentPopulation:
        """Drawn once."""
        return LatentPopulation.of(self.generator)

    @cached_property
    def regions(self) -> RegionPredictor:
        """Says what the pixels of its faces show. Raises ModelError for a damaged file of the user's regions."""
        return open_region_predictor(self.generator, str(self.device), self.own_regions, self.path)

    @cached_property
    def attributes(self) -> SupportsAttributePrediction:
        """Reads named attributes of its faces. Raises ModelError where no predictor is installed."""
        return open_attribute_predictor(str(self.device), self.path)

    @property
    def attributes_or_none(self) -> SupportsAttributePrediction | None:
        """The same; None where none is installed."""
        try:
            return self.attributes
        except ModelError:
            return None

    def first_class(self, count: int) -> Tensor | None:
        """Labels [count, c_dim] of class 0 for a network with classes, else None."""
        c_dim = self.generator.config.c_dim
        return torch.eye(c_dim, device=self.device)[:1].expand(count, -1) if c_dim else None
