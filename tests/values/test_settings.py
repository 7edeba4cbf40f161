"""Settings: who wins, and mistakes named with the nearest setting."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuiface.core.errors import InputFileError, TuifaceError, UsageError
from tuiface.core.settings import load_settings


def write(tmp_path: Path, text: str) -> dict[str, str]:
    path = tmp_path / "config.toml"
    path.write_text(text)
    return {"TUIFACE_CONFIG": str(path)}


def test_flags_win_over_environment_over_file_over_defaults(tmp_path: Path) -> None:
    environment = write(tmp_path, 'psi = 0.1\nthreads = 3\ndevice = "cpu"\n')
    assert load_settings({}, {}).psi == 0.7
    assert load_settings({}, environment).psi == 0.1
    assert load_settings({}, {**environment, "TUIFACE_PSI": "0.2"}).psi == 0.2
    top = load_settings({"psi": 0.3, "threads": None}, {**environment, "TUIFACE_PSI": "0.2"})
    assert (top.psi, top.threads, top.device) == (0.3, 3, "cpu")


def test_integers_are_numbers_too(tmp_path: Path) -> None:
    assert load_settings({}, write(tmp_path, "psi = 1\n")).psi == 1.0


def test_home_is_expanded(tmp_path: Path, isolated_home: Path) -> None:
    assert load_settings({}, write(tmp_path, 'library = "~/faces"\n')).library == isolated_home / "faces"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("psy = 1\n", "psy: unknown key (did you mean 'psi'?)"),
        ('psi = "much"\n', "psi: 'much': input should be a valid number"),
        ("psi = 9.0\n", "psi: '9.0'"),
        ('device = "tpu"\n', "device: 'tpu': input should be 'auto', 'cpu' or 'cuda'"),
        ("psi = \n", "not TOML"),
        ("psi = nan\n", "psi"),
    ],
)
def test_mistakes_in_the_file_are_one_line(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputFileError) as caught:
        load_settings({}, write(tmp_path, text))
    assert message in str(caught.value)
    assert "config.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("TUIFACE_PSI", "abc", "TUIFACE_PSI: psi: 'abc'"),
        ("TUIFACE_PSY", "1", "TUIFACE_PSY: no such setting (did you mean psi?)"),
        ("TUIFACE_THREADS", "-1", "TUIFACE_THREADS: threads: '-1'"),
    ],
)
def test_mistakes_in_the_environment_name_the_variable(name: str, value: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_settings({}, {name: value})
    assert message in str(caught.value)


def test_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(TuifaceError, match="no settings file"):
        load_settings({}, {"TUIFACE_CONFIG": str(tmp_path / "none.toml")})
