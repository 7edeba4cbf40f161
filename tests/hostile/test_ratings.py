"""Tables of ratings that are made to cost memory or time, or to end the command."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from tuiface.core.errors import TuifaceError
from tuiface.directions import ratings
from tuiface.directions.ratings import read_ratings

HEAD = "face,rater,rating\n"
TABLES = {
    "a face of 5,000 digits": (HEAD + "9" * 5_000 + ",a,1\n", "is no seed number"),
    "a face in other digits": (HEAD + "\u0661,a,1\n", "is no seed number"),
    "a face beyond the seeds": (HEAD + "4294967296,a,1\n", "is no seed number"),
    "a rating of 5,000 digits": (HEAD + "1,a," + "9" * 5_000 + "\n", "not a finite number"),
    "a field without an end": (HEAD + '1,a,"' + "x" * 200_000, "not CSV: field larger"),
    "more columns than letters": ("x," * 100_000 + "\n" + "\n" * 100, "no column 'face'; it has x, x"),
    "many columns and short rows": (HEAD[:-1] + ",x" * 100_000 + "\n" + "1,a\n" * 1_000, "rating '' is not a number"),
    "each face by a rater of its own": (HEAD + "".join(f"{n},r{n},1\n" for n in range(3_000)), "3000 raters and 3000"),
    "more faces than an engine takes": (HEAD + "".join(f"{n},r{n % 2},1\n" for n in range(10_001)), "and 10001 faces"),
    "bytes": (HEAD + "\x00\x01,\x00,\x00\n", "is no seed number"),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_hostile_table_is_one_line(name: str, tmp_path: Path) -> None:
    text, reason = TABLES[name]
    (tmp_path / "r.csv").write_text(text)
    with pytest.raises(TuifaceError, match=rf"^r\.csv: .*{reason}") as refused:
        read_ratings(tmp_path / "r.csv")
    assert len(str(refused.value)) < 300


def test_ratings_without_end_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ratings, "MAX_RATINGS", 50)
    (tmp_path / "r.csv").write_text(HEAD + "".join(f"{n},a,{n}\n" for n in range(60)))
    with pytest.raises(TuifaceError, match=r"^r\.csv: line 52: more than 50 ratings"):
        read_ratings(tmp_path / "r.csv")


def test_agreement_is_the_mean_of_the_correlations_of_all_pairs() -> None:
    random = np.random.default_rng(0)
    table = random.standard_normal((300, 40))
    table[random.random(table.shape) < 0.8] = np.nan
    table[3] = np.where(np.isfinite(table[3]), 1.0, np.nan)
    expected = []
    for first, second in combinations(table, 2):
        both = np.isfinite(first) & np.isfinite(second)
        a, b = first[both], second[both]
        if both.sum() >= 5 and a.std() > 1e-6 and b.std() > 1e-6:
            expected.append(np.corrcoef(a, b)[0, 1])
    assert len(expected) > 100
    assert ratings._mean_correlation(table) == pytest.approx(np.mean(expected), abs=1e-12)
