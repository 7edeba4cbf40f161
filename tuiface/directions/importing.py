"""Directions that users own: arrays of the shapes that people share, read without executing anything.

    .npy, .npz          numpy_files.py
    .pt, .pth, .pkl     by the reader of checkpoints, which needs no torch
    ffhq-channels       the published style channels of the original FFHQ network

Accepted shapes, for a network with L rows of W+: [w_dim], [1, w_dim], [L, w_dim], [1, L, w_dim]; and of what holds
many directions, one that is chosen by its number:

    [n, w_dim], [n, 1, w_dim]    a row: `lat_comp` in the .npz files of GANSpace (Härkönen et al. 2020, 2004.02546)
    `eigvec` [w_dim, n]          a column: the .pt files of closed-form factorization (Shen and Zhou 2021, 2007.06600)

In the laboratory's earlier systems an amount multiplied the stored vector as it was, whatever its length; the first
one also had a button that multiplied it by three. Here an amount counts standard deviations, so an old one is converted
through the vector's length and the concept's measured standard deviation.

The published channels (StyleGAN2 config F, 1024 px) are those of Wu et al. 2021, StyleSpace (arXiv 2011.12799). Which
end is which was not published, so look before use. They mean nothing for other weights, also of the same shape: the
user confirms that these are the original ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tuiface.core.errors import InputFileError, ModelError, UsageError, quote, suggest_nearest
from tuiface.core.visible import escape_bytes
from tuiface.directions.direction import Direction
from tuiface.directions.import_options import ImportOptions
from tuiface.directions.numpy_files import read_numpy_arrays
from tuiface.engine.checkpoints import read_arrays
from tuiface.engine_api.packed import ArrayMessage
from tuiface.engine_api.protocol import EngineInfo
from tuiface.engine_api.requests import ImportRequest
from tuiface.faces.direction_numbers import MAX_STEP

PAPER = "Wu et al. 2021, arXiv 2011.12799"
RESOLUTION = 1024
_CHANNEL_BASE, _CHANNEL_MAX = 32768, 512

#: (layer of 26, channel); layers count b4.conv1 0, b4.torgb 1, b8.conv0 2, b8.conv1 3, b8.torgb 4, b16.conv0 5, ...
FFHQ_CHANNELS: dict[str, tuple[tuple[int, int], ...]] = {
    "smile": ((6, 501),),
    "receding_hairline": ((5, 414), (6, 322), (6, 497), (6, 504)),
    "bangs": ((3, 259), (6, 285), (5, 414), (6, 128), (9, 295), (6, 322), (6, 487), (6, 504)),
    "black_hair": ((12, 479),),
    "blond_hair": ((12, 479), (12, 266)),
    "grey_hair": ((11, 286),),
    "wavy_hair": ((6, 500), (8, 128), (5, 92), (6, 394), (6, 323)),
    "lipstick": ((15, 45),),
    "sideburns": ((12, 237),),
    "goatee": ((9, 421),),
    "earrings": ((8, 81),),
    "gender": ((9, 6),),
    "glasses": ((3, 288), (2, 175), (3, 120), (2, 97)),
}


def layer_name(index: int) -> str:
    """Layer 0 to 25 by the checkpoint's own name: `b16.conv1` for 6."""
    if index < 2:
        return ("b4.conv1", "b4.torgb")[index]
    block, place = divmod(index - 2, 3)
    return f"b{8 << block}.{('conv0', 'conv1', 'torgb')[place]}"


def is_config_f(layers: Mapping[str, int]) -> bool:
    """Whether a network's style layers, with their channel counts, are those of the original FFHQ network."""
    expected = {}
    for index in range(2 + 3 * int(math.log2(RESOLUTION) - 2)):
        name = layer_name(index)
        resolution = int(name[1 : name.index(".")])
        source = resolution // 2 if name.endswith("conv0") else resolution
        expected[name] = min(_CHANNEL_BASE // source, _CHANNEL_MAX)
    return dict(layers) == expected


def refuse_other_shape(model: str, layers: Mapping[str, int]) -> None:
    """Raise ModelError for a network called `model` whose style layers are not those of the original FFHQ network."""
    if not is_config_f(layers):
        raise ModelError(
            f"'{model}' has another shape than the original FFHQ network (config F, 1024 px): "
            "its channels mean other things",
            "tuiface directions discover --method channels ranks those of this one",
        )


def single_channels() -> dict[str, tuple[str, int]]:
    """A direction a channel: `smile`, or `bangs_1` to `bangs_8` where a concept has several."""
    found = {}
    for concept, channels in FFHQ_CHANNELS.items():
        for number, (index, channel) in enumerate(channels, start=1):
            name = concept if len(channels) == 1 else f"{concept}_{number}"
            found[f"ffhq_{name}"] = (layer_name(index), channel)
    return found


LEGACY_BOOST = 3.0


ROW_STACK, COLUMN_STACK = "lat_comp", "eigvec"
"""Names under which many directions are kept, one a row or one a column."""


def read_array(path: Path, key: str | None, component: int | None = None) -> np.ndarray:
    """The array called `key`, or the only one, of a file as float32; direction `component` of an array of many.

    Raises UsageError for another kind of file, another key or component, InputFileError or ModelError for an unsound
    file.
    """
    arrays = read_named_arrays(path)
    if key is None:
        key = next((name for name in (ROW_STACK, COLUMN_STACK) if name in arrays), None)
    array = choose_array(arrays, key, path.name)
    columns = key == COLUMN_STACK
    if component is not None:
        return choose_component(array, component, columns=columns, where=path.name)
    if key in (ROW_STACK, COLUMN_STACK):
        count = array.shape[-1 if columns else 0]
        raise UsageError(f"{path.name} holds {count} directions in '{key}'", _choose_one_of(count))
    return array


def read_named_arrays(path: Path) -> dict[str, np.ndarray]:
    """All arrays of a file by name as float32, "" for one without a name.

    Raises UsageError for another kind of file, InputFileError or ModelError for an unsound one.
    """
    suffix = path.suffix.lower()
    if suffix in (".npy", ".npz"):
        return read_numpy_arrays(path)
    if suffix in (".pt", ".pth", ".pkl"):
        return read_arrays(path)
    raise UsageError(f"{quote(path)}: accepted are .npy, .npz and .pt")


def choose_component(array: np.ndarray, component: int, *, columns: bool, where: str) -> np.ndarray:
    """Direction `component`, counted from 0, of [n, w_dim] or [n, 1, w_dim]; of `columns`, of [w_dim, n]: [w_dim].

    Raises UsageError where there are not so many, or the array is no stack of directions.
    """
    if array.ndim == 3 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 2:
        shape = list(array.shape)
        raise UsageError(f"{where}: shape {shape} holds no components; they are [n, w_dim] or [n, 1, w_dim]")
    stack = array.T if columns else array
    if component >= len(stack):
        raise UsageError(f"component {component}: {where} has {len(stack)}", _choose_one_of(len(stack)))
    chosen: np.ndarray = stack[component].copy()
    return chosen


def _choose_one_of(count: int) -> str:
    return f"choose one with --component 0 to {count - 1}" if count > 1 else "it is --component 0"


def prepare_import(array: np.ndarray, path: Path, options: ImportOptions, info: EngineInfo) -> ImportRequest:
    """What the engine is asked to make of the array that was read from `path`. Raises InputFileError for its shape."""
    step = to_step(array, info.num_ws, info.w_dim, path.name)
    return ImportRequest(
        name=options.name,
        step=ArrayMessage.of(np.atleast_2d(step)),
        rows=options.rows,
        raw=options.raw,
        file=escape_bytes(path.name) + ("" if options.component is None else f", component {options.component}"),
        system=options.system,
        licence=options.licence,
        paper=options.paper,
    )


def with_limit(direction: Direction, limit: float | None) -> Direction:
    """The direction with another largest amount; as it is for None."""
    if limit is None:
        return direction
    return Direction(direction.header.model_copy(update={"limit": limit}), direction.arrays)


def choose_array(arrays: dict[str, np.ndarray], key: str | None, where: str) -> np.ndarray:
    """One of a file's arrays: the one called `key`, or the only one. Raises UsageError, naming what there is."""
    shown = ", ".join(sorted(arrays)[:12]) + (", ..." if len(arrays) > 12 else "")
    if key is None:
        if len(arrays) != 1:
            raise UsageError(f"{where} holds {len(arrays)} arrays: {shown or 'none'}", "choose one with --key NAME")
        return next(iter(arrays.values()))
    if list(arrays) == [""]:
        raise UsageError(f"{where} holds one array, which has no name: there is no {quote(key)}", "leave --key out")
    if key not in arrays:
        raise UsageError(f"{where} holds no array {quote(key)}; it has {shown or 'none'}", suggest_nearest(key, arrays))
    return arrays[key]


def to_step(array: np.ndarray, num_ws: int, w_dim: int, where: str) -> np.ndarray:
    """The array as float32 [w_dim], or [num_ws, w_dim] if its rows differ. Raises InputFileError for anything else."""
    accepted = ((w_dim,), (1, w_dim), (num_ws, w_dim), (1, num_ws, w_dim))
    if array.shape not in accepted:
        shapes = ", ".join(str(list(shape)) for shape in accepted)
        many = array.ndim in (2, 3) and array.shape[-1] == w_dim and array.size == len(array) * w_dim
        hint = _choose_one_of(len(array)) if many else ""
        raise InputFileError(f"{where}: shape {list(array.shape)}; this model takes {shapes}", hint)
    if not np.isfinite(array).all():
        raise InputFileError(f"{where}: holds NaN or infinity; numbers must be finite")
    if not array.any():
        raise InputFileError(f"{where}: all numbers are zero: it would move nothing")
    if (largest := float(np.abs(array).max())) > MAX_STEP:
        raise InputFileError(f"{where}: holds numbers up to {largest:.3g}; accepted are up to {MAX_STEP:.0f}")
    step = array.reshape(-1, w_dim).astype(np.float32)
    same = (step == step[0]).all()
    return step[0].copy() if same else step


def convert_amount(old: float, raw_norm: float, sigma: float, *, boosted: bool = False) -> float:
    """An amount of an earlier system in standard deviations: the same step in latent space.

    raw_norm: length of the vector that the earlier system multiplied; sigma: length of one standard deviation.
    """
    return old * (LEGACY_BOOST if boosted else 1.0) * raw_norm / sigma
