"""Frozen, strict JSON values: the base class of every file format here, and their errors as one line.

A format is a pydantic model. Parsing refuses unknown keys (with the nearest known one), numbers in strings, and
whatever `strict_json` refuses.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar, get_args

import rfc8785
from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, ValidationError
from pydantic_core import CoreSchema, ErrorDetails

from tuiface.core.errors import InputFileError, quote, suggest_nearest
from tuiface.core.limits import MAX_EXACT_INTEGER
from tuiface.core.reading import TooLargeError, read_regular
from tuiface.core.strict_json import (
    MAX_JSON_BYTES,
    MAX_JSON_VALUES,
    MAX_NUMBER_LENGTH,
    JsonError,
    JsonNumberError,
    parse_strict_json,
)
from tuiface.core.visible import to_visible

ValueType = TypeVar("ValueType", bound="Value")

_MAX_NAME = 100
"""Characters of a key in an error's line."""


class Value(BaseModel):
    """A frozen value whose JSON form is a documented format."""

    # Validators are built when they are first used: the interface starts with a third of them.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[Any], handler: GetCoreSchemaHandler) -> CoreSchema:
        """Lists are left at their first wrong item: one error is shown, and pydantic would keep a million of them."""
        schema = handler(source)
        _leave_at_first_error(schema, cls)
        return schema

    def canonical_json(self) -> bytes:
        """RFC 8785 JSON: sorted keys, no white space, shortest numbers; the same bytes in any language."""
        return canonical_json(self.model_dump(mode="json"))


def canonical_json(value: Any) -> bytes:
    """RFC 8785 JSON of plain values; raises InputFileError for a number that JSON's readers would not hold exactly."""
    try:
        return rfc8785.dumps(value)
    except rfc8785.CanonicalizationError as error:
        raise InputFileError(f"no canonical JSON: {error}") from None


def parse_json(
    model: type[ValueType],
    text: str | bytes,
    where: str,
    *,
    max_values: int = MAX_JSON_VALUES,
    max_integer: int | None = MAX_EXACT_INTEGER,
) -> ValueType:
    """The value that `text` holds; raises InputFileError with one line that begins with `where`.

    Messages, which nobody digests, may lift the bound of integers: they tell files by their time in nanoseconds.
    """
    try:
        parse_strict_json(text, max_values, max_integer=max_integer)
        return model.model_validate_json(text)
    except ValidationError as error:
        raise InputFileError(*describe_error(error, model, where)) from None
    except JsonNumberError as error:
        raise InputFileError(*_name_place(error, model, text, where)) from None
    except JsonError as error:
        raise InputFileError(f"{where}: {error}") from None


def read_json(model: type[ValueType], path: Path) -> ValueType:
    """The value in the file at `path`; raises InputFileError for a missing, unreadable or wrong file."""
    return parse_json(model, read_bytes(path, MAX_JSON_BYTES), path.name)


def read_bytes(path: Path, limit: int) -> bytes:
    """A whole file of at most `limit` bytes; raises InputFileError in one line for everything that can go wrong."""
    try:
        return read_regular(path, limit)
    except FileNotFoundError:
        if path.is_symlink():
            hint = "bring back what it led to, or remove the link"
            raise InputFileError(f"{quote(path)} is a link to nothing", hint) from None
        raise InputFileError(f"no file {quote(path)}") from None
    except TooLargeError as error:
        raise InputFileError(f"{quote(path)} is {error.strerror}") from None
    except OSError as error:
        raise InputFileError(f"cannot read {quote(path)}: {error.strerror}") from None


def describe_error(error: ValidationError, model: type[BaseModel], where: str) -> tuple[str, str]:
    """The first validation error as (message, hint): `where: edits[2].amount: '1,5' is not a number`."""
    first = error.errors(include_url=False)[0]
    path = _json_path(first["loc"])
    label = f"{where}: {path}: " if path else f"{where}: "
    if first["type"] == "extra_forbidden":
        key = str(first["loc"][-1])
        known = _keys_at(model, first["loc"][:-1])
        accepted = f"accepted: {', '.join(known)}" if known else ""
        return f"{label}unknown key", suggest_nearest(key, known) or accepted
    return label + _to_sentence(first), ""


def _name_place(error: JsonNumberError, model: type[BaseModel], text: str | bytes, where: str) -> tuple[str, str]:
    """What `model` says of a number that is too large, where it bounds that number; else what was found in the text."""
    try:
        model.model_validate_json(text)
    except ValidationError as refused:
        first = refused.errors(include_url=False)[0]
        if first["loc"] and type(first["input"]) in (int, float):
            return describe_error(refused, model, where)
    return f"{where}: {error}", ""


def _to_sentence(first: ErrorDetails) -> str:
    if first["type"] == "missing":
        return "missing"
    if first["type"] == "string_unicode":  # a name of a file, which may be any bytes
        return f"{quote(first['input'])} is not UTF-8, as what is recorded must be"
    if first["type"] == "value_error":
        return str(first["ctx"]["error"])
    message = first["msg"][0].lower() + first["msg"][1:]
    value = first["input"]
    # Python refuses to write out an integer of more than 4300 digits, which TOML can have in hexadecimal.
    is_endless = isinstance(value, int) and value.bit_length() > 4 * MAX_NUMBER_LENGTH
    return message if is_endless or isinstance(value, dict | list | tuple) else f"{quote(value)}: {message}"


def _json_path(location: tuple[int | str, ...]) -> str:
    """`('edits', 2, 'DirectionEdit', 'amount')` -> `edits[2].amount`: union tags are not part of the file."""
    out = ""
    for part in location:
        if isinstance(part, int):
            out += f"[{part}]"
        elif not _is_tag(part):
            name = to_visible(part, _MAX_NAME)
            out += f".{name}" if out else name
    return out


def _is_tag(part: str) -> bool:
    return part.startswith("tag:")


def _keys_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The keys that `model` accepts at `location`; follows nested models, lists and tagged unions."""
    current: list[type[BaseModel]] = [model]
    for part in location:
        if isinstance(part, int):
            continue
        if _is_tag(part):
            current = [m for m in current if f"tag:{m.__name__}" == part] or current
            continue
        found = [m.model_fields[part].annotation for m in current if part in m.model_fields]
        current = [inner for annotation in found for inner in _models_in(annotation)]
    return sorted({key for m in current for key in m.model_fields})


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models_in(argument)]


def _leave_at_first_error(schema: Any, model: type[BaseModel]) -> None:
    """Set `fail_fast` on each list in the schema of `model`, short of other models, which see to their own."""
    for part in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list | tuple) else ():
        if isinstance(part, dict) and part.get("type") == "model" and part["cls"] is not model:
            continue
        _leave_at_first_error(part, model)
    if isinstance(schema, dict) and schema.get("type") in ("list", "tuple", "set", "frozenset"):
        schema["fail_fast"] = True
