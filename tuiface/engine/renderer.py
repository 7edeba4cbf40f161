"""From a recipe to pixels, in the order that the recipe fixes, one picture at a time.

seed    -> z -> w -> ws     mapping, truncation and mixes: W+ of the face (latents.py)
edits   -> EditSum          steps in W+ and of styles (edits/edits.py)
ws      -> styles           `Renderer.edit_styles`: W+ steps, each layer's affine, style steps
styles  -> image            `Renderer.synthesize`: the network's blocks up to a resolution (networks/inference.py)
image   -> pixels           uint8 (pixels.py)

Locks come between, in edits/edit_renderer.py.

Pictures are never batched: the operators may choose another summation for another batch, and the same recipe must give
the same bytes whoever asks for it beside which others.

Shape legend: L = num_ws, w = w_dim, I = channels of a style layer, r = side of the block that a picture stops at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial

import numpy as np
import torch
from torch import Tensor

from tuiface.core.errors import UsageError
from tuiface.engine.edits.edits import EditSum, FindDirection, sum_edits
from tuiface.engine.latents import LatentPopulation, recipe_ws
from tuiface.engine.networks.generator import Generator
from tuiface.engine.networks.inference import Plan, step_styles
from tuiface.engine.networks.layers import SynthesisLayer
from tuiface.engine.pixels import refuse_not_finite
from tuiface.engine_api.protocol import Dtype
from tuiface.faces.recipe import ModelRef, Noise, Recipe


class Renderer:
    """A generator with what its pictures need: directions by digest, and the population of its latents."""

    def __init__(
        self,
        generator: Generator,
        model: ModelRef,
        find_direction: FindDirection,
        population: Callable[[], LatentPopulation],
    ) -> None:
        """`population` is asked for where an edit of a channel or a measure needs it."""
        self.generator = generator
        self.model = model
        self._find_direction = find_direction
        self.population = population

    def render(self, recipe: Recipe, resolution: int | None = None, dtype: Dtype = "float32") -> np.ndarray:
        """uint8 [r, r, 3] for the RGB sum at block `resolution` (default: the full picture), without locks.

        Raises UsageError for a resolution without a block, ModelError for parts of the recipe that do not fit.
        """
        until = self.check_resolution(resolution)
        with torch.no_grad(), exact_convolutions():
            ws = recipe_ws(self.generator, recipe)  # [1, L, w]
            edits, noise = self.edits(recipe), self.noise_maps(recipe.noise, until)
            pixels: np.ndarray = self._plan(dtype).draw(ws + edits.ws, edits.styles, noise, until)[0]  # [r, r, 3]
            return pixels

    def edits(self, recipe: Recipe) -> EditSum:
        """What the recipe's edits add up to; raises ModelError for one that does not fit."""
        return sum_edits(self.generator, recipe, self.model, self.population, self._find_direction)

    def edit_styles(self, ws: Tensor, edits: EditSum, until: int | None = None) -> dict[str, Tensor]:
        """Styles [1, I] by layer of ws [1, L, w] with the edits applied: W+ steps, affines, style steps."""
        return step_styles(self.generator.synthesis.styles(ws + edits.ws, until), edits.styles)

    def synthesize(self, styles: Mapping[str, Tensor], noise: Noise, until: int, dtype: Dtype = "float32") -> Tensor:
        """float32 [1, 3, r, r] with r = `until`, of styles [1, I] by layer. Raises ModelError where not finite."""
        return refuse_not_finite(self._plan(dtype).synthesize(styles, self.noise_maps(noise, until), until))

    def _plan(self, dtype: Dtype) -> Plan:
        return self.generator.plan(getattr(torch, dtype))

    def noise_maps(self, noise: Noise, until: int) -> dict[str, Tensor | None]:
        """A recipe's noise inputs by layer, [1, 1, r, r] or the network's own [r, r]; None for none."""
        drawn = self.random_noise(noise.seed or 0, until) if noise.mode == "random" else noise.mode
        return self.generator.noise_maps(drawn, until)

    def random_noise(self, seed: int, until: int) -> Sequence[Tensor]:
        """N(0, 1) maps [1, 1, r, r] a convolution, drawn from RandomState(seed) in order of execution, on the CPU.

        The order makes the maps of a lower resolution a prefix of those of a higher one.
        """
        state = np.random.RandomState(seed)
        sides = [
            x.resolution for _, x, _ in self.generator.synthesis.style_layers(until) if isinstance(x, SynthesisLayer)
        ]
        device = self.generator.mapping.w_avg.device
        return [torch.from_numpy(state.randn(1, 1, r, r).astype(np.float32)).to(device) for r in sides]

    def check_resolution(self, resolution: int | None) -> int:
        """The block to stop at; raises UsageError where there is none of that size."""
        try:
            return self.generator.check_resolution(resolution)
        except ValueError as error:
            raise UsageError(f"size: {error}") from None


def exact_convolutions() -> AbstractContextManager[None]:
    """On CUDA: float32 as such, not TensorFloat32, and algorithms that give the same bits each time."""
    return torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)


def remember_convolutions() -> Callable[[], AbstractContextManager[None]]:
    """What gives contexts in which convolutions are computed as at this moment, also inside `exact_convolutions`."""
    cudnn = torch.backends.cudnn
    return partial(
        cudnn.flags,
        enabled=cudnn.enabled,
        benchmark=cudnn.benchmark,
        deterministic=cudnn.deterministic,
        allow_tf32=cudnn.allow_tf32,
    )
