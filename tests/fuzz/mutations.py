"""Ways to damage a checkpoint: bytes, lengths, whole stretches, and pickle operations at their true positions."""

from __future__ import annotations

import pickletools
from collections.abc import Sequence
from functools import cache
from random import Random

#: Operations with short operands, for replacing one by another.
OPCODES = b".(0N]})abcehijqrstuBCGJKMQRX\x80\x81\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x90\x91\x92\x93\x94\x95"
EXTREMES = (b"\x00", b"\xff", b"\x7f", b"\x80", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x00\x00\x00\x80", bytes(8))
WORDS = (b"posix\nsystem\n", b"synthesis", b"weight", b"storage", b"FloatStorage", b"G_ema", b"\x8c\x05state", b"nan")


@cache
def operation_positions(data: bytes) -> tuple[int, ...]:
    """Where the first pickle's operations start; () for a file that is no pickle."""
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
