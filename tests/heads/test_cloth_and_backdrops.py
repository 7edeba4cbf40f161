"""What is worn and what is behind: threads and folds where the grid holds them, muted and soft pictures."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.heads.test_render import plain
from tuiface.core.regions import Region
from tuiface.heads import HeadParameters, concatenate, render_heads, sample_parameters
from tuiface.heads.geometry.body import build_body
from tuiface.heads.render import chart_of
from tuiface.heads.sampling.look import resolve_look
from tuiface.heads.sampling.parameters import BACKDROPS, GARMENTS
from tuiface.heads.shading.background import paint_background


def saturation(pictures: Tensor) -> Tensor:
    """(largest - smallest) / largest of the channels of [N, 3, ...]."""
    return (pictures.amax(1) - pictures.amin(1)) / pictures.amax(1)


def painted(backdrop: str, count: int = 24, **changes: float) -> Tensor:
    look = resolve_look(sample_parameters(count, seed=2).override(backdrop=backdrop, **changes))
    return paint_background(look, 128)


@pytest.mark.parametrize("backdrop", BACKDROPS)
def test_backdrops_are_muted_soft_and_each_its_own(backdrop: str) -> None:
    pictures = painted(backdrop)
    assert saturation(pictures).mean((1, 2)).quantile(0.9) < 0.55
    steps = (pictures[..., 1:] - pictures[..., :-1]).abs().amax((1, 2, 3))
    assert steps.max() < 0.16
    flat = pictures.flatten(1)
    apart = (flat[:, None] - flat[None]).abs().mean(2) + torch.eye(len(flat))
    assert apart.min() > 0.002


def test_rooms_leaves_and_lamps_are_livelier_than_paper() -> None:
    def liveliness(backdrop: str) -> float:
        pictures = painted(backdrop, backdrop_lightness=0.5)
        return float((pictures.std((2, 3)) / pictures.mean((2, 3))).mean())

    plain_paper = liveliness("plain")
    for backdrop in ("bokeh", "interior", "foliage"):
        assert liveliness(backdrop) > 1.5 * plain_paper, backdrop


def cloth(parameters: HeadParameters, resolution: int) -> tuple[Tensor, Tensor]:
    """Level [N, h, w] of the cloth of bodies, NaN elsewhere, and how far each point is occluded."""
    look = resolve_look(parameters)
    part = build_body(look, chart_of(resolution, look.device))
    worn = part.region == float(Region.CLOTHING)
    return torch.where(worn, part.albedo.mean(1), torch.nan), part.occlusion


def test_knitwear_has_ribs_that_finer_grids_show_and_coarse_ones_leave_out() -> None:
    parameters = plain(garment="turtleneck", garment_pattern=0, garment_lightness=0.6)

    def ribs(resolution: int) -> float:
        level, _ = cloth(parameters, resolution)
        row = level[0, int(level.shape[1] * 0.62)]
        row = row[~row.isnan()]
        return float((row[1:] - row[:-1]).abs().mean() / row.mean())

    assert ribs(512) * (512 / 96) > 2 * ribs(64)
    assert ribs(256) > 0.004


@pytest.mark.parametrize("garment", GARMENTS)
def test_cloth_is_folded_and_skin_is_not(garment: str) -> None:
    """Folds shade cloth alone: above the neckline a body is shaded as a bare one."""
    level, occlusion = cloth(plain(garment=garment), 128)
    worn = ~level[0].isnan()
    low = worn.clone()
    low[: int(worn.shape[0] * 0.66)] = False
    assert occlusion[0][low].std() > 0.012
    rows = torch.arange(worn.shape[0])[:, None].expand_as(worn)
    neck = ~worn & (rows > 0.34 * worn.shape[0]) & (rows < 0.42 * worn.shape[0])
    assert not neck.any() or occlusion[0][neck].std() < 0.05


def test_a_pattern_changes_cloth_and_nothing_else() -> None:
    bare, printed = render_heads(
        concatenate([plain(garment="tee", garment_pattern=k, yaw=0) for k in (0.0, 1.0)]), 64
    ).pixels.float()
    regions = render_heads(plain(garment="tee"), 64).regions[0]
    changed = (bare - printed).abs().mean(2)
    assert changed[regions == int(Region.CLOTHING)].mean() > 4
    assert changed[(regions == int(Region.EYES)) | (regions == int(Region.BACKGROUND))].mean() < 0.5
