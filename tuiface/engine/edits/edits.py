"""The edits of a recipe as two sums: a step in W+, and a step of the styles.

Shape legend: L = num_ws, w = w_dim, I = channels of a style layer.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from tuiface.core.errors import ModelError, suggest_nearest
from tuiface.directions.direction import Direction, find_embedded
from tuiface.engine.latents import LatentPopulation
from tuiface.engine.networks.generator import Generator
from tuiface.faces.recipe import ChannelEdit, DirectionEdit, ModelRef, Recipe

FindDirection = Callable[[str], Direction | None]
"""The direction of a digest, or None."""


@dataclass(frozen=True, slots=True, eq=False)
class EditSum:
    """What the edits of a recipe add up to."""

    ws: Tensor
    """float32 [1, L, w], added to W+ before the affines."""
    styles: dict[str, Tensor] = field(default_factory=dict)
    """float32 [I] by layer, added to what the affines give; only layers that move."""

    def add_ws(self, step: Tensor) -> EditSum:
        """The same with a step [1, L, w] more."""
        return EditSum(self.ws + step, self.styles)

    def scale(self, factor: float) -> EditSum:
        """`factor` times as much."""
        return EditSum(self.ws * factor, {name: step * factor for name, step in self.styles.items()})

    def by_name(self) -> dict[str, Tensor]:
        """All steps by name, those of W+ under the empty one."""
        return {"": self.ws, **self.styles}


def sum_edits(
    generator: Generator,
    recipe: Recipe,
    model: ModelRef,
    population: Callable[[], LatentPopulation],
    find: FindDirection,
) -> EditSum:
    """Add up the edits of `recipe`; raises ModelError, naming the edit, for one that does not fit `model`.

    `population` is asked for only where a channel's standard deviation is needed.
    """
    device = generator.mapping.w_avg.device
    config = generator.config
    total = EditSum(torch.zeros(1, config.num_ws, config.w_dim, device=device))
    layers = {name: layer for name, layer, _ in generator.synthesis.style_layers()}
    num_channels = {name: layer.affine.weight.shape[0] for name, layer in layers.items()}

    @functools.cache
    def channel_sigma(layer: str) -> Tensor:
        return population().channel_sigma(layers[layer])

    for i, edit in enumerate(recipe.edits):
        if isinstance(edit, ChannelEdit):
            _add_channel(total, num_channels, edit, channel_sigma, i)
        else:
            direction = find(edit.sha256) or find_embedded(recipe, edit.sha256)
            _add_direction(total, generator, num_channels, edit, direction, model, i)
    return total


def _add_channel(
    total: EditSum, num_channels: dict[str, int], edit: ChannelEdit, sigma: Callable[[str], Tensor], i: int
) -> None:
    name, channel = edit.channel
    if name not in num_channels:
        raise ModelError(f"edits[{i}].channel: this model has no layer '{name}'", suggest_nearest(name, num_channels))
    if channel >= num_channels[name]:
        raise ModelError(f"edits[{i}].channel: {name} has channels 0 to {num_channels[name] - 1}, not {channel}")
    step = torch.zeros(num_channels[name], device=total.ws.device)
    step[channel] = edit.amount * sigma(name)[channel]
    total.styles[name] = total.styles[name] + step if name in total.styles else step


def _add_direction(
    total: EditSum,
    generator: Generator,
    num_channels: dict[str, int],
    edit: DirectionEdit,
    direction: Direction | None,
    model: ModelRef,
    i: int,
) -> None:
    if direction is None:
        raise ModelError(
            f"edits[{i}].direction: no direction '{edit.direction}' ({edit.sha256[:10]}) is at hand",
            "copy its file into the folder that the setting 'directions' names",
        )
    if not edit.foreign:
        direction.refuse_foreign(model)
    direction.refuse_misfit(generator.num_ws, generator.config.w_dim, num_channels)
    device = total.ws.device
    if direction.header.space == "styles":
        if edit.rows is not None:
            raise ModelError(f"edits[{i}].rows: direction '{edit.direction}' moves styles, which have no rows")
        for name, array in direction.arrays.items():
            step = edit.amount * torch.from_numpy(array).to(device)
            total.styles[name] = total.styles[name] + step if name in total.styles else step
        return
    start, stop = edit.rows or direction.header.rows or (0, generator.num_ws)  # the edit's own rows come first
    if stop > generator.num_ws:
        raise ModelError(f"edits[{i}].rows: [{start}, {stop}) ends beyond the model's {generator.num_ws} rows")
    step = torch.from_numpy(direction.step).to(device)  # [w], the same on every row, or [L, w]
    total.ws[:, start:stop] += edit.amount * (step if step.ndim == 1 else step[start:stop])
