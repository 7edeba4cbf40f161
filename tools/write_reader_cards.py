"""Write the cards of the shipped readers, docs/segmenter-card.md and docs/attributes-card.md, from their own files.

`python -m tools.write_reader_cards` writes both, and draws docs/pictures/segmenter.png; a test binds the texts.
"""

# ruff: noqa: E501  (lines of Markdown)

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from tuiface.core.assets import asset_path, embedded_model_path
from tuiface.core.limits import DEFAULT_PSI
from tuiface.core.regions import REGION_NAMES
from tuiface.engine import load_checkpoint
from tuiface.engine.latents import z_from_seed
from tuiface.engine.pixels import normalise
from tuiface.engine.predictors import Attribute, AttributePredictor, PredictorCard, Segmenter
from tuiface.engine.predictors.attributes import ATTRIBUTES_ASSET
from tuiface.engine.predictors.files import VISIBLE_R2
from tuiface.engine.predictors.networks import resize_images
from tuiface.engine.predictors.segmenter import GROUPS, SEGMENTER_ASSET, colour_regions
from tuiface.engine.training.data.head_shards import SHARD_HEADS
from tuiface.engine.training.report import picture_grid
from tuiface.heads import render_heads, sample_parameters

DOCS = Path(__file__).parent.parent / "docs"
_COLUMNS, _SIDE = 8, 128
_UNSEEN_HEAD_SEED = 1


def segmenter_text(card: PredictorCard) -> str:
    """docs/segmenter-card.md."""
    figures = card.figures
    rows = [f"| {name} | {figures[f'iou_{name}']:.3f} |" for name in REGION_NAMES if f"iou_{name}" in figures]
    shown = {name: figures.get(f"iou_group_{name}") for name in GROUPS}
    groups = ", ".join(f"{name} {value:.3f}" for name, value in shown.items() if value is not None)
    return f"""\
# Model card: the segmenter

Says of each pixel of an aligned face whether it shows {", ".join(REGION_NAMES[:-1])} or {REGION_NAMES[-1]}: the regions of `tuiface/core/regions.py`. Soft, and differentiable in the picture.

![Held-out heads, their true regions and the regions found; faces of the embedded model and the regions found](pictures/segmenter.png)

Rows: rendered heads of a population that was not trained on, their true regions, the regions found; generated faces (seeds 0 to 7, psi {DEFAULT_PSI}), the regions found.

{_facts(card, SEGMENTER_ASSET, "U-Net of convolutions and ReLU (`tuiface/engine/predictors/networks.py`)")}

## Figures
On 512 held-out heads, of the stored half-precision network. IoU is intersection over union over all pixels of all heads; in the mean every region counts alike, however rare, and a region in neither map would be left out.

| | |
|---|---|
| mean IoU | {figures["miou"]:.3f} |
| the same, on pictures reduced to half their side and enlarged again | {figures["miou_softened"]:.3f} |
| accuracy of background / face / hair, pixels | {figures["group_accuracy"]:.4f} |
| IoU of the three | {groups} |
| accuracy of all regions, pixels | {figures["accuracy"]:.4f} |

| region | IoU |
|---|---|
{chr(10).join(rows)}

In the coarse grouping, beard and glasses belong to the face, neck and clothing to the background: a face frame is the outline of face and hair.

{_limits()}
- It expects the FFHQ alignment; a face that is much smaller, turned or off the middle is segmented badly.
- Thin things (frames of glasses, single strands, brows behind lenses) are where most of its errors lie.

## Train it again
```
tuiface train segmenter --kimg {int(card.training["images"]) // 1000} --out runs/segmenter
```
"""


def attributes_text(card: PredictorCard) -> str:
    """docs/attributes-card.md."""
    seen = sorted((a for a in card.attributes if a.is_visible), key=lambda a: -a.held_out_r2)
    rest = sorted((a for a in card.attributes if not a.is_visible), key=lambda a: -a.held_out_r2)
    unreadable = ", ".join(f"{n} {r2:.2f}" for n, r2 in sorted(card.unreadable.items(), key=lambda item: -item[1]))
    return f"""\
# Model card: the attribute reader

Reads {len(card.attributes)} numbers from the picture of an aligned face, in the renderer's units: for directions and for measures. Differentiable in the picture. Its {card.feature_width} pooled features, of mean 0 and deviation 1 over rendered heads, serve `tuiface bench quality`.

{_facts(card, ATTRIBUTES_ASSET, "residual network of convolutions and ReLU (`tuiface/engine/predictors/networks.py`)")}

## Figures
R2 is the explained variance on 512 held-out heads, of the stored half-precision network, over the heads where the attribute shows: a hairline under a fringe is neither asked for nor counted. For a probability it is Brier's skill score. An attribute counts as *visible* from R2 {VISIBLE_R2} on.

| | |
|---|---|
| visible attributes | {len(seen)} of {len(card.attributes) + len(card.unreadable)} tried |
| mean R2 of the visible | {card.figures["mean_r2_of_visible"]:.3f} |
| the same, on pictures reduced to half their side and enlarged again | {card.figures["mean_r2_of_visible_softened"]:.3f} |

{_table(seen)}

## Read with care
These are shipped too, and marked: `attribute.is_visible` is false. Their readings lean towards the mean. Further heads alone do not help: 96 thousand pictures of 15,872 further ones (`--from`, `--population 1`) moved none of them by more than 0.03 on 1,024 held-out heads, and were not kept.

{_table(rest)}

## Not readable
Tried and left out, with their R2: {unreadable}. Some of these do not show (alignment takes away sizes, a view from the front depths); others are fine detail, such as freckles.

{_limits()}
- "masculinity" is the renderer's axis from feminine to masculine build and style: how a face presents, nothing else.
- Shapes are in standard deviations of the renderer's population, colours and expressions in its fractions: they are no measurements of a person.

## Train it again
```
tuiface train attributes --kimg {int(card.training["images"]) // 1000} --heads {int(card.training["heads"]) + SHARD_HEADS} --out runs/attributes
```
"""


def _facts(card: PredictorCard, asset: str, architecture: str) -> str:
    training = card.training
    size = asset_path(asset).stat().st_size / 1e6
    return f"""\
| | |
|---|---|
| file | `assets/{asset}` (`tuiface.reader/1`), float16, {size:.2f} MB |
| architecture | {architecture}; pictures of any size are read at {card.resolution} px |
| data | {training["heads"]} rendered heads of {_describe_head_sets(training)} held out. No photo of a person, no third-party weights |
| faults added | softness, grain, block compression, mirror images, shifts, turns and scales (strength {training["misalignment"]}), other colours (strength {training["recasting"]}): `tuiface/engine/training/data/degradation.py` |
| training | {int(training["images"]):,} pictures in batches of {training["batch"]}; AdamW with a cosine from {training["learning_rate"]}{_parts(training)}, weight decay {training["weight_decay"]}; the average of the weights ships; {training["precision"]}; {training["minutes"]} minutes on a share of one processor core |
| licence | {card.licence} |"""


def _describe_head_sets(training: Mapping[str, object]) -> str:
    seeds = str(training["population"]).split(", ")
    if len(seeds) == 1:
        return f"population {seeds[0]} (`tuiface/heads`); its first 512 are"
    return f"populations {' and '.join(seeds)} (`tuiface/heads`), one after the other; the first 512 of each are"


def _parts(training: Mapping[str, object]) -> str:
    """How the last part of a training differs from what went before."""
    return " in the last of several parts (`--from`), without normalisation there" if "start" in training else ""


def _limits() -> str:
    return """\
## Limits
- It knows rendered heads, and was measured on nothing else; it is made for no decision about a real person."""


def _table(attributes: list[Attribute]) -> str:
    rows = [
        f"| `{a.name}` | {a.meaning} | {a.unit} | {a.shown_where or 'everywhere'} | {a.held_out_r2:.3f} |"
        for a in attributes
    ]
    return "\n".join(["| attribute | grows with | unit | shown | R2 |", "|---|---|---|---|---|", *rows])


@torch.no_grad()
def draw_segmentations() -> Image.Image:
    """The picture of the segmenter's card."""
    segmenter = Segmenter.load()
    heads = render_heads(sample_parameters(_COLUMNS, seed=_UNSEEN_HEAD_SEED), _SIDE)
    pictures = normalise(heads.pixels, torch.device("cpu"))
    generator = load_checkpoint(embedded_model_path()).generator
    z = torch.cat([z_from_seed(seed, generator.config.z_dim) for seed in range(_COLUMNS)])
    faces = resize_images(generator.synthesize(generator.truncate(generator.map(z), DEFAULT_PSI)).clamp(-1, 1), _SIDE)
    rows = [pictures, _draw_regions(heads.regions), _draw_regions(segmenter.regions(pictures))]
    rows += [faces, _draw_regions(segmenter.regions(faces))]
    return Image.fromarray(picture_grid(torch.cat(rows), _COLUMNS).numpy())


def _draw_regions(regions: Tensor) -> Tensor:
    return normalise(colour_regions(regions), torch.device("cpu"))


def write_cards(docs: Path) -> None:
    """Write both cards and the picture into a folder."""
    (docs / "pictures").mkdir(parents=True, exist_ok=True)
    (docs / "segmenter-card.md").write_text(segmenter_text(Segmenter.load().card), "utf-8")
    (docs / "attributes-card.md").write_text(attributes_text(AttributePredictor.load().card), "utf-8")
    draw_segmentations().save(docs / "pictures" / "segmenter.png")


def main() -> None:
    """Write those of the shipped readers."""
    write_cards(DOCS)


if __name__ == "__main__":
    main()
