"""A picture in numbers, for terminals that show none and for people who do not see it."""

from __future__ import annotations

import numpy as np


def describe_pixels(pixels: np.ndarray) -> dict[str, str]:
    """What can be said of uint8 [H, W, 3] without showing it, by name."""
    luma = pixels.astype(np.float64) @ np.array([0.2126, 0.7152, 0.0722]) / 255  # [H, W]
    red, green, blue = pixels.reshape(-1, 3).mean(axis=0).round().astype(int).tolist()
    return {
        "picture": f"{pixels.shape[1]} x {pixels.shape[0]} pixels",
        "brightness": f"{100 * luma.mean():.0f} %",
        "contrast": f"{100 * luma.std():.0f} %",
        "mean colour": f"red {red}, green {green}, blue {blue}",
        "left-right symmetry": f"{_correlation(luma, luma[:, ::-1]):.2f}",
    }


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's r; 1 for pictures without any contrast."""
    a, b = a - a.mean(), b - b.mean()
    spread = float(np.sqrt((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / spread if spread else 1.0
