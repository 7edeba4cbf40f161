"""The torch zip container (torch.save since 1.6), read as views of the file's buffer.

`<root>/data.pkl` holds the object, `<root>/data/<key>` each storage, all members stored without compression; the name
of the root varies. Zip structures follow PKWARE's APPNOTE 6.3 (4.3.7, 4.3.12 to 4.3.16). Compressed members are
refused, so a member is never longer than the file; every member is checked to lie inside the file.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tuiface.core.errors import ModelError, describe_value
from tuiface.engine.checkpoints.accounting import Inventory, Meter, over_budget_error
from tuiface.engine.checkpoints.pickle_machine import GlobalTable, PickleMachine
from tuiface.engine.checkpoints.source_file import DOWNLOAD_AGAIN
from tuiface.engine.checkpoints.storages import StorageTable

LOCAL_HEADER: Final = struct.Struct("<4s5H3I2H")
CENTRAL_HEADER: Final = struct.Struct("<4s6H3I5H2I")
END_RECORD: Final = struct.Struct("<4s4H2IH")
END64_LOCATOR: Final = struct.Struct("<4sIQI")
END64_RECORD: Final = struct.Struct("<4sQ2H2I4Q")
MAX_COMMENT: Final = 0xFFFF
SATURATED_16: Final = 0xFFFF
SATURATED_32: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class ZipMember:
    """One stored file of the container."""

    header_at: int
    size: int
    method: int
    """0 for stored; anything else is refused when the member is needed."""


def read_torch_zip(data: memoryview, table: GlobalTable, meter: Meter, inventory: Inventory) -> object:
    """The object of a torch zip container, its tensors as views of `data`."""
    members = list_members(data, meter)
    pickles = [name for name in members if name == "data.pkl" or name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise ModelError(
            f"a zip archive with {len(pickles)} members named data.pkl: not a torch checkpoint",
            "unpack it, and open the checkpoint inside",
        )
    root = pickles[0].removesuffix("data.pkl")
    if f"{root}constants.pkl" in members:
        raise ModelError("a TorchScript archive holds compiled code: accepted is a checkpoint that torch.save wrote")
    order = members.get(f"{root}byteorder")
    if order is not None and bytes(read_member(data, order, "byteorder")) != b"little":
        raise ModelError("a torch container from a big-endian machine: accepted is little-endian")

    def find_data(key: str, num_bytes: int) -> memoryview:
        member = members.get(f"{root}data/{key}")
        if member is None or member.size != num_bytes:
            held = "is absent" if member is None else f"has {member.size} bytes"
            raise ModelError(
                f"storage {describe_value(key)} needs {num_bytes} bytes, its zip member {held}", DOWNLOAD_AGAIN
            )
        return read_member(data, member, key)

    shelf = StorageTable(find_data)
    stream = read_member(data, members[pickles[0]], "data.pkl")
    return PickleMachine(stream, table, meter, inventory, persistent_load=shelf.load).run()


def list_members(data: memoryview, meter: Meter) -> Mapping[str, ZipMember]:
    """All members by name, from the central directory. Duplicate names are refused: which one counts is a trap."""
    position, count = _locate_central_directory(data)
    if count > meter.limits.zip_members:
        raise over_budget_error(f"zip members ({count} claimed)", meter.limits.zip_members)
    members: dict[str, ZipMember] = {}
    for _ in range(count):
        name, member, position = _read_central_entry(data, position)
        if name in members:
            raise ModelError(f"not a sound zip archive: two members are named {describe_value(name)}")
        meter.use_text(len(name))
        members[name] = member
    return members


def read_member(data: memoryview, member: ZipMember, name: str) -> memoryview:
    """The bytes of a stored member as a view."""
    if member.method != 0:
        raise ModelError(
            f"zip member {describe_value(name)} is compressed; torch stores its members as they are",
            "unpack the archive and save it again with torch.save",
        )
    signature, *_, name_length, extra_length = _unpack(LOCAL_HEADER, data, member.header_at)
    start = member.header_at + LOCAL_HEADER.size + name_length + extra_length
    if signature != b"PK\x03\x04" or start + member.size > len(data):
        raise _damaged_archive_error()
    return data[start : start + member.size]


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
    fields = _unpack(CENTRAL_HEADER, data, position)
    signature, _, _, flags, method = fields[:5]
    compressed, size, name_length, extra_length, comment_length = fields[8:13]
    header_at = fields[16]
    name_at = position + CENTRAL_HEADER.size
    extra_at = name_at + name_length
    if signature != b"PK\x01\x02" or flags & 1 or extra_at + extra_length > len(data):
        raise _damaged_archive_error()
    try:
        name = str(data[name_at:extra_at], "utf-8")
    except UnicodeDecodeError:
        raise _damaged_archive_error() from None
    extra = bytes(data[extra_at : extra_at + extra_length])
    size, compressed, header_at = _read_zip64_fields(extra, (size, compressed, header_at))
    if method == 0 and size != compressed:
        raise _damaged_archive_error()
    return name, ZipMember(header_at, size, method), extra_at + extra_length + comment_length


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
    return ModelError("not a sound zip archive: cut off or damaged", DOWNLOAD_AGAIN)
