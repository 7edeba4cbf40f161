"""From a recipe to pixels, in the order that the recipe fixes, one picture at a time.

Pictures are never batched: the operators may choose another summation for another batch, and the same recipe must give
the same bytes whoever asks for it beside which others.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager

import numpy as np
import torch
from torch import Tensor

from tuiface.engine.generator import Generator, SynthesisLayer
from tuiface.engine.latents import POPULATION_DRAWS, POPULATION_SEED, draw_w, recipe_ws
from tuiface.errors import ModelError, UsageError, nearest
from tuiface.protocol import Dtype
from tuiface.recipe import ChannelEdit, Recipe


class Renderer:
    """A generator with what is worth keeping between pictures: prepared weights and population statistics."""

    def __init__(self, generator: Generator) -> None:
        self.generator = generator
        self._w_covariance: Tensor | None = None

    def render(self, recipe: Recipe, resolution: int | None = None, dtype: Dtype = "float32") -> np.ndarray:
        """uint8 [r, r, 3] for the RGB sum at block `resolution` (default: the full picture).

        Raises UsageError for a resolution without a block, ModelError for parts of the recipe that do not fit.
        """
        until = self._checked_resolution(resolution)
        self._refuse_unknown_parts(recipe)
        with torch.no_grad(), exact_convolutions():
            ws = recipe_ws(self.generator, recipe)
            styles = self.generator.synthesis.styles(ws, until)
            self._edit_channels(styles, recipe)
            image = self._synthesize(styles, recipe, until, dtype)
            return to_pixels(image)

    def _synthesize(self, styles: dict[str, Tensor], recipe: Recipe, until: int, dtype: Dtype) -> Tensor:
        mode, seed = recipe.noise.mode, recipe.noise.seed
        noise = mode if mode != "random" else self.random_noise(seed or 0, until)
        maps = self.generator.noise_maps(noise, until)
        return self.generator.plan(getattr(torch, dtype)).synthesize(styles, maps, until)

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

    def _edit_channels(self, styles: dict[str, Tensor], recipe: Recipe) -> None:
        layers = {name: layer for name, layer, _ in self.generator.synthesis.style_layers()}
        for i, edit in enumerate(recipe.edits):
            if not isinstance(edit, ChannelEdit):
                continue
            name, channel = edit.channel
            if name not in layers:
                raise ModelError(f"edits[{i}].channel: this model has no layer '{name}'", nearest(name, layers))
            affine = layers[name].affine
            last = affine.weight.shape[0] - 1
            if channel > last:
                raise ModelError(f"edits[{i}].channel: {name} has channels 0 to {last}, not {channel}")
            if name in styles:  # a layer beyond the block that a preview stops at has no say
                row = affine.weight[channel] * affine.weight_gain
                sigma = torch.sqrt(row @ self.w_covariance() @ row)
                styles[name][:, channel] += edit.amount * sigma

    def w_covariance(self) -> Tensor:
        """float32 [w_dim, w_dim] of w over the network's own population (psi 1); computed once.

        A style is linear in w, so the standard deviation of channel a.w + b is sqrt(a^T C a).
        """
        if self._w_covariance is None:
            self._w_covariance = torch.cov(draw_w(self.generator, POPULATION_SEED, POPULATION_DRAWS).t())
        return self._w_covariance

    def _checked_resolution(self, resolution: int | None) -> int:
        try:
            return self.generator.check_resolution(resolution)
        except ValueError as error:
            raise UsageError(f"size: {error}") from None

    @staticmethod
    def _refuse_unknown_parts(recipe: Recipe) -> None:
        for i, edit in enumerate(recipe.edits):
            if not isinstance(edit, ChannelEdit):
                raise ModelError(f"edits[{i}].direction: no direction '{edit.direction}' for this model; it has 0")
        if recipe.locks:
            raise ModelError(f"locks[0].region: '{recipe.locks[0].region}': this model has no region map, so no locks")


def exact_convolutions() -> AbstractContextManager[None]:
    """On CUDA: float32 as such, not TensorFloat32, and algorithms that give the same bits each time."""
    return torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)


def to_pixels(image: Tensor) -> np.ndarray:
    """float32 [1, 3, r, r] in [-1, 1] -> uint8 [r, r, 3]: x*127.5+128, clipped to 0..255, truncated."""
    levels = (image[0] * 127.5 + 128).clamp(0, 255).to(torch.uint8)
    return levels.permute(1, 2, 0).contiguous().cpu().numpy()
