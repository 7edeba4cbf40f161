"""Settings that nobody would write: one line that names the file or the variable, whatever is in it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tuiface.cli import main
from tuiface.core.errors import EXIT_INPUT, EXIT_MODEL, InputFileError, ModelError, UsageError
from tuiface.core.limits import MAX_PATH_BYTES
from tuiface.core.settings import MAX_DOTS, MAX_FILE_BYTES, MAX_PATH_PARTS, Settings, load_settings
from tuiface.core.strict_json import MAX_JSON_BYTES, MAX_JSON_DEPTH, MAX_JSON_KEYS, MAX_JSON_VALUES
from tuiface.engine.checkpoint import prepare_checkpoint

PATHS = ("model", "library", "directions", "regions", "cache", "state", "runtime")

TEXTS: dict[str, tuple[str | bytes, str]] = {
    "deep inline tables": ("x = " + "{a=" * 20_000, "nested too deeply"),
    "deep inline tables, few": ("x = " + "{a=" * 2000 + "1" + "}" * 2000, "nested too deeply"),
    "deep lists": ("x = " + "[" * 20_000, "nested too deeply"),
    "an integer of 6,000 digits": ("threads = " + "9" * 6000, "not TOML: a number of more than 4300 digits"),
    "one in hexadecimal": ("threads = 0x" + "f" * 6000, "threads: input should be less than or equal to 1024"),
    "a float beyond all": ("psi = 1e999", "psi: 'inf': input should be"),
    "a float of 60,000 digits": ("psi = 0." + "1" * 60_000 + "\nlanguage = 3", "language"),
    "a key of many parts": (".".join("a" * 20_000) + " = 1", f"more than {MAX_DOTS} dots (at line 1)"),
    "many keys of many parts": (
        f"[{'.'.join('a' * MAX_DOTS)}]\n" + "".join(f"b{i}=1\n" for i in range(8000)),
        "a: unknown key",
    ),
    "a long key": ("k" * 60_000 + " = 1", "unknown key"),
    "a table for a path": ("model = {a = 1}", "model: input should be an instance of Path"),
    "a date": ("psi = 2020-01-01", "psi: '2020-01-01': input should be a valid number"),
    "too much": ("#" * (MAX_FILE_BYTES + 1), f"larger than {MAX_FILE_BYTES} bytes"),
    "Latin-1": (b'theme = "\xe9"', "not TOML: 'utf-8' codec can't decode byte 0xe9"),
    "UTF-16": ('theme = "x"'.encode("utf-16"), "not TOML"),
    "NUL": (b"\0", "not TOML"),
    "half a character": (r'theme = "\ud800"', "not TOML"),
    "an empty key": ("[keys]\nsave = ''", "keys.save[0]: no key is called ''"),
    "a space for a key": ("[keys]\nsave = ['s', ' ']", "keys.save[1]: no key is called ' '"),
    "two keys in one": ("[keys]\nsave = 'a,b'", "keys.save[0]: no key is called 'a,b'"),
    "a key that colours": ("[keys]\nsave = '\\u001b[31m'".replace("'", '"'), r"no key is called '\x1b[31m'"),
    "a key that turns round": ('[keys]\nsave = "\u202e"', r"no key is called '\u202e'"),
    "a long key's name": (f'[keys]\nsave = "{"ctrl+" * 20}"', "no key is called 'ctrl+ctrl+"),
    "keys of keys": ('[keys]\nsave = [["s"]]', "keys.save[0]: input should be a valid string"),
    **{f"NUL in {name}": (rf'{name} = "a\u0000b"', f"{name}: a path cannot hold NUL") for name in PATHS},
    **{f"a long path in {name}": (f'{name} = "{"x" * 5000}"', f"{name}: a path of 5000 bytes") for name in PATHS},
    **{f"many folders in {name}": (f'{name} = "{"x/" * 1500}"', f"{name}: a path of 1500 folders") for name in PATHS},
    **{f"nobody's home in {name}": (f'{name} = "~nobodyhere/x"', f"{name}: no user 'nobodyhere'") for name in PATHS},
}


@pytest.mark.parametrize("case", TEXTS)
def test_a_hostile_settings_file_is_one_line(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, message = TEXTS[case]
    path = tmp_path / "config.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputFileError) as caught:
        load_settings({}, {"TUIFACE_CONFIG": str(path)})
    assert message in str(caught.value)
    assert "config.toml" in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600


def make_gigabyte(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 30)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (os.mkfifo, "a named pipe, not a regular file"),
        (Path.mkdir, "Is a directory"),
        (lambda path: path.symlink_to("/dev/zero"), "a device, not a regular file"),
        (lambda path: path.symlink_to(path), "Too many levels of symbolic links"),
        (lambda path: path.symlink_to("nothing"), "no settings file"),
        (make_gigabyte, f"larger than {MAX_FILE_BYTES} bytes"),
    ],
    ids=["a pipe", "a folder", "a device", "a link to itself", "a link to nothing", "a gigabyte"],
)
def test_settings_that_are_no_file_are_one_line(
    make: Callable[[Path], object], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "config.toml"
    make(path)
    with pytest.raises(InputFileError, match=message):
        load_settings({}, {"TUIFACE_CONFIG": str(path)})
    if "no settings" not in message:
        own = tmp_path / "xdg" / "tuiface"
        own.mkdir(parents=True)
        make(own / "config.toml")
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
        with pytest.raises(InputFileError, match=message):
            load_settings({}, {})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("~nobodyhere/x", "no user 'nobodyhere'"),
        ("x" * 5000, "a path of 5000 bytes"),
        ("a\0b", "a path cannot hold"),
    ],
)
def test_a_hostile_variable_is_one_line(value: str, message: str) -> None:
    for name in PATHS:
        with pytest.raises(UsageError, match=f"^environment variable TUIFACE_{name.upper()}: {name}: {message}"):
            load_settings({}, {f"TUIFACE_{name.upper()}": value})
    with pytest.raises(InputFileError, match=r"no settings file|File name too long|no file can have this name"):
        load_settings({}, {"TUIFACE_CONFIG": value})
    for name, text in (("THREADS", "9" * 6000), ("PSI", "1e999"), ("PSI", "nan"), ("ENGINE", "x" * 70)):
        with pytest.raises(UsageError, match=f"^environment variable TUIFACE_{name}: {name.lower()}"):
            load_settings({}, {f"TUIFACE_{name}": text})


@pytest.mark.parametrize("model", ["/dev/zero", "/dev/null", "/dev/stdin", "/proc/self/mem", "/", "pipe", "itself"])
@pytest.mark.parametrize("suffix", ["", ".pkl", ".pt", ".safetensors"])
def test_a_model_that_is_no_file_is_one_line(model: str, suffix: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    path = tmp_path / f"model{suffix}"
    path.symlink_to(path if model == "itself" else tmp_path / model)  # an absolute path stays what it is
    if model == "/dev/stdin" and path.is_file():
        pytest.skip("a file is on the standard input")
    with pytest.raises(ModelError) as caught:
        prepare_checkpoint(path, tmp_path / "cache")
    assert len(str(caught.value)) < 300
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        (r'library = "a\u0000b"', EXIT_INPUT, "library: a path cannot hold NUL"),
        (r'model = "a\u0000b"', EXIT_INPUT, "model: a path cannot hold NUL"),
        ('model = "/dev/zero"', EXIT_MODEL, "a device, not a regular file"),
        (f'model = "{"x" * 4000}"', EXIT_MODEL, "no checkpoint"),
        (f'library = "{"x" * 4000}"', EXIT_INPUT, "File name too long"),
        ("x = " + "[" * 2000, EXIT_INPUT, "nested too deeply"),
    ],
)
def test_commands_end_in_one_line(
    text: str,
    code: int,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "config.toml").write_text(text)
    monkeypatch.setenv("TUIFACE_CONFIG", str(tmp_path / "config.toml"))
    codes = {main(["directions", "list"]) if "model" in text else main(["library", "reindex"])}
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1
    assert told[:-1].isprintable()
    assert codes == {code}


def test_honest_settings_are_read(tmp_path: Path, isolated_home: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('model = "~/a.b/ffhq.pkl"\nlibrary = "."\n[keys]\nsave = ["s", "ctrl+s"]\nquit = "q"\n')
    settings = load_settings({}, {"TUIFACE_CONFIG": str(path)})
    assert settings.model == isolated_home / "a.b" / "ffhq.pkl"
    assert settings.keys == {"save": ("s", "ctrl+s"), "quit": ("q",)}
    assert load_settings({}, {}) == Settings()


def test_the_documents_say_what_is_accepted() -> None:
    docs = Path(__file__).parents[2] / "docs"
    settings, formats = ((docs / name).read_text("utf-8") for name in ("settings.md", "formats.md"))
    assert f"at most {MAX_FILE_BYTES >> 10} KiB" in settings
    assert f"at most {MAX_PATH_BYTES} bytes and {MAX_PATH_PARTS} folders" in settings
    sizes = f"{MAX_JSON_BYTES >> 20} MiB, {MAX_JSON_VALUES:,} values, {MAX_JSON_DEPTH} levels, {MAX_JSON_KEYS} keys"
    assert sizes in formats
