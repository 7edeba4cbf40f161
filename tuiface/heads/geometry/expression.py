"""Where a face moves when it shows something: skin that is pulled by action units, and the folds it throws.

Action units are those of FACS (Ekman and Friesen 1978). What they do to lids and lips is with the eyes and the mouth;
here they move brows, nose, cheeks and chin, with all that is drawn on them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tuiface.heads.constants import kept_by_first
from tuiface.heads.geometry.chart import Chart, Window
from tuiface.heads.geometry.curves import bell, smoothstep
from tuiface.heads.geometry.surface import Surface
from tuiface.heads.sampling.look import Look


@dataclass(frozen=True, eq=False)
class _Pulls:
    """Where muscles pull, [1, h, w] over the windows of brows and of the lower face."""

    brows: Window
    inner: Tensor
    lowered: Tensor
    knitted: Tensor
    """Towards the middle, signed."""
    face: Window
    wings: Tensor
    lip: Tensor
    cheeks: Tensor
    chin: Tensor
    beside: Tensor
    """Beside the corners of the mouth."""


@kept_by_first
def _pulls(chart: Chart) -> _Pulls:
    brows, face = chart.window(0.70, 0.02, 0.78), chart.window(0.66, -1.12, 0.10)
    a, y = brows.a, brows.y
    # Slower than one to one, so that skin is pressed together and never folds over.
    band = smoothstep(0.04, 0.20, y) * smoothstep(0.66, 0.30, y) * brows.front
    lowered = band * smoothstep(0.66, 0.42, a) * (0.50 + 0.50 * bell((a - 0.10) / 0.22))
    b, z = face.a, face.y
    return _Pulls(
        brows,
        inner=band * bell((a - 0.12) / 0.15),
        lowered=lowered,
        knitted=-band * torch.sign(brows.x) * bell((a - 0.15) / 0.12),
        face=face,
        wings=bell((b - 0.12) / 0.11) * bell((z + 0.40) / 0.13),
        lip=bell((b - 0.20) / 0.13) * bell((z + 0.49) / 0.10),
        cheeks=bell((b - 0.38) / 0.17) * bell((z + 0.27) / 0.15) * face.front,
        chin=bell(b / 0.20) * bell((z + 0.91) / 0.11),
        beside=bell((b - 0.31) / 0.10) * bell((z + 0.70) / 0.10),
    )


def move_face(position: Tensor, chart: Chart, look: Look) -> None:
    """Move the skin of `position` [N, 3, H, W] as the action units pull it."""
    pulls = _pulls(chart)
    x, y, _ = Surface.at(position, pulls.brows).unbind(1)
    lowered = look["brow_lower"] + 0.35 * look["nose_wrinkle"]
    y += 0.070 * look["inner_brow_raise"] * pulls.inner - 0.066 * lowered * pulls.lowered
    x += 0.026 * (lowered + 0.5 * look["inner_brow_raise"]) * pulls.knitted
    x, y, z = Surface.at(position, pulls.face).unbind(1)
    wrinkled, raised, chin = look["nose_wrinkle"], look["upper_lip_raise"], look["chin_raise"]
    y += 0.036 * wrinkled * pulls.wings + 0.034 * (raised + 0.5 * wrinkled) * pulls.lip
    y += (0.022 * look["smile"] + 0.020 * wrinkled) * pulls.cheeks + 0.034 * chin * pulls.chin
    y -= 0.022 * look["corner_depress"] * pulls.beside
    z += 0.016 * chin * pulls.chin + 0.012 * wrinkled * pulls.wings + 0.020 * raised * pulls.lip
    x += 0.020 * look["lip_stretch"] * torch.sign(pulls.face.x) * pulls.beside


@dataclass(frozen=True, eq=False)
class _Folds:
    """Where skin folds, [1, h, w]."""

    root: Window
    bunnies: Tensor
    chin: Window
    dimples: Tensor


@kept_by_first
def _folds(chart: Chart) -> _Folds:
    root, chin = chart.window(0.26, -0.28, 0.14), chart.window(0.30, -1.10, -0.74)
    along = root.y + 0.55 * root.a
    lines = bell((along - 0.085) / 0.010) + bell((along - 0.040) / 0.010) + 0.7 * bell((along + 0.010) / 0.012)
    return _Folds(
        root,
        bunnies=lines * smoothstep(0.19, 0.06, root.a),
        chin=chin,
        dimples=bell(chin.x / 0.15) * bell((chin.y + 0.93) / 0.09),
    )


def fold_face(surface: Surface, look: Look) -> None:
    """The wrinkles at the root of a nose that is drawn up, and the dimples of a chin that is pushed up."""
    folds = _folds(surface.chart)
    lines = look["nose_wrinkle"] * folds.bunnies
    surface.at(surface.outward, folds.root).sub_(0.012 * lines)
    surface.at(surface.occlusion, folds.root).mul_(1 - 0.30 * lines)
    pits = look["chin_raise"] * folds.dimples * surface.at(surface.grain, folds.chin).clamp(min=0)
    surface.at(surface.outward, folds.chin).sub_(0.007 * pits)
    surface.at(surface.occlusion, folds.chin).mul_(1 - (0.12 * pits).clamp(max=0.3))
