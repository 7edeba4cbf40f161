"""Settings: defaults -> TOML -> environment -> flags, as one frozen value that is passed down.

The table is small and the order fixed, so this is pydantic alone: pydantic-settings would add imports to a start that
is counted in milliseconds, and cannot name the nearest setting for a misspelt one.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from tuiface.core.errors import InputFileError, UsageError, quote, suggest_nearest
from tuiface.core.limits import DEFAULT_PSI, MAX_PATH_BYTES, PSI_RANGE
from tuiface.core.reading import expand_user, read_regular
from tuiface.core.values import Value, describe_error
from tuiface.core.visible import to_visible

APP = "tuiface"
ENVIRONMENT_PREFIX = "TUIFACE_"

MAX_FILE_BYTES = 1 << 16
MAX_DOTS = 64
"""In one line of the file: each part of a dotted key is looked at again for each key behind it."""
MAX_PATH_PARTS = 255
"""Python makes folders within folders by calling itself."""
_MAX_KEY_LENGTH = 40


def _to_path(value: object) -> object:
    if not isinstance(value, str) or not value:
        return value
    if "\0" in value:
        raise ValueError("a path cannot hold NUL")
    if len(os.fsencode(value)) > MAX_PATH_BYTES:
        raise ValueError(f"a path of {len(os.fsencode(value))} bytes; accepted are at most {MAX_PATH_BYTES}")
    path = expand_user(value)
    if str(path).startswith("~"):
        raise ValueError(f"no user {quote(path.parts[0][1:])}")
    if len(path.parts) > MAX_PATH_PARTS:
        raise ValueError(f"a path of {len(path.parts)} folders; accepted are at most {MAX_PATH_PARTS}")
    return path


FolderOrFile = Annotated[Path, BeforeValidator(_to_path)]


def _to_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else (value,) if isinstance(value, str) else value


def _check_key(name: str) -> str:
    if not name or len(name) > _MAX_KEY_LENGTH or not name.isprintable() or any(c.isspace() or c == "," for c in name):
        raise ValueError(f"no key is called {quote(name)}; accepted are Textual's names, such as W, f5, plus or ctrl+s")
    return name


KeyNames = Annotated[tuple[Annotated[str, AfterValidator(_check_key)], ...], BeforeValidator(_to_tuple)]


class Settings(Value):
    """Everything that a user may set once."""

    model: FolderOrFile | None = None
    """Checkpoint to open; the embedded model when not set."""
    library: FolderOrFile = Field(default_factory=lambda: Path.home() / "tuiface-library")
    """Folder that faces are saved to and listed from."""
    directions: FolderOrFile = Field(default_factory=lambda: platformdirs.user_data_path(APP) / "directions")
    """Folder of your own directions, beside those that ship with tuiface."""
    regions: FolderOrFile = Field(default_factory=lambda: platformdirs.user_data_path(APP) / "regions")
    """Folder of the regions that you named for your own networks: tuiface model regions."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where the engine runs; auto takes a CUDA device when there is one."""
    threads: int = Field(0, ge=0, le=1024)
    """CPU threads of the engine; 0 takes all cores that the process may use."""
    psi: float = Field(DEFAULT_PSI, ge=PSI_RANGE[0], le=PSI_RANGE[1])
    """Truncation of new faces: 0 is the mean face, 1 no truncation."""
    graphics: Literal["auto", "kitty", "sixel", "block", "none"] = "auto"
    """How the terminal shows pictures; auto asks it before the interface starts."""
    cells: Literal["auto", "half", "quadrant", "sextant"] = "auto"
    """Characters of pictures in coloured cells; sextants are the finest and need a font of Unicode 13."""
    theme: str | None = None
    """Colour theme of the interface; when not set, the one that was chosen there last, else tuiface-dark."""
    language: Literal["auto", "en", "es"] = "auto"
    """Language of the interface; auto follows the locale."""
    keys: dict[str, KeyNames] = Field(default_factory=dict)
    """Other keys for actions: a table `[keys]` of action ids and lists of Textual's key names."""
    cache: FolderOrFile = Field(default_factory=lambda: platformdirs.user_cache_path(APP))
    """Converted checkpoints and the library's index: everything in it can be made again."""
    state: FolderOrFile = Field(default_factory=lambda: platformdirs.user_state_path(APP))
    """Log files and the list of networks opened so far."""
    engine: str = Field("auto", min_length=1, max_length=64)
    """Which engine renders. auto: the interface takes your resident engine where one runs and fits, commands start one
    of their own; private: never a resident one; resident: commands take it too; a user's name: the one that they
    share."""
    runtime: FolderOrFile = Field(default_factory=lambda: runtime_folder(os.getuid()))
    """Folder of your resident engine's socket, on a local disk."""

    def to_json(self) -> bytes:
        """What `model_validate` takes after `json.load`, in ASCII: also of paths that are no UTF-8."""
        return json.dumps(self.model_dump(), default=str).encode()


def runtime_folder(uid: int) -> Path:
    """Where a user's resident engine is found: every login sees the same /tmp, and others of a group can look there."""
    return Path(f"/tmp/tuiface-{uid}")  # noqa: S108 - its owner and mode are checked before it is used


def settings_path(environment: Mapping[str, str] = os.environ) -> Path:
    """The TOML file: $TUIFACE_CONFIG, else config.toml in the user's configuration folder."""
    given = environment.get(ENVIRONMENT_PREFIX + "CONFIG")
    return expand_user(given) if given else platformdirs.user_config_path(APP) / "config.toml"


def load_settings(flags: Mapping[str, object] | None = None, environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from all sources; `flags` with value None count as not given.

    Raises InputFileError for the file and UsageError for the environment or a flag, each in one line.
    """
    values = read_settings_file(environment)
    values |= _from_environment(environment)
    values |= {name: value for name, value in (flags or {}).items() if value is not None}
    return _validate_settings(values, "settings")


def read_settings_file(environment: Mapping[str, str] = os.environ) -> dict[str, object]:
    """What the TOML file says; nothing where there is none. Raises InputFileError, in one line, for any other file."""
    path, required = settings_path(environment), ENVIRONMENT_PREFIX + "CONFIG" in environment
    hint = f"{ENVIRONMENT_PREFIX}CONFIG names it" if required else ""
    try:
        values = _parse_toml(read_regular(path, MAX_FILE_BYTES))
    except FileNotFoundError:
        if required:
            raise InputFileError(f"no settings file {quote(path, 200)}", hint) from None
        return {}
    except OSError as error:
        raise InputFileError(f"cannot read the settings {quote(path, 200)}: {error.strerror}", hint) from None
    except ValueError as error:
        raise InputFileError(f"{to_visible(str(path), 200)}: not TOML: {error}", hint) from None
    try:
        Settings.model_validate(values)
    except ValidationError as error:
        raise InputFileError(*describe_error(error, Settings, to_visible(str(path), 200))) from None
    return values


def _parse_toml(data: bytes) -> dict[str, object]:
    """The tables of a settings file. Raises ValueError for what is no TOML, or nothing that a person would write."""
    text = data.decode()
    for number, line in enumerate(text.splitlines(), start=1):
        if line.count(".") > MAX_DOTS:
            raise ValueError(f"more than {MAX_DOTS} dots (at line {number})")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except tomllib.TOMLDecodeError:
        raise
    except ValueError:  # Python's own words are about its limit
        raise ValueError("a number of more than 4300 digits") from None


def _from_environment(environment: Mapping[str, str]) -> dict[str, object]:
    values: dict[str, object] = {}
    for key, text in environment.items():
        if not key.startswith(ENVIRONMENT_PREFIX) or key == ENVIRONMENT_PREFIX + "CONFIG" or not text:
            continue
        name = key.removeprefix(ENVIRONMENT_PREFIX).lower()
        if name not in Settings.model_fields:
            hint = suggest_nearest(name, Settings.model_fields).replace("'", "")
            raise UsageError(f"environment variable {key}: no such setting", hint or "see docs/settings.md")
        values[name] = _parse_value(name, text)
        _validate_settings({name: values[name]}, f"environment variable {key}")
    return values


def parse_setting(name: str, text: str) -> object:
    """`text` as a value of the setting `name`, as the file or the environment would give it.

    Raises UsageError, in one line, for what it does not accept.
    """
    value = _parse_value(name, text)
    _validate_settings({name: value}, "settings")
    return value


def _parse_value(name: str, text: str) -> object:
    """An environment variable's text as the setting's type; text that does not fit is left for validation to refuse."""
    parse: Any = {"threads": int, "psi": float}.get(name, str)
    try:
        return parse(text)
    except ValueError:
        return text


def _validate_settings(values: dict[str, object], where: str) -> Settings:
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise UsageError(*describe_error(error, Settings, where)) from None
