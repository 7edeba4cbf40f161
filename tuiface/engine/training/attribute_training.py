"""The attribute reader's loss and figures."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tuiface.engine.readers.card import Attribute, ReaderCard
from tuiface.engine.readers.files import build_network
from tuiface.engine.readers.networks import AttributeNetwork
from tuiface.engine.training.attribute_targets import TARGETS, mirrored, target_values, yes_or_no
from tuiface.engine.training.data import normalise
from tuiface.engine.training.head_data import HeadData
from tuiface.engine.training.head_shards import SHARD_HEADS
from tuiface.engine.training.reader_settings import ReaderSettings
from tuiface.engine.training.reader_start import ReaderStart
from tuiface.errors import EngineError, UsageError
from tuiface.heads import sample_parameters

_BATCH = 64
_SOFT_SHARE = 0.5
_POPULATION = 8192
"""Heads from whose parameters centres and spreads are taken; nothing is rendered for that."""
_LEAST_R2 = 0.5
"""Held-out R2 below which an attribute is not shipped at all."""


class AttributeTask:
    """Squared error of standardised values, cross-entropy of yes and no; what does not show does not count."""

    def __init__(self, settings: ReaderSettings, data: HeadData) -> None:
        self._settings, self._data = settings, data
        self._binary = yes_or_no()
        sampled = target_values(sample_parameters(_POPULATION, seed=settings.population, start=SHARD_HEADS))
        shown = ~sampled.isnan()
        self._centre = sampled.nanmean(dim=0)
        squares = torch.where(shown, sampled - self._centre, 0.0).square().sum(dim=0)
        self._spread = (squares / shown.sum(dim=0)).sqrt()
        self._values = torch.empty(0, len(TARGETS))
        self._held_out = target_values(data.held_out_parameters())
        self._pictures = data.held_out()

    def new_network(self, start: ReaderStart | None) -> nn.Module:
        """A residual network with one output a target; those that `start` did not read begin at 0.

        Raises UsageError where `start` is of another shape.
        """
        if start is None:
            return build_network(self._card(dict.fromkeys((t.name for t in TARGETS), 1.0)), normalise=True)
        card, network = start.card, start.network
        shape = (self._settings.resolution, self._settings.widths, self._settings.feature_width)
        if (card.resolution, card.widths, card.feature_width) != shape:
            raise UsageError(f"the reader '{card.name}' has other widths or another side", "leave out --from")
        assert isinstance(network, AttributeNetwork)
        rows = {attribute.name: row for row, attribute in enumerate(card.attributes)}
        out = nn.Linear(card.feature_width, len(TARGETS))
        for parameter, learned in ((out.weight, network.out.weight), (out.bias, network.out.bias)):
            nn.init.zeros_(parameter)
            for index, target in enumerate(TARGETS):
                if target.name in rows:
                    parameter.data[index] = learned[rows[target.name]]
        network.out = out
        return network

    def loss(self, outputs: Tensor, regions: Tensor, indices: Tensor, flipped: Tensor) -> Tensor:
        """Of outputs [N, len(TARGETS)]."""
        values = self._training_values(indices)
        values = torch.where(flipped.cpu()[:, None], mirrored(values), values)
        shown = ~values.isnan().to(outputs.device)
        values = values.nan_to_num(0.0)
        standard = ((values - self._centre) / self._spread).to(outputs.device)
        errors = F.smooth_l1_loss(outputs, standard, reduction="none", beta=2.0) * 2
        entropies = F.binary_cross_entropy_with_logits(outputs, values.clamp(0, 1).to(outputs.device), reduction="none")
        each = torch.where(self._binary.to(outputs.device), entropies, errors)
        return (each * shown).sum() / shown.sum()

    def figures(self, network: nn.Module, precision: torch.dtype) -> dict[str, float]:
        """Held-out R2: their mean, how many reach 0.8, and each."""
        r2 = self._r2(network, precision, soft=False)
        reached = sum(value >= 0.8 for value in r2.values())
        return {
            "mean_r2": sum(r2.values()) / len(r2),
            "visible": float(reached),
            **{f"r2_{n}": v for n, v in r2.items()},
        }

    def finish(self, network: nn.Module, training: dict[str, str | int | float]) -> tuple[ReaderCard, nn.Module]:
        """The card, and the network with the outputs that can be read."""
        assert isinstance(network, AttributeNetwork)
        for tensor in network.state_dict().values():
            tensor.copy_(tensor.half())
        r2 = self._r2(network, torch.float32, soft=False)
        softened = self._r2(network, torch.float32, soft=True)
        kept = [index for index, target in enumerate(TARGETS) if r2[target.name] >= _LEAST_R2]
        if not kept:
            raise EngineError("no attribute can be read after this training", "train longer: --kimg")
        card = self._card({TARGETS[index].name: r2[TARGETS[index].name] for index in kept})
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
        unreadable = {name: round(value, 3) for name, value in r2.items() if value < _LEAST_R2}
        update = {"figures": figures, "unreadable": unreadable, "training": training}
        return card.model_copy(update=update), network

    def sheet(self, network: nn.Module, count: int) -> Tensor | None:
        """Numbers have no picture."""
        return None

    def _training_values(self, indices: Tensor) -> Tensor:
        """Values [N, len(TARGETS)] of training heads, computed once a shard."""
        if len(self._values) < self._data.available():
            new = torch.arange(len(self._values), self._data.available())
            self._values = torch.cat([self._values, target_values(self._data.parameters(new))])
        return self._values[indices]

    def _card(self, r2: dict[str, float]) -> ReaderCard:
        """With the attributes that `r2` names."""
        settings = self._settings
        attributes = tuple(
            Attribute(
                name=target.name,
                meaning=target.meaning,
                unit=target.unit,
                shown_where=target.shown_where,
                centre=round(float(self._centre[index]), 6),
                spread=round(float(self._spread[index]), 6),
                held_out_r2=round(r2[target.name], 4),
            )
            for index, target in enumerate(TARGETS)
            if target.name in r2
        )
        return ReaderCard(
            kind="attributes",
            resolution=settings.resolution,
            widths=settings.widths,
            feature_width=settings.feature_width,
            attributes=attributes,
            name=settings.name,
            licence=settings.licence,
        )

    @torch.no_grad()
    def _r2(self, network: nn.Module, precision: torch.dtype, *, soft: bool) -> dict[str, float]:
        """Explained variance of each target on the held-out heads that show it; of a probability, its Brier skill."""
        device = next(network.parameters()).device
        outputs = []
        for pixels in torch.split(self._pictures, _BATCH):
            images = normalise(pixels, device)
            if soft:
                small = F.interpolate(images, scale_factor=_SOFT_SHARE, mode="bilinear", antialias=True)
                images = F.interpolate(small, size=images.shape[-1], mode="bilinear")
            with torch.autocast(device.type, precision, enabled=precision != torch.float32):
                outputs.append(network(images).float().cpu())
        out = torch.cat(outputs)
        read = torch.where(self._binary, out.sigmoid(), out * self._spread + self._centre)
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
