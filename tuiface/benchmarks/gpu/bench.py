"""What every section is given: a device, how much to measure, until when, and what is made once."""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import torch

from tuiface.benchmarks.gpu.workload import Mode, Workload
from tuiface.benchmarks.networks import build_generator
from tuiface.core.settings import Settings

if TYPE_CHECKING:
    from tuiface.engine.networks.generator import Generator

_SHARE = 0.05
"""Of the time that is left, the most that one figure is measured for."""


@dataclass(frozen=True, slots=True)
class Ceilings:
    """What the device did at best; empty where that was not measured."""

    copy_gb_per_s: float = 0.0
    """Bytes read and bytes written."""
    tflops: Mapping[Mode, float] = field(default_factory=dict)
    """Of products of matrices, by mode."""


class Bench:
    """One section's means."""

    def __init__(
        self,
        settings: Settings,
        device: torch.device,
        workload: Workload,
        seconds: float,
        ceilings: Ceilings | None = None,
    ) -> None:
        """`seconds`: how long the section may take from now on."""
        self.settings = settings
        self.device = device
        self.workload = workload
        self.ceilings = ceilings or Ceilings()
        self._ends = time.monotonic() + seconds
        self.network = lru_cache(maxsize=1)(self._build)
        """A generator of FFHQ's shape at a resolution; the last one is kept."""
        self.embedded_network = lru_cache(maxsize=1)(self._load_embedded)
        """The generator that ships with tuiface."""

    def left_s(self) -> float:
        """How long the section may still take."""
        return self._ends - time.monotonic()

    @property
    def figure_s(self) -> float:
        """How long one figure is measured now: shorter where time is short."""
        return min(self.workload.figure_s, max(self.left_s(), 0.0) * _SHARE)

    def release(self) -> None:
        """Give back memory that is not in use."""
        self.network.cache_clear()
        self.embedded_network.cache_clear()
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _load_embedded(self) -> Generator:
        from tuiface.core.assets import embedded_model_path
        from tuiface.engine.loading import load_checkpoint

        return load_checkpoint(embedded_model_path(), str(self.device), self.settings.cache).generator

    def _build(self, resolution: int) -> Generator:
        return build_generator(self.workload.shape.config(resolution), self.device)
