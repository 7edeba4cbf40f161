"""The torch zip container (torch.save since 1.6), read as views of the file's buffer.

`<root>/data.pkl` holds the object, `<root>/data/<key>` each storage, all members stored without compression; the name
of the root varies. Compressed members are refused, so a member is never longer than the file. Checksums are not
compared: torch can be told to leave them out.
"""

from __future__ import annotations

from tuiface.core.errors import ModelError, describe_value
from tuiface.core.zip_members import STORED, ZipMember, list_members, view_member
from tuiface.engine.checkpoints.accounting import Inventory, Meter
from tuiface.engine.checkpoints.pickle_machine import GlobalTable, PickleMachine
from tuiface.engine.checkpoints.source_file import DOWNLOAD_AGAIN, PACK_AGAIN
from tuiface.engine.checkpoints.storages import StorageTable


def read_torch_zip(data: memoryview, table: GlobalTable, meter: Meter, inventory: Inventory) -> object:
    """The object of a torch zip container, its tensors as views of `data`."""
    members = list_members(data, meter.limits.zip_members)
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
    if order is not None and bytes(_read_stored(data, order, "byteorder")) != b"little":
        raise ModelError("a torch container from a big-endian machine: accepted is little-endian")

    def find_data(key: str, num_bytes: int) -> memoryview:
        member = members.get(f"{root}data/{key}")
        if member is None or member.size != num_bytes:
            held = "is absent" if member is None else f"has {member.size} bytes"
            raise ModelError(
                f"storage {describe_value(key)} needs {num_bytes} bytes, its zip member {held}", DOWNLOAD_AGAIN
            )
        return _read_stored(data, member, key)

    shelf = StorageTable(find_data)
    stream = _read_stored(data, members[pickles[0]], "data.pkl")
    return PickleMachine(stream, table, meter, inventory, persistent_load=shelf.load).run()


def _read_stored(data: memoryview, member: ZipMember, name: str) -> memoryview:
    """The bytes of a stored member as a view."""
    if member.method != STORED:
        raise ModelError(
            f"zip member {describe_value(name)} is compressed; torch stores its members as they are",
            f"unpack the archive, and {PACK_AGAIN}",
        )
    return view_member(data, member)
