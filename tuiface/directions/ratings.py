"""Ratings of faces by many people, from a CSV: how far raters agree, and the rating of each face.

Columns: `face` (a seed number, or the name of its saved picture), `rater`, `rating`, or what `HEADINGS` has; others are
left alone. Commas, semicolons or tabs; UTF-8, UTF-16 or a Windows code page; with semicolons or tabs, 3,5 is 3.5.
Raters use scales differently, so each rater's ratings are standardised before they are averaged.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tuiface.core.csv_table import read_csv_table
from tuiface.core.errors import InputFileError, UsageError, quote
from tuiface.core.limits import MAX_FACES, MAX_SEED
from tuiface.core.visible import to_visible

MIN_FACES, MIN_RATERS = 30, 2
MAX_RATINGS = 500_000
MAX_RATERS = 1_000
MAX_CELLS = 4_000_000
"""Raters times faces: the table of who rated what, most of it empty where each rates a few."""
#: What surveys call the columns, in lower case.
HEADINGS = {
    "face": ("face", "seed", "stimulus", "image", "picture", "cara", "rostro", "semilla", "estímulo", "imagen"),
    "rater": ("rater", "participant", "subject", "judge", "respondent", "evaluador", "participante", "sujeto", "juez"),
    "rating": ("rating", "score", "response", "answer", "value", "puntaje", "puntuación", "calificación", "respuesta"),
}
_FACE = re.compile(r"(?:seed)?([0-9]{1,10})(?:-[0-9a-f]{10,}[^/]*)?(?:\.png)?", re.IGNORECASE)


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
    """Ratings in a CSV file. Raises InputFileError, naming the line, or UsageError for too few or too many."""
    table = _read_table(path)
    raters = sorted({rater for rater, _ in table})
    seeds = sorted({seed for _, seed in table})
    if len(seeds) < MIN_FACES or len(raters) < MIN_RATERS:
        raise UsageError(
            f"{path.name}: {len(seeds)} faces and {len(raters)} raters; needed are {MIN_FACES} and {MIN_RATERS}"
        )
    if len(raters) > MAX_RATERS or len(seeds) > MAX_FACES or len(raters) * len(seeds) > MAX_CELLS:
        raise UsageError(
            f"{path.name}: {len(raters)} raters and {len(seeds)} faces; accepted are up to {MAX_RATERS} raters, "
            f"{MAX_FACES} faces, and {MAX_CELLS} for raters times faces",
            "take a part of the raters or faces",
        )
    row_of = {rater: row for row, rater in enumerate(raters)}
    column_of = {seed: column for column, seed in enumerate(seeds)}
    values = np.full((len(raters), len(seeds)), np.nan)
    for (rater, seed), rating in table.items():
        values[row_of[rater], column_of[seed]] = rating
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
    lines = read_csv_table(path)
    places = _find_columns(lines.heading, path.name)
    table: dict[tuple[str, int], float] = {}
    for where, row in lines.rows():
        face, rater, rating = (row[place] if place < len(row) else "" for place in places)
        key = (rater, _parse_seed(face, where))
        value = _parse_rating(rating if lines.delimiter == "," else rating.replace(",", "."), where)
        if key in table:
            raise InputFileError(f"{where}: {to_visible(rater)} rated face {key[1]} before")
        if len(table) == MAX_RATINGS:
            raise InputFileError(f"{where}: more than {MAX_RATINGS} ratings", "take a part of them")
        table[key] = value
    return table


def _find_columns(names: Sequence[str], file: str) -> list[int]:
    """Places of face, rater and rating. Raises InputFileError for one that is missing, or named twice."""
    held = [name.strip().casefold() for name in names]
    places = []
    for column, accepted in HEADINGS.items():
        found = [place for name in accepted for place, other in enumerate(held) if other == name]
        if not found or held.count(held[found[0]]) > 1:
            listed = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
            reason = f"several columns '{column}'" if found else f"no column '{column}'"
            raise InputFileError(
                f"{file}: {reason}; it has {listed or 'none'}",
                f"call it {column}, or {', '.join(accepted[1:4])}",
            )
        places.append(found[0])
    return places


def _parse_seed(text: str, where: str) -> int:
    found = _FACE.fullmatch(text)
    if found is None or int(found[1]) > MAX_SEED:
        raise InputFileError(f"{where}: face {quote(text)} is no seed number")
    return int(found[1])


def _parse_rating(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise InputFileError(f"{where}: rating {quote(text)} is not a number") from None
    if not np.isfinite(value):
        raise InputFileError(f"{where}: rating {quote(text)} is not a finite number")
    return value


def _mean_correlation(standard: np.ndarray) -> float:
    """Mean over pairs of raters who share at least five faces; 0 where there are none.

    standard: float64 [raters, faces], NaN where a rater did not rate. All pairs at once, from sums over shared faces:
    a thousand raters make half a million pairs.
    """
    held = np.isfinite(standard).astype(np.float64)
    values = np.nan_to_num(standard)
    squares = values**2
    total, num_pairs = 0.0, 0
    for start in range(0, len(standard), _RATERS_AT_ONCE):
        stop = min(start + _RATERS_AT_ONCE, len(standard))
        rows, columns = slice(start, stop), slice(0, stop)
        shared = held[rows] @ held[columns].T
        faces = np.maximum(shared, 1)
        first, second = values[rows] @ held[columns].T / faces, held[rows] @ values[columns].T / faces
        first_variance = squares[rows] @ held[columns].T / faces - first**2
        second_variance = held[rows] @ squares[columns].T / faces - second**2
        covariance = values[rows] @ values[columns].T / faces - first * second
        earlier = np.arange(stop)[None] < np.arange(start, stop)[:, None]
        counts = earlier & (shared >= 5) & (first_variance > _MIN_VARIANCE) & (second_variance > _MIN_VARIANCE)
        spread = np.sqrt(first_variance * second_variance, where=counts, out=np.ones_like(shared))
        total += float((covariance / spread)[counts].sum())
        num_pairs += int(counts.sum())
    return total / num_pairs if num_pairs else 0.0


_RATERS_AT_ONCE = 256
_MIN_VARIANCE = 1e-12
"""Of standardised ratings over shared faces: less is rounding, of a rater to whom these were all the same."""
