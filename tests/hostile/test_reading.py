"""Whatever a path leads to, opening it neither waits nor reads without end, and says why it did not open."""

from __future__ import annotations

import ast
import logging
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tuiface import cli
from tuiface.core.errors import EXIT_INPUT, InputFileError, ModelError, OutputError, TuifaceError
from tuiface.core.own_files import open_own_file
from tuiface.core.reading import expand_user, is_file, is_folder, is_there, open_regular, read_regular
from tuiface.core.values import read_bytes
from tuiface.directions.direction import read_direction
from tuiface.directions.importing import read_array
from tuiface.directions.ratings import read_ratings
from tuiface.engine.checkpoint import prepare_checkpoint
from tuiface.engine.checkpoints import inspect_checkpoint
from tuiface.faces.library import read_tags
from tuiface.faces.provenance import read_face, read_png, read_png_text, read_saved_face
from tuiface.screens.log_file import LOG_NAME, log_to
from tuiface.screens.messages import WorkFailed, do_work

PACKAGE = Path(__file__).parents[2] / "tuiface"


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def make_link(target: str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(path if target == "itself" else target)


#: What a path leads to: how it is made, and what is said of it.
IRREGULAR: dict[str, tuple[Callable[[Path], None], str]] = {
    "a pipe": (make_pipe, "a named pipe, not a regular file"),
    "a socket": (make_socket, "a socket, not a regular file"),
    "a folder": (Path.mkdir, "Is a directory"),
    "a device without end": (make_link("/dev/zero"), "a device, not a regular file"),
    "a device that is empty": (make_link("/dev/null"), "a device, not a regular file"),
    "a terminal": (make_link("/dev/ptmx"), "a device, not a regular file"),
    "a link to nothing": (make_link("nothing"), "No such file or directory"),
    "a link to itself": (make_link("itself"), "Too many levels of symbolic links"),
    "the memory of this process": (make_link("/proc/self/mem"), "Input/output error"),
}

NO_PATHS = {"NUL": "a\0b.png", "half a character": "a\ud800.png", "a long name": "x" * 5000 + ".png"}


@pytest.mark.parametrize("kind", IRREGULAR)
def test_what_is_no_regular_file_is_said(kind: str, tmp_path: Path) -> None:
    make, message = IRREGULAR[kind]
    make(tmp_path / "x")
    with pytest.raises(OSError, match=message):
        read_regular(tmp_path / "x", 100)
    to_nothing = message.startswith("No such file")
    with pytest.raises(InputFileError, match="is a link to nothing" if to_nothing else f"cannot read '.*': {message}"):
        read_bytes(tmp_path / "x", 100)


@pytest.mark.parametrize("name", NO_PATHS.values(), ids=NO_PATHS)
def test_text_that_is_no_path_is_an_error_of_the_file(name: str, tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"no file can have this name|File name too long"):
        open_regular(tmp_path / name)
    assert not is_there(tmp_path / name)
    assert not is_file(tmp_path / name)
    assert not is_folder(tmp_path / name)


def test_a_regular_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"12345")
    (tmp_path / "link").symlink_to("x")
    assert read_regular(tmp_path / "link", 5) == b"12345"
    with pytest.raises(InputFileError, match="larger than 4 bytes"):
        read_bytes(tmp_path / "x", 4)
    assert read_regular(Path("/proc/self/comm"), 100)  # it has no size until it is read
    (tmp_path / "sparse").touch()
    os.truncate(tmp_path / "sparse", 1 << 40)
    with pytest.raises(InputFileError, match="larger than 100 bytes"):
        read_bytes(tmp_path / "sparse", 100)


def test_an_open_file_is_not_inherited_and_keeps_its_name(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    with open_regular(tmp_path / "x") as file:
        assert not os.get_inheritable(file.fileno())
        assert file.name == str(tmp_path / "x")


def test_nobody_has_no_home() -> None:
    assert expand_user("~nobodyhere/x") == Path("~nobodyhere/x")
    assert expand_user("~/x") == Path.home() / "x"


#: Whoever reads a file of the user's, with the ending that it takes.
READERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a recipe": (read_face, ".json"),
    "a face": (read_saved_face, ".json"),
    "a picture": (read_png, ".png"),
    "the text in a picture": (read_png_text, ".png"),
    "tags": (lambda path: read_tags(path.with_suffix("").with_suffix(".png")), ".tags.json"),
    "a direction": (read_direction, ".safetensors"),
    "an array": (lambda path: read_array(path, None), ".npy"),
    "arrays": (lambda path: read_array(path, None), ".npz"),
    "arrays of torch": (lambda path: read_array(path, None), ".pt"),
    "ratings": (read_ratings, ".csv"),
    "a checkpoint": (lambda path: prepare_checkpoint(path, path.parent / "cache"), ".pkl"),
    "a model": (lambda path: prepare_checkpoint(path, path.parent / "cache"), ".safetensors"),
    "a file to inspect": (inspect_checkpoint, ".pkl"),
}  # fmt: skip


@pytest.mark.parametrize("reader", READERS)
def test_no_reader_waits_or_reads_without_end(reader: str, tmp_path: Path) -> None:
    read, suffix = READERS[reader]
    for number, (make, _) in enumerate(IRREGULAR.values()):
        path = tmp_path / f"{number}{suffix}"
        make(path)
        with pytest.raises(TuifaceError) as caught:
            read(path)
        assert isinstance(caught.value, InputFileError | ModelError)
        assert len(str(caught.value)) < 400


def test_a_log_in_whose_place_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / LOG_NAME)
    before = logging.getLogger().handlers[:]
    log_to(tmp_path)
    [added] = [handler for handler in logging.getLogger().handlers if handler not in before]
    logging.getLogger().removeHandler(added)
    logging.captureWarnings(capture=False)
    assert isinstance(added, logging.NullHandler)
    with pytest.raises(OutputError, match="is no file"), open(tmp_path / LOG_NAME, "ab", opener=open_own_file):
        pass


def test_an_unforeseen_error_of_a_path_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(error: OSError) -> None:
        raise error

    unforeseen = PermissionError(13, "Permission denied", "/root/x")
    told = do_work("Reading", lambda: fail(unforeseen))  # type: ignore[arg-type, return-value]
    assert isinstance(told, WorkFailed)
    assert str(told.error) == "'/root/x': Permission denied (name another file or folder)"
    monkeypatch.setattr(cli, "_run", lambda arguments: fail(unforeseen))
    assert cli.main([]) == EXIT_INPUT
    assert capsys.readouterr().err == f"tuiface: {told.error}\n"
    monkeypatch.setattr(cli, "_run", lambda arguments: fail(OSError("a bug of ours")))
    with pytest.raises(OSError, match="a bug"):
        cli.main([])


#: What opens a file without `open_regular`, and why it may.
ALLOWED = {
    "core/reading.py": {"open": "here it is", "os.open": "here it is"},
    "core/files.py": {"os.open": "writes"},
    "core/own_files.py": {"os.open": "writes"},
    "core/pictures.py": {"Image.open": "bytes"},
    "engine/device.py": {"Path.read_text": "/proc"},
    "service/sharing.py": {"Path.read_text": "/proc"},
    "benchmarks/tui.py": {"Path.read_text": "/proc"},
    "terminal/probe.py": {"Path.read_bytes": "/proc", "os.open": "the terminal"},
    "cli.py": {"os.open": "/dev/null"},
    "engine/cuda/build.py": {"Path.read_bytes": "own sources", "Path.read_text": "own sources", "Path.open": "locks"},
    "engine/training/data/head_shards.py": {"Path.read_bytes": "own sources"},
    "engine/training/data/picture_listing.py": {"ZipFile": "an open file"},
    "engine/training/data/pictures.py": {"np.memmap": "a new file"},
    "engine/training/report.py": {"Path.open": "writes"},
    "screens/session_file.py": {"os.open": "locks"},
    "service/engine_log.py": {"open": "writes"},
    "service/job_client.py": {"open": "writes"},
    "service/private_process.py": {"open": "writes"},
    "service/daemon.py": {"open": "writes"},
    "service/runtime_folder.py": {"os.open": "a folder, a lock"},
    "faces/index.py": {"sqlite3.connect": "after a look at what is there"},
}  # fmt: skip
MODULES = ("os", "np", "Image", "sqlite3", "mmap")
FUNCTIONS = ("open", "safe_open", "load_file", "ZipFile")
METHODS = {"open": "Path.open", "read_bytes": "Path.read_bytes", "read_text": "Path.read_text"}
OWN_OPEN = ("archive", "tuiface", "PictureData", "HeadData", "reporter", "board", "webbrowser")


def openings_of(tree: ast.Module) -> set[str]:
    """Names of the calls in a module that could open a file by its path."""
    found = set()
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        if isinstance(call.func, ast.Name) and call.func.id in FUNCTIONS:
            found.add(call.func.id)
        if not isinstance(call.func, ast.Attribute):
            continue
        owner = call.func.value.id if isinstance(call.func.value, ast.Name) else ""
        name = f"{owner}.{call.func.attr}"
        if owner in MODULES:
            if call.func.attr in ("open", "load", "memmap", "fromfile", "loadtxt", "genfromtxt", "connect", "mmap"):
                found.add(name)
        elif call.func.attr in FUNCTIONS[1:]:
            found.add(call.func.attr)
        elif call.func.attr in METHODS and owner not in OWN_OPEN:
            found.add(METHODS[call.func.attr])
    return found


def test_nothing_else_opens_a_file_by_its_path() -> None:
    """A new place that opens a users' file goes through `open_regular`, or is named here with its reason."""
    unexplained = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        module = path.relative_to(PACKAGE).as_posix()
        if openings := openings_of(ast.parse(path.read_text("utf-8"))) - set(ALLOWED.get(module, ())):
            unexplained[module] = openings
    assert not unexplained
