"""The commands as a user types them: what they write, print, and exit with."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import CHECKPOINTS, DATA, MODEL
from tuiface.cli import main
from tuiface.commands.output import confirm
from tuiface.core.errors import UsageError
from tuiface.faces.provenance import encode_png, read_png

HOSTILE = [
    "01b_os_system_in_valid_network.pkl",
    "04_truncated_60pct.pkl",
    "07b_safetensors_header_past_end.safetensors",
]
"""One file of each container; tests/checkpoints opens them all."""


class Tuiface:
    """Runs commands with the small model in an isolated home and keeps what they printed."""

    def __init__(self, capfd: pytest.CaptureFixture[str], folder: Path) -> None:
        self._capfd = capfd
        self.folder = folder
        self.out = ""
        self.err = ""

    def __call__(self, *argv: str | Path, model: Path | None = MODEL) -> int:
        model_flags = [] if model is None else ["--model", str(model)]
        self._capfd.readouterr()
        code = main([*map(str, argv), *model_flags, "--device", "cpu"])
        self.out, self.err = self._capfd.readouterr()
        return code

    def lines(self) -> list[dict[str, Any]]:
        """What --json printed."""
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def tuiface(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tuiface:
    monkeypatch.setenv("TUIFACE_LIBRARY", str(tmp_path / "library"))
    monkeypatch.setenv("TUIFACE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return Tuiface(capfd, tmp_path)


# --- render --------------------------------------------------------------------------------------------------------


def test_render_then_verify_from_pngs_and_from_jsons(tuiface: Tuiface) -> None:
    assert tuiface("render", "0", "1", "2", "--out", "out", "--json") == 0
    assert [Path(line["file"]).name.split("-")[0] for line in tuiface.lines()] == ["seed0", "seed1", "seed2"]
    files = sorted(tuiface.folder.glob("out/*"))
    assert [f.suffix for f in files] == [".json", ".png"] * 3
    for kind in ("png", "json"):
        assert tuiface("verify", *tuiface.folder.glob(f"out/*.{kind}"), "--json", model=None) == 0
        assert [line["status"] for line in tuiface.lines()] == ["exact"] * 3


def test_render_goes_to_the_library_by_default(tuiface: Tuiface) -> None:
    assert tuiface("render", "5") == 0
    assert len(list((tuiface.folder / "library").glob("seed5-*.png"))) == 1


def test_frame_of_another_face_is_taken_on(tuiface: Tuiface) -> None:
    assert tuiface("render", "3", "--frame-of", "5", "--out", "out", "--json") == 0
    assert "frame variation against" in tuiface.err
    source = json.loads(next(tuiface.folder.glob("out/*.json")).read_text())["recipe"]["source"]
    settings = source["origin"]["settings"]
    assert settings["method"] == "frame correction"
    assert settings["frame_variation_after"] <= settings["frame_variation_before"]
    assert tuiface("verify", *tuiface.folder.glob("out/*.png"), model=None) == 0


def test_render_options_end_up_in_the_recipe(tuiface: Tuiface) -> None:
    argv = ["render", "3", "--psi", "0.4", "--cutoff", "4", "--mix", "9@2-5", "--edit", "b16.conv1:3=-1.5"]
    assert tuiface(*argv, "--noise", "random:8", "--size", "16", "--out", "out", "--json") == 0
    png = Path(tuiface.lines()[0]["file"])
    recipe = json.loads(png.with_suffix(".json").read_text())["recipe"]
    assert recipe["truncation"] == {"psi": 0.4, "cutoff": 4, "center": "w_avg"}
    assert recipe["mixes"] == [{"source": {"kind": "seed", "seed": 9}, "rows": [2, 5]}]
    assert recipe["edits"] == [{"channel": ["b16.conv1", 3], "amount": -1.5}]
    assert recipe["noise"] == {"mode": "random", "seed": 8}
    assert Image.open(png).size == (16, 16)
    assert tuiface("verify", png, model=None) == 0


def test_seeds_are_given_as_lists_and_ranges(tuiface: Tuiface) -> None:
    assert tuiface("render", "0-1,5", "3", "--size", "8", "--out", "out", "--json") == 0
    assert [line["file"].split("-")[0] for line in tuiface.lines()] == [
        "out/seed0",
        "out/seed1",
        "out/seed5",
        "out/seed3",
    ]
    assert tuiface("morph", "0-2", "--frames", "4", "--size", "8", "--out", "walk", "--json") == 0
    assert len(list((tuiface.folder / "walk").glob("*.png"))) == 4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["5-2"], "seeds '5-2'; accepted: 3, 0-7 or 3,5,9-11"),
        (["0-99999999999"], "from 0 to 4294967295"),
        (["0-10000"], "up to 10000"),
        (["3", "--cutoff", "99"], "--cutoff 99; accepted: 0 to [0-9]+, the rows of this model"),
        (["3", "--trunc", "0.5"], r"'--trunc' \(here it is --psi\)"),
        (["--seeds", "0-2"], r"'--seeds' \(here it is a word of its own"),
        (["3", "--outdir=x"], r"'--outdir=x' \(here it is --out\)"),
        (["3", "--siez", "8"], r"did you mean '--size'\?"),
        (["3", "-q"], r"unrecognized argument '-q' \(tuiface --help\)"),
    ],
)
def test_words_that_were_meant_otherwise_name_what_is_right(words: list[str], message: str, tuiface: Tuiface) -> None:
    assert tuiface("render", *words) == 2
    assert re.search(message, tuiface.err)
    assert tuiface.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--library", "/tmp/faces"], r"'--library' \(it is a setting: TUIFACE_LIBRARY=\.\.\., or library = "),
        (["--threads", "1", "--library=/tmp/faces", "render", "3"], r"'--library=/tmp/faces' \(it is a setting"),
        (["--modle", "x.pkl"], r"'--modle' \(did you mean '--model'\?\)"),
    ],
)
def test_an_unknown_flag_in_front_is_blamed_itself(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    error = capsys.readouterr().err
    assert re.search(message, error)
    assert "COMMAND" not in error


def test_a_model_by_its_address_is_not_downloaded(tuiface: Tuiface) -> None:
    assert tuiface("render", "3", model=Path("https://example.org/ffhq.pkl")) != 0
    assert "nothing is downloaded (download it" in tuiface.err


def test_count_goes_on_from_the_seed(tuiface: Tuiface) -> None:
    assert tuiface("render", "10", "--count", "3", "--out", "out") == 0
    assert sorted(p.name.split("-")[0] for p in tuiface.folder.glob("out/*.png")) == ["seed10", "seed11", "seed12"]


def test_a_saved_face_is_a_face_by_path_and_by_id(tuiface: Tuiface) -> None:
    tuiface("render", "5", "--json")
    first = tuiface.lines()[0]
    assert tuiface("render", first["file"], "--psi", "0.2", "--out", "a", "--json") == 0
    by_path = tuiface.lines()[0]
    assert tuiface("render", first["id"][:6], "--psi", "0.2", "--out", "b", "--json") == 0
    assert tuiface.lines()[0]["recipe_sha256"] == by_path["recipe_sha256"] != first["recipe_sha256"]
    provenance = json.loads(Path(by_path["file"]).with_suffix(".json").read_text())
    assert provenance["parents"] == [first["recipe_sha256"]]


def test_the_same_face_twice_is_one_picture(tuiface: Tuiface) -> None:
    assert tuiface("render", "5", "5", "--out", "out") == 0
    assert len(tuiface.out.splitlines()) == 1


def test_nothing_is_rendered_when_one_file_exists(tuiface: Tuiface) -> None:
    tuiface("render", "2", "--out", "out")
    before = {p: p.read_bytes() for p in tuiface.folder.glob("out/*")}
    assert tuiface("render", "0", "1", "2", "--out", "out") == 3
    assert "exists already" in tuiface.err
    assert {p: p.read_bytes() for p in tuiface.folder.glob("out/*")} == before
    assert tuiface("render", "2", "--out", "out", "--force") == 0


def test_class_chooses_the_label(tuiface: Tuiface) -> None:
    model = CHECKPOINTS["b_ada_cond64"]
    assert tuiface("render", "1", "--class", "2", "--out", "out", model=model) == 0
    png = next(tuiface.folder.glob("out/*.png"))
    assert json.loads(png.with_suffix(".json").read_text())["recipe"]["source"]["label"] == 2
    assert tuiface("render", "1", "--class", "7", "--out", "out", model=model) == 4
    assert "needs a class from 0 to 2" in tuiface.err
    assert tuiface("render", "1", "--out", "out", model=model) == 0
    assert "class 0 of 3" in tuiface.err


def test_show_without_a_terminal_says_so_and_saves(tuiface: Tuiface) -> None:
    assert tuiface("render", "1", "--show", "--out", "out") == 0
    assert "not a terminal" in tuiface.err
    assert tuiface("show", *tuiface.folder.glob("out/*")) == 0


def test_show_says_of_a_picture_that_its_record_is_refused(tuiface: Tuiface) -> None:
    assert tuiface("render", "1", "--out", "out") == 0
    [png] = tuiface.folder.glob("out/*.png")
    pixels, text = read_png(png)
    assert text is not None
    png.write_bytes(encode_png(pixels, re.sub(r'"threads": ?\d+', '"threads":100000', text)))
    assert tuiface("show", png) == 0
    assert "its record is refused" in tuiface.err
    assert "device.threads: '100000'" in tuiface.err


# --- swap ----------------------------------------------------------------------------------------------------------


def test_swap_saves_both_children(tuiface: Tuiface) -> None:
    assert tuiface("swap", "3", "5", "--rows", "0-4", "--out", "out", "--json") == 0
    assert [Path(line["file"]).name.split("-")[0] for line in tuiface.lines()] == ["seed3", "seed5"]
    assert tuiface("swap", "3", "5", "--rows", "0-4", "--out", "out") == 3
    assert "exists already" in tuiface.err


def test_a_cross_is_four_faces_and_a_table(tuiface: Tuiface, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuiface.engine.edits.face_finder.CROSS_ITERATIONS", 2)
    assert tuiface("swap", "3", "5", "--cross", "--out", "out", "--json") == 0
    *cells, table = tuiface.lines()
    assert [(cell["contour"] == cell["inner"]) for cell in cells] == [True, False, False, True]
    assert len(Path(table["file"]).read_text().splitlines()) == 5
    assert tuiface("verify", *(cell["file"] for cell in cells), model=None) == 0
    assert tuiface("swap", "3", "3", "--cross", "--out", "out") == 2
    assert "crossed with itself" in tuiface.err
    assert tuiface("swap", "3", "5", "--cross", "--rows", "0-4") == 2
    assert "not allowed with" in tuiface.err


# --- mistakes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        ("rendr 0", 2, "'rendr'; accepted: render, show, .*did you mean 'render'"),
        ("render", 2, "required: FACE"),
        ("render 0 --psi abc", 2, "--psi 'abc'; accepted: numbers from -3 to 3"),
        ("render 0 --psi nan", 2, "--psi nan; accepted: numbers from -3 to 3"),
        ("render 0 --psi 99", 2, "psi"),
        ("render 0 --size -5", 2, "--size -5; accepted: 4 to 4096"),
        ("render 0 --size 33", 2, "--size 33; accepted for this model: 4, 8, 16, 32"),
        ("render 0 --count 0", 2, "--count 0; accepted: 1 to 100000"),
        ("directions learn --attributes smile --draws 2000000", 2, "--draws 2000000; accepted: 200 to 100000"),
        ("directions learn --attributes smile --seeds 20000", 2, "--seeds 20000; accepted: 20 to 10000"),
        ("population make x --where age=0..1 --draws 100001", 2, "--draws 100001; accepted: 20 to 100000"),
        ("directions discover --method sefa --count 1024 --seeds 0-2 --out a.png", 2, "at most 900 rows"),
        ("render a.png --count 2", 2, "'a.png' is none"),
        ("render 4294967296", 2, "seed 4294967296; accepted: 0 to 4294967295"),
        ("render nobody", 2, "'nobody' is neither a seed number"),
        ("render -5", 2, "."),
        ("render 0 --noise loud", 2, "--noise 'loud'; accepted: const, none, random:SEED"),
        ("render 0 --noise random", 2, "--noise 'random'"),
        ("render 0 --mix 3", 2, "--mix '3'; accepted: FACE@A-B"),
        ("render 0 --mix 3@5-2", 2, "rows '5-2'"),
        ("render 0 --mix 3@5-20", 4, r"mixes\[0\].rows: \[5, 20\)"),
        ("render 0 --edit grin=1", 4, "no direction 'grin'"),
        ("render 0 --edit b16.conv1:3", 2, "--edit 'b16.conv1:3'"),
        ("render 0 --edit b16.conv1:3=x", 2, "'x' is not a number"),
        ("render 0 --edit b99.conv1:3=1", 4, "no layer 'b99.conv1'"),
        ("render missing.json", 3, "no file"),
        ("render 0 --out /proc/nowhere", 3, "cannot write '/proc/nowhere'"),
        ("render 0 --device tpu", 2, "--device 'tpu'; accepted: auto, cpu, cuda"),
        ("render 0 --threads -1", 2, "threads"),
        ("verify missing.png", 3, "no file"),
        ("model", 2, "required: ACTION"),
        ("model inspekt x", 2, "did you mean 'inspect'"),
        ("model inspect missing.pkl", 4, "missing.pkl"),
        ("model convert missing.pkl x.pt", 2, "must end in .safetensors"),
        ("library tag nobody t", 2, "no face 'nobody'"),
        ("library remove nobody --yes", 2, "no face 'nobody'"),
        ("bench synthesis --resolution 7", 2, "--resolution 7; accepted: 8"),
        ("", 2, "the interface needs a terminal"),
    ],
)
def test_mistakes_are_one_line_with_their_exit_code(tuiface: Tuiface, argv: str, code: int, message: str) -> None:
    import re

    before = {path.name for path in tuiface.folder.iterdir()}
    assert tuiface(*argv.split()) == code
    lines = [line for line in tuiface.err.splitlines() if not line.startswith("note: ")]
    assert len(lines) == 1
    assert lines[0].startswith("tuiface: ")
    assert re.search(message, lines[0])
    assert "Traceback" not in tuiface.err
    assert {path.name for path in tuiface.folder.iterdir()} - before <= {"cache", "library"}


def test_json_mode_prints_errors_as_json_too(tuiface: Tuiface) -> None:
    assert tuiface("render", "0", "--psi", "abc", "--json") == 2
    assert tuiface.lines()[0]["exit_code"] == 2


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_model_ends_every_command_with_one_line(tuiface: Tuiface, name: str) -> None:
    hostile = DATA / "malicious" / name
    for argv in (["render", "0"], ["model", "inspect", hostile], ["model", "convert", hostile, "x.safetensors"]):
        assert tuiface(*argv, model=hostile) == 4
        assert len(tuiface.err.splitlines()) == 1
    assert not (tuiface.folder / "tuiface_pwned").exists()
    assert not (tuiface.folder / "x.safetensors").exists()


@pytest.mark.parametrize("content", [b"", b"<!DOCTYPE html><html>", b"\x80\x04", np.random.RandomState(0).bytes(200)])
def test_what_is_no_checkpoint_is_one_line(tuiface: Tuiface, content: bytes) -> None:
    path = tuiface.folder / "network.pkl"
    path.write_bytes(content)
    assert tuiface("render", "0", model=path) == 4
    assert len(tuiface.err.splitlines()) == 1


# --- verify --------------------------------------------------------------------------------------------------------


def test_verify_names_what_differs_and_exits_with_1(tuiface: Tuiface) -> None:
    tuiface("render", "0", "1", "--out", "out")
    first, second = sorted(tuiface.folder.glob("out/*.json"))
    first.write_text(first.read_text().replace('"psi": 0.7', '"psi": 0.6'))
    assert tuiface("verify", first, second, "--json", model=None) == 1
    one, two = tuiface.lines()
    assert (one["status"], two["status"]) == ("differs", "exact")
    assert one["differences"][0].startswith("recipe: changed")


def test_verify_with_another_model_names_both(tuiface: Tuiface) -> None:
    tuiface("render", "0", "--out", "out")
    png = next(tuiface.folder.glob("out/*.png"))
    assert tuiface("verify", png, model=CHECKPOINTS["e_sg3repo_uncond32"]) == 1
    assert "model: made with" in tuiface.err


def test_verify_goes_on_after_a_broken_file(tuiface: Tuiface) -> None:
    tuiface("render", "0", "--out", "out")
    png = next(tuiface.folder.glob("out/*.png"))
    (tuiface.folder / "broken.png").write_bytes(b"x")
    assert tuiface("verify", "broken.png", png, "--json", model=None) == 3
    assert [line["status"] for line in tuiface.lines()] == ["error", "exact"]


def test_verify_says_when_the_network_was_never_opened(tuiface: Tuiface, monkeypatch: pytest.MonkeyPatch) -> None:
    tuiface("render", "0", "--out", "out")
    png = next(tuiface.folder.glob("out/*.png"))
    monkeypatch.setenv("TUIFACE_CACHE", str(tuiface.folder / "empty"))
    assert tuiface("verify", png, model=None) == 4
    assert "never opened here" in tuiface.err
    assert "--model FILE" in tuiface.err


# --- model, library, doctor ----------------------------------------------------------------------------------------


def test_inspect_describes_without_building(tuiface: Tuiface) -> None:
    assert tuiface("model", "inspect", MODEL, "--json", model=None) == 0
    report = tuiface.lines()[0]
    assert (report["resolution"], report["z_dim"], report["stock"]) == (32, 64, True)
    assert "torch_utils.persistence._reconstruct_persistent_obj" in report["globals"]


def test_inspect_shows_what_a_refused_file_names(tuiface: Tuiface) -> None:
    assert tuiface("model", "inspect", DATA / "malicious" / "01_os_system_reduce.pkl", "--json", model=None) == 4
    assert "posix.system" in tuiface.lines()[0]["globals"]


def test_converted_model_renders_the_same_picture(tuiface: Tuiface) -> None:
    tuiface("render", "0", "--out", "a", "--json")
    before = tuiface.lines()[0]
    assert tuiface("model", "convert", MODEL, "m.safetensors", "--licence", "CC0-1.0", model=None) == 0
    assert tuiface("model", "convert", MODEL, "m.safetensors", model=None) == 3
    assert tuiface("render", "0", "--out", "b", "--json", model=Path("m.safetensors")) == 0
    after = tuiface.lines()[0]
    assert after["pixels_sha256"] == before["pixels_sha256"]
    assert after["id"] == before["id"]


def test_model_list_shows_what_was_opened(tuiface: Tuiface) -> None:
    tuiface("render", "0", "--out", "out")
    assert tuiface("model", "list", "--json", model=None) == 0
    assert str(MODEL) in [line["path"] for line in tuiface.lines()]


def test_library_tags_lists_and_removes(tuiface: Tuiface) -> None:
    tuiface("render", "0", "1", "--json")
    face = tuiface.lines()[1]["id"]
    assert tuiface("library", "tag", face, "suspect", "round-2", model=None) == 0
    assert tuiface("library", "list", "--tag", "suspect", "--json", model=None) == 0
    assert [line["id"] for line in tuiface.lines()] == [face]
    assert tuiface("library", "remove", face, model=None) == 2
    assert "--yes" in tuiface.err
    assert tuiface("library", "remove", face, "--yes", model=None) == 0
    assert tuiface("library", "reindex", "--json", model=None) == 0
    assert tuiface.lines()[0]["faces"] == 1


@pytest.mark.parametrize(
    ("answer", "is_yes"),
    [("y\n", True), ("YES \n", True), ("n\n", False), ("\n", False), ("yesterday\n", False), ("", False)],
)
def test_a_question_is_answered_by_yes_alone_and_not_by_the_end_of_the_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: str, *, is_yes: bool
) -> None:
    monkeypatch.setattr(sys, "stdin", StringIO(answer))
    with pytest.raises(UsageError, match=r"removing it needs a yes \(add --yes\)"):
        confirm("removing it", "Remove it?", "it will be gone")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    assert confirm("removing it", "Remove it?", "it will be gone") == is_yes
    out, err = capsys.readouterr()
    assert (out.rstrip("\n"), err) == ("Remove it? [y/N] ", "it will be gone\n")


def test_doctor_reports_and_finds_a_bad_model(tuiface: Tuiface) -> None:
    assert tuiface("doctor", "--json") == 0
    topics = {line["topic"]: line["status"] for line in tuiface.lines()}
    assert topics["model"] in ("ok", "note")
    assert {"versions", "device", "kernels", "library", "cache", "terminal"} <= topics.keys()
    assert tuiface("doctor", "--json", model=Path("none.pkl")) == 1
    problem = next(line for line in tuiface.lines() if line["status"] == "problem")
    assert problem["topic"] == "model"
    assert problem["remedy"]


def test_doctor_finds_a_folder_that_cannot_be_written(tuiface: Tuiface, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUIFACE_LIBRARY", "/proc/faces")
    assert tuiface("doctor", "--json") == 1
    assert any(line["topic"] == "library" and line["status"] == "problem" for line in tuiface.lines())


# --- the program itself --------------------------------------------------------------------------------------------


def run(*argv: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tuiface.cli", *argv]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, timeout=120)


def test_help_of_every_command_has_an_example() -> None:
    from tuiface.cli import build_parser

    def parsers(parser: Any) -> list[Any]:
        groups = [a for a in parser._actions if isinstance(a.choices, dict)]
        return [parser] + [p for g in groups for child in g.choices.values() for p in parsers(child)]

    found = parsers(build_parser())
    assert len(found) > 15
    for parser in found:
        assert "example" in parser.format_help(), parser.prog


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from tuiface.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'textual', 'numpy', 'pydantic', 'PIL', 'term_image', 'rich'} & set(sys.modules)\n"
        "sys.exit(repr(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_interrupted_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tuiface.cli.build_parser", interrupt)
    assert main(["doctor"]) == 130


def test_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    command = f"{sys.executable} -m tuiface.cli model inspect {MODEL} | head -n 1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    assert done.returncode == 0


def test_killed_while_rendering_leaves_whole_pairs(tmp_path: Path) -> None:
    import time

    environment = {**os.environ, "TUIFACE_CACHE": str(tmp_path / "cache")}
    argv = [
        sys.executable,
        "-m",
        "tuiface.cli",
        "render",
        "0",
        "--count",
        "2000",
        "--out",
        str(tmp_path / "out"),
        "--model",
        str(MODEL),
    ]
    child = subprocess.Popen(argv, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while len(list(tmp_path.glob("out/*.png"))) < 20 and time.monotonic() < deadline:
        time.sleep(0.01)
    child.kill()
    child.wait()
    files = list(tmp_path.glob("out/*")) + list(tmp_path.glob("out/.*"))
    pictures = [p for p in files if p.suffix == ".png"]
    assert len(pictures) >= 20
    assert {p.suffix for p in files} == {".png", ".json"}
    for picture in pictures:
        assert np.asarray(Image.open(picture)).shape == (32, 32, 3)
    for sidecar in (p for p in files if p.suffix == ".json"):
        json.loads(sidecar.read_text())
        assert sidecar.with_suffix(".png") in pictures
    assert len(pictures) - (len(files) - len(pictures)) <= 1


def test_version() -> None:
    import tuiface as package

    assert run("--version").stdout.strip() == f"tuiface {package.__version__}"


def test_python_facade(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tuiface as package

    with package.open(MODEL, device="cpu") as studio:
        face = studio.face(seed=42, psi=0.7)
        frame = face.render(16)
        assert frame.pixels.shape == (16, 16, 3)
        assert face.save(tmp_path / "out").exists()
