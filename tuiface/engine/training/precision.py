"""Which precision trains faster here, by a short measurement: it depends on the processor more than on its name.

Processors with bfloat16 matrix units gain about a factor of two from it; those that emulate part of it lose.
float16 is not offered: it needs loss scaling and clamps, and every device that has it in hardware and is worth training
on has bfloat16 too, which has float32's range.
"""

from __future__ import annotations

import time

import torch
import torch.nn.functional as F

from tuiface.engine.networks.discriminator import Discriminator
from tuiface.engine.networks.generator import Generator
from tuiface.engine.training.gan.settings import Precision, TrainingSettings

_ROUNDS = 3
_CPU_BATCH = 4
"""Pictures of a timed step on a processor, which has no more to do at once with a whole batch."""
_HOPELESS_FACTOR = 5.0
_HOPELESS_S = 2.0
"""A step that takes so many times and so many seconds longer, loading its kernels included, is not timed again: a
processor that emulates bfloat16 takes minutes for what it does in seconds."""
_DTYPES: dict[Precision, torch.dtype] = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def choose_precision(settings: TrainingSettings, device: str = "cpu") -> Precision:
    """The precision whose generator step took the least time."""
    settings = settings.model_copy(update={"batch": min(settings.batch, _CPU_BATCH)}) if device == "cpu" else settings
    float32 = time_step(settings, "float32", device)
    bfloat16 = time_step(
        settings, "bfloat16", device, hopeless_s=max(_HOPELESS_FACTOR * float32, float32 + _HOPELESS_S)
    )
    return "float32" if float32 <= bfloat16 else "bfloat16"


def time_step(
    settings: TrainingSettings, precision: Precision, device: str = "cpu", *, hopeless_s: float = float("inf")
) -> float:
    """Seconds of one generator step on freshly initialised networks: the best of three, after one for warming up.

    The first that takes longer than `hopeless_s` is the last.
    """
    with torch.random.fork_rng(devices=[]), torch.device(device):
        generator, discriminator = (
            Generator(settings.generator_config()),
            Discriminator(settings.discriminator_config()).requires_grad_(requires_grad=False),
        )
        z = torch.randn(settings.batch, settings.network.z_dim)
    resolution, dtype = settings.resolution, _DTYPES[precision]
    best = float("inf")
    for attempt in range(1 + _ROUNDS):
        start = time.perf_counter()
        styles = generator.synthesis.styles(generator.map(z))
        images = generator.synthesis(styles, generator.noise_maps("const", resolution), resolution, dtype)
        F.softplus(-discriminator(images, dtype=dtype)).mean().backward()  # type: ignore[no-untyped-call]
        if device != "cpu":
            torch.cuda.synchronize()
        seconds = time.perf_counter() - start
        if seconds > hopeless_s:
            return min(best, seconds)
        if attempt:
            best = min(best, seconds)
    return best
