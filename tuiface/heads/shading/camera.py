"""Pose, perspective, the FFHQ crop, and how radiance becomes pixels."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from tuiface.heads.constants import constant
from tuiface.heads.geometry.curves import mix
from tuiface.heads.sampling.look import Look
from tuiface.heads.sampling.rng import noise_patch

_PIVOT = (0.0, -0.55, -0.12)
"""The atlas joint, around which the head turns."""


@dataclass(frozen=True, eq=False)
class Camera:
    """A batch of cameras, cropped as FFHQ crops."""

    head_rotation: Tensor
    """[N, 3, 3], world from head."""
    body_rotation: Tensor
    """[N, 3, 3]; shoulders follow the head only partly."""
    distance: Tensor
    """[N], dm."""
    centre: Tensor
    """[N, 2], middle of the crop on the image plane."""
    axis: Tensor
    """[N, 2], unit vector to the right of the crop."""
    half_side: Tensor
    """[N], half the side of the crop on the image plane."""

    def of(self, owner: Tensor) -> Camera:
        """The camera of each of `owner` [T]."""
        return Camera(*(getattr(self, field.name)[owner] for field in fields(self)))

    def project(self, points: Tensor) -> Tensor:
        """World points [N, 3, ...] on the crop: [N, 2, ...], x right and y down, 0..1 inside."""
        shape = (-1, *[1] * (points.ndim - 2))
        scale = self.distance.view(shape) / (self.distance.view(shape) - points[:, 2])
        x = points[:, 0] * scale - self.centre[:, 0].view(shape)
        y = points[:, 1] * scale - self.centre[:, 1].view(shape)
        right_x, right_y = self.axis[:, 0].view(shape), self.axis[:, 1].view(shape)
        side = 2 * self.half_side.view(shape)
        return torch.stack([0.5 + (x * right_x + y * right_y) / side, 0.5 - (y * right_x - x * right_y) / side], dim=1)


def aim_camera(look: Look, landmarks: Tensor) -> Camera:
    """Place the cameras so that `landmarks` [N, 3, 4] (eyes, mouth corners) fall where FFHQ's alignment puts them.

    The crop is FFHQ's `recreate_aligned_images`: centred 0.1 of the eye-to-mouth vector below the eyes, upright to
    both the eye line and that vector, half-side max(2.0 eye distance, 1.8 eye-to-mouth).
    """
    yaw, pitch, roll = (torch.deg2rad(look.column(name)) for name in ("yaw", "pitch", "roll"))
    head = _rotation(yaw, pitch, roll)
    body = _rotation(0.45 * yaw, 0.15 * pitch, 0 * roll)
    distance = look.column("camera_distance")
    turned = rotate_about_neck(head, landmarks)
    flat = turned[:, :2] * (distance[:, None] / (distance[:, None] - turned[:, 2]))[:, None]
    eyes, mouth = (flat[:, :, 0] + flat[:, :, 1]) / 2, (flat[:, :, 2] + flat[:, :, 3]) / 2
    eye_to_eye, eye_to_mouth = flat[:, :, 1] - flat[:, :, 0], mouth - eyes
    axis = eye_to_eye + torch.stack([-eye_to_mouth[:, 1], eye_to_mouth[:, 0]], dim=1)
    axis = axis / _length(axis)[:, None]
    half_side = torch.maximum(2.0 * _length(eye_to_eye), 1.8 * _length(eye_to_mouth))
    return Camera(head, body, distance, eyes + 0.1 * eye_to_mouth, axis, half_side)


def develop(radiance: Tensor, look: Look, gain: Tensor) -> Tensor:
    """Radiance [N, 3, 2R, 2R] as pixels uint8 [N, R, R, 3]: exposure, shoulder, lens blur, sRGB, contrast, grain."""
    exposed = radiance * (gain * 2 ** look.column("exposure")).view(-1, 1, 1, 1)
    toned = exposed.clamp(0, 8)
    toned = (toned * (1 + toned / 6) / (1 + toned * 0.55) * 1.13).clamp(0, 1)
    image = _halve(_halve(toned).transpose(2, 3)).transpose(2, 3)
    resolution = image.shape[-1]
    blur = (0.06 + 0.6 * look["blur"][:, None]) * min(1.0, resolution / 200)
    image = mix(image, _blur(image), blur)
    image = torch.where(image < 0.0031308, image * 12.92, 1.055 * image.clamp(min=1e-5) ** (1 / 2.4) - 0.055)
    grey = (image[:, :1] + image[:, 1:2] + image[:, 2:]) / 3
    image = ((grey + (image - grey) * 1.09) - 0.47) * 1.10 + 0.47
    # Three texels a pixel: neighbouring pixels are then nearly independent.
    shifts = torch.cat([look.draw(f"sensor {channel}") for channel in "rgb"], dim=1).view(-1, 2)
    grain = noise_patch(shifts, "grain", resolution, resolution, 3.0).view(-1, 3, resolution, resolution)
    image = image + (0.001 + 0.009 * look["sensor_noise"][:, None]) * grain
    return (image.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def _halve(image: Tensor) -> Tensor:
    """Half as many samples along the last axis: weights 1, 7, 7, 1 of 16, which smooth edges more than a box."""
    a, b = image[..., ::2], image[..., 1::2]
    before = torch.cat([b[..., :1], b[..., :-1]], dim=-1)
    after = torch.cat([a[..., 1:], a[..., -1:]], dim=-1)
    return (7 / 16) * (a + b) + (1 / 16) * (before + after)


def _blur(image: Tensor) -> Tensor:
    """Binomial 3x3 blur."""
    p = torch.nn.functional.pad(image, (1, 1, 1, 1), mode="replicate")
    p = (p[:, :, :-2] + 2 * p[:, :, 1:-1] + p[:, :, 2:]) / 4
    return (p[..., :-2] + 2 * p[..., 1:-1] + p[..., 2:]) / 4


def _length(v: Tensor) -> Tensor:
    return (v[:, 0] ** 2 + v[:, 1] ** 2).sqrt()


def _rotation(yaw: Tensor, pitch: Tensor, roll: Tensor) -> Tensor:
    """Rotation [N, 3, 3] by yaw about y, then pitch about x (chin down), then roll about z, radians."""
    (cy, sy), (cp, sp), (cr, sr) = ((torch.cos(a), torch.sin(a)) for a in (yaw, pitch, roll))
    rows = [
        [cr * cy - sr * sp * sy, -sr * cp, cr * sy + sr * sp * cy],
        [sr * cy + cr * sp * sy, cr * cp, sr * sy - cr * sp * cy],
        [-cp * sy, sp, cp * cy],
    ]
    return torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)


def rotate(rotation: Tensor, directions: Tensor) -> Tensor:
    """Directions [N, 3, ...] turned by rotations [N, 3, 3]; a matmul's rounding may depend on the batch."""
    columns = rotation.view(-1, 3, 3, *[1] * (directions.ndim - 2)).unbind(2)
    x, y, z = (column * along[:, None] for column, along in zip(columns, directions.unbind(1), strict=True))
    return x + y + z


def rotate_about_neck(rotation: Tensor, points: Tensor) -> Tensor:
    """Points [N, 3, ...] turned about the atlas joint."""
    pivot = constant(_PIVOT, points.device).view(1, 3, *[1] * (points.ndim - 2))
    return rotate(rotation, points - pivot) + pivot
