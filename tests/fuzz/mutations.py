"""Ways to damage files: bytes, lengths, whole stretches, and what each format is made of.

Pickles are damaged at the true positions of their operations, headers of safetensors and .npy in their text, with their
lengths set right again, and zips in the numbers of their records.
"""

from __future__ import annotations

import json
import pickletools
import struct
from collections.abc import Sequence
from functools import cache
from random import Random

#: Operations with short operands, for replacing one by another.
OPCODES = b".(0N]})abcehijqrstuBCGJKMQRX\x80\x81\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x90\x91\x92\x93\x94\x95"
EXTREMES = (b"\x00", b"\xff", b"\x7f", b"\x80", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x00\x00\x00\x80", bytes(8))
#: What a value in JSON is replaced by.
JSON_VALUES = [
    *("0", "1", "2", "3", "6", "24", "-1", "-0", "8.0", "1e0", "1e400", "true", "false", "null", '""', '"2"', "[]"),
    *("{}", "18446744073709551615", "18446744073709551616", "9223372036854775808", "1" + "0" * 30, "281474976710656"),
    *("00", "[2,3]", "[6,1]", "[1,1,1,1,1,1,1,1,6]", "[4294967296,4294967296]", "[0]", "[0,24]", "[24,0]", "[[2],3]"),
    *("[2,3,]", '"F32"', '"f32"', '"F64"', '"I8"', '"BOOL"', '"F8_E4M3"', '"F4"', '["F32"]', '"F32\\u0000"', "NaN"),
    *('"\\ud800"', "[" * 90 + "]" * 90, '"' + "x" * 3000 + '"', "9" * 1200, '"\\u001b[2J"'),
]
#: Entries that are put into a header.
JSON_ENTRIES = [
    *('"x":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}', '"x":{"dtype":"F32","shape":[1],"data_offsets":[56,60]}'),
    *('"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}', '"__metadata__":{}', '"__metadata__":{"format":1}'),
    *('"\\ud800":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}', '"x":null', '"":{}', '"__metadata__":null'),
    '"\x01":1',
]
#: What a piece of a .npy header is replaced by.
NPY_PIECES = [
    *("", " ", ",", "(", ")", "[", "{", "}", "'", '"', ":", "0", "1", "2", "3", "6", "-", "-1", "True", "False", "6,"),
    *(
        "None",
        "(6,)",
        "(2,3)",
        "(3, 2)",
        "(1, 6)",
        "6L",
        "(6L,)",
        "(6)",
        "0x6",
        "06",
        "6.0",
        "1_0",
        "9" * 30,
        "#",
        "\n",
    ),
    *("'<f4'", "'>f4'", "'|u1'", "'<f16'", "'|O'", "'<U4'", "'<M8[s]'", "'V4'", "descr", "shape", "\u0663", "(" * 500),
]
#: Signature of each record of a zip, and the places of its numbers.
ZIP_RECORDS = {
    b"PK\x03\x04": {4: "<H", 6: "<H", 8: "<H", 14: "<I", 18: "<I", 22: "<I", 26: "<H", 28: "<H"},
    b"PK\x01\x02": {8: "<H", 10: "<H", 16: "<I", 20: "<I", 24: "<I", 28: "<H", 30: "<H", 32: "<H", 42: "<I"},
    b"PK\x05\x06": {8: "<H", 10: "<H", 12: "<I", 16: "<I", 20: "<H"},
}
WORDS = (b"posix\nsystem\n", b"synthesis", b"weight", b"storage", b"FloatStorage", b"G_ema", b"\x8c\x05state", b"nan")


@cache
def operation_positions(data: bytes) -> tuple[int, ...]:
    """Where the first pickle's operations start; () for a file that is no pickle."""
    if not data.startswith(b"\x80"):
        return ()
    try:
        return tuple(position for _, _, position in pickletools.genops(data) if position is not None)
    except ValueError:
        return ()


def mutated(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """The file after one to four random mutations."""
    operations = operation_positions(data)
    changed = bytearray(data)
    for _ in range(random.randint(1, 4)):
        _mutate(changed, random, others, operations)
    return bytes(changed)


def _mutate(data: bytearray, random: Random, others: Sequence[bytes], operations: Sequence[int]) -> None:
    at = random.randrange(len(data) + 1)
    if operations and random.random() < 0.6:
        at = min(random.choice(operations), len(data))
    length = random.choice((1, 1, 2, 4, 16, 200))
    match random.randrange(9):
        case 0 if at < len(data):
            data[at] ^= 1 << random.randrange(8)
        case 1 if at < len(data):
            data[at] = random.choice(OPCODES)
        case 2:
            value = random.choice(EXTREMES)
            data[at + 1 : at + 1 + len(value)] = value
        case 3:
            del data[at : at + length]
        case 4:
            data[at:at] = data[at : at + length]
        case 5:
            other = random.choice(others)
            start = random.randrange(len(other))
            data[at : at + length] = other[start : start + length]
        case 6:
            data[at:at] = random.choice(WORDS)
        case 7 if operations:
            start = random.choice(operations)
            data[at:at] = data[start : start + length]
        case _ if random.random() < 0.2:
            del data[at:]
        case _:
            data[at : at + length] = random.randbytes(length)
    if not data:
        data.append(0x80)


def mutated_safetensors(data: bytes, random: Random) -> bytes:
    """The file with none to three flaws in its header, in the JSON within its metadata, or in its length."""
    start = 8 + int.from_bytes(data[:8], "little")
    text, body = data[8:start].decode().rstrip(), data[start:]
    for _ in range(random.randrange(4)):
        text, body = _flaw_header(text, body, random)
    encoded = text.encode()
    length = len(encoded) + (random.choice((-1, 1, 8, 1 << 31, -len(encoded))) if random.random() < 0.1 else 0)
    return max(0, length).to_bytes(8, "little") + encoded + body


def _flaw_header(text: str, body: bytes, random: Random) -> tuple[str, bytes]:
    at = random.randrange(len(text))
    match random.randrange(9):
        case 0 | 1:
            text = _replace_value(text, random)
        case 2:
            text = "{" + random.choice(JSON_ENTRIES) + "," + text[1:]
        case 3:
            text = text[:-1] + "," + random.choice(JSON_ENTRIES) + "}"
        case 4:
            text = text[:at] + random.choice('{}[]",:0-9. \t\n\x00e') + text[at + 1 :]
        case 5:
            text = random.choice((" ", "\ufeff", "[", "")) + text + random.choice(("", " ", "\n", "}", "\x00", ",{}"))
        case 6:
            body = random.choice((body[:-1], body + b"\0", body[8:], b"", body + bytes(8)))
        case 7:
            found = random.choice(("shape", "dtype", "data_offsets", "a", "}}"))
            text = text.replace(found, random.choice(("shape", "", "x", "}")), 1)
        case 8:
            text = _flaw_metadata(text, random)
    return text or "{", body


def _flaw_metadata(text: str, random: Random) -> str:
    """A value within a text of the metadata that is JSON itself."""
    try:
        header = json.loads(text)
        metadata = header["__metadata__"]
        key = random.choice([key for key, value in metadata.items() if str(value).startswith(("{", "["))])
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return text
    metadata[key] = _replace_value(metadata[key], random)
    return json.dumps(header, separators=(",", ":"))


def _replace_value(text: str, random: Random) -> str:
    spans = [place for place, letter in enumerate(text) if letter in ":[,"]
    if not spans:
        return text
    start = random.choice(spans) + 1
    stop = min((text.find(end, start) for end in ",]}" if text.find(end, start) > 0), default=len(text))
    return text[:start] + random.choice(JSON_VALUES) + text[stop:]


def mutated_npy(data: bytes, random: Random) -> bytes:
    """The .npy file with none to two flaws in its header, sometimes with other numbers behind it."""
    length_at, width = (8, 2) if data[6] == 1 else (8, 4)
    start = length_at + width
    stop = start + int.from_bytes(data[length_at:start], "little")
    text, body = data[start:stop].decode("latin-1"), data[stop:]
    for _ in range(random.randrange(3)):
        at = random.randrange(len(text.rstrip()) + 1)
        text = text[:at] + random.choice(NPY_PIECES) + text[at + random.choice((0, 1, 1, 2, 5)) :]
    if random.random() < 0.1:
        body = random.choice((body[:-1], body + b"\0", b""))
    encoded = text.encode("latin-1", "ignore")
    return data[:length_at] + len(encoded).to_bytes(width, "little") + encoded + body


def mutated_zip(data: bytes, random: Random) -> bytes:
    """The zip with one to three numbers of its records changed, or a stretch of it."""
    changed = bytearray(data)
    for _ in range(random.randint(1, 3)):
        signature = random.choice(list(ZIP_RECORDS))
        records = [at for at in range(len(changed) - 46) if changed.startswith(signature, at)]
        if not records or random.random() < 0.2:
            at = random.randrange(len(changed))
            changed[at : at + random.choice((1, 4, 16))] = random.randbytes(random.choice((0, 1, 4, 16)))
            continue
        offset, layout = random.choice(list(ZIP_RECORDS[signature].items()))
        top = (1 << 8 * struct.calcsize(layout)) - 1
        values = (0, 1, 8, 12, 14, 99, 1000, len(data), top, top - 1, random.randint(0, top))
        struct.pack_into(layout, changed, random.choice(records) + offset, min(top, random.choice(values)))
    return bytes(changed)
