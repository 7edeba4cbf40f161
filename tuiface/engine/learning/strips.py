"""Strips of directions that have no file yet: one face a row, one amount a column."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from tuiface.core.errors import UsageError
from tuiface.core.limits import DEFAULT_PSI
from tuiface.directions.direction import Direction
from tuiface.directions.report import MAX_SIDE_PX, STRIP_AMOUNTS, draw_contact_strip
from tuiface.engine.latents import z_from_seed
from tuiface.engine.learning.batch_predict import synthesize_images
from tuiface.engine.opened_network import OpenedNetwork
from tuiface.engine.pixels import to_pixels
from tuiface.engine.scheduler import Pause, no_pause


@torch.no_grad()
def draw_candidate_strip(
    network: OpenedNetwork, directions: Sequence[Direction], seeds: Sequence[int], pause: Pause = no_pause
) -> np.ndarray:
    """uint8 [H, W, 3]: directions of W or W+, numbered from 1, `seeds` of faces for each.

    Raises UsageError for directions of style channels, ModelError for those that do not fit the network.
    """
    generator = network.generator
    side = min(generator.config.img_resolution, MAX_SIDE_PX)
    sheet, labels = [], []
    for number, direction in enumerate(directions, start=1):
        if direction.header.space == "styles":
            raise UsageError(f"direction '{direction.name}' moves style channels; this strip is of rows of w")
        direction.refuse_misfit(generator.num_ws, generator.config.w_dim, network.layers)
        start, stop = direction.header.rows or (0, generator.num_ws)
        step = torch.from_numpy(direction.step).to(network.device).expand(generator.num_ws, -1)
        for seed in seeds:
            z = z_from_seed(seed, generator.config.z_dim).to(network.device)
            ws = generator.truncate(generator.map(z, network.first_class(1)), DEFAULT_PSI)
            moved = torch.zeros(len(STRIP_AMOUNTS), *ws.shape[1:], device=ws.device)
            moved[:, start:stop] = torch.tensor(STRIP_AMOUNTS, device=ws.device)[:, None, None] * step[start:stop]
            images = synthesize_images(generator, ws + moved, resolution=side)
            sheet.append([to_pixels(image[None]) for image in images])
            labels.append(f"{number} {seed}")
            pause()
    return draw_contact_strip(sheet, [f"{amount:+g}" for amount in STRIP_AMOUNTS], labels)
