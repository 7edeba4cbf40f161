"""What a direction does to faces: a contact strip, one face a row, one amount a column; and figures over seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from tuiface.core.limits import CHANNEL_LIMIT, DEFAULT_PSI
from tuiface.directions.direction import Direction
from tuiface.engine_api.protocol import Engine, RenderRequest
from tuiface.faces.recipe import ChannelEdit, DirectionEdit, Recipe, RegionLock, SeedSource, Truncation

STRIP_AMOUNTS = (-3.0, -1.5, 0.0, 1.5, 3.0)
MAX_SIDE_PX = 256
_GAP_PX = 4
_TEXT_PX = 14
_BACKGROUND, _INK = (250, 250, 250), (30, 30, 30)


def draw_contact_strip(
    rows: Sequence[Sequence[np.ndarray]], columns: Sequence[str], labels: Sequence[str]
) -> np.ndarray:
    """uint8 [H, W, 3]: pictures uint8 [R, R, 3] in rows, the columns' texts above, each row's label before it.

    All pictures have one size; an empty row leaves a line for its label.
    """
    side = next(picture.shape[0] for row in rows for picture in row)
    margin = 8 + 7 * max((len(label) for label in labels), default=0)
    heights = [side if row else _TEXT_PX for row in rows]
    width = margin + len(columns) * (side + _GAP_PX)
    sheet = Image.new("RGB", (width, _TEXT_PX + sum(heights) + _GAP_PX * len(rows)), _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    for i, text in enumerate(columns):
        draw.text((margin + i * (side + _GAP_PX) + 2, 1), text, fill=_INK)
    top = _TEXT_PX
    for row, label, height in zip(rows, labels, heights, strict=True):
        draw.text((4, top + max(0, height // 2 - 6)), label, fill=_INK)
        for i, picture in enumerate(row):
            sheet.paste(Image.fromarray(picture), (margin + i * (side + _GAP_PX), top))
        top += height + _GAP_PX
    return np.asarray(sheet)


def draw_direction_strip(
    engine: Engine, direction: Direction, seeds: Sequence[int], locks: Sequence[RegionLock | None]
) -> np.ndarray:
    """uint8 [H, W, 3]: the faces `seeds` moved along a direction of the engine's network, for each lock (or None)."""
    edits = [DirectionEdit(direction=direction.name, sha256=direction.sha256, amount=a) for a in STRIP_AMOUNTS]
    sheet, labels = [], []
    for lock in locks:
        for seed in seeds:
            sheet.append(_render_edits(engine, seed, edits, lock))
            labels.append("free" if lock is None else lock.guarantee)
    return draw_contact_strip(sheet, [f"{amount:+g}" for amount in STRIP_AMOUNTS], labels)


def draw_channel_strip(engine: Engine, channels: Sequence[tuple[str, int]], seeds: Sequence[int]) -> np.ndarray:
    """uint8 [H, W, 3]: the faces `seeds` for each style channel (layer, index), moved as far as channels go."""
    amounts = [CHANNEL_LIMIT * amount / STRIP_AMOUNTS[-1] for amount in STRIP_AMOUNTS]
    sheet, labels = [], []
    for number, channel in enumerate(channels, start=1):
        for seed in seeds:
            sheet.append(_render_edits(engine, seed, [ChannelEdit(channel=channel, amount=a) for a in amounts], None))
            labels.append(f"{number} {seed}")
    return draw_contact_strip(sheet, [f"{amount:+g}" for amount in amounts], labels)


def _render_edits(
    engine: Engine, seed: int, edits: Sequence[DirectionEdit | ChannelEdit], lock: RegionLock | None
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


def encode_plain_png(pixels: np.ndarray) -> bytes:
    """A plain PNG of uint8 [H, W, 3]."""
    import io

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()


def build_edited_recipe(
    engine: Engine, direction: Direction, seed: int, amount: float, locks: tuple[RegionLock, ...] = ()
) -> Recipe:
    """One face of the engine's network moved along a direction."""
    info = engine.info()
    return Recipe(
        model=info.model,
        source=SeedSource(seed=seed, label=0 if info.c_dim else None),
        truncation=Truncation(psi=DEFAULT_PSI),
        edits=(DirectionEdit(direction=direction.name, sha256=direction.sha256, amount=amount),),
        locks=locks,
    )


def measure_direction(
    engine: Engine, direction: Direction, seeds: Sequence[int], amount: float, lock: RegionLock | None = None
) -> dict[str, float]:
    """Mean of every measure of a picture over faces `seeds` at +-amount; the largest for those that end in `_max`."""
    locks = () if lock is None else (lock,)
    measures = [
        engine.render(RenderRequest(build_edited_recipe(engine, direction, seed, sign * amount, locks))).measures
        for seed in seeds
        for sign in (1, -1)
    ]
    shared = [key for key in measures[0] if all(key in one for one in measures)]
    columns = {key: np.array([one[key] for one in measures]) for key in shared}
    return {
        key: round(float(values.max() if key.endswith("_max") else values.mean()), 4) for key, values in columns.items()
    }
