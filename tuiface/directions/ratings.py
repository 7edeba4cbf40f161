"""Ratings of faces by many people, from a CSV: how far raters agree, and the rating of each face.

Columns: `face` (a seed number), `rater`, `rating`; others are left alone. Raters use scales differently, so each
rater's ratings are standardised before they are averaged.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tuiface.core.errors import InputFileError, UsageError, quote, suggest_nearest
from tuiface.core.limits import MAX_SEED
from tuiface.core.values import read_bytes

MAX_CSV_BYTES = 64 * 1024 * 1024
MIN_FACES, MIN_RATERS = 30, 2
COLUMNS = ("face", "rater", "rating")


@dataclass(frozen=True, slots=True, eq=False)
class Ratings:
    """What people said of faces."""

    seeds: tuple[int, ...]
    scores: np.ndarray
    """float64 [N]: mean over raters of each face's standardised rating."""
    num_raters: int
    reliability: float
    """Of the mean rating: Cronbach's alpha from the mean correlation between raters (Spearman-Brown)."""
    agreement: float
    """Mean correlation between two raters over the faces that both rated."""


def read_ratings(path: Path) -> Ratings:
    """Ratings in a CSV file. Raises InputFileError, naming the line, or UsageError for too few."""
    table = _read_table(path)
    raters = sorted({rater for rater, _ in table})
    seeds = sorted({seed for _, seed in table})
    if len(seeds) < MIN_FACES or len(raters) < MIN_RATERS:
        raise UsageError(
            f"{path.name}: {len(seeds)} faces and {len(raters)} raters; needed are {MIN_FACES} and {MIN_RATERS}"
        )
    values = np.full((len(raters), len(seeds)), np.nan)
    for (rater, seed), rating in table.items():
        values[raters.index(rater), seeds.index(seed)] = rating
    spread = np.nanstd(values, axis=1, keepdims=True)
    useless = [rater for rater, s in zip(raters, spread[:, 0], strict=True) if s < 1e-9]
    if useless:
        raise UsageError(
            f"{path.name}: rater {quote(useless[0])} gave every face the same rating", "leave that rater out"
        )
    standard = (values - np.nanmean(values, axis=1, keepdims=True)) / spread
    agreement = _mean_correlation(standard)
    n = np.isfinite(values).sum() / len(seeds)  # raters a face
    reliability = n * agreement / (1 + (n - 1) * agreement) if agreement > 0 else 0.0
    if reliability < 0.1:
        raise UsageError(
            f"{path.name}: the raters contradict each other (mean correlation {agreement:.2f})",
            "a direction of these ratings would be one of chance",
        )
    return Ratings(tuple(seeds), np.nanmean(standard, axis=0), len(raters), float(reliability), agreement)


def _read_table(path: Path) -> dict[tuple[str, int], float]:
    text = read_bytes(path, MAX_CSV_BYTES).decode("utf-8-sig", errors="replace")
    lines = csv.DictReader(io.StringIO(text))
    try:
        names = lines.fieldnames or ()
        for column in COLUMNS:
            if column not in names:
                hint = suggest_nearest(column, names)
                raise InputFileError(f"{path.name}: no column '{column}'; it has {', '.join(names) or 'none'}", hint)
        table: dict[tuple[str, int], float] = {}
        for row in lines:
            seed, rating = _parse_row(row, f"{path.name}: line {lines.line_num}")
            key = (str(row["rater"]), seed)
            if key in table:
                raise InputFileError(f"{path.name}: line {lines.line_num}: {key[0]} rated face {seed} before")
            table[key] = rating
        return table
    except csv.Error as error:
        raise InputFileError(f"{path.name}: line {lines.line_num}: not CSV: {error}") from None


def _parse_row(row: dict[str, str], where: str) -> tuple[int, float]:
    face, rating = row["face"] or "", row["rating"] or ""
    if not face.isdecimal() or int(face) > MAX_SEED:
        raise InputFileError(f"{where}: face {quote(face)} is no seed number")
    try:
        value = float(rating)
    except ValueError:
        raise InputFileError(f"{where}: rating {quote(rating)} is not a number") from None
    if not np.isfinite(value):
        raise InputFileError(f"{where}: rating {quote(rating)} is not a finite number")
    return int(face), value


def _mean_correlation(standard: np.ndarray) -> float:
    """Mean over pairs of raters who share at least five faces; 0 where there are none."""
    found = []
    for i in range(len(standard)):
        for j in range(i):
            both = np.isfinite(standard[i]) & np.isfinite(standard[j])
            a, b = standard[i][both], standard[j][both]
            if both.sum() >= 5 and a.std() > 1e-9 and b.std() > 1e-9:
                found.append(float(np.corrcoef(a, b)[0, 1]))
    return float(np.mean(found)) if found else 0.0
