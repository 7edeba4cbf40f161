"""The StyleGAN2 generator: mapping network and synthesis network, any size from 8 to 1024, behind one facade.

Parameters carry the names that NVIDIA's checkpoints use (`synthesis.b64.conv0.weight`), so a state dict needs no
translation.

Shape legend: N = batch, R = img_resolution, L = num_ws = 2*log2(R) - 2 (`synthesis` lists the rows of W+).
Sources: Karras et al. 2020 (arXiv 1912.04958); labels and clamping: Karras et al. 2020b (2006.06676).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn

from tuiface.engine.cuda.graphs import prepare_plan
from tuiface.engine.cuda.loaded import loaded_kernels
from tuiface.engine.networks import ops
from tuiface.engine.networks.config import GeneratorConfig
from tuiface.engine.networks.inference import Plan, SynthesisPlan
from tuiface.engine.networks.layers import FullyConnectedLayer, SynthesisLayer, fill_constant
from tuiface.engine.networks.synthesis import SynthesisNetwork

NoiseInput = Literal["const", "none"] | Sequence[Tensor]


class MappingNetwork(nn.Module):
    """z and an optional one-hot label to w."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.c_dim = config.c_dim
        self.num_layers = len(config.mapping_features)
        lr = config.mapping_lr_multiplier
        if config.c_dim:
            self.embed = FullyConnectedLayer(config.c_dim, config.embed_features)
        widths = [config.z_dim + config.embed_features, *config.mapping_features]
        for i, (num_in, num_out) in enumerate(pairwise(widths)):
            self.add_module(f"fc{i}", FullyConnectedLayer(num_in, num_out, lr_multiplier=lr, activate=True))
        self.register_buffer("w_avg", fill_constant(0.0, config.w_dim))
        self.w_avg: Tensor

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """z [N, z_dim], c [N, c_dim] -> w [N, w_dim]."""
        x = ops.normalize_second_moment(z)
        if self.c_dim:
            assert c is not None
            x = torch.cat([x, ops.normalize_second_moment(self.embed(c))], dim=1)
        for i in range(self.num_layers):
            x = self.get_submodule(f"fc{i}")(x)
        return x


class Generator(nn.Module):
    """The whole generator, with the facade that everything else uses: `map`, `truncate`, `synthesize`."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.mapping = MappingNetwork(config)
        self.synthesis = SynthesisNetwork(config)
        self._plans: dict[torch.dtype, Plan] = {}

    def __getstate__(self) -> dict[str, Any]:
        """What a copy gets: no plans, which may hold CUDA graphs and handles of the driver's."""
        return {**self.__dict__, "_plans": {}}

    @property
    def num_ws(self) -> int:
        """Rows of W+."""
        return self.config.num_ws

    def map(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """z [N, z_dim] (and labels c [N, c_dim]) -> ws float32 [N, num_ws, w_dim], psi 1.

        Raises ValueError for a wrong shape, or labels missing or given to a network without them.
        """
        config = self.config
        _expect_shape("z", z, (z.shape[0], config.z_dim))
        if (c is not None) != bool(config.c_dim):
            raise ValueError(f"this network takes {config.c_dim} classes; c is {'missing' if c is None else 'given'}")
        if c is not None:
            _expect_shape("c", c, (z.shape[0], config.c_dim))
        w: Tensor = self.mapping(z.float(), None if c is None else c.float())
        return w.unsqueeze(1).repeat(1, self.num_ws, 1)

    def truncate(self, ws: Tensor, psi: float, cutoff: int | None = None, center: Tensor | None = None) -> Tensor:
        """center + psi * (ws - center) on rows [0, cutoff), the other rows unchanged; center defaults to w_avg.

        ws [N, num_ws, w_dim] -> the same shape.
        """
        center = self.mapping.w_avg if center is None else center
        rows = self.num_ws if cutoff is None else min(cutoff, self.num_ws)
        if psi == 1 or rows == 0:
            return ws
        return torch.cat([torch.lerp(center.expand_as(ws[:, :rows]), ws[:, :rows], psi), ws[:, rows:]], dim=1)

    def synthesize(self, ws: Tensor, noise: NoiseInput = "const", resolution: int | None = None) -> Tensor:
        """ws [N, num_ws, w_dim] -> float32 NCHW, the RGB sum at `resolution` (default: full), not clamped.

        noise: "const" (stored maps), "none", or one [N or 1, 1, r, r] tensor a convolution, in order of execution.
        Raises ValueError for a wrong shape or a resolution that has no block.
        """
        _expect_shape("ws", ws, (ws.shape[0], self.num_ws, self.config.w_dim))
        until = self.check_resolution(resolution)
        return self.synthesize_styles(self.synthesis.styles(ws.float(), until), noise, until)

    def synthesize_styles(
        self, styles: Mapping[str, Tensor], noise: NoiseInput = "const", resolution: int | None = None
    ) -> Tensor:
        """As `synthesize`, from styles by layer name ([N, I] each), so that single channels can be edited."""
        until = self.check_resolution(resolution)
        maps = self.noise_maps(noise, until)
        if torch.is_grad_enabled() and (
            self._has_trainable_parameters() or any(s.requires_grad for s in styles.values())
        ):
            return self.synthesis(styles, maps, until)  # type: ignore[no-any-return]
        with torch.no_grad():
            return self.plan(torch.float32).synthesize(styles, maps, until)

    def plan(self, dtype: torch.dtype) -> Plan:
        """The fast twin of the synthesis network in `dtype`; prepared again when a parameter changed."""
        plan = self._plans.get(dtype)
        if plan is None or not plan.is_current(self.synthesis, dtype):
            plan = self._plans[dtype] = self._prepare(dtype)
        return plan

    def _prepare(self, dtype: torch.dtype) -> Plan:
        kernels = loaded_kernels(self.mapping.w_avg.device)
        if kernels is None or self.config.img_channels != 3:
            return SynthesisPlan(self.synthesis, dtype)
        return prepare_plan(self.synthesis, dtype, kernels)

    def check_resolution(self, resolution: int | None) -> int:
        """`resolution`, or the network's own for None; raises ValueError when no block has it."""
        accepted = self.config.block_resolutions
        if resolution is None:
            return accepted[-1]
        if resolution not in accepted:
            raise ValueError(f"no block has {resolution} px; accepted: {', '.join(map(str, accepted))}")
        return resolution

    def noise_maps(self, noise: NoiseInput, until: int) -> dict[str, Tensor | None]:
        """The noise input of each convolution up to resolution `until`, by layer name; None for no noise."""
        layers = [(name, x) for name, x, _ in self.synthesis.style_layers(until) if isinstance(x, SynthesisLayer)]
        if noise == "none":
            return {name: None for name, _ in layers}
        if noise == "const":
            return {name: layer.noise_const for name, layer in layers}
        if isinstance(noise, str):
            raise ValueError(f"noise {noise!r}; accepted: 'const', 'none', or a list of tensors")
        if len(noise) < len(layers):
            raise ValueError(f"{len(noise)} noise maps for {len(layers)} convolutions")
        return {name: given for (name, _), given in zip(layers, noise, strict=False)}

    def _has_trainable_parameters(self) -> bool:
        return any(p.requires_grad for p in self.parameters())


def _expect_shape(name: str, tensor: Tensor, shape: tuple[int, ...]) -> None:
    if tuple(tensor.shape) != shape:
        raise ValueError(f"{name} has shape {list(tensor.shape)}; this network takes {list(shape)}")
