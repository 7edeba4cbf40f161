"""The settings file as it is shown and written: what each setting is, where it comes from, and one set or taken away.

Comments and order of the file stay: tomlkit keeps them, and is imported to write alone.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tuiface.core.errors import InputFileError, UsageError, quote, suggest_nearest
from tuiface.core.files import lock_folder, make_folder, write_file
from tuiface.core.reading import is_there, read_regular
from tuiface.core.settings import (
    ENVIRONMENT_PREFIX,
    MAX_FILE_BYTES,
    Settings,
    load_settings,
    parse_setting,
    read_settings_file,
    settings_path,
)
from tuiface.core.visible import to_visible

SettingSource = Literal["default", "file", "environment", "flag"]


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting as it holds now."""

    name: str
    value: object
    source: SettingSource


def list_settings(
    flags: Mapping[str, object] | None = None, environment: Mapping[str, str] = os.environ
) -> list[SettingRow]:
    """All settings in their order, with where each comes from. Raises as `load_settings`."""
    settings = load_settings(flags, environment)
    in_file = read_settings_file(environment)
    rows = []
    for name in Settings.model_fields:
        source: SettingSource = "file" if name in in_file else "default"
        if environment.get(ENVIRONMENT_PREFIX + name.upper()):
            source = "environment"
        if (flags or {}).get(name) is not None:
            source = "flag"
        rows.append(SettingRow(name, getattr(settings, name), source))
    return rows


def write_setting(name: str, text: str | None, environment: Mapping[str, str] = os.environ) -> Path:
    """Give a setting a value in the file, or with None the default again; returns the file.

    Raises UsageError for a setting or a value that there is not, InputFileError for a file that is none, OutputError
    where it cannot be written; nothing is written then.
    """
    path = settings_path(environment)
    check_setting(name, text)
    read_settings_file(environment)
    path = path.resolve()  # a link stays one
    make_folder(path.parent)
    with lock_folder(path.parent):
        write_file(path, _change(path, name, text), force=True)
    return path


def format_value(value: object) -> str:
    """As a person reads it: `-` for none."""
    if value is None:
        return "-"
    if isinstance(value, Mapping):
        return " ".join(f"{name}={','.join(keys)}" for name, keys in value.items()) or "-"
    return to_visible(str(value))


def check_setting(name: str, text: str | None) -> None:
    """Raises UsageError for a setting or a value that there is not, and for `keys`, which is a table."""
    if name not in Settings.model_fields:
        raise UsageError(
            f"no setting {quote(name)}", suggest_nearest(name, Settings.model_fields) or "docs/settings.md"
        )
    if name == "keys":
        raise UsageError("keys is a table of the settings file", f"edit it in {settings_path()}; docs/keys.md")
    if text is not None:
        parse_setting(name, text)


def _change(path: Path, name: str, text: str | None) -> bytes:
    import tomlkit
    import tomlkit.exceptions

    try:
        document = tomlkit.parse(read_regular(path, MAX_FILE_BYTES).decode()) if is_there(path) else tomlkit.document()
    except (ValueError, tomlkit.exceptions.TOMLKitError) as error:  # changed since it was read, or read otherwise
        raise InputFileError(f"{to_visible(str(path), 200)}: not TOML: {error}", "edit it by hand") from None
    if text is None:
        document.pop(name, None)
    else:
        value = parse_setting(name, text)
        document[name] = value if isinstance(value, int | float) else text
    return tomlkit.dumps(document).encode()
