"""Whatever file a command takes, and whatever is in its place: an exit code, one line, nothing that waits."""

from __future__ import annotations

import argparse
import io
import os
import shlex
import shutil
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import MODEL
from tests.fake_engine import FakeEngine
from tuiface import cli
from tuiface.commands.doctor import _check_folder
from tuiface.core import assets
from tuiface.core.errors import (
    EXIT_CHECK_FAILED,
    EXIT_DONE,
    EXIT_ENGINE,
    EXIT_INPUT,
    EXIT_MODEL,
    EXIT_USAGE,
    InputFileError,
)
from tuiface.core.settings import Settings
from tuiface.core.strict_json import parse_strict_json
from tuiface.engine import loading
from tuiface.faces.library import Library
from tuiface.faces.studio import Studio

RECIPE = b'{"format": "tuiface.recipe/1", "model": %s}'
CONTENTS: Mapping[str, bytes] = {
    "nothing": b"",
    "a byte": b"x",
    "NUL": bytes(600),
    "no UTF-8": b"\xff\xfe\xfd\x80",
    "deep JSON": b"[" * 100_000,
    "deep objects": b'{"format":' * 1000,
    "huge digits": b"9" * 6000,
    "a list": b"[]",
    "null": b"null",
    "an object": b"{}",
    "a word for a recipe": b'"tuiface.recipe/1"',
    "a recipe of nothing": RECIPE % b"{}",
    "a recipe of digits": RECIPE % (b"9" * 6000),
    "a deep recipe": RECIPE % (b"[" * 10_000),
    "a face of nothing": b'{"format": "tuiface.face/1"}',
    "a provenance of nothing": b'{"format": "tuiface.provenance/1", "recipe": {"source": {"kind": []}}}',
    "a half PNG": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "an empty zip": b"PK\x05\x06" + bytes(18),
    "a half zip": b"PK\x03\x04" + bytes(40),
    "a half array": b"\x93NUMPY\x01\x00\x10\x00{'descr': '<f4'",
    "a half pickle": b"\x80\x02(",
    "an empty pickle": b"\x80\x02N.",
    "a header beyond the end": b"\xff\xff\x0f\0\0\0\0\0{}",
    "an empty header": b"\x02\0\0\0\0\0\0\0{}",
    "half a table": b'face,rater,rating\n"1,a,',
    "a table with NUL": b"face,rater,rating\n1,\0,3\n",
    "a table of digits": b"face,rater,rating\n" + b"9" * 6000 + b",a,3\n",
}


def _write(data: bytes, path: Path) -> None:
    path.write_bytes(data)


def _bind(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(path))


PLACES: Mapping[str, Callable[[Path], object]] = {
    **{name: partial(_write, data) for name, data in CONTENTS.items()},
    "a pipe": os.mkfifo,
    "a socket": _bind,
    "a folder": Path.mkdir,
    "no end": lambda path: path.symlink_to("/dev/zero"),
    "no beginning": lambda path: path.symlink_to("/dev/null"),
    "a link to nothing": lambda path: path.symlink_to("nothing"),
    "a link to itself": lambda path: path.symlink_to(path.name),
}

FEW_PLACES = ("nothing", "a list", "an empty zip", "an empty header", "a pipe", "a folder", "no end")
"""For commands that take their time before they read the file."""

SET_COMMANDS = (
    *("new y --like x", "list", "show x", "add x face", "remove x face", "order x face", "mark x --role a"),
    *("apply x --edit b4.conv1:3=1 --into y", "freeze x --yes", "verify x --files-only"),
)
#: What is typed, and the file that it reads, in the folder where it is typed.
COMMANDS: tuple[tuple[str, str], ...] = (
    *((f"{command} x{end}", f"x{end}") for command in ("render", "show", "verify") for end in (".png", ".json")),
    ("verify --audit x.jsonl", "x.jsonl"),
    ("render 0 --mix x.json@0-1", "x.json"),
    ("render 0 --lock x.png", "x.png"),
    ("render 0 --frame-of x.json", "x.json"),
    ("render x.png", "x.json"),
    ("morph 0 x.json --frames 2", "x.json"),
    ("swap 0 x.json --rows 0-2", "x.json"),
    ("swap 0 x.png --cross", "x.png"),
    ("population make x --faces 0 x.json", "x.json"),
    *((f"directions import x{end} --name x", f"x{end}") for end in (".npy", ".npz", ".pt", ".pth", ".pkl")),
    ("directions learn --ratings x.csv", "x.csv"),
    ("directions learn --ask x --pool 60 --stop-at 30 --answers x.json", "x.json"),
    ("directions list --all --model m.pkl", "directions/x.safetensors"),
    ("directions show x --model m.pkl", "directions/x.safetensors"),
    ("directions rename x y --model m.pkl", "directions/below/x.safetensors"),
    ("render 0 --edit x=1", "directions/x.safetensors"),
    ("render 0 --population x", "directions/populations/eeeeeeeeee/x.json"),
    *((f"model inspect x{end}", f"x{end}") for end in (".pkl", ".pt", ".safetensors")),
    *((f"model convert x{end} y.safetensors", f"x{end}") for end in (".pkl", ".pt", ".safetensors")),
    *((f"population list --model x{end}", f"x{end}") for end in (".pkl", ".safetensors")),
    ("model list", f"cache/networks/{'e' * 64}.path"),
    ("library list", "library/x.png"),
    ("library list x", "library/x.json"),
    ("library reindex", "library/face.tags.json"),
    ("library tag face a", "library/face.tags.json"),
    ("library rename face Juan", "library/face.tags.json"),
    ("library rate face 3", "library/face.tags.json"),
    ("library repair", "library/face.json"),
    ("library remove face --yes", "library/face.json"),
    ("fairness x.csv --draws 100", "x.csv"),
    *((f"import-faces x1{end} --network eeeeeeeeee", f"x1{end}") for end in (".npy", ".npz", ".pt", ".csv", ".png")),
    *((f"set {words}", "library/sets/x/set.json") for words in SET_COMMANDS),
    ("render 1", "config.toml"),
    *((f"settings {words}", "config.toml") for words in ("list", "set psi 0.5", "unset psi")),
    ("train --resume .", "snapshot.safetensors"),
    ("train --data heads --res 32 --out run --from x.pkl", "x.pkl"),
    ("train --data heads --res 32 --out run --from x.safetensors", "x.safetensors"),
    ("train --data x.zip --res 32 --out run --precision float32", "x.zip"),
    ("train --data pictures --res 32 --out run --precision float32", "pictures/0.png"),
    ("train segmenter --out run --from x.safetensors", "x.safetensors"),
)
LISTINGS = ("library", "directions list", "set list")
"""What is listed stands beside what is wrong with the rest."""
ACCEPTED = (EXIT_DONE, EXIT_CHECK_FAILED, EXIT_USAGE, EXIT_INPUT, EXIT_MODEL)


@pytest.fixture(scope="module")
def parser() -> cli.Parser:
    """Made once: to describe all commands takes longer than most of them."""
    return cli.build_parser()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parser: cli.Parser) -> Path:
    """A user's folder with one sound face in the library, and an engine without a network."""
    monkeypatch.chdir(tmp_path)
    for name in ("library", "directions", "cache", "state"):
        monkeypatch.setenv(f"TUIFACE_{name.upper()}", str(tmp_path / name))
    monkeypatch.setattr(cli, "build_parser", lambda: parser)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.setattr(assets, "asset_path", lambda name: tmp_path / "none")  # tuiface's own directions take long
    monkeypatch.setattr(loading, "open_engine", lambda settings: FakeEngine())
    with Studio(FakeEngine(), Settings(library=tmp_path / "library", cache=tmp_path / "cache")) as studio:
        saved = studio.face(seed=1).save(tmp_path / "library")
    for path in (saved, saved.with_suffix(".json")):
        path.rename(path.with_stem("face"))
    shutil.copy(MODEL, tmp_path / "m.pkl")
    return tmp_path


@pytest.mark.parametrize(("command", "file"), COMMANDS, ids=[f"{command} < {file}"[:50] for command, file in COMMANDS])
def test_a_command_ends_in_one_line_whatever_is_in_the_place_of_its_file(
    command: str, file: str, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    if file == "config.toml":
        monkeypatch.setenv("TUIFACE_CONFIG", str(path))
    for place in FEW_PLACES if command.startswith("train") else PLACES:
        path.unlink(missing_ok=True)
        PLACES[place](path)
        code = cli.main(shlex.split(command))
        out, err = capsys.readouterr()
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        assert code in ACCEPTED, (place, code, err)
        assert "Traceback" not in err
        assert "\x1b" not in out + err
        if code in (EXIT_USAGE, EXIT_INPUT, EXIT_MODEL) and not command.startswith(LISTINGS):
            assert [line.startswith("tuiface: ") for line in err.splitlines()].count(True) == 1, (place, err)


#: Commands that read no file of their own kind besides the settings and the model.
READ_NO_FILE = {
    *("doctor", "engine start", "engine status", "engine stop", "dataset heads", "directions discover"),
    "directions remove",
    *("directions report", "model regions", "population remove", "train attributes"),
}  # fmt: skip


def test_every_command_that_reads_a_file_is_tried(parser: cli.Parser) -> None:
    """`bench` reads what it has written itself."""
    found = {f"{' '.join(words)} " for words in _list_commands(parser) if words[0] != "bench"}
    tried = {f"{command} " for command, _ in COMMANDS}
    assert {name.strip() for name in found if not any(command.startswith(name) for command in tried)} == READ_NO_FILE


def _list_commands(parser: argparse.ArgumentParser) -> Iterator[tuple[str, ...]]:
    """The words of all commands that do something by themselves."""
    below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    for action in below:
        for name, child in action.choices.items():
            deeper = list(_list_commands(child))
            yield from ((name, *words) for words in deeper or [()])


LATIN_1 = os.fsdecode(b"caf\xe9")
"""A name in the encoding of another age."""


def test_names_that_are_no_utf_8_are_as_good_as_any(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for end in (".png", ".json"):
        shutil.copy(folder / "library" / f"face{end}", folder / "library" / f"{LATIN_1}{end}")
    shutil.copytree(folder / "library", folder / f"{LATIN_1} library")
    with (folder / f"{LATIN_1}.npy").open("wb") as file:
        np.save(file, np.ones(4, np.float32))
    shutil.copy(MODEL, folder / f"{LATIN_1}.pkl")
    for command, code in {
        "library list": EXIT_DONE,
        "library tag NAME old --json": EXIT_DONE,
        "library list --library 'NAME library' --json": EXIT_DONE,
        "library reindex --library 'NAME library'": EXIT_DONE,
        "library repair --library 'NAME library'": EXIT_DONE,
        "show library/NAME.png": EXIT_DONE,
        "render NAME --out 'NAME out'": EXIT_DONE,
        "render library/NAME.json --out 'NAME out' --force": EXIT_DONE,
        "swap library/NAME.png 2 --rows 0-2 --out 'NAME out'": EXIT_DONE,
        "morph library/NAME.png 1 --frames 2 --out 'NAME out' --json": EXIT_DONE,
        "population make x --faces library/NAME.png 1": EXIT_DONE,
        "directions import NAME.npy --name x": EXIT_DONE,
        "model inspect NAME.pkl --json": EXIT_DONE,
        "model convert NAME.pkl NAME.safetensors": EXIT_DONE,
        "population list --model NAME.pkl": EXIT_DONE,
        "library remove NAME --yes --json": EXIT_DONE,
        "train --data NAME --res 32 --out run --precision float32": EXIT_USAGE,
    }.items():
        assert cli.main(shlex.split(command.replace("NAME", LATIN_1))) == code, capsys.readouterr().err
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        for line in out.splitlines() if command.endswith("--json") else ():
            assert parse_strict_json(line, file_names=True)  # as the interface reads it
        if code == EXIT_USAGE:
            assert "' is not UTF-8, as what is recorded must be" in err
    assert not Library(folder / "library", folder / "cache").look().problems


def test_a_face_that_goes_while_its_folder_is_read_leaves_the_others(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Going:
        name = "going.png"

        def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
            return (folder / self.name).stat(follow_symlinks=follow_symlinks)

    real = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: nullcontext([Going(), *real(path)]))
    listing = Library(folder / "library", folder / "cache").look()
    assert [face.path.name for face in listing.faces] == ["face.png"]


def test_a_library_that_is_no_folder_is_said(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    with pytest.raises(InputFileError, match=r"cannot read 'pipe': Not a directory"):
        Library(Path("pipe"), folder / "cache").look()


#: What may be in the place of a folder: a path, and what is made there.
NO_FOLDERS: Mapping[str, Callable[[Path], object] | None] = {
    "a pipe": os.mkfifo,
    "a file": Path.touch,
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a link to nothing": lambda path: path.symlink_to("nothing"),
    "/dev/null": None,
    "/proc/self/mem/below": None,
    "x" * 300: None,
}
#: What is typed with the place named by a setting, or by OUT.
FOLDER_COMMANDS: Mapping[str, tuple[str, ...]] = {
    "TUIFACE_LIBRARY": ("render 1", "library list", "library repair", "library tag face old"),
    "TUIFACE_DIRECTIONS": (
        *("directions list --model m.pkl", "directions remove y", "directions import a.npy --name x --force"),
        "population make x --faces 1 2 --force",
    ),
    "TUIFACE_REGIONS": ("render 2", "model regions --name 0=skin --clusters 2"),
    "TUIFACE_CACHE": ("library list", "population list --model m.pkl", "model list"),
    "TUIFACE_STATE": ("render 3",),
    "TUIFACE_RUNTIME": ("engine status",),
    "UNUSED": (
        *("render 1 --out OUT", "render OUT", "show OUT", "verify OUT", "swap 1 2 --rows 0-1 --out OUT"),
        *("morph 1 2 --frames 2 --out OUT", "directions learn --ratings OUT --name x", "library list --library OUT"),
        *("directions import OUT --name x", "directions import a.npy --name x --out OUT", "model inspect OUT"),
    ),
}


@pytest.mark.parametrize("place", NO_FOLDERS)
def test_a_folder_that_is_none_ends_no_command_without_a_line(
    place: str, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make = NO_FOLDERS[place]
    path = Path(place if make is None else "place")
    if make is not None:
        make(path)
    np.save("a.npy", np.ones(4, np.float32))
    for variable, commands in FOLDER_COMMANDS.items():
        with monkeypatch.context() as patch:
            patch.setenv(variable, str(path))
            for command in commands:
                code = cli.main(shlex.split(command.replace("OUT", str(path))))
                err = capsys.readouterr().err
                assert code in (*ACCEPTED, EXIT_ENGINE), (variable, command)
                assert "Traceback" not in err
                if command.startswith("directions list") and place != "a link to nothing":
                    assert code == EXIT_INPUT
                # Of a library that is not there an empty listing says so, and a repair that there is nothing to mend.
                lists_it = variable in ("TUIFACE_LIBRARY", "UNUSED") and command.startswith("library list")
                is_told = code > EXIT_CHECK_FAILED or command == "library repair" or lists_it
                assert len(err.splitlines()) == is_told, (command, err)


@pytest.mark.parametrize("place", NO_FOLDERS)
def test_the_doctor_says_what_cannot_be_a_folder(place: str, folder: Path) -> None:
    make = NO_FOLDERS[place]
    path = Path(place if make is None else "place")
    if make is not None:
        make(path)
    assert _check_folder("library", path, "name another").status == "problem"
    assert _check_folder("library", Path("new/within"), "name another").status == "ok"
