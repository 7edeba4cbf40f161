"""Every argument of every command has a type with bounds, which are checked before anything is loaded."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tuiface.cli import build_parser, main
from tuiface.core.argument_types import real_number, whole_number
from tuiface.core.errors import EXIT_USAGE, TuifaceError, UsageError
from tuiface.core.limits import MAX_AMOUNT, MAX_CLUSTERS, MAX_FRAMES, MAX_SEED, NETWORK_SIDES_PX
from tuiface.directions.import_options import parse_import_options
from tuiface.engine.training.gan.settings import TrainingSettings
from tuiface.stimuli.series import encode_gif, save_series

LONG = "n" * 300
NAMES = ["", " ", ".", "..", "../x", "a/b", "/x", "-x", ".x", LONG, "é" * 150, "a\nb", "a\0b", "a\x1b[2Jb", "a\udcff"]
PATHS = ["", "a\0b", LONG, f"a/{LONG}", "a/" * 3000]
WHOLE = ["", "x", "1.5", "1e3", "nan", "inf", "0x10", "1_000", "１２", " 7", "+7", "-1", "99999999999999999999999999"]
REAL = ["", "x", "nan", "inf", "-1", "1e308", "1e400", "0x1p3", "1_0", "１", "9" * 400]


def arguments_of(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.Action]]:
    """Every argument with its command, below all commands."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from arguments_of(below)
        else:
            yield f"{parser.prog} {'/'.join(action.option_strings) or action.dest}", action


ARGUMENTS = dict(arguments_of(build_parser()))


def test_every_argument_has_a_type() -> None:
    for name, action in ARGUMENTS.items():
        assert action.nargs == 0 or action.choices or callable(action.type), f"{name}: core/argument_types.py has some"
        assert action.type not in (str, int, float), f"{name}: core/argument_types.py has some with bounds"


def test_no_argument_takes_nonsense() -> None:
    for parse in {action.type for action in ARGUMENTS.values()}:
        for text in ("x" * 5000, "-" * 5000, "٣" * 5000, "\0" * 5000):
            if callable(parse):
                with pytest.raises((argparse.ArgumentTypeError, TuifaceError)) as caught:
                    parse(text)
                assert len(str(caught.value)) < 600


def cases() -> Iterator[list[str]]:
    """Command lines that are wrong in one argument each."""
    for text in WHOLE:
        yield ["morph", "1", "2", "--frames", text]
        yield ["render", "1", "--count", text]
        yield ["train", "--data", "heads", "--res", "64", "--out", "run", "--workers", text]
        yield ["dataset", "heads", "--out", "out", "--count", text]
        yield ["train", "--data", "heads", "--res", text, "--out", "run"]
    for text in REAL:
        yield ["morph", "1", "2", "--fps", text]
        yield ["engine", "start", "--idle-minutes", text]
        yield ["train", "--data", "heads", "--res", "64", "--out", "run", "--minutes", text]
        yield ["render", "1", "--edit", f"smile={text}"] if text != "-1" else ["render", "1", "--edit", "smile"]
    for text in NAMES:
        yield ["morph", "1", "2", f"--name={text}"]
        yield ["population", "make", text, "--faces", "1", "2"]
        yield ["directions", "rename", "a", f"{text}"]
        yield ["directions", "discover", f"--keep=1={text}"]
        yield ["directions", "import", "x.npy", f"--name={text}"]
    for text in PATHS:
        for command in (["render", "1"], ["swap", "1", "2"], ["morph", "1", "2"], ["bench", "quality"]):
            yield [*command, f"--out={text}"]
        yield ["verify", text]
        yield ["show", text]
        yield ["render", text]
        yield ["render", "1", f"--model={text}"]
        yield ["model", "convert", text, "x.safetensors"]
        yield ["train", f"--data={text}", "--res", "64", "--out", "run"]
    yield from [
        ["morph", "1", "2", "--fps", "0"],
        ["morph", "1", "2", "--fps", "1e9"],
        ["morph", "1", "2", "--frames", str(MAX_FRAMES + 1)],
        ["morph", "1", "2", "--psi", "4"],
        ["swap", "1", "2", "--psi", "nan"],
        ["swap", "1", "2", "--rows", "3-99999999999999999999"],
        ["render", str(MAX_SEED), "--count", "2"],
        ["render", str(MAX_SEED + 1)],
        ["render", *map(str, range(11)), "--count", "10000"],
        ["render", "1", "--size", "8192"],
        ["render", "1", "--cutoff", "1025"],
        ["render", "1", "--class", "65536"],
        ["render", "1", "--noise", f"random:{MAX_SEED + 1}"],
        ["render", "1", "--noise", "const:3"],
        ["render", "1", "--mix", f"{MAX_SEED + 1}@2-4"],
        ["render", "1", "--mix", "3@2-99999"],
        ["render", "1", "--edit", f"smile={MAX_AMOUNT * 1.01}", "--beyond"],
        ["render", "1", "--edit", "b4.conv1:3=1e308", "--beyond"],
        ["render", "1", "--lock", "frame=nan"],
        ["render", "1", "--engine", "a\0b"],
        ["engine", "start", "--group", "a\0b"],
        ["engine", "start", "--group="],
        ["render", "1", "--threads", "1025"],
        ["render", "1", "--threads", "-1"],
        ["train", "--data", "heads", "--res", "8", "--out", "run"],
        ["train", "--data", "heads", "--res", "1024", "--out", "run"],
        ["train", "--data", "heads", "--res", "64", "--out", "run", "--batch", "1"],
        ["train", "--data", "heads", "--res", "64", "--out", "run", "--seed", "9007199254740992"],
        ["train", "segmenter", "--out", "run", "--rate", "2"],
        ["dataset", "heads", "--out", "out", "--count", "1", "--size", "16"],
        ["dataset", "heads", "--out", "out", "--count", "1", "--seed", "-1"],
        ["bench", "train", "--batch", "0"],
        ["bench", "edit", "--first", str(MAX_SEED), "--seeds", "2"],
        ["bench", "synthesis", "--rounds", "0"],
        ["directions", "discover", "--seeds", str(MAX_SEED + 1)],
        ["directions", "discover", "--seeds", "0-99999999999999999999"],
        ["directions", "discover", "--seeds", "²"],
        ["directions", "discover", "--count", "1000", "--out", "strip.png"],
        ["directions", "report", "smile", "--amount", "nan"],
        ["directions", "learn", "--attributes", "all", "--draws", "100000000000"],
        ["directions", "learn", "--ask", "Kind"],
        ["directions", "learn", "--ask", "kind", "--pool", "59"],
        ["directions", "import", "x.npy", "--limit", "0"],
        ["population", "make", "w_avg", "--faces", "1", "2"],
        ["population", "make", "x", "--where", "smile=nan..1"],
        ["model", "regions", "--clusters", str(MAX_CLUSTERS + 1), "--out", "x.png"],
    ]


@pytest.fixture
def light(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Torch and the engine cannot be had: what is refused was refused before anything was loaded."""
    for name in ("torch", "tuiface.engine.loading", "tuiface.engine.device", "tuiface.heads", "tuiface.service.daemon"):
        monkeypatch.setitem(sys.modules, name, None)
    parser = build_parser()
    monkeypatch.setattr("tuiface.cli.build_parser", lambda: parser)  # made once for all cases
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_nonsense_is_refused_in_one_line_before_anything_is_loaded(
    light: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in cases():
        assert main(arguments) == EXIT_USAGE, arguments
        [line] = capsys.readouterr().err.splitlines()
        assert line.startswith("tuiface: "), arguments
        assert re.search(
            "accepted|expected|is not a (finite )?number|own mean|at most|required|unrecognized",
            line,
        ), line
        assert len(line) < 600
    assert list(light.iterdir()) == []


def test_the_ends_of_bounds_are_accepted() -> None:
    assert [whole_number(-2, 3)(text) for text in ("-2", "3", "-0", "0003")] == [-2, 3, 0, 3]
    assert [real_number(-1, 1)(text) for text in ("-1", "1.0", "1e-300", ".5")] == [-1, 1, 1e-300, 0.5]
    assert real_number(0, 1, above=True)("1e-9") == 1e-9
    with pytest.raises(argparse.ArgumentTypeError, match="numbers above 0 up to 1"):
        real_number(0, 1, above=True)("0")
    parse = build_parser().parse_args
    args = parse(["render", str(MAX_SEED), "--psi", "-3", "--edit", f"x={-MAX_AMOUNT:g}@0-1024", "--out", "ñ" * 127])
    assert (args.psi, args.edit) == (-3, [("x", -MAX_AMOUNT, (0, 1024))])
    assert parse(["render", "1", "--noise", f"random:{MAX_SEED}"]).noise == ("random", MAX_SEED)


def test_options_of_an_import_are_checked_in_the_interface_too() -> None:
    for words in (
        ["--limit", "nan"],
        ["--limit", "1e9"],
        ["--name", "../x"],
        ["--rows", "5"],
        ["--licence", "x" * 9999],
    ):
        with pytest.raises(UsageError, match="accepted"):
            parse_import_options(Path("a.npy"), words)


def test_sides_are_those_of_the_networks_that_are_trained() -> None:
    assert TrainingSettings.model_fields["resolution"].annotation.__args__ == NETWORK_SIDES_PX  # type: ignore[union-attr]


class Faces:
    """Stands in for the faces of a network of `resolution` px."""

    def __init__(self, resolution: int) -> None:
        self.studio = self
        self.info = self
        self.resolution = resolution


@pytest.mark.parametrize("fps", [0.0, -1.0, float("nan"), float("inf"), 1e9, 1e-9])
def test_a_film_of_no_speed_is_refused_before_the_work(fps: float, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"frames a second; accepted: 0\.1 to 120"):
        save_series([Faces(8)] * 2, tmp_path / "out", "x", films=["gif"], fps=fps)  # type: ignore[list-item]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("count", "size", "longest"), [(257, None, 256), (1025, 512, 1024), (10_000, 2048, 256)])
def test_a_film_larger_than_memory_is_refused_before_the_work(
    count: int, size: int | None, longest: int, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=rf"a film of {count} frames .* up to {longest} frames"):
        save_series([Faces(1024)] * count, tmp_path / "out", "x", films=["gif"], resolution=size)  # type: ignore[list-item]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("fps", [0.1, 120.0])
def test_films_of_the_slowest_and_the_fastest_speed(fps: float) -> None:
    assert encode_gif([np.zeros((8, 8, 3), np.uint8)] * 2, fps).startswith(b"GIF89a")
