"""Strips of directions: one face a row, one amount a column, without and with locks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from tuiface.core.limits import CHANNEL_LIMIT, DEFAULT_PSI
from tuiface.directions.direction import Direction
from tuiface.directions.strips import draw_contact_strip
from tuiface.engine.latents import z_from_seed
from tuiface.engine.learning.batch_predict import synthesize_images
from tuiface.engine.learning.workshop import Workshop
from tuiface.engine.local_engine import LocalEngine
from tuiface.engine.pixels import to_pixels
from tuiface.engine_api.protocol import RenderRequest
from tuiface.faces.recipe import ChannelEdit, DirectionEdit, Recipe, RegionLock, SeedSource, Truncation

STRIP_AMOUNTS = (-3.0, -1.5, 0.0, 1.5, 3.0)
MAX_SIDE_PX = 256


def draw_candidate_strip(
    workshop: Workshop, steps: Sequence[Tensor], names: Sequence[str], seeds: Sequence[int], rows: tuple[int, int]
) -> np.ndarray:
    """uint8 [H, W, 3]: candidates [w_dim] before they have a file, `seeds` of faces for each, moved on `rows`."""
    generator = workshop.generator
    side = min(generator.config.img_resolution, MAX_SIDE_PX)
    sheet, labels = [], []
    for step, name in zip(steps, names, strict=True):
        for seed in seeds:
            z = z_from_seed(seed, generator.config.z_dim).to(step.device)
            ws = generator.truncate(generator.map(z, workshop.first_class(1)), DEFAULT_PSI)
            moved = torch.zeros(len(STRIP_AMOUNTS), *ws.shape[1:], device=ws.device)
            moved[:, rows[0] : rows[1]] = torch.tensor(STRIP_AMOUNTS, device=ws.device)[:, None, None] * step
            sheet.append(
                [to_pixels(image[None]) for image in synthesize_images(generator, ws + moved, resolution=side)]
            )
            labels.append(f"{name} {seed}")
    return draw_contact_strip(sheet, [f"{amount:+g}" for amount in STRIP_AMOUNTS], labels)


def draw_direction_strip(
    engine: LocalEngine, direction: Direction, seeds: Sequence[int], locks: Sequence[RegionLock | None]
) -> np.ndarray:
    """uint8 [H, W, 3]: the faces `seeds` moved along a direction of the engine's network, for each lock (or None)."""
    edits = [DirectionEdit(direction=direction.name, sha256=direction.sha256, amount=a) for a in STRIP_AMOUNTS]
    sheet, labels = [], []
    for lock in locks:
        for seed in seeds:
            sheet.append(_render_edits(engine, seed, edits, lock))
            labels.append("free" if lock is None else lock.guarantee)
    return draw_contact_strip(sheet, [f"{amount:+g}" for amount in STRIP_AMOUNTS], labels)


def draw_channel_strip(engine: LocalEngine, channels: Sequence[tuple[str, int]], seeds: Sequence[int]) -> np.ndarray:
    """uint8 [H, W, 3]: the faces `seeds` for each style channel (layer, index), moved as far as channels go."""
    amounts = [CHANNEL_LIMIT * amount / STRIP_AMOUNTS[-1] for amount in STRIP_AMOUNTS]
    sheet, labels = [], []
    for number, channel in enumerate(channels, start=1):
        for seed in seeds:
            sheet.append(_render_edits(engine, seed, [ChannelEdit(channel=channel, amount=a) for a in amounts], None))
            labels.append(f"{number} {seed}")
    return draw_contact_strip(sheet, [f"{amount:+g}" for amount in amounts], labels)


def _render_edits(
    engine: LocalEngine, seed: int, edits: Sequence[DirectionEdit | ChannelEdit], lock: RegionLock | None
) -> list[np.ndarray]:
    """One face under each of the edits."""
    info = engine.info()
    face = Recipe(
        model=info.model,
        source=SeedSource(seed=seed, label=0 if info.c_dim else None),
        truncation=Truncation(psi=DEFAULT_PSI),
        locks=() if lock is None else (lock,),
    )
    moved = [face.derive(edits=(edit,) if edit.amount else ()) for edit in edits]
    side = min(info.resolution, MAX_SIDE_PX)
    return [engine.render(RenderRequest(recipe, side, "unmeasured")).pixels for recipe in moved]
