"""Starting from a trained network: the same size (transfer), or half the size, whose new blocks are faded in.

Growing (after Karras et al. 2018, arXiv 1710.10196) saves most of a CPU's time: a picture of half the side costs half
as much or less. The grown generator starts as the old one, enlarged: its new toRGB begins at zero. The grown
discriminator starts as the old one on the shrunken picture, and its new block takes over linearly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tuiface.core.errors import ModelError
from tuiface.engine.networks.discriminator import Conv2dLayer, Discriminator
from tuiface.engine.networks.generator import Generator


class FadingDiscriminator(nn.Module):
    """A discriminator and, where it was grown, the layer that its first block replaces."""

    def __init__(self, network: Discriminator) -> None:
        super().__init__()
        self.network = network
        config = network.config
        self.resolutions = tuple(reversed(config.block_resolutions[1:]))
        width = config.channels_at(self.resolutions[0] // 2)
        self.old_fromrgb = Conv2dLayer(config.img_channels, width, 1, clamp=config.conv_clamp)
        """Used while fading alone, but always there: a snapshot's tensors do not depend on the moment."""
        self.is_fading = False
        self.register_buffer("alpha", torch.ones([]), persistent=False)
        self.alpha: Tensor
        """Weight of the new block, float32 []."""

    def set_alpha(self, alpha: float) -> None:
        """Give the new block this weight, 0 to 1; done before each step, by the run's progress."""
        self.is_fading = alpha < 1
        self.alpha.fill_(alpha)

    def forward(self, images: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Images [N, 3, R, R] in [-1, 1] -> float32 logits [N, 1]."""
        return self.network.b4(self.features(images, dtype)[-1])  # type: ignore[no-any-return]

    def features(self, images: Tensor, dtype: torch.dtype = torch.float32) -> list[Tensor]:
        """What the blocks make of images [N, 3, R, R]: [N, C(r), r, r] for r = R/2, ..., 4."""
        if not self.is_fading:
            return self.network.features(images, dtype)
        x = images.to(dtype).contiguous(memory_format=torch.channels_last)
        x = self.network.get_submodule(f"b{self.resolutions[0]}")(x)
        old = self.old_fromrgb(F.avg_pool2d(images, 2).to(dtype).contiguous(memory_format=torch.channels_last))
        outputs = [torch.lerp(old, x, self.alpha.to(x.dtype))]
        for resolution in self.resolutions[1:]:
            outputs.append(self.network.get_submodule(f"b{resolution}")(outputs[-1]))
        return outputs


def transfer_generator(source: Generator, target: Generator) -> None:
    """Give `target` the weights of `source`, of the same or half its resolution.

    A mapping network of another z stays as it is: a paired start teaches it anew. Raises ModelError where the two do
    not fit.
    """
    grown = _check_sizes(source.config.img_resolution, target.config.img_resolution)
    state = dict(source.state_dict())
    own = target.state_dict()
    if source.config.z_dim != target.config.z_dim:
        kept = [name for name in own if name.startswith("mapping.fc")]
        state = {name: tensor for name, tensor in state.items() if name not in kept}
        state |= {name: own[name] for name in kept}
    if grown:
        new = f"synthesis.b{target.config.img_resolution}."
        state |= {name: tensor for name, tensor in own.items() if name.startswith(new)}
        for name in ("torgb.weight", "torgb.bias"):
            state[new + name] = torch.zeros_like(own[new + name])
    _load_state(target, state, "generator")


@torch.no_grad()
def rearrange_latents(generator: Generator, before: Sequence[str], after: Sequence[str]) -> None:
    """Let a mapping network whose z stood for the draws `before` take one that stands for `after`, by their names.

    What is new moves nothing at first. In place.
    """
    weight = generator.mapping.get_parameter("fc0.weight")  # [width, z_dim]
    place = {name: column for column, name in enumerate(before)}
    columns = [weight[:, place[name]] if name in place else torch.zeros_like(weight[:, 0]) for name in after]
    spare = weight.shape[1] - len(columns)
    if spare < 0:
        raise ModelError(
            f"a z of {weight.shape[1]} numbers is too short for {len(columns)} draws", "train with a larger z_dim"
        )
    weight.copy_(torch.stack([*columns, *[torch.zeros_like(weight[:, 0])] * spare], dim=1))


def transfer_discriminator(source: Discriminator, target: FadingDiscriminator) -> None:
    """Give `target` the weights of `source`, of the same or half its resolution; when grown, the fade begins."""
    resolution = target.network.config.img_resolution
    state = dict(source.state_dict())
    if _check_sizes(source.config.img_resolution, resolution):
        fromrgb = f"b{resolution // 2}.fromrgb."
        with torch.no_grad():
            for name, parameter in target.old_fromrgb.named_parameters():
                parameter.copy_(state.pop(fromrgb + name))
        target.set_alpha(0.0)
        own = target.network.state_dict()
        state |= {name: tensor for name, tensor in own.items() if name.startswith(f"b{resolution}.")}
    _load_state(target.network, state, "discriminator")


def _check_sizes(source: int, target: int) -> bool:
    """Whether the network grows. Raises ModelError for other sizes."""
    if source not in (target, target // 2):
        raise ModelError(
            f"training at {target} px starts from a network of {target} or {target // 2} px; this one has {source}",
            "train the sizes between first",
        )
    return source != target


def _load_state(network: nn.Module, state: Mapping[str, Tensor], what: str) -> None:
    """Copy all tensors, or refuse with the first that does not fit: a silent partial copy is worse than none."""
    own = network.state_dict()
    for name in sorted(own.keys() | state.keys()):
        mine = tuple(own[name].shape) if name in own else None
        theirs = tuple(state[name].shape) if name in state else None
        if mine != theirs:
            raise ModelError(
                f"the {what} to start from does not fit these settings: {name} has shape {_format_shape(theirs)}, "
                f"needed is {_format_shape(mine)}",
                "give the channel_base, channel_max, z_dim and w_dim that it was trained with",
            )
    network.load_state_dict(dict(state))


def _format_shape(shape: tuple[int, ...] | None) -> str:
    return "none" if shape is None else "x".join(map(str, shape)) or "scalar"
