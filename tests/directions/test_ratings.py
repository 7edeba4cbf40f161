"""Ratings by many: reliability, raters who use the scale differently, and what makes a table useless."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tuiface.core.errors import InputFileError, TuifaceError, UsageError
from tuiface.directions.ratings import read_ratings


def write(path: Path, noise: float, raters: int = 5, faces: int = 40) -> np.ndarray:
    """A table in which raters see the same truth through noise, each with a scale of their own."""
    rng = np.random.RandomState(0)
    truth = rng.randn(faces)
    lines = ["face,rater,rating,remark"]
    for rater in range(raters):
        seen = (truth + noise * rng.randn(faces)) * (0.5 + rater) + 10 * rater
        lines += [f"{face},r{rater},{value:.4f}," for face, value in enumerate(seen)]
    path.write_text("\n".join(lines))
    return truth


def test_mean_rating_is_the_truth_whatever_scale_a_rater_uses(tmp_path: Path) -> None:
    truth = write(tmp_path / "r.csv", noise=0.5)
    ratings = read_ratings(tmp_path / "r.csv")
    assert ratings.num_raters == 5
    assert np.corrcoef(ratings.scores, truth)[0, 1] > 0.95
    assert ratings.agreement == pytest.approx(1 / 1.25, abs=0.1)
    assert ratings.reliability == pytest.approx(0.95, abs=0.03)


def test_more_raters_are_more_reliable(tmp_path: Path) -> None:
    found = []
    for raters in (2, 8):
        write(tmp_path / "r.csv", noise=1.0, raters=raters)
        found.append(read_ratings(tmp_path / "r.csv").reliability)
    assert found[0] < found[1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("face,rater,stars\n1,a,2\n", "no column 'rating'; it has face, rater, stars (call it rating, or score"),
        ("face,rater,rating,Rating\n1,a,2,3\n", "several columns 'rating'"),
        ("face;rater;rating\n1.5;a;2\n", "line 2: face '1.5' is no seed number"),
        ("", "no column 'face'; it has none"),
        ("face,rater,rating\nx,a,2\n", "line 2: face 'x' is no seed number"),
        ("face,rater,rating\n1,a,two\n", "line 2: rating 'two' is not a number"),
        ("face,rater,rating\n1,a,nan\n", "line 2: rating 'nan' is not a finite number"),
        ("face,rater,rating\n1,a\n", "line 2: rating '' is not a number"),
        ("face,rater,rating\n1,a,2\n1,a,3\n", "line 3: a rated face 1 before"),
        ("face,rater,rating\n1,a,2\n", "1 faces and 1 raters; needed are 30 and 2"),
    ],
)
def test_bad_tables_are_one_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "r.csv").write_text(text)
    with pytest.raises(TuifaceError) as refused:
        read_ratings(tmp_path / "r.csv")
    assert message in str(refused.value)


FORMS: dict[str, tuple[str, str, str]] = {
    "semicolons and commas, from Excel in Spanish": ("utf-8-sig", "Cara;Participante;Puntaje", ";"),
    "tabs in UTF-16, from Excel": ("utf-16", "seed\tsubject\tresponse", "\t"),
    "a Windows code page": ("cp1252", "Rostro;Sujeto;Puntuación", ";"),
    "spaces and capitals": ("utf-8", " Face , RATER ,Rating", ","),
}


@pytest.mark.parametrize("form", FORMS)
def test_tables_of_other_programs_are_read(form: str, tmp_path: Path) -> None:
    write(tmp_path / "r.csv", noise=0.5)
    plain = read_ratings(tmp_path / "r.csv")
    encoding, heading, delimiter = FORMS[form]
    lines = [heading]
    for line in (tmp_path / "r.csv").read_text().splitlines()[1:]:
        face, rater, rating, _ = line.split(",")
        lines.append(delimiter.join((face, rater, rating if delimiter == "," else rating.replace(".", ","))))
    (tmp_path / "other.csv").write_bytes("\r\n".join(lines).encode(encoding))
    found = read_ratings(tmp_path / "other.csv")
    assert found.seeds == plain.seeds
    np.testing.assert_array_equal(found.scores, plain.scores)


def test_faces_go_by_their_pictures_names_too(tmp_path: Path) -> None:
    write(tmp_path / "r.csv", noise=0.5)
    plain = read_ratings(tmp_path / "r.csv")
    text = re.sub(r"^(\d+),", r"seed\1-4c172d7ea0-64px.png,", (tmp_path / "r.csv").read_text(), flags=re.MULTILINE)
    (tmp_path / "r.csv").write_text(text)
    np.testing.assert_array_equal(read_ratings(tmp_path / "r.csv").scores, plain.scores)


def test_raters_whose_names_are_other_bytes_are_two(tmp_path: Path) -> None:
    """Replaced, both would be one, who rated each face twice."""
    write(tmp_path / "r.csv", noise=0.5)
    data = (tmp_path / "r.csv").read_bytes()
    (tmp_path / "r.csv").write_bytes(data.replace(b",r0,", b",r\xe9,").replace(b",r1,", b",r\xe8,"))
    assert read_ratings(tmp_path / "r.csv").num_raters == 5


def test_half_a_character_of_utf_16_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_bytes(b"\xff\xfef\0a")
    with pytest.raises(InputFileError, match="not sound UTF-16"):
        read_ratings(tmp_path / "r.csv")


def test_raters_who_contradict_each_other(tmp_path: Path) -> None:
    write(tmp_path / "r.csv", noise=50.0)
    with pytest.raises(UsageError, match="the raters contradict each other"):
        read_ratings(tmp_path / "r.csv")


def test_rater_who_never_varies(tmp_path: Path) -> None:
    lines = [f"{i},a,{i}\n{i},b,4" for i in range(40)]
    (tmp_path / "r.csv").write_text("face,rater,rating\n" + "\n".join(lines))
    with pytest.raises(UsageError, match="rater 'b' gave every face the same rating"):
        read_ratings(tmp_path / "r.csv")


def test_missing_file() -> None:
    with pytest.raises(InputFileError, match="no file"):
        read_ratings(Path("/nowhere.csv"))
