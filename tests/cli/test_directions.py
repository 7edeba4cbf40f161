"""`tuiface directions`: import, list, show, edit by name, ratings, and one line for whatever is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import MODEL
from tests.directions.directions import make_direction
from tuiface.cli import main
from tuiface.core.errors import EXIT_DONE, EXIT_INPUT, EXIT_MODEL, EXIT_USAGE
from tuiface.directions.direction import read_direction, write_direction


@pytest.fixture(autouse=True)
def small_model(monkeypatch: pytest.MonkeyPatch, shared_cache: Path, tmp_path: Path) -> None:
    values = {"MODEL": MODEL, "CACHE": shared_cache, "DIRECTIONS": tmp_path / "own", "LIBRARY": tmp_path / "library"}
    for name, value in {**values, "DEVICE": "cpu", "THREADS": "1"}.items():
        monkeypatch.setenv(f"TUIFACE_{name}", str(value))


def imported(tmp_path: Path, *flags: str) -> None:
    np.save(tmp_path / "age.npy", np.random.RandomState(0).randn(1, 8, 64))
    assert main(["directions", "import", str(tmp_path / "age.npy"), *flags]) == EXIT_DONE


def test_import_list_show_and_edit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    imported(tmp_path, "--legacy", "first", "--licence", "ours")
    assert main(["directions", "list", "--json"]) == EXIT_DONE
    row = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (row["name"], row["rows"], row["licence"], row["unit"]) == ("age", [0, 8], "ours", "sigma")
    assert main(["directions", "show", "age"]) == EXIT_DONE
    assert "younger / older" in capsys.readouterr().out
    assert main(["directions", "show", "age", "--old-amount", "0.2", "--boost"]) == EXIT_DONE
    assert capsys.readouterr().out.startswith("--edit age=")
    out = tmp_path / "out"
    edit = ["--edit", "age=1.5@0-4", "--lock", "frame:paste"]
    assert main(["render", "3", *edit, "--out", str(out), "--json"]) == EXIT_DONE
    provenance = json.loads(next(out.glob("*.json")).read_text())
    assert provenance["directions"][0]["licence"] == "ours"
    assert provenance["recipe"]["edits"][0]["rows"] == [0, 4]
    assert provenance["recipe"]["locks"] == [{"region": "frame", "strength": 1.0, "guarantee": "paste"}]
    assert provenance["measures"]["outside_change_max"] == 0
    assert {"frame_variation_percent", "population_sigma"} <= provenance["measures"].keys()


@pytest.mark.parametrize("space", ["w+", "styles"])
def test_a_face_outlives_the_file_of_its_direction(
    space: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exact, further edited and saved again, though nobody has the direction any more."""
    imported(tmp_path)
    own = next((tmp_path / "own").rglob("age.safetensors"))
    if space == "styles":
        arrays = {"b16.conv1": np.linspace(-1, 1, 32, dtype=np.float32)}
        of_styles = make_direction("age", arrays=arrays, space="styles", model=read_direction(own).header.model)
        write_direction(of_styles, own, force=True)
    out = tmp_path / "out"
    assert main(["render", "3", "--edit", "age=1.5", "--out", str(out)]) == EXIT_DONE
    saved = next(out.glob("*.png"))
    own.unlink()
    assert main(["render", "3", "--edit", "age=1.5"]) == EXIT_MODEL
    capsys.readouterr()
    assert main(["verify", str(saved), "--exact"]) == EXIT_DONE
    assert main(["render", str(saved), "--edit", "b16.conv1:5=1", "--out", str(tmp_path / "more")]) == EXIT_DONE
    more = next((tmp_path / "more").glob("*.png"))
    assert main(["verify", str(more), "--exact"]) == EXIT_DONE
    assert main(["render", str(saved), "--out", str(tmp_path / "again")]) == EXIT_DONE
    assert next((tmp_path / "again").glob("*.png")).name == saved.name
    numbers = json.loads(more.with_suffix(".json").read_text())["recipe"]["directions"]
    assert [one["space"] for one in numbers] == [space]


def test_an_import_under_a_shipped_name_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    imported(tmp_path)
    assert "brings it back" not in capsys.readouterr().err
    shipped = tmp_path / "shipped"
    next((tmp_path / "own").rglob("age.safetensors")).parent.rename(shipped)
    monkeypatch.setattr("tuiface.core.assets.directions_path", lambda *_: shipped)
    imported(tmp_path)
    assert "tuiface has a direction 'age' for this model too" in capsys.readouterr().err


def test_ratings_make_a_direction(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng = np.random.RandomState(0)
    truth = rng.randn(40)
    lines = [f"{i},{r},{truth[i] + 0.3 * rng.randn():.3f}" for i in range(40) for r in "abc"]
    (tmp_path / "kind.csv").write_text("face,rater,rating\n" + "\n".join(lines))
    assert main(["directions", "learn", "--ratings", str(tmp_path / "kind.csv")]) == EXIT_DONE
    assert "40 faces, 3 raters, reliability 0.9" in capsys.readouterr().err
    assert main(["directions", "show", "kind", "--json"]) == EXIT_DONE
    assert json.loads(capsys.readouterr().out)["origin"]["settings"]["raters"] == 3
    named = ["--ends", "cold/warm", "--name", "warmth", "--out", str(tmp_path / "made")]
    assert main(["directions", "learn", "--ratings", str(tmp_path / "kind.csv"), *named]) == EXIT_DONE
    made = tmp_path / "made" / "warmth.safetensors"
    written = made.stat().st_ino, made.stat().st_mtime_ns
    again = ["directions", "learn", "--ratings", str(tmp_path / "kind.csv"), "--name", "warmth", "--out"]
    assert main([*again, str(tmp_path / "made"), "--ends", "cold/warm"]) == EXIT_DONE, "it is just what lies there"
    assert (made.stat().st_ino, made.stat().st_mtime_ns) == written
    assert main([*again, str(tmp_path / "made")]) != EXIT_DONE, "without its words it is another"
    assert main(["directions", "show", "warmth"]) == EXIT_MODEL, "it is not among the user's own"


def test_questions_by_keyboard_are_kept_and_taken_up_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from io import StringIO

    command = ["directions", "learn", "--ask", "kind", "--pool", "60", "--stop-at", "40"]
    monkeypatch.setattr("sys.stdin", StringIO("y\nn\nx\ns\ny\nu\n"))
    assert main(command) == EXIT_USAGE
    seen = capsys.readouterr().err
    assert "key 'x'; accepted: y yes" in seen
    assert "a direction takes at least 30" in seen
    kept = json.loads((tmp_path / "own" / "kind.answers.json").read_text())
    assert [a["value"] for a in kept["answers"]] == [1.0, 0.0, None], "what was taken back is not kept"
    monkeypatch.setattr("sys.stdin", StringIO("n\ny\n" * 60))
    assert main(command) == EXIT_DONE
    assert "40 answers" in capsys.readouterr().err
    assert main(["directions", "learn", "--ask", "kind", "--pool", "60", "--scale", "1-7"]) == EXIT_INPUT
    assert "answers about 'kind' (yes-no)" in capsys.readouterr().err


def test_discovered_direction_is_kept_under_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    strip = tmp_path / "strip.png"
    command = ["directions", "discover", "--method", "sefa", "--rows", "2-5", "--count", "2", "--seeds", "1"]
    assert main([*command, "--out", str(strip), "--keep", "2=shade"]) == EXIT_DONE
    assert strip.read_bytes()[:4] == b"\x89PNG"
    assert main(["directions", "show", "shade", "--json"]) == EXIT_DONE
    header = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (header["rows"], header["origin"]["method"]) == ([2, 5], "sefa")


def test_channels_that_were_found_are_shown_on_a_strip(tmp_path: Path) -> None:
    strip = tmp_path / "strip.png"
    command = ["directions", "discover", "--method", "channels", "--region", "mouth", "--count", "2", "--seeds", "0-1"]
    assert main([*command, "--out", str(strip)]) == EXIT_DONE
    taller = tmp_path / "taller.png"
    assert main([*command[:-3], "3", "--seeds", "0-1", "--out", str(taller)]) == EXIT_DONE
    with Image.open(strip) as two, Image.open(taller) as three:
        assert two.width == three.width
        assert two.height < three.height, "a row for each channel and face"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["directions", "show", "agee"], EXIT_MODEL, "no direction 'agee' for this model"),
        (["directions", "import", "x.txt"], EXIT_USAGE, "accepted are .npy, .npz and .pt"),
        (["directions", "import", "ffhq-channels"], EXIT_MODEL, "another shape than the original FFHQ network"),
        (["directions", "learn"], EXIT_USAGE, "--attributes --ask --ratings"),
        (["directions", "learn", "--ask", "kind", "--even"], EXIT_USAGE, "--even goes with --attributes alone"),
        (["directions", "learn", "--attributes", "age", "--ends", "a/b"], EXIT_USAGE, "with --ask or --ratings alone"),
        (["directions", "learn", "--ratings", "x.csv", "--ends", "a"], EXIT_USAGE, "--ends 'a'; accepted: LOW/HIGH"),
        (["directions", "discover", "--keep", "9=a"], EXIT_USAGE, "--keep '9=a'; accepted: N=NAME with N from 1 to 8"),
        (["directions", "discover", "--region", "mouth"], EXIT_USAGE, "--region is for --method regional"),
        (["directions", "discover", "--method", "regional"], EXIT_USAGE, "--region: none given; accepted: hairline"),
        (
            ["directions", "discover", "--method", "channels", "--region", "hair", "--rows", "2-4"],
            EXIT_USAGE,
            "no rows",
        ),
        (["directions", "report", "age", "yaw", "--out", "x.png"], EXIT_USAGE, "--out with 2 directions"),
        (["directions", "report", "age", "--seeds", "9-1"], EXIT_USAGE, "seeds '9-1'; accepted: 3, 0-7 or 3,5,9"),
        (["render", "1", "--edit", "age"], EXIT_USAGE, "--edit 'age'; accepted: NAME=AMOUNT"),
        (["render", "1", "--edit", "age=much"], EXIT_USAGE, "--edit amount: 'much' is not a number"),
        (["render", "1", "--edit", "age=1@5"], EXIT_USAGE, "rows '5'; accepted: A-B"),
        (["render", "1", "--lock", "fram"], EXIT_USAGE, "no region 'fram'"),
        (["render", "1", "--lock", "frame=2"], EXIT_USAGE, "--lock strength 2; accepted: 0 to 1"),
        (["render", "1", "--lock", "frame:glue"], EXIT_USAGE, "guarantee 'glue'; accepted: direction, blend, paste"),
        (["render", "1", "--lock", "nothing.png"], EXIT_INPUT, "no file 'nothing.png'"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str], code: int, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    imported(tmp_path)
    capsys.readouterr()
    assert main(arguments) == code
    lines = capsys.readouterr().err.strip().splitlines()
    assert message in lines[-1]
    assert len([line for line in lines if line.startswith("tuiface: ")]) == 1


def test_ones_own_is_renamed_and_removed_after_a_yes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    imported(tmp_path)
    assert main(["directions", "rename", "age", "years"]) == EXIT_DONE
    assert main(["directions", "remove", "years"]) == EXIT_USAGE
    assert "add --yes" in capsys.readouterr().err
    assert main(["directions", "remove", "years", "--yes"]) == EXIT_DONE
    assert main(["directions", "remove", "years", "--yes"]) == EXIT_MODEL
