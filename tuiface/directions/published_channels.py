"""Style channels of the original FFHQ network (StyleGAN2 config F, 1024 px) whose effect was published.

Wu et al. 2021, StyleSpace (arXiv 2011.12799). Which end is which was not published, so look before use. They mean
nothing for other weights, also of the same shape: the user confirms that these are the original ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from tuiface.core.errors import ModelError

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
