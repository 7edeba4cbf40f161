"""The kernels as functions of tensors: shapes in, launch geometry and arguments out.

Nothing here knows whether a GPU or the tests' emulation runs them: a `Launcher` does. Feature maps are channels-last in
memory, [N, C, H, W] to torch and [N, H, W, C] to the kernels. Whatever makes bits depends on the shapes of one sample
alone, so a batch gives each sample the bits that it has by itself.

Shape legend: N = batch, C/I/O = channels, input and output channels, r = side of a square feature map, L = rows of W+,
S = styles of all layers, D = demodulated channels of all layers, K = demodulated layers.
"""

from __future__ import annotations

import ctypes
import math
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from tuiface.core.errors import EngineError

Unit = Literal["Float32", "Float16", "BFloat16", "TrainFloat32", "TrainFloat16", "TrainBFloat16", "convolve", "latents"]
"""What is compiled by itself: features.cu and training.cu in each element type, and the two others."""

Argument = Tensor | ctypes.Structure | int | float | None

UNIT_OF: dict[torch.dtype, Unit] = {
    torch.float32: "Float32",
    torch.float16: "Float16",
    torch.bfloat16: "BFloat16",
}
"""Where a feature map's kernels are."""

TRAINING_UNIT_OF: dict[torch.dtype, Unit] = {
    torch.float32: "TrainFloat32",
    torch.float16: "TrainFloat16",
    torch.bfloat16: "TrainBFloat16",
}
"""Where those of training are."""

CHANNEL_MULTIPLE = 32
"""What numbers of channels are padded to: 16 bytes of a half type, and a block of the convolution, divide it."""

_THREADS = 256
_WARP = 32
_MANY_THREADS = 2**19
"""From so many threads on, each may make eight outputs rather than two and the GPU is still full."""
_TILE_PIXELS = 128
_MAX_PIECES = 32
_BUSY_BLOCKS = 264
"""Blocks that a convolution is cut into at least, where it can be: two for each multiprocessor of the largest cards. It
is a constant because the order of sums depends on it."""

_MAX_VECTORS = 2**31 - 2**20
_SUMMED_BLOCKS = 2112
"""As many blocks, at least, share a sum over pixels where there are so many pixels: sixteen for each multiprocessor."""


class Launcher(Protocol):
    """What runs kernels."""

    def launch(
        self, unit: Unit, name: str, grid: tuple[int, int, int], threads: int, arguments: list[Argument]
    ) -> None:
        """Run `grid` blocks of `threads` threads of a kernel; tensors stand for their address, None for no address."""
        ...


class Epilogue(ctypes.Structure):
    """As in elements.cuh."""

    _fields_ = (
        ("factor", ctypes.c_void_p),
        ("bias", ctypes.c_void_p),
        ("noise", ctypes.c_void_p),
        ("scale", ctypes.c_void_p),
        ("factor_stride", ctypes.c_int),
        ("noise_stride", ctypes.c_int),
        ("scale_stride", ctypes.c_int),
        ("clamp", ctypes.c_float),
    )


class ToRGB(ctypes.Structure):
    """As in features.cu."""

    _fields_ = (
        ("weight", ctypes.c_void_p),
        ("style", ctypes.c_void_p),
        ("bias", ctypes.c_void_p),
        ("before", ctypes.c_void_p),
        ("sum", ctypes.c_void_p),
        ("levels", ctypes.c_void_p),
        ("style_stride", ctypes.c_int),
        ("clamp", ctypes.c_float),
    )


class PackedTerms(ctypes.Structure):
    """`Terms` in training.cu."""

    _fields_ = (
        ("factor", ctypes.c_void_p),
        ("second", ctypes.c_void_p),
        ("bias", ctypes.c_void_p),
        ("noise", ctypes.c_void_p),
        ("strength", ctypes.c_void_p),
        ("noise_stride", ctypes.c_int),
        ("clamp", ctypes.c_float),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """What features are multiplied with and what is added, before an activation. All tensors are float32."""

    factor: Tensor | None = None
    """[N, C], of the features; None: 1."""
    second: Tensor | None = None
    """[N, C], of a second map."""
    bias: Tensor | None = None
    """[C]."""
    noise: Tensor | None = None
    """[1 or N, 1, H, W]."""
    strength: Tensor | None = None
    """[], of the noise."""
    clamp: float | None = None

    def packed(self) -> PackedTerms:
        """For a kernel; it holds addresses, not tensors."""
        noise = self.noise
        return PackedTerms(
            *map(_dense_address, (self.factor, self.second, self.bias, noise)),
            None if self.strength is None else self.strength.data_ptr(),
            noise[0].numel() if noise is not None and len(noise) > 1 else 0,
            _limit(self.clamp),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Gradients:
    """Of a combination of terms."""

    x: Tensor | None
    """[N, C, H, W], of the features."""
    factor: Tensor | None
    """float32 [N, C]."""
    bias: Tensor | None
    """float32 [N, C], still to be summed over samples."""
    strength: Tensor | None
    """float32 [N, C], still to be summed."""


@dataclass(frozen=True, slots=True, eq=False)
class Activation:
    """What follows a modulated convolution. All tensors are float32; those of [N, C] may be columns of wider ones."""

    factor: Tensor | None
    """[N, C]: demodulation times the gain sqrt 2; None: the features are activated already."""
    bias: Tensor | None
    """[C], times sqrt 2."""
    noise: Tensor | None
    """[1 or N, r, r], times its strength and sqrt 2; None: none."""
    scale: Tensor | None
    """[N, C]: the styles of the layer that reads the result; None: left as it is."""
    clamp: float | None

    def packed(self) -> Epilogue:
        """For a kernel; it holds addresses, not tensors."""
        noise_stride = self.noise.stride(0) if self.noise is not None and self.noise.shape[0] > 1 else 0
        return Epilogue(
            _address(self.factor),
            _address(self.bias),
            _address(self.noise),
            _address(self.scale),
            0 if self.factor is None else self.factor.stride(0),
            noise_stride,
            0 if self.scale is None else self.scale.stride(0),
            _limit(self.clamp),
        )


@dataclass(frozen=True, slots=True, eq=False)
class RGBSum:
    """A block's toRGB, and what its picture is added to. All tensors but `levels` are float32."""

    weight: Tensor
    """[3, C], times the layer's gain."""
    style: Tensor
    """[N, C]."""
    bias: Tensor
    """[3]."""
    clamp: float | None
    before: Tensor | None
    """[N, r/2, r/2, 3]: the sum so far; None at the first block."""
    levels: Tensor | None = None
    """uint8 [N, r, r, 3] to write the picture's bytes to; None: they are not asked for."""

    def packed(self, total: Tensor) -> ToRGB:
        """For a kernel that writes the sum to `total` [N, r, r, 3]."""
        return ToRGB(
            _address(self.weight),
            _address(self.style),
            _address(self.bias),
            _address(self.before),
            _address(total),
            _address(self.levels),
            self.style.stride(0),
            _limit(self.clamp),
        )


class Kernels:
    """Every kernel, over one launcher."""

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher

    # ---- features.cu
    def filter(self, x: Tensor, pad: int, gain: float) -> Tensor:
        """[N, C, H, W] by outer([1, 3, 3, 1]) / 64 * gain with `pad` zeros around -> [N, C, H + 2 pad - 3, ...].

        C is a multiple of 16 bytes.
        """
        n, c, height, width = x.shape
        y = empty_features(x, n, c, height + 2 * pad - 3, width + 2 * pad - 3)
        rows, threads = _filter_geometry(y)
        arguments: list[Argument] = [_channels_last(x), y, n, height, width, c, pad, float(gain)]
        self._launch(UNIT_OF[x.dtype], f"filter_{rows}", threads, arguments)
        return y

    def upsample(self, phases: Tensor, after: Activation) -> Tensor:
        """What a stride-2 transposed convolution gave, by its four phases [N, 4C, h + 1, h + 1] -> [N, C, 2h, 2h].

        Low-pass filtered, activated, and scaled.
        """
        n, four, half, _ = phases.shape
        side, c = 2 * (half - 1), four // 4
        y = empty_features(phases, n, c, side, side)
        rows, threads = _filter_geometry(y)
        arguments: list[Argument] = [_channels_last(phases), y, n, side + 1, side + 1, c, after.packed()]
        self._launch(UNIT_OF[phases.dtype], f"upsample_{rows}", threads, arguments)
        return y

    def finish(
        self, x: Tensor, after: Activation, rgb: RGBSum | None, *, keep: bool = True
    ) -> tuple[Tensor | None, Tensor | None]:
        """A plain convolution's [N, C, r, r] -> activated and scaled features in the same memory, and the RGB sum.

        The features are None unless `keep`; the sum, float32 [N, r, r, 3], is of the features before they are scaled,
        and None without `rgb`.
        """
        n, c, side, _ = x.shape
        x = _channels_last(x)
        lanes = math.gcd(c * x.element_size() // 16, _WARP)
        total = None if rgb is None else torch.empty(n, side, side, 3, device=x.device)
        threads = n * side * side * lanes
        each = 4 if threads >= _MANY_THREADS and side * side % (4 * _WARP // lanes) == 0 else 1
        rgb_sum = ToRGB() if rgb is None or total is None else rgb.packed(total)
        arguments: list[Argument] = [x, x if keep else None, n, side, c, lanes, after.packed(), rgb_sum]
        self._launch(UNIT_OF[x.dtype], f"finish_{each}", -(-threads // each // _WARP) * _WARP, arguments)
        return x if keep else None, total

    # ---- training.cu
    def combine(
        self,
        u: Tensor | None,
        terms: Terms,
        *,
        v: Tensor | None = None,
        kept: Tensor | None = None,
        activates: bool = False,
    ) -> Tensor:
        """u [N, C, H, W] * factor + v * second + bias + noise * strength; one map of u, v and kept is there.

        activates: through leaky ReLU, without its gain, and clamp. kept: times the slope of where those gave `kept`.
        """
        maps = [None if x is None else _channels_last(x) for x in (u, v, kept)]
        like = next(x for x in maps if x is not None)
        n, c, height, width = like.shape
        y = empty_features(like, n, c, height, width)
        share = _Share.of(like)
        arguments: list[Argument] = [*maps, y, height * width, c, share.columns, share.pieces, share.length]
        grid = (n * share.pieces, share.groups, 1)
        unit = TRAINING_UNIT_OF[like.dtype]
        self._launcher.launch(unit, "combine", grid, _THREADS, [*arguments, int(activates), terms.packed()])
        return y

    def gradients(
        self, grad: Tensor, terms: Terms, *, kept: Tensor | None, x: Tensor | None, wants_x: bool = True
    ) -> Gradients:
        """With g = grad [N, C, H, W] times the slope of where `kept` came from: factor * g, and sums of g.

        Over the pixels of each sample: of g * x where x is given, of g, and of g * noise where noise is.
        """
        grad = _channels_last(grad)
        n, c, height, width = grad.shape
        share = _Share.of(grad)
        dx = empty_features(grad, n, c, height, width) if wants_x else None
        sums = [
            torch.empty(n, share.pieces, c, device=grad.device) if wanted else None
            for wanted in (x is not None, True, terms.noise is not None)
        ]
        maps = [None if one is None else _channels_last(one) for one in (kept, x)]
        arguments: list[Argument] = [grad, *maps, dx, *sums, height * width, c]
        arguments += [share.columns, share.pieces, share.length, terms.packed()]
        grid = (n * share.pieces, share.groups, 1)
        self._launcher.launch(TRAINING_UNIT_OF[grad.dtype], "gradients", grid, _THREADS, arguments)
        return Gradients(dx, *(None if each is None else each.sum(dim=1) for each in sums))

    # ---- convolve.cu
    def convolve(self, x: Tensor, weight: Tensor, *, up: bool) -> Tensor:
        """float32 [N, I, h, w], weight [9, I, O] -> [N, O, h, w], or with `up` phases [N, 4O, h + 1, w + 1].

        I and O are multiples of CHANNEL_MULTIPLE. Each sum is taken in an order that h, w, I and O fix.
        """
        n, num_in, h, w = x.shape
        num_out, phases = weight.shape[2], 4 if up else 1
        height, across = h + up, w + up
        width = next(width for width in (128, 64, 32) if num_out % width == 0)
        blocks = -(-height * across // _TILE_PIXELS) * (num_out // width) * phases  # of one sample
        pieces = max(1, min(_MAX_PIECES, _BUSY_BLOCKS // blocks))
        y = torch.empty(pieces, n, height, across, phases * num_out, device=x.device)
        grid = (-(-n * height * across // _TILE_PIXELS), num_out // width, pieces * phases)
        arguments: list[Argument] = [_channels_last(x), weight, y, n, h, w, num_in, num_out, int(up), pieces]
        self._launcher.launch("convolve", f"convolve_{width}", grid, 2 * width, arguments)
        total = y[0] if pieces == 1 else self._sum_pieces(y)
        return total.permute(0, 3, 1, 2)

    def _sum_pieces(self, x: Tensor) -> Tensor:
        """float32 [pieces, ...] -> [...], summed in order."""
        total = torch.empty_like(x[0])
        vectors = total.numel() // 4
        self._launch("convolve", "sum_pieces", vectors, [x, total, x.shape[0], vectors])
        return total

    # ---- latents.cu
    def normalize(self, x: Tensor) -> Tensor:
        """float32 [N, I], each row by the root of its mean square."""
        x = x.contiguous()
        y = torch.empty_like(x)
        self._launch("latents", "normalize", _WARP * x.shape[0], [x, y, *x.shape])
        return y

    def dense(
        self,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        *,
        row_of: Tensor | None = None,
        step: Tensor | None = None,
        leaky: bool = False,
    ) -> Tensor:
        """float32 [N, L, I] -> [N, O]: weight [O, I] by a row of x, plus bias [O] and step [N, O].

        row_of: int32 [O], the row of x for each output; None: row 0. leaky: through a leaky ReLU without its gain.
        """
        n, num_rows, num_in = x.shape
        num_out = weight.shape[0]
        y = torch.empty(n, num_out, device=x.device)
        arguments: list[Argument] = [x.contiguous(), weight, bias, row_of, step, y, n, num_rows, num_in, num_out, leaky]
        self._launch("latents", "dense", _WARP * num_out, arguments)
        return y

    def normalize_styles(self, styles: Tensor, layers: Tensor) -> tuple[Tensor, Tensor]:
        """styles float32 [N, S] -> the same by each layer's largest magnitude, and those, [N, K].

        layers int32 [K, 2]: where a layer's styles start, how many they are; columns of no layer stay uninitialised.
        """
        scales = torch.empty_like(styles)
        peaks = torch.empty(styles.shape[0], layers.shape[0], device=styles.device)
        arguments: list[Argument] = [styles, layers, scales, peaks, *styles.shape, layers.shape[0]]
        self._launch("latents", "normalize_styles", _WARP * layers.shape[0], arguments)
        return scales, peaks

    def demodulation(
        self, scales: Tensor, square_sums: Tensor, rows: Tensor, epsilon: Tensor, peaks: Tensor | None
    ) -> Tensor:
        """scales float32 [N, S] -> factors [N, D], times sqrt 2.

        square_sums: each channel's squared weights summed over the kernel; rows int32 [D, 4]: where they start, where
        the channel's styles start, how many, of which layer; peaks: of `normalize_styles`, None where they are plain.
        """
        n, num_styles = scales.shape
        factors = torch.empty(n, len(rows), device=scales.device)
        num_layers = 0 if peaks is None else peaks.shape[1]
        arguments: list[Argument] = [scales, square_sums, rows, epsilon, peaks, factors, n, num_styles, len(rows)]
        self._launch("latents", "demodulation", _WARP * len(rows), [*arguments, num_layers])
        return factors

    def _launch(self, unit: Unit, name: str, threads: int, arguments: list[Argument]) -> None:
        self._launcher.launch(unit, name, (-(-threads // _THREADS), 1, 1), _THREADS, arguments)


@dataclass(frozen=True, slots=True)
class _Share:
    """How training's kernels share [N, C, H, W] out: as Share of training.cu has it."""

    columns: int
    """16 bytes of channels each, of one block."""
    groups: int
    """Of columns, that make up all channels."""
    pieces: int
    """Of one sample's pixels."""
    length: int
    """Of a piece."""

    @staticmethod
    def of(x: Tensor) -> _Share:
        """For features x."""
        n, c, height, width = x.shape
        vectors, area = c * x.element_size() // 16, height * width
        groups = -(-vectors // _WARP)
        columns = -(-vectors // groups)
        rows = _THREADS // columns
        turns = max(1, n * area * groups // (rows * _SUMMED_BLOCKS))
        length = rows * turns
        return _Share(columns, groups, -(-area // length), length)


def empty_features(like: Tensor, n: int, c: int, height: int, width: int) -> Tensor:
    """Uninitialised [n, c, height, width], channels-last, of the dtype and on the device of `like`."""
    _refuse_uncountable(n * c * height * width * like.element_size())
    return torch.empty((n, c, height, width), dtype=like.dtype, device=like.device, memory_format=torch.channels_last)


def _refuse_uncountable(size: int) -> None:
    """Kernels count vectors of 16 bytes in 32 bits, and threads up to a block more."""
    if size // 16 > _MAX_VECTORS:
        raise EngineError(
            f"features of {size >> 30} GB; accepted: up to {_MAX_VECTORS >> 26} GB", "take fewer pictures at once"
        )


def _channels_last(x: Tensor) -> Tensor:
    _refuse_uncountable(x.numel() * x.element_size())
    assert x.shape[1] * x.element_size() % 16 == 0, f"{x.shape[1]} channels of {x.dtype}"
    return x.contiguous(memory_format=torch.channels_last)


def _filter_geometry(y: Tensor) -> tuple[int, int]:
    """(rows that a thread makes, threads) for a filter with the output [N, C, H, W]."""
    n, c, height, width = y.shape
    vectors = n * width * c * y.element_size() // 16
    rows = 8 if vectors * height >= _MANY_THREADS else 2
    return rows, vectors * -(-height // rows)


def _address(tensor: Tensor | None) -> int | None:
    """Of a tensor whose last axis lies together; of [N, C] and [C], each row begins at 16 bytes."""
    if tensor is None:
        return None
    assert tensor.stride(-1) == 1, "the last axis does not lie together"
    if tensor.dim() < 3 and tensor.shape[-1] > 3:
        assert tensor.data_ptr() % 16 == 0, "a row is read 16 bytes at a time"
        assert tensor.dim() < 2 or tensor.stride(0) % 4 == 0, "a row is read 16 bytes at a time"
    return tensor.data_ptr()


def _dense_address(tensor: Tensor | None) -> int | None:
    assert tensor is None or tensor.is_contiguous()
    return _address(tensor)


def _limit(clamp: float | None) -> float:
    return math.inf if clamp is None else float(clamp)
