"""Neck, shoulders and what is worn there."""

from __future__ import annotations

import torch
from torch import Tensor

from tuiface.core.regions import Region
from tuiface.heads.geometry.chart import Chart, surface_normals
from tuiface.heads.geometry.curves import bell, colour, mix, over, smoothstep, soft_step
from tuiface.heads.geometry.surface import Part
from tuiface.heads.sampling.look import Look
from tuiface.heads.sampling.parameters import GARMENTS
from tuiface.heads.sampling.rng import noise_patch
from tuiface.heads.shading.skin import skin_colour


def hue_colour(hue: Tensor, colourfulness: Tensor, lightness: Tensor) -> Tensor:
    """Linear RGB [N, 3, ...] from hue, saturation and lightness in 0..1 (lightness is sRGB-like)."""
    turns = torch.stack([hue, hue - 1 / 3, hue - 2 / 3], dim=1)
    wave = 0.5 + 0.5 * torch.cos(2 * torch.pi * turns)
    tinted = 1 + colourfulness[:, None] * (1.5 * wave - 1)
    return (0.012 + 0.62 * lightness[:, None] ** 2.0) * tinted.clamp(min=0.03)


def build_body(look: Look, chart: Chart) -> Part:
    """Neck and shoulders as a half tube from ear height down to the bottom of the picture."""
    device = look.device
    rows, columns = round(0.44 * chart.height), chart.width
    y = (-0.45 - 1.52 * torch.linspace(0, 1, rows, device=device))[None, :, None]
    theta = torch.linspace(-2.3, 2.3, columns, device=device)[None, None]
    neck = 1 + 0.075 * look["neck_width"]
    shoulder = smoothstep(-1.10, -1.78, y)
    spread = 1.28 * shoulder**1.15 * (1 + 0.08 * look["masculinity"])
    half_width = 0.468 * neck + spread + 0.09 * smoothstep(-0.95, -1.25, y)
    depth = 0.43 * neck + 0.13 * shoulder + 0.05 * smoothstep(-1.0, -1.5, y)
    x = half_width * torch.sin(theta)
    z = -0.16 - 0.04 * shoulder + depth * torch.cos(theta)
    strand = bell((x.abs() - 0.28 - 0.35 * (1.0 + y)) / 0.055) * smoothstep(-0.75, -1.0, y)
    z = z + 0.026 * strand * smoothstep(-1.46, -1.30, y) - 0.026 * bell(x / 0.07) * bell((y + 1.42) / 0.06)
    z = z + 0.028 * look["masculinity"].clamp(min=0) * bell(x / 0.07) * bell((y + 1.10) / 0.09)
    scale = 460 / chart.height
    grain = noise_patch(look.draw("body grain"), "grain", rows, columns, zoom=scale)
    mottle = noise_patch(look.draw("body mottle"), "mottle", rows, columns, zoom=scale)
    cloth = _Cloth(look, x, y.expand_as(x), mottle, 1.52 / rows)
    x = x * (1 + 0.045 * cloth.cover)
    z = z + cloth.relief
    position = torch.stack([x, y.expand_as(x), z], dim=1)
    skin = skin_colour(look["melanin"] + 0.02 + 0.006 * mottle, 0.17 + 0.08 * look["haemoglobin"] + 0.02 * mottle)
    albedo = over(skin * (1 + 0.015 * grain)[:, None], cloth.colour * (1 + 0.06 * grain)[:, None], cloth.cover)
    zero = torch.zeros_like(x)
    region = torch.where(cloth.cover > 0.5, float(Region.CLOTHING), float(Region.NECK))
    return Part(
        position,
        surface_normals(position),
        albedo.clamp(0.002, 1),
        gloss=mix(zero + 0.14, zero + 0.04, cloth.cover),
        scatter=1 - cloth.cover,
        occlusion=(1 - 0.35 * smoothstep(-0.95, -0.75, y)) * cloth.crease + zero,
        emission=zero,
        region=region,
    )


class _Cloth:
    """Coverage, relief and colour of a garment over the body grid [N, h, w]."""

    def __init__(self, look: Look, x: Tensor, y: Tensor, mottle: Tensor, texel: float) -> None:
        a = x.abs()
        draws = look.draw("neckline")[:, :, None, None]
        loose, boat, band = draws[:, 0], smoothstep(0.7, 0.9, draws[:, 1]), draws[:, 2]

        def worn(*garments: str) -> Tensor:
            return look.choice_mask("garment", GARMENTS, garments)

        vee, scoop, open_collar, tee = worn("v_neck"), worn("scoop"), worn("shirt", "jacket"), worn("tee")
        line = -1.20 - 0.07 * loose + 0.10 * smoothstep(0.35, 0.75, a)
        line = line - vee * (0.30 + 0.15 * loose) * (1 - a / 0.42).clamp(min=0)
        line = line - scoop * (0.12 + 0.22 * loose) * (1 - (a / 0.52) ** 2).clamp(min=0) ** 0.5
        line = line - open_collar * (0.34 + 0.1 * loose) * (1 - a / 0.24).clamp(min=0) ** 0.8
        line = line + tee * (0.035 * (1 - boat) * (1 - a / 0.5).clamp(min=0) - 0.06 * boat * smoothstep(0.15, 0.6, a))
        line = line + worn("turtleneck") * (0.26 - 0.05 * loose)
        self.cover = soft_step(line - y, 0.006)
        base = hue_colour(look["garment_hue"], look["garment_colourfulness"], look["garment_lightness"])
        self.colour = _print(look, base, x, y)
        # A ribbed band along the neck, of another tone on one tee in four.
        height = 0.050 + 0.035 * band
        ribbed = soft_step(y - line + height, 0.004) * (tee + vee)
        ringer = tee * (draws[:, 3] < 0.25)
        dark = hue_colour(
            look["garment_hue"] + 0.04, 0.4 * look["garment_colourfulness"], look["garment_lightness"] * 0.3
        )
        self.colour = over(self.colour, dark + 0.012, ribbed * ringer * 0.8)
        hem = bell((y - line + height) / 0.007) * (tee + vee) * 0.35
        # Shirt and jacket: two collar leaves beside the opening, darker at their edge.
        leaf_x = 0.17 + 0.62 * (-1.13 - y).clamp(min=0)
        leaf = soft_step(leaf_x - a, 0.01) * soft_step(y + 1.62, 0.01) * open_collar
        jacket = worn("jacket") * soft_step(a - 0.22 - 0.40 * (y + 1.62).clamp(min=0), 0.008)
        edge = bell((a - leaf_x) / 0.016) * open_collar * soft_step(y + 1.62, 0.02)
        stitch = bell((a - leaf_x + 0.028) / 0.005) * open_collar * 0.18
        button = bell(a / 0.007) * open_collar * (1 - leaf) * 0.5
        self.colour = over(self.colour, dark + 0.008, jacket * (1 - leaf))
        folds, valley = _folds(look, x, y, mottle)
        valley = valley * (1 - 0.8 * leaf) * (1 - 0.7 * ribbed)
        thread, rib = _weave(look, x, y, mottle, worn("turtleneck"), ribbed, texel)
        self.colour = self.colour * (1 + thread)[:, None]
        crease = (1 - hem) * (1 - 0.45 * edge) * (1 - button) * (1 - stitch)
        crease = crease * (1 - 0.30 * valley) * (1 - 0.35 * (-rib).clamp(0, 1))
        self.crease = mix(torch.ones_like(crease), crease, self.cover) * (1 - 0.25 * bell((y - line) / 0.02))
        self.relief = (
            0.030 + 0.030 * leaf + 0.012 * jacket + folds * (1 - 0.7 * leaf) + 0.012 * hem + 0.006 * rib
        ) * self.cover


def _print(look: Look, base: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Linear RGB [N, 3, h, w] of dyed or printed cloth: stripes across or upright, or checks of both."""
    draws, stripes = look.draw("fabric")[:, :, None, None], look.draw("stripes")[:, :, None, None]
    frequency, phase = 38 + 50 * stripes[:, 0], 6 * stripes[:, 1]
    across = soft_step(torch.sin((y + 0.25 * x.abs()) * frequency + phase), 0.12)
    upright = soft_step(torch.sin(x * frequency + phase), 0.12)
    kind = draws[:, 0]
    shape = torch.where(kind < 0.45, across, torch.where(kind < 0.65, upright, 0.5 * (across + upright)))
    second = hue_colour(
        look["garment_hue"] + 0.35 * (draws[:, 1] - 0.5),
        look["garment_colourfulness"] * draws[:, 2],
        (look["garment_lightness"] + torch.where(look["garment_lightness"] < 0.5, 0.38, -0.32)).clamp(0, 1),
    )
    return over(base, second, 0.75 * look["garment_pattern"] * shape)


def _folds(look: Look, x: Tensor, y: Tensor, mottle: Tensor) -> tuple[Tensor, Tensor]:
    """Folds that run from the shoulders to the chest: (relief in dm, valleys 0..1), [N, h, w]."""
    draws = look.draw("fabric")[:, :, None, None]
    below = smoothstep(-1.16, -1.42, y)
    slope = 0.35 + 0.9 * draws[:, 3]
    phase = (y + slope * x.abs()) * (13 + 8 * draws[:, 4]) + 1.1 * mottle + 2.0 * torch.sign(x) * draws[:, 5]
    wave = torch.sin(phase)
    valley = (0.5 - 0.5 * wave) ** 3 * below * (0.35 + 0.65 * smoothstep(-0.6, 1.2, mottle))
    return (0.012 * mottle + 0.010 * wave) * below - 0.012 * valley, valley


def _weave(
    look: Look, x: Tensor, y: Tensor, mottle: Tensor, knitted: Tensor, ribbed: Tensor, texel: float
) -> tuple[Tensor, Tensor]:
    """(tone, relief -1..1) of threads [N, h, w]: jersey, twill, linen or knit; what the chart cannot hold is left out.

    `texel`: rows of the body's grid, dm.
    """
    kind = look.draw("fabric")[:, 4:5, None]

    def wave(phase: Tensor, period: float) -> Tensor:
        """A sine of unit height as far as the grid resolves it."""
        held = min(1.0, max(0.0, period / texel / 2 - 1))
        return torch.sin(phase * (2 * torch.pi / period)) * held

    twill = wave(y + 0.8 * x, 0.026) * (kind < 0.3)
    linen = 0.5 * (wave(x + 0.004 * mottle, 0.030) + wave(y + 0.004 * mottle, 0.030)) * ((kind >= 0.3) & (kind < 0.5))
    stitches = (
        wave(x, 0.048) * (0.7 + 0.3 * wave(y + 0.3 * x.abs(), 0.036)) * torch.maximum(knitted, (kind > 0.8).float())
    )
    rib = stitches + ribbed * wave(x, 0.026) * 0.6
    return 0.07 * twill + 0.07 * linen + 0.10 * stitches, rib


def build_ears(look: Look, chart: Chart, half_width: Tensor) -> Part:
    """Both ears, side by side in one strip; `half_width` [N] of the warped head where they grow, dm."""
    device = look.device
    rows, columns = max(24, round(0.17 * chart.height)), chart.width // 2
    rho = torch.linspace(0, 1, rows, device=device)[None, :, None]
    angle = torch.linspace(0, 2 * torch.pi, columns, device=device)[None, None]
    outline = 1 + 0.10 * torch.sin(angle) - 0.06 * torch.cos(2 * angle)
    size = 1 + 0.055 * look["ear_size"]
    q, v = rho * outline * torch.cos(angle) * 0.165 * size, rho * outline * torch.sin(angle) * 0.305 * size
    q = q * (1 - 0.25 * smoothstep(0.05, -0.3, v))
    upper = smoothstep(-0.11, -0.015, v)
    relief = 0.050 * bell((rho - 0.88) / 0.10) * upper - 0.055 * bell((q + 0.04) / 0.07) * bell((v + 0.02) / 0.10)
    relief = relief + 0.035 * bell((rho - 0.62) / 0.10) * smoothstep(-0.3, 0.3, torch.cos(angle)) * upper
    relief = relief - 0.05 * smoothstep(0.9, 1.0, rho) + 0.02 * bell((v + 0.24) / 0.08) + 0.05
    tilt = torch.deg2rad(26 + 7 * look["ear_protrusion"].clamp(-2, 2.5))
    sine, cosine = torch.sin(tilt), torch.cos(tilt)
    sides, normals = [], []
    for side in (-1.0, 1.0):
        x = side * (half_width.view(-1, 1, 1) - 0.006 + q * sine + 0.15 * v + relief * cosine)
        position = torch.stack([x, -0.165 + v + 0 * q, -0.05 - q * cosine - 0.16 * v + relief * sine], dim=1)
        normal = surface_normals(position)
        outward = normal[:, 0] * side * cosine + normal[:, 2] * sine
        # The strip runs clockwise on one side and anticlockwise on the other.
        normal = normal * torch.where(outward.mean((1, 2)) < 0, -1.0, 1.0).view(-1, 1, 1, 1)
        sides.append(position)
        normals.append(normal)
    position, normal = torch.cat(sides, 3), torch.cat(normals, 3)
    zero = torch.zeros_like(position[:, 0])
    albedo = skin_colour(look["melanin"] * 0.96 + zero, 0.42 + 0.1 * look["haemoglobin"] + zero)
    fossa = (1 - 0.55 * bell((q + 0.04) / 0.06) * bell((v + 0.02) / 0.09)) * (
        1 - 0.25 * bell((rho - 0.74) / 0.06) * upper
    )
    return Part(
        position,
        normal,
        albedo.clamp(0.002, 1),
        gloss=zero + 0.06,
        scatter=zero + 1,
        occlusion=torch.cat([fossa, fossa], 2).expand_as(zero),
        emission=zero,
        region=zero + float(Region.EARS),
        strips=((0, columns), (columns, 2 * columns)),
        two_sided=True,
    )


def glasses_colour(look: Look) -> Tensor:
    """Linear RGB [N, 3, 1, 1] of the frames: black, tortoise, metal, coloured."""
    hue, device = look["glasses_hue"][:, None], look.device
    black, tortoise = colour(0.010, 0.010, 0.012, device=device), colour(0.075, 0.030, 0.013, device=device)
    metal = colour(0.23, 0.20, 0.15, device=device)
    vivid = hue_colour(
        look["glasses_hue"] * 5, torch.full_like(look["glasses_hue"], 0.7), 0 * look["glasses_hue"] + 0.4
    )
    return torch.where(hue < 0.45, black, torch.where(hue < 0.65, tortoise, torch.where(hue < 0.85, metal, vivid)))
