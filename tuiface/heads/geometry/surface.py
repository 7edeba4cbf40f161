"""What features write to: displacements and pigments over the chart, and the finished parts that are rasterised."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tuiface.core.regions import Region
from tuiface.heads.geometry.chart import Chart, Window
from tuiface.heads.sampling.look import Look
from tuiface.heads.sampling.rng import noise_patch


@dataclass(eq=False)
class Surface:
    """The head of each sample while it is being built; all fields float32 [N, H, W] over the chart.

    The one mutable value of this package: every feature adds to a window of it, in a fixed order.
    """

    chart: Chart
    forward: Tensor
    """Displacement along +z, dm."""
    outward: Tensor
    """Displacement along the neutral normal, dm."""
    melanin: Tensor
    blood: Tensor
    """Haemoglobin, on the scale of `skin.skin_colour`."""
    occlusion: Tensor
    """Share of ambient light that reaches the texel, from creases too fine for the screen-space pass."""
    gloss: Tensor
    region: Tensor
    mottle: Tensor
    """Broad unit noise, each sample's own."""
    grain: Tensor
    """Fine unit noise, each sample's own."""

    @classmethod
    def bare(cls, chart: Chart, look: Look) -> Surface:
        """A featureless head."""
        shape = (len(look), chart.height, chart.width)

        def constant(value: float) -> Tensor:
            return torch.full(shape, value, device=look.device)

        scale = 460 / chart.height  # noise keeps its size on the head at any resolution
        return cls(
            chart,
            forward=constant(0.0),
            outward=constant(0.0),
            melanin=look["melanin"] + constant(0.0),
            blood=constant(0.0),
            occlusion=constant(1.0),
            gloss=constant(0.0),
            region=constant(float(Region.SKIN)),
            mottle=noise_patch(look.draw("mottle"), "mottle", *shape[1:], zoom=scale),
            grain=noise_patch(look.draw("grain"), "grain", *shape[1:], zoom=scale),
        )

    @staticmethod
    def at(field: Tensor, window: Window) -> Tensor:
        """The view of `field` [..., H, W] under a window; writing to it writes to the field."""
        return field[..., window.rows, window.columns]

    def mark(self, window: Window, mask: Tensor, region: Region) -> None:
        """Label the texels where `mask` (boolean, broadcasting over the window) holds."""
        view = self.at(self.region, window)
        view.masked_fill_(mask, float(region))


@dataclass(frozen=True, eq=False)
class Part:
    """A finished grid that is rasterised: the head, the body, a strip of ears or of glasses."""

    position: Tensor
    """[N, 3, h, w], dm."""
    normal: Tensor
    """[N, 3, h, w]."""
    albedo: Tensor
    """[N, 3, h, w], linear RGB."""
    gloss: Tensor
    """[N, h, w], and so the others."""
    scatter: Tensor
    """1 where light diffuses under the surface (skin), 0 elsewhere."""
    occlusion: Tensor
    emission: Tensor
    """Added radiance: reflections in eyes and lenses."""
    region: Tensor
    strips: tuple[tuple[int, int], ...] = ()
    """Column ranges that are separate surfaces (a left and a right ear); empty: one surface."""
    bands: tuple[tuple[int, int], ...] = ()
    """The same of rows (the tubes of glasses): no points are put between them."""
    two_sided: bool = False
    """Seen from behind as well, such as ears and glasses."""
    visible: bool = True
    """False where no sample of the batch has it: it keeps its place in the atlas and is not rasterised."""
