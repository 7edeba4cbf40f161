"""Counter-based random numbers: every value is a pure function of (seed, stream, counter).

A stateful generator ties a sample to the batch that it was drawn in. Hashing a counter does not: sample i of a seed
is the same alone, in any batch, and on any device. The hash is Wellons' lowbias32 (bias 0.17, "prospecting for hash
functions", 2018), evaluated in int64 because torch has no unsigned 32-bit arithmetic.
"""

from __future__ import annotations

import functools
import math
import zlib
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

_MASK = 0xFFFFFFFF
NOISE_TILE = 512
"""Side of the shared noise tiles, in texels."""


def _hash(x: Tensor) -> Tensor:
    x = x ^ (x >> 16)
    x = (x * 0x7FEB352D) & _MASK
    x = x ^ (x >> 15)
    x = (x * 0x846CA68B) & _MASK
    return x ^ (x >> 16)


def sample_seeds(seed: int, start: int, count: int) -> Tensor:
    """Seeds int64 [count] of samples `start` .. `start + count - 1` of the population `seed`."""
    index = torch.arange(start, start + count, dtype=torch.int64)
    low = _hash((index + 0x9E3779B9) & _MASK)
    folded = (seed ^ (seed >> 32)) & _MASK
    key = int(_hash(torch.tensor(folded, dtype=torch.int64) ^ 0x5BD1E995))
    return _hash(low ^ key)


def draw_uniforms(seeds: Tensor, stream: str, count: int) -> Tensor:
    """Uniform float32 [N, count] in the open interval (0, 1), keyed by `seeds` int64 [N] and the name of the use."""
    key = _hash(seeds ^ _stream_number(stream))
    return _to_uniforms(_hash(key[:, None] ^ _counters(count, seeds.device)))


def hash_uniforms(keys: Tensor, stream: str, count: int) -> Tensor:
    """Uniform float32 [T, count] in (0, 1), keyed by any int64 [T], such as a place with a seed."""
    return draw_uniforms(_hash(keys & _MASK), stream, count)


@dataclass(frozen=True)
class Streams:
    """Uses of random numbers that are drawn in one go: many small draws are mostly the start of each operator."""

    counts: tuple[tuple[str, int], ...]
    """Name of each use, and how many numbers a sample draws for it."""

    def draw(self, seeds: Tensor) -> dict[str, Tensor]:
        """By name what `draw_uniforms` gives: uniform float32 [N, count], of `seeds` int64 [N]."""
        streams, places, counters = _stream_columns(self, seeds.device)
        keys = _hash(seeds[:, None] ^ streams)
        uniforms = _to_uniforms(_hash(keys[:, places] ^ counters))
        parts = torch.split(uniforms, [count for _, count in self.counts], dim=1)
        return dict(zip([name for name, _ in self.counts], parts, strict=True))


@functools.cache
def _stream_columns(streams: Streams, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """The number of each stream, and of each of all numbers together its stream and its counter, int64."""
    numbers = torch.tensor([_stream_number(name) for name, _ in streams.counts])
    counts = torch.tensor([count for _, count in streams.counts])
    places = torch.repeat_interleave(counts)
    counters = torch.cat([_counters(count, torch.device("cpu")) for _, count in streams.counts])
    return numbers.to(device), places.to(device), counters.to(device)


def _stream_number(stream: str) -> int:
    return zlib.crc32(stream.encode())


@functools.cache
def _counters(count: int, device: torch.device) -> Tensor:
    return torch.arange(count, device=device, dtype=torch.int64) * 0x9E3779B1 & _MASK


def _to_uniforms(bits: Tensor) -> Tensor:
    """The upper 24 of 32 bits, in the open interval (0, 1)."""
    return ((bits >> 8).float() + 0.5) * (1 / (1 << 24))


def draw_normals(seeds: Tensor, stream: str, count: int, limit: float = 2.5) -> Tensor:
    """Standard normal float32 [N, count], clamped to +-`limit` so that no draw leaves the plausible."""
    return (torch.erfinv(draw_uniforms(seeds, stream, count) * 2 - 1) * math.sqrt(2)).clamp(-limit, limit)


@functools.cache
def noise_tile(kind: str, device: torch.device) -> Tensor:
    """Seamless noise float32 [NOISE_TILE, NOISE_TILE]: of unit variance, "mottle" (broad) or "grain" (fine), or spots
    in 0..1, "freckles" (many, small) or "moles" (few, larger), each as dark as it was drawn.
    """
    if kind in _SPOTS:
        return _spot_tile(kind).to(device)
    octaves = {"mottle": ((5, 1.0), (11, 0.7), (23, 0.45), (47, 0.3)), "grain": ((90, 1.0), (170, 0.9))}[kind]
    tile = torch.zeros(NOISE_TILE, NOISE_TILE)
    for cells, weight in octaves:
        lattice = draw_normals(torch.tensor([cells]), kind, cells * cells).view(1, 1, cells, cells)
        margin = 2
        padded = F.pad(lattice, (margin,) * 4, mode="circular")
        fine = round(NOISE_TILE * (cells + 2 * margin) / cells)
        upsampled = F.interpolate(padded, size=(fine, fine), mode="bicubic", align_corners=False)
        offset = (fine - NOISE_TILE) // 2
        tile += weight * upsampled[0, 0, offset : offset + NOISE_TILE, offset : offset + NOISE_TILE]
    return (tile / tile.std()).to(device)


_SPOTS = {"freckles": (2600, (1.1, 1.6, 2.1)), "moles": (110, (1.6, 2.2, 3.0))}
"""How many spots a tile has, and their radii in texels (0.6 mm on a head)."""


def _spot_tile(kind: str) -> Tensor:
    """Soft discs at drawn places, the darker of two that overlap."""
    count, radii = _SPOTS[kind]
    draws = draw_uniforms(torch.tensor([count]), kind, 2 * count)[0].view(count, 2)
    place = (draws[:, 0] * NOISE_TILE**2).long()
    tile = torch.zeros(NOISE_TILE, NOISE_TILE)
    reach = 5
    offset = torch.arange(-reach, reach + 1).float()
    distance = torch.hypot(offset[:, None], offset[None, :]).flatten()
    for number, radius in enumerate(radii):
        own = slice(number, None, len(radii))
        row, column = place[own] // NOISE_TILE, place[own] % NOISE_TILE
        disc = torch.sigmoid((radius - distance) / 0.35)
        rows = (row[:, None] + torch.arange(-reach, reach + 1).repeat_interleave(2 * reach + 1)) % NOISE_TILE
        columns = (column[:, None] + torch.arange(-reach, reach + 1).repeat(2 * reach + 1)) % NOISE_TILE
        darkness = draws[own, 1, None] * disc
        tile.view(-1).scatter_reduce_(0, (rows * NOISE_TILE + columns).flatten(), darkness.flatten(), "amax")
    return tile


def noise_patch(draws: Tensor, kind: str, height: int, width: int, zoom: float = 1.0) -> Tensor:
    """Noise float32 [N, height, width]: the shared tile, shifted by `draws` uniform [N, 2], `zoom` texels a pixel."""
    tile = noise_tile(kind, draws.device)
    shift = (draws * NOISE_TILE).long()
    rows = (_every(zoom, height, draws.device) + shift[:, :1]) % NOISE_TILE
    columns = (_every(zoom, width, draws.device) + shift[:, 1:]) % NOISE_TILE
    return tile[rows[:, :, None], columns[:, None, :]]


@functools.cache
def _every(zoom: float, count: int, device: torch.device) -> Tensor:
    """The texel int64 [count] of each pixel, `zoom` apart."""
    return (torch.arange(count, device=device) * zoom).long()
