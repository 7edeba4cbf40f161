"""The members of a zip archive in memory, read by the format's letter and within bounds.

Structures follow PKWARE's APPNOTE 6.3 (4.3.7, 4.3.12 to 4.3.16). Only what honest writers of arrays make is accepted:
members that are stored or deflated, each name once, none over another, all inside the file. Python's own reader would
unpack by any method, some of which take gigabytes on an archive's word.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from tuiface.core.errors import ModelError, describe_value

LOCAL_HEADER: Final = struct.Struct("<4s5H3I2H")
CENTRAL_HEADER: Final = struct.Struct("<4s6H3I5H2I")
END_RECORD: Final = struct.Struct("<4s4H2IH")
END64_LOCATOR: Final = struct.Struct("<4sIQI")
END64_RECORD: Final = struct.Struct("<4sQ2H2I4Q")
MAX_COMMENT: Final = 0xFFFF
SATURATED_16: Final = 0xFFFF
SATURATED_32: Final = 0xFFFFFFFF
MAX_DIRECTORY_BYTES: Final = 16 << 20
"""Of all names and extra fields: 50,000 members of 300 bytes."""
STORED: Final = 0
DEFLATED: Final = 8
_ENCRYPTED = 1
_DOWNLOAD_AGAIN = "download or copy the file again"


@dataclass(frozen=True, slots=True)
class ZipMember:
    """One file of the archive, as the central directory describes it."""

    header_at: int
    size: int
    """Bytes once it is unpacked."""
    packed_size: int
    """Bytes in the archive."""
    method: int
    """`STORED`, `DEFLATED`, or another that is refused when the member is needed."""
    crc: int


def list_members(data: memoryview, max_members: int) -> Mapping[str, ZipMember]:
    """All members by name, from the central directory. Raises ModelError for an archive that is not sound.

    Duplicate names are refused, because which one counts is a trap, and members that lie over each other, because a
    small archive could unpack to any size.
    """
    start, count = _locate_central_directory(data)
    if count > max_members:
        raise ModelError(f"more than {max_members} zip members ({count} claimed); refused unread")
    position = start
    members: dict[str, ZipMember] = {}
    for _ in range(count):
        name, member, position = _read_central_entry(data, position)
        if name in members:
            raise ModelError(f"not a sound zip archive: two members are named {describe_value(name)}")
        if position - start > MAX_DIRECTORY_BYTES:
            raise ModelError(f"a zip archive whose names take more than {MAX_DIRECTORY_BYTES} bytes; refused unread")
        members[name] = member
    _refuse_overlaps(members.values())
    return members


def view_member(data: memoryview, member: ZipMember) -> memoryview:
    """The packed bytes of a member as a view. Raises ModelError where they are not all there."""
    signature, *_, name_length, extra_length = _unpack(LOCAL_HEADER, data, member.header_at)
    start = member.header_at + LOCAL_HEADER.size + name_length + extra_length
    if signature != b"PK\x03\x04" or start + member.packed_size > len(data):
        raise _damaged_archive_error()
    return data[start : start + member.packed_size]


def unpack_member(data: memoryview, member: ZipMember, name: str) -> bytes:
    """The bytes of a member, never more than it claims, which the caller bounds. Raises ModelError for any others."""
    packed = view_member(data, member)
    if member.method == STORED:
        unpacked = bytes(packed)
    elif member.method == DEFLATED:
        unpacked = _inflate(packed, member.size, name)
    else:
        raise ModelError(f"zip member {describe_value(name)} is packed by method {member.method}", "pack it again")
    if len(unpacked) != member.size or zlib.crc32(unpacked) != member.crc:
        raise ModelError(f"zip member {describe_value(name)} is damaged: size or checksum differ", _DOWNLOAD_AGAIN)
    return unpacked


def _inflate(packed: memoryview, size: int, name: str) -> bytes:
    stream = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        return stream.decompress(packed, size + 1)  # one byte more, so that a longer one is told
    except zlib.error:
        raise ModelError(
            f"zip member {describe_value(name)} is damaged: not a deflate stream", _DOWNLOAD_AGAIN
        ) from None


def _refuse_overlaps(members: Iterable[ZipMember]) -> None:
    spans = sorted((member.header_at, member.header_at + LOCAL_HEADER.size + member.packed_size) for member in members)
    if any(next_start < stop for (_, stop), (next_start, _) in pairwise(spans)):
        raise ModelError("not a sound zip archive: members lie over each other")


def _locate_central_directory(data: memoryview) -> tuple[int, int]:
    """Where the central directory starts, and how many entries it has."""
    tail_at = max(0, len(data) - END_RECORD.size - MAX_COMMENT)
    found = bytes(data[tail_at:]).rfind(b"PK\x05\x06")
    if found < 0:
        raise _damaged_archive_error()
    end_at = tail_at + found
    _, _, _, _, count, _, start, _ = _unpack(END_RECORD, data, end_at)
    if count != SATURATED_16 and start != SATURATED_32:
        return start, count
    signature, _, end64_at, _ = _unpack(END64_LOCATOR, data, end_at - END64_LOCATOR.size)
    if signature != b"PK\x06\x07":
        raise _damaged_archive_error()
    signature, _, _, _, _, _, _, count, _, start = _unpack(END64_RECORD, data, end64_at)
    if signature != b"PK\x06\x06":
        raise _damaged_archive_error()
    return start, count


def _read_central_entry(data: memoryview, position: int) -> tuple[str, ZipMember, int]:
    """One entry of the central directory: name, member, position of the next entry."""
    signature, _, _, flags, method, _, _, crc, *rest = _unpack(CENTRAL_HEADER, data, position)
    packed_size, size, name_length, extra_length, comment_length, _, _, _, header_at = rest
    name_at = position + CENTRAL_HEADER.size
    extra_at = name_at + name_length
    if signature != b"PK\x01\x02" or extra_at + extra_length > len(data):
        raise _damaged_archive_error()
    try:
        name = str(data[name_at:extra_at], "utf-8")
    except UnicodeDecodeError:
        raise _damaged_archive_error() from None
    if flags & _ENCRYPTED:
        raise ModelError(f"zip member {describe_value(name)} is encrypted", "pack it again, without a password")
    extra = bytes(data[extra_at : extra_at + extra_length])
    size, packed_size, header_at = _read_zip64_fields(extra, (size, packed_size, header_at))
    if method == STORED and size != packed_size:
        raise _damaged_archive_error()
    return name, ZipMember(header_at, size, packed_size, method, crc), extra_at + extra_length + comment_length


def _read_zip64_fields(extra: bytes, fields: tuple[int, int, int]) -> tuple[int, ...]:
    """Sizes and header position, from the zip64 extra field where their 32 bits are saturated."""
    position = 0
    while position + 4 <= len(extra):
        tag, length = struct.unpack_from("<2H", extra, position)
        if tag == 1:
            num_values = min(length, len(extra) - position - 4) // 8
            wide = iter(struct.unpack_from(f"<{num_values}Q", extra, position + 4))
            return tuple(next(wide, field) if field == SATURATED_32 else field for field in fields)
        position += 4 + length
    return fields


def _unpack(layout: struct.Struct, data: memoryview, position: int) -> tuple[Any, ...]:
    if position < 0 or position + layout.size > len(data):
        raise _damaged_archive_error()
    return layout.unpack_from(data, position)


def _damaged_archive_error() -> ModelError:
    return ModelError("not a sound zip archive: cut off or damaged", _DOWNLOAD_AGAIN)
