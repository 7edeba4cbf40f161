"""Tables that people make: CSV as spreadsheets of any language write it.

Commas, semicolons or tabs, whichever the heading has most of; UTF-8, UTF-16 or a Windows code page.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tuiface.core.errors import InputFileError
from tuiface.core.values import read_bytes

MAX_CSV_BYTES = 64 * 1024 * 1024
MAX_CELL_CHARACTERS = 131_072
"""Python's own limit."""
DELIMITERS = ",;\t"


@dataclass(frozen=True, slots=True)
class CsvTable:
    """A heading, and the rows below it as they are written."""

    name: str
    """Of the file."""
    heading: tuple[str, ...]
    delimiter: str
    _text: str
    _max_cell: int

    def rows(self) -> Iterator[tuple[str, list[str]]]:
        """(where, cells) of each line that is not empty; `where` names the file and the line for messages.

        Raises InputFileError for what is no CSV.
        """
        csv.field_size_limit(self._max_cell)
        lines = csv.reader(io.StringIO(self._text, newline=""), delimiter=self.delimiter)
        try:
            next(lines, None)
            for row in lines:
                if row:
                    yield f"{self.name}: line {lines.line_num}", [cell.strip() for cell in row]
        except csv.Error as error:
            raise InputFileError(f"{self.name}: line {lines.line_num}: not CSV: {error}") from None


def read_csv_table(path: Path, max_cell: int = MAX_CELL_CHARACTERS) -> CsvTable:
    """The table in a file of at most 64 MiB, none of whose cells has more characters than `max_cell`.

    Raises InputFileError.
    """
    csv.field_size_limit(max_cell)
    text = _decode(read_bytes(path, MAX_CSV_BYTES), path.name)
    first = text[: text.find("\n")] if "\n" in text else text
    delimiter = max(DELIMITERS, key=first.count)
    try:
        heading = next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])
    except csv.Error as error:
        raise InputFileError(f"{path.name}: line 1: not CSV: {error}") from None
    return CsvTable(path.name, tuple(name.strip() for name in heading), delimiter, text, max_cell)


def _decode(data: bytes, name: str) -> str:
    """The text of a CSV: by its mark UTF-16, else UTF-8, else a Windows code page, in which each byte is a character.

    Bytes are never replaced: two names could become one.
    """
    is_utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    for encoding in ("utf-16",) if is_utf16 else ("utf-8-sig", "cp1252", "latin-1"):
        with contextlib.suppress(UnicodeDecodeError):
            return data.decode(encoding)
    raise InputFileError(f"{name}: not sound UTF-16 text", "save it again as CSV UTF-8")
