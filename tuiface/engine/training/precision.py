"""What precision means to the device that trains, and which trains faster here, by a short measurement.

float32 is float32 everywhere. With tf32, convolutions and matrix products on a GPU round their factors to ten bits of
mantissa; a processor knows no such thing. With bfloat16 activations have seven bits, and what stays float32 (styles,
demodulation, the discriminator's last layers) is multiplied as with tf32. cuDNN may not try algorithms out: in training
that took over 40 s before the first step, and what it finds may differ from one process to the next. Nor may it take
those whose sums come in any order: a run that is resumed goes on exactly.

The speed of each depends on the processor more than on its name. Processors with bfloat16 matrix units gain about a
factor of two from it; those that emulate part of it lose. float16 is not offered: it needs loss scaling and clamps, and
every device that has it in hardware and is worth training on has bfloat16 too, which has float32's range.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import torch
import torch.nn.functional as F

from tuiface.engine.networks.discriminator import Discriminator
from tuiface.engine.networks.generator import Generator
from tuiface.engine.training.gan.settings import Precision, TrainingSettings
from tuiface.engine.training.passes import Passes
from tuiface.engine.training.rng import RandomGenerator

_ROUNDS = 3
_WARM_UP = {True: 1, False: 2}
"""Steps before the timed ones, on a processor and on a GPU, whose second captures."""
_CPU_BATCH = 4
"""Pictures of a timed step on a processor, which has no more to do at once with a whole batch."""
_HOPELESS_FACTOR = 5.0
_HOPELESS_S = 2.0
"""A step that takes so many times and so many seconds longer, loading its kernels included, is not timed again: a
processor that emulates bfloat16 takes minutes for what it does in seconds."""


def activation_dtype(precision: Precision) -> torch.dtype:
    """Of activations in the main passes."""
    return torch.bfloat16 if precision == "bfloat16" else torch.float32


@contextlib.contextmanager
def use_precision(precision: Precision) -> Iterator[None]:
    """Let GPUs compute inside the block as the precision of a run says."""
    tf32 = precision != "float32"
    matmul = torch.backends.cuda.matmul
    before, matmul.allow_tf32 = matmul.allow_tf32, tf32
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=tf32):
            yield
    finally:
        matmul.allow_tf32 = before


def choose_precision(settings: TrainingSettings, device: str = "cpu") -> Precision:
    """The precision whose generator step took the least time; on a GPU, tf32 stands for float32."""
    settings = settings.model_copy(update={"batch": min(settings.batch, _CPU_BATCH)}) if device == "cpu" else settings
    exact: Precision = "float32" if device == "cpu" else "tf32"
    float32 = time_step(settings, exact, device)
    bfloat16 = time_step(
        settings, "bfloat16", device, hopeless_s=max(_HOPELESS_FACTOR * float32, float32 + _HOPELESS_S)
    )
    return exact if float32 <= bfloat16 else "bfloat16"


def time_step(
    settings: TrainingSettings, precision: Precision, device: str = "cpu", *, hopeless_s: float = float("inf")
) -> float:
    """Seconds of one generator step on freshly initialised networks: the best of three, after those for warming up.

    The first that takes longer than `hopeless_s` is the last.
    """
    with torch.random.fork_rng(devices=[]), torch.device(device):
        generator, discriminator = (
            Generator(settings.generator_config()),
            Discriminator(settings.discriminator_config()).requires_grad_(requires_grad=False),
        )
        z = torch.randn(settings.batch, settings.network.z_dim)
    resolution, dtype = settings.resolution, activation_dtype(precision)

    def step() -> None:
        styles = generator.synthesis.styles(generator.map(z))
        images = generator.synthesis(styles, generator.noise_maps("const", resolution), resolution, dtype)
        F.softplus(-discriminator(images, dtype=dtype)).mean().backward()  # type: ignore[no-untyped-call]
        generator.zero_grad()

    best = float("inf")
    with use_precision(precision), contextlib.closing(Passes.on(RandomGenerator(0, device), lambda _: None)) as passes:
        for attempt in range(_WARM_UP[device == "cpu"] + _ROUNDS):
            start = time.perf_counter()
            passes.run(step)
            if device != "cpu":
                torch.cuda.synchronize(device)
            seconds = time.perf_counter() - start
            if seconds > hopeless_s:
                return min(best, seconds)
            if attempt >= _WARM_UP[device == "cpu"]:
                best = min(best, seconds)
    return best
