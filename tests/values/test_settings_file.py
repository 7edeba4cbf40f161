"""Settings are shown with where they come from, and written one at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuiface import cli
from tuiface.core.errors import EXIT_DONE, EXIT_USAGE, InputFileError, UsageError
from tuiface.core.settings import load_settings
from tuiface.core.settings_file import list_settings, write_setting

WRITTEN = """# of the lab
psi = 0.6  # a little variety

[keys]
save = ["W"]
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config" / "config.toml"
    monkeypatch.setenv("TUIFACE_CONFIG", str(path))
    path.parent.mkdir()
    path.write_text(WRITTEN)
    return path


def test_each_source_is_named(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUIFACE_LANGUAGE", "es")
    found = {row.name: (row.value, row.source) for row in list_settings({"threads": 2, "model": None})}
    assert found["psi"] == (0.6, "file")
    assert found["language"] == ("es", "environment")
    assert found["threads"] == (2, "flag")
    assert found["device"] == ("auto", "default")
    assert found["keys"] == ({"save": ("W",)}, "file")


def test_comments_tables_and_order_stay(file: Path) -> None:
    write_setting("psi", "0.5")
    assert file.read_text() == WRITTEN.replace("0.6", "0.5")
    write_setting("language", "es")
    write_setting("library", "~/faces")
    settings = load_settings()
    assert (settings.psi, settings.language, settings.library) == (0.5, "es", Path.home() / "faces")
    assert settings.keys == {"save": ("W",)}
    for name in ("language", "library", "psi", "psi"):
        write_setting(name, None)
    assert load_settings().psi == 0.7
    assert "# of the lab" in file.read_text()


def test_a_file_is_made_where_there_is_none(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(file.parent / "other"))
    monkeypatch.delenv("TUIFACE_CONFIG")
    assert write_setting("threads", "2").read_text() == "threads = 2\n"


def test_a_link_to_the_file_stays_one(file: Path) -> None:
    kept = file.rename(file.with_name("kept.toml"))
    file.symlink_to(kept)
    write_setting("psi", "0.5")
    assert file.is_symlink()
    assert "psi = 0.5" in kept.read_text()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("pis", "0.5", "did you mean 'psi'"),
        ("psi", "7", "psi"),
        ("psi", "much", "psi"),
        ("language", "fr", "language"),
        ("keys", "W", "a table of the settings file"),
        ("threads", "-1", "threads"),
        ("library", "a\0b", "NUL"),
    ],
)
def test_what_is_not_accepted_is_not_written(file: Path, name: str, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        write_setting(name, text)
    assert file.read_text() == WRITTEN


def test_a_damaged_file_is_left_as_it_is(file: Path) -> None:
    file.write_text("psi = = 1")
    with pytest.raises(InputFileError, match="not TOML"):
        write_setting("psi", "0.5")
    assert file.read_text() == "psi = = 1"


def test_a_file_that_changes_meanwhile_is_left_as_it_is(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tuiface.core.settings_file.read_settings_file", lambda *_: {})
    file.write_bytes(b"psi = = 1")
    with pytest.raises(InputFileError, match="not TOML"):
        write_setting("psi", "0.5")
    assert file.read_bytes() == b"psi = = 1"


def test_the_command_says_what_holds(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TUIFACE_PSI", "0.9")
    assert cli.main(["settings", "set", "psi", "0.5"]) == EXIT_DONE
    assert capsys.readouterr().out == f"psi = 0.9  (environment; {file})\n"
    assert cli.main(["settings"]) == EXIT_DONE
    assert "psi        0.9" in capsys.readouterr().out
    assert cli.main(["settings", "set", "psi", "x"]) == EXIT_USAGE
