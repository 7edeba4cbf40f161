"""Pictures by which people judge a network: many faces at full size, and a few so large that single pixels show."""

from __future__ import annotations

import io
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from tuiface.core.files import make_folder, write_file
from tuiface.core.limits import DEFAULT_PSI
from tuiface.engine.latents import z_from_seed
from tuiface.engine.networks.generator import Generator
from tuiface.engine.training.report import picture_grid

SHEET_FACES, SHEET_COLUMNS = 48, 8
ENLARGED_FACES, ENLARGED_COLUMNS, TIMES = 12, 6, 4
SHOWN_PX = 128
"""Side of what is shown enlarged: of larger pictures, their middle."""


def write_sheets(old: Generator, new: Generator, folder: Path) -> None:
    """embedded-sheet.png, seeds 0 to 47 at psi 0.7, and enlarged.png, rows of old faces over new ones at psi 1."""
    make_folder(folder)
    _write(folder / "embedded-sheet.png", picture_grid(draw(new, range(SHEET_FACES), DEFAULT_PSI), SHEET_COLUMNS))
    pictures = [enlarge(draw(network, range(ENLARGED_FACES), 1.0)) for network in (old, new)]
    rows = [row for pair in zip(*(torch.split(x, ENLARGED_COLUMNS) for x in pictures), strict=True) for row in pair]
    _write(folder / "enlarged.png", picture_grid(torch.cat(rows), ENLARGED_COLUMNS))


def draw(generator: Generator, seeds: range, psi: float) -> Tensor:
    """Faces [N, 3, R, R] in [-1, 1]."""
    z = torch.cat([z_from_seed(seed, generator.config.z_dim) for seed in seeds])
    return generator.synthesize(generator.truncate(generator.map(z), psi)).clamp(-1, 1)


def enlarge(images: Tensor) -> Tensor:
    """The middle of images [N, 3, R, R], at most 128 px, each pixel 4 x 4: [N, 3, 512, 512]; smaller ones more."""
    side = images.shape[-1]
    shown = min(side, SHOWN_PX)
    first = (side - shown) // 2
    middle = images[:, :, first : first + shown, first : first + shown]
    times = TIMES * (SHOWN_PX // shown)
    return middle.repeat_interleave(times, dim=2).repeat_interleave(times, dim=3)


def _write(path: Path, pixels: Tensor) -> None:
    buffer = io.BytesIO()
    Image.fromarray(pixels.numpy()).save(buffer, "PNG")
    write_file(path, buffer.getvalue(), force=True)
