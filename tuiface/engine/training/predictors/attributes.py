"""What the attribute predictor learns, its loss and its figures: the renderer's labels, where they can be seen at all.

A number that does not show must not be asked for: the height of a hairline under a fringe, or the length of no beard.
Such targets are NaN, and neither trained on nor measured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tuiface.core.errors import EngineError, UsageError
from tuiface.engine.pixels import normalise
from tuiface.engine.predictors.attributes import PROBABILITY
from tuiface.engine.predictors.files import Attribute, PredictorCard, build_network
from tuiface.engine.predictors.networks import AttributeNetwork
from tuiface.engine.training.data.head_data import HeadData
from tuiface.engine.training.data.head_shards import SHARD_HEADS
from tuiface.engine.training.predictors.settings import PredictorSettings, PredictorWarmStart
from tuiface.heads import (
    COLUMN,
    EMOTIONS,
    LABELS,
    SPECIFICATION,
    HeadParameters,
    compute_labels,
    sample_parameters,
)
from tuiface.heads.hair.styles import style_columns
from tuiface.heads.sampling.emotions import ACTION_UNITS
from tuiface.heads.sampling.look import Look, resolve_look
from tuiface.heads.sampling.parameters import HAIR_STYLES

LookFunction = Callable[[Look], Tensor]


@dataclass(frozen=True, slots=True)
class Target:
    """One attribute that is tried."""

    name: str
    meaning: str
    unit: str
    value: LookFunction | None = None
    """[N] of a batch of heads; None for the label or parameter of this name."""
    shown: LookFunction | None = None
    """bool [N], where it can be seen; None for everywhere."""
    shown_where: str = ""
    flips: bool = False
    """Whether its sign changes in a mirrored picture."""


def target_values(parameters: HeadParameters) -> Tensor:
    """Values float32 [N, len(TARGETS)] of each head, NaN where they do not show."""
    look, read = resolve_look(parameters), dict(zip(LABELS, compute_labels(parameters).unbind(1), strict=True))
    columns = []
    for target in TARGETS:
        if target.value is not None:
            values = target.value(look)
        else:
            values = read[target.name] if target.name in read else look.column(target.name)
        shown = torch.ones_like(values, dtype=torch.bool) if target.shown is None else target.shown(look)
        columns.append(torch.where(shown, values.float(), torch.nan))
    return torch.stack(columns, dim=1)


def mirror_values(values: Tensor) -> Tensor:
    """The values [N, len(TARGETS)] of mirrored heads."""
    signs = torch.tensor([-1.0 if target.flips else 1.0 for target in TARGETS], device=values.device)
    return values * signs


def probability_mask() -> Tensor:
    """bool [len(TARGETS)]: which targets are 0 or 1, and read as probabilities."""
    return torch.tensor([target.unit == PROBABILITY for target in TARGETS])


def _is_style(look: Look, *names: str) -> Tensor:
    wanted = torch.tensor([HAIR_STYLES.index(name) for name in names], device=look.device)
    return torch.isin(look.choice("hair_style"), wanted)


def _has_hair(look: Look) -> Tensor:
    return ~_is_style(look, "bald")


def _fringe(look: Look) -> Tensor:
    """A style's own fringe, or the share of long hair that falls over the forehead."""
    style = style_columns(look.choice("hair_style"))
    return torch.maximum(style.fringe, look.column("fringe") * (style.curtain > 0.5))


def _shows_hairline(look: Look) -> Tensor:
    style = style_columns(look.choice("hair_style"))
    return _has_hair(look) & (_fringe(look) == 0) & (style.forward < 0.4) & (look.column("crown_thinning") < 0.3)


def _curl(look: Look) -> Tensor:
    """Mean radius of the curls."""
    return style_columns(look.choice("hair_style")).curl * (0.5 + look.column("hair_wave"))


def _years(look: Look) -> Tensor:
    return 18 + 62 * look.column("age")


def _parameter_target(
    name: str,
    unit: str | None = None,
    *,
    shown: LookFunction | None = None,
    shown_where: str = "",
    value: LookFunction | None = None,
    flips: bool = False,
) -> Target:
    """A parameter of the renderer under its own name and meaning."""
    spec = SPECIFICATION[COLUMN[name]]
    return Target(name, spec.meaning, unit or spec.unit, value, shown, shown_where, flips)


def _has_beard(look: Look) -> Tensor:
    return look.column("beard_density") > 0.4


def _shows_irises(look: Look) -> Tensor:
    dark_lenses = (look.column("glasses") > 0.5) & (look.column("tint") > 0.2)
    return (look.column("eye_opening") > 0.5) & ~dark_lenses


_BEARD = "with a beard"
_IRISES = "eyes open, no dark lenses"
_HAIRY = "with hair"
_FOREHEAD = "hair that leaves the forehead free"

TARGETS: tuple[Target, ...] = (
    _parameter_target("masculinity"),
    _parameter_target("age", value=_years),
    _parameter_target("melanin"),
    _parameter_target("haemoglobin"),
    *map(
        _parameter_target,
        ("face_width", "face_length", "jaw_width", "chin_width", "cheekbones", "fullness", "neck_width"),
    ),
    *map(_parameter_target, ("nose_length", "nose_width", "nose_tip", "nose_bridge")),
    *map(_parameter_target, ("mouth_width", "lip_fullness", "eye_size", "brow_height", "brow_thickness", "brow_arch")),
    _parameter_target("iris_lightness", shown=_shows_irises, shown_where=_IRISES),
    *map(_parameter_target, ("freckles", "lipstick", "makeup")),
    Target("hair_length", "mean length of the hair on top", "dm"),
    Target("hair_lightness", "mean of the hair's colour", "sRGB", shown=_has_hair, shown_where=_HAIRY),
    _parameter_target("hair_red", shown=_has_hair, shown_where=_HAIRY),
    Target("grey", "share of grey hair", "fraction", shown=_has_hair, shown_where=_HAIRY),
    Target("hair_curl", "radius of the curls", "dm", _curl, _has_hair, _HAIRY),
    _parameter_target("hair_volume", shown=_has_hair, shown_where=_HAIRY),
    Target("fringe", "hair that falls over the forehead", "fraction", _fringe, _has_hair, _HAIRY),
    Target("hairline_height", "height of the hairline above the eyes", "dm", None, _shows_hairline, _FOREHEAD),
    _parameter_target("hairline_recession", shown=_shows_hairline, shown_where=_FOREHEAD),
    _parameter_target("crown_thinning", shown=_has_hair, shown_where=_HAIRY),
    Target("bald", "no hair, or a shaved head", PROBABILITY),
    Target("beard", "density of the beard", "fraction"),
    _parameter_target("beard_length", shown=_has_beard, shown_where=_BEARD),
    *map(_parameter_target, ("smile", "teeth", "mouth_open", "eye_opening", "brow_raise")),
    _parameter_target("gaze_x", shown=_shows_irises, shown_where=_IRISES, flips=True),
    _parameter_target("gaze_y", shown=_shows_irises, shown_where=_IRISES),
    _parameter_target("yaw", flips=True),
    _parameter_target("pitch"),
    Target("wrinkles", "wrinkles, of age and beyond it", "fraction"),
    *map(_parameter_target, ("mole", "scar")),
    *map(_parameter_target, ACTION_UNITS),
    *(Target(emotion, f"{emotion}: the action units of its prototype", "fraction") for emotion in EMOTIONS),
    Target("glasses", "frames worn", PROBABILITY),
    _parameter_target("garment_lightness"),
    _parameter_target("backdrop_lightness"),
    _parameter_target("light_azimuth", flips=True),
    *map(_parameter_target, ("light_elevation", "light_key", "light_warmth", "exposure")),
)
"""Every attribute that is tried; those that cannot be read are listed in the predictor's card instead of shipped."""


_BATCH = 64
_SOFTENING_SCALE = 0.5
_NUM_STATISTICS_HEADS = 8192
"""Heads from whose parameters centres and spreads are taken; nothing is rendered for that."""
_MIN_R2 = 0.5
"""Held-out R2 below which an attribute is not shipped at all."""


class AttributeTask:
    """Squared error of standardised values, cross-entropy of yes and no; what does not show does not count."""

    def __init__(self, settings: PredictorSettings, data: HeadData) -> None:
        self._settings, self._data = settings, data
        self._binary = probability_mask()
        sampled = target_values(sample_parameters(_NUM_STATISTICS_HEADS, seed=settings.population, start=SHARD_HEADS))
        shown = ~sampled.isnan()
        self.centre = sampled.nanmean(dim=0)
        """[len(TARGETS)], of today's heads; outputs are in deviations from it."""
        squares = torch.where(shown, sampled - self.centre, 0.0).square().sum(dim=0)
        self.spread = (squares / shown.sum(dim=0)).sqrt()
        """[len(TARGETS)], standard deviation."""
        self._values = torch.empty(0, len(TARGETS))
        self._held_out = target_values(data.held_out_parameters())
        self._pictures = data.held_out()

    def new_network(self, start: PredictorWarmStart | None) -> nn.Module:
        """A residual network with one output a target; those that `start` did not read begin at 0.

        What it read goes on by name, brought from its own means and deviations to those of today's heads. Raises
        UsageError where `start` is of another shape.
        """
        if start is None:
            return build_network(self._build_card(dict.fromkeys((t.name for t in TARGETS), 1.0)), normalise=True)
        if start.card.feature_width != self._settings.feature_width:
            raise UsageError(
                f"the reader '{start.card.name}' has {start.card.feature_width} features; "
                f"wanted are {self._settings.feature_width}",
                "leave out --from",
            )
        network = start.fit(self._settings)
        assert isinstance(network, AttributeNetwork)
        network.out = self._continue_outputs(start.card, network.out)
        return network

    def _continue_outputs(self, card: PredictorCard, learned: nn.Linear) -> nn.Linear:
        """Rows for all targets, from those of the attributes of `card`."""
        rows = {attribute.name: (row, attribute) for row, attribute in enumerate(card.attributes)}
        out = nn.Linear(learned.in_features, len(TARGETS))
        with torch.no_grad():
            out.weight.zero_()
            out.bias.zero_()
            for index, target in enumerate(TARGETS):
                if target.name not in rows:
                    continue
                row, before = rows[target.name]
                gain, shift = 1.0, 0.0
                if target.unit != PROBABILITY:
                    gain = before.spread / float(self.spread[index])
                    shift = (before.centre - float(self.centre[index])) / float(self.spread[index])
                out.weight[index] = gain * learned.weight[row]
                out.bias[index] = gain * learned.bias[row] + shift
        return out

    def loss(self, outputs: Tensor, regions: Tensor, indices: Tensor, flipped: Tensor) -> Tensor:
        """Of outputs [N, len(TARGETS)]."""
        values = self._training_values(indices)
        values = torch.where(flipped.cpu()[:, None], mirror_values(values), values)
        shown = ~values.isnan().to(outputs.device)
        values = values.nan_to_num(0.0)
        standard = ((values - self.centre) / self.spread).to(outputs.device)
        errors = F.smooth_l1_loss(outputs, standard, reduction="none", beta=2.0) * 2
        entropies = F.binary_cross_entropy_with_logits(outputs, values.clamp(0, 1).to(outputs.device), reduction="none")
        each = torch.where(self._binary.to(outputs.device), entropies, errors)
        return (each * shown).sum() / shown.sum()

    def compute_figures(self, network: nn.Module, precision: torch.dtype) -> dict[str, float]:
        """Held-out R2: their mean, how many reach 0.8, and each."""
        r2 = self._measure_r2(network, precision, soft=False)
        reached = sum(value >= 0.8 for value in r2.values())
        return {
            "mean_r2": sum(r2.values()) / len(r2),
            "visible": float(reached),
            **{f"r2_{n}": v for n, v in r2.items()},
        }

    def finish(self, network: nn.Module, training: dict[str, str | int | float]) -> tuple[PredictorCard, nn.Module]:
        """The card, and the network with the outputs that can be read."""
        assert isinstance(network, AttributeNetwork)
        for tensor in network.state_dict().values():
            tensor.copy_(tensor.half())
        r2 = self._measure_r2(network, torch.float32, soft=False)
        softened = self._measure_r2(network, torch.float32, soft=True)
        kept = [index for index, target in enumerate(TARGETS) if r2[target.name] >= _MIN_R2]
        if not kept:
            raise EngineError("no attribute can be read after this training", "train longer: --kimg")
        card = self._build_card({TARGETS[index].name: r2[TARGETS[index].name] for index in kept})
        visible = [attribute.name for attribute in card.attributes if attribute.is_visible]
        figures = {
            "visible": float(len(visible)),
            "mean_r2_of_visible": _mean([r2[name] for name in visible]),
            "mean_r2_of_visible_softened": _mean([softened[name] for name in visible]),
        }
        pruned = nn.Linear(network.out.in_features, len(kept))
        with torch.no_grad():
            pruned.weight.copy_(network.out.weight[kept])
            pruned.bias.copy_(network.out.bias[kept])
        network.out = pruned.requires_grad_(requires_grad=False)
        unreadable = {name: round(value, 3) for name, value in r2.items() if value < _MIN_R2}
        update = {"figures": figures, "unreadable": unreadable, "training": training}
        return card.model_copy(update=update), network

    def draw_sheet(self, network: nn.Module, count: int) -> Tensor | None:
        """Numbers have no picture."""
        return None

    def _training_values(self, indices: Tensor) -> Tensor:
        """Values [N, len(TARGETS)] of training heads, computed once a shard."""
        if len(self._values) < self._data.count_available():
            new = torch.arange(len(self._values), self._data.count_available())
            self._values = torch.cat([self._values, target_values(self._data.parameters(new))])
        return self._values[indices]

    def _build_card(self, r2: dict[str, float]) -> PredictorCard:
        """With the attributes that `r2` names."""
        settings = self._settings
        attributes = tuple(
            Attribute(
                name=target.name,
                meaning=target.meaning,
                unit=target.unit,
                shown_where=target.shown_where,
                centre=round(float(self.centre[index]), 6),
                spread=round(float(self.spread[index]), 6),
                held_out_r2=round(r2[target.name], 4),
            )
            for index, target in enumerate(TARGETS)
            if target.name in r2
        )
        return PredictorCard(
            kind="attributes",
            resolution=settings.resolution,
            scale=settings.scale,
            widths=settings.widths,
            feature_width=settings.feature_width,
            attributes=attributes,
            name=settings.name,
            licence=settings.licence,
        )

    @torch.no_grad()
    def _measure_r2(self, network: nn.Module, precision: torch.dtype, *, soft: bool) -> dict[str, float]:
        """Explained variance of each target on the held-out heads that show it; of a probability, its Brier skill."""
        device = next(network.parameters()).device
        outputs = []
        for pixels in torch.split(self._pictures, _BATCH):
            images = normalise(pixels, device)
            if soft:
                small = F.interpolate(images, scale_factor=_SOFTENING_SCALE, mode="bilinear", antialias=True)
                images = F.interpolate(small, size=images.shape[-1], mode="bilinear")
            with torch.autocast(device.type, precision, enabled=precision != torch.float32):
                outputs.append(network(images).float().cpu())
        out = torch.cat(outputs)
        read = torch.where(self._binary, out.sigmoid(), out * self.spread + self.centre)
        return explained_variance(read, self._held_out)


def explained_variance(read: Tensor, wanted: Tensor) -> dict[str, float]:
    """R2 of each column [N, len(TARGETS)] over the rows where `wanted` is no NaN; 0 where it does not vary."""
    result = {}
    for target, values, truth in zip(TARGETS, read.unbind(1), wanted.unbind(1), strict=True):
        shown = ~truth.isnan()
        values, truth = values[shown], truth[shown]
        total = float((truth - truth.mean()).square().sum()) if len(truth) else 0.0
        result[target.name] = 1 - float((values - truth).square().sum()) / total if total > 0 else 0.0
    return result


def _mean(values: list[float]) -> float:
    return round(sum(values) / len(values), 4) if values else 0.0
