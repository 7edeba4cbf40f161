"""The segmenter's loss and figures."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tuiface.core.errors import UsageError
from tuiface.core.regions import REGION_NAMES
from tuiface.engine.pixels import normalise
from tuiface.engine.predictors.files import PredictorCard, build_network
from tuiface.engine.predictors.segmenter import GROUPS, colour_regions, group_regions
from tuiface.engine.training.data.sources import LabelledPictures
from tuiface.engine.training.predictors.settings import PredictorSettings, PredictorWarmStart

_BATCH = 32
_SOFTENING_SCALE = 0.5
"""Side of the softened pictures on which the figures are taken once more."""


class SegmenterTask:
    """Cross-entropy, and the overlap of each region, which counts small ones as much as large ones."""

    def __init__(self, settings: PredictorSettings, data: LabelledPictures) -> None:
        self._settings = settings
        self._pictures = data.held_out()
        self._regions = data.held_out_regions()

    def new_network(self, start: PredictorWarmStart | None) -> nn.Module:
        """A U-Net; raises UsageError where `start` is of another shape."""
        if start is None:
            return build_network(self._build_card(), normalise=True)
        if start.card.regions != REGION_NAMES:
            raise UsageError(f"the reader '{start.card.name}' has other regions", "leave out --from")
        return start.fit(self._settings)

    def loss(self, outputs: Tensor, regions: Tensor, indices: Tensor, flipped: Tensor) -> Tensor:
        """Of logits [N, K, R, R] for regions uint8 [N, R, R]."""
        return segmentation_loss(outputs, regions)

    def compute_figures(self, network: nn.Module, precision: torch.dtype) -> dict[str, float]:
        """mIoU and accuracies on the held-out heads."""
        found = self._segment(network, precision, soft=False)
        figures = {
            "miou": mean_iou(found, self._regions),
            "group_accuracy": float((group_regions(found) == group_regions(self._regions)).float().mean()),
            "accuracy": float((found == self._regions).float().mean()),
        }
        figures |= {f"iou_{name}": value for name, value in region_ious(found, self._regions).items()}
        groups = region_ious(group_regions(found), group_regions(self._regions), GROUPS)
        return figures | {f"iou_group_{name}": value for name, value in groups.items()}

    def finish(self, network: nn.Module, training: dict[str, str | int | float]) -> tuple[PredictorCard, nn.Module]:
        """The card, with figures of the network as it is stored."""
        for tensor in network.state_dict().values():
            tensor.copy_(tensor.half())
        figures = self.compute_figures(network, torch.float32)
        figures["miou_softened"] = mean_iou(self._segment(network, torch.float32, soft=True), self._regions)
        rounded = {name: round(value, 4) for name, value in figures.items()}
        return self._build_card().model_copy(update={"figures": rounded, "training": training}), network

    @torch.no_grad()
    def draw_sheet(self, network: nn.Module, count: int) -> Tensor | None:
        """Rows of eight: pictures, true regions, found regions."""
        found = self._segment(network, torch.float32, soft=False, count=count)
        coloured = (normalise(colour_regions(r), torch.device("cpu")) for r in (self._regions[:count], found))
        rows = (torch.split(x, 8) for x in (normalise(self._pictures[:count], torch.device("cpu")), *coloured))
        return torch.cat([row for rows_of_eight in zip(*rows, strict=True) for row in rows_of_eight])

    def _build_card(self) -> PredictorCard:
        settings = self._settings
        return PredictorCard(
            kind="segmenter",
            resolution=settings.resolution,
            scale=settings.scale,
            widths=settings.widths,
            regions=REGION_NAMES,
            name=settings.name,
            licence=settings.licence,
        )

    @torch.no_grad()
    def _segment(self, network: nn.Module, precision: torch.dtype, *, soft: bool, count: int | None = None) -> Tensor:
        """Regions uint8 [M, R, R] found in held-out heads."""
        device = next(network.parameters()).device
        found = []
        for pixels in torch.split(self._pictures[:count], _BATCH):
            images = normalise(pixels, device)
            if soft:
                small = F.interpolate(images, scale_factor=_SOFTENING_SCALE, mode="bilinear", antialias=True)
                images = F.interpolate(small, size=images.shape[-1], mode="bilinear")
            with torch.autocast(device.type, precision, enabled=precision != torch.float32):
                found.append(network(images).argmax(dim=1).to(torch.uint8).cpu())
        return torch.cat(found)


def segmentation_loss(logits: Tensor, regions: Tensor) -> Tensor:
    """Cross-entropy + 1 - mean soft overlap (Dice) of the regions that the batch shows.

    Logits [N, K, R, R], regions uint8 [N, R, R]. Milletari et al. 2016 (1606.04797) for the overlap.
    """
    logs = logits.log_softmax(dim=1)
    ids = regions.long()
    right = logs.gather(1, ids[:, None])[:, 0]
    # The probability of the right region, summed by region: one-hot maps of all regions would take K times the memory.
    shared = logs.new_zeros(logits.shape[1]).index_add(0, ids.flatten(), right.exp().flatten())
    held = torch.bincount(ids.flatten(), minlength=logits.shape[1])
    overlap = 2 * shared / (logs.exp().sum((0, 2, 3)) + held)
    return 1 - right.mean() - overlap[held > 0].mean()


def region_ious(found: Tensor, wanted: Tensor, names: tuple[str, ...] = REGION_NAMES) -> dict[str, float]:
    """Intersection over union of each region over all pixels of all pictures; regions in neither are left out."""
    ious = {}
    for index, name in enumerate(names):
        a, b = found == index, wanted == index
        union = int((a | b).sum())
        if union:
            ious[name] = int((a & b).sum()) / union
    return ious


def mean_iou(found: Tensor, wanted: Tensor) -> float:
    """Mean over the regions, each counting as much as any other."""
    ious = region_ious(found, wanted)
    return sum(ious.values()) / len(ious)
