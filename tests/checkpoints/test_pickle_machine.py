"""The pickle interpreter gives the values that Python's own gives, for plain data, and refuses everything else."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuiface.core.errors import ModelError
from tuiface.engine.checkpoints.accounting import Inventory, Limits, Meter
from tuiface.engine.checkpoints.pickle_machine import PickleMachine, UnorderedItems

KEYS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=300)
SCALARS = KEYS | st.floats(allow_nan=False) | st.binary(max_size=600) | st.integers(-(2**127), 2**127 - 1)
PLAIN = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(KEYS, inner, max_size=5) | st.tuples(inner, inner, inner, inner)
    ),
    max_leaves=30,
)


def run(data: bytes, **limits: int) -> object:
    return PickleMachine(memoryview(data), {}, Meter(Limits(**limits)), Inventory()).run()


def plain(value: Any) -> Any:
    """Views as bytes, sets as sets: as Python's own unpickler gives them."""
    match value:
        case memoryview():
            return bytes(value)
        case UnorderedItems():
            return {plain(item) for item in value}
        case list():
            return [plain(item) for item in value]
        case tuple():
            return tuple(plain(item) for item in value)
        case dict():
            return {key: plain(item) for key, item in value.items()}
    return value


@settings(max_examples=150, deadline=None)
@given(PLAIN, st.sampled_from([3, 4, 5]))
def test_plain_values_are_read_as_python_reads_them(value: Any, protocol: int) -> None:
    assert plain(run(pickle.dumps(value, protocol))) == value


def test_sets_and_shared_references_are_kept() -> None:
    shared = ["x"]
    value = plain(run(pickle.dumps([shared, shared, {1, "two"}], 4)))
    assert value == [["x"], ["x"], {1, "two"}]
    held = run(pickle.dumps([shared, shared], 4))
    assert isinstance(held, list)
    assert held[0] is held[1]


def test_long_bytes_are_views_of_the_file_not_copies() -> None:
    data = pickle.dumps(b"x" * 100_000, 4)
    held = run(data)
    assert isinstance(held, memoryview)
    assert held.obj is data


@pytest.mark.parametrize("cut", range(1, 60))
def test_every_prefix_of_a_pickle_is_refused(cut: int) -> None:
    data = pickle.dumps({"name": ["text", 1, 2.5, (None, True)], "bytes": b"data"}, 4)
    with pytest.raises(ModelError):
        run(data[:-cut])


@pytest.mark.parametrize(
    ("limits", "value"),
    [
        ({"opcodes": 5}, [1, 2, 3, 4, 5, 6]),
        ({"memo_entries": 2}, [[], [], []]),
        ({"stack_values": 5}, [1, 2, 3, 4, 5, 6]),
        ({"marks": 1}, [[1, 2], [1, 2]]),
        ({"integer_bytes": 4}, 1 << 60),
        ({"text_bytes": 10}, "x" * 11),
        ({"total_text_bytes": 10}, ["x" * 6, "y" * 6]),
    ],
)
def test_each_limit_is_named_when_it_is_passed(limits: dict[str, int], value: Any) -> None:
    (limit,) = limits.values()
    with pytest.raises(ModelError, match=f"more than {limit} "):
        run(pickle.dumps(value, 4), **limits)


LONELY = ["a", "e", "s", "u", "t", "R", "b", "\x86", "\x87", "\x93", "q\x00", "h\x00", "("]
MISMATCHED = [r"N(", r"NN", r"Na", r"(Ne", r"(NNu", r"N(NNu", r"}(Nu", r"]NNs", r"NNR"]


@pytest.mark.parametrize("body", ["", "\x85", *LONELY, *MISMATCHED, "}N\x90", "}(N\x90"])
def test_operations_without_their_operands_are_refused(body: str) -> None:
    with pytest.raises(ModelError, match="not a sound checkpoint"):
        run(b"\x80\x04" + body.encode("latin-1") + b".")
