"""A head's mirror image is another head, whose parameters are known."""

from __future__ import annotations

import torch

from tuiface.heads import render_heads, sample_parameters
from tuiface.heads.sampling.parameters import SIDED_PARAMETERS, mirror_heads


def test_mirrored_parameters_render_the_mirrored_picture() -> None:
    parameters = sample_parameters(6, seed=4).override(yaw=20.0, parting=0.6, light_azimuth=40.0, gaze_x=0.5)
    pictures = render_heads(parameters, 64).pixels.float()
    images = render_heads(mirror_heads(parameters), 64).pixels.float().flip(2)
    unlike = render_heads(parameters, 64).pixels.float().flip(2)
    assert (images - pictures).abs().mean() < 0.35 * (unlike - pictures).abs().mean()


def test_mirroring_twice_changes_nothing() -> None:
    parameters = sample_parameters(4, seed=1)
    assert torch.equal(mirror_heads(mirror_heads(parameters)).values, parameters.values)


def test_every_sided_parameter_is_centred_on_zero() -> None:
    values = sample_parameters(4000, seed=2)
    for name in SIDED_PARAMETERS:
        assert abs(float(values[name].mean())) < 0.06 * float(values[name].std()), name
