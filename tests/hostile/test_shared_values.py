"""Pickles that are small in the file and endless for whoever copies or walks what they share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.checkpoints.pickles import Named, Raw, opcodes, pickled, tensor
from tests.checkpoints.writers import persistent
from tests.fuzz.seeds import torch_zip, values
from tuiface.engine.networks.config import RESAMPLE_TAPS

from .worker import judge_in_worker

DATA = Path(__file__).parent / "data"
COPIES, ENTRIES = "bytes in copies of its values", "shared ones counted again"
MODULE_GLOBAL = Named("torch_utils.persistence", "_reconstruct_persistent_obj")
FILTER = tensor((np.outer(RESAMPLE_TAPS, RESAMPLE_TAPS) / 64).astype(np.float32))


def remembered(value: Any, number: int) -> Raw:
    """A value that is named again by `again(number)`."""
    return Raw(opcodes(value) + b"q" + bytes([number]))


def again(number: int) -> bytes:
    return b"h" + bytes([number])


def copies(target: Named, arguments: tuple[Any, ...], count: int) -> list[Raw]:
    """One call, made `count` times of the same arguments."""
    call = again(0) + again(1) + b"R"
    return [remembered(target, 0), remembered(arguments, 1), *[Raw(call)] * count]


def modules(group: str, members: dict[str, Any], count: int = 1_990) -> Any:
    """A Generator of so many modules, which share the one dict of members."""
    shared = Raw(opcodes(persistent("SynthesisBlock", {group: remembered(members, 1)})) + b"q\x02")
    state = opcodes({"module_src": "", "type": "class", "class_name": "SynthesisBlock"})
    module = opcodes(MODULE_GLOBAL) + state + opcodes("state") + b"}" + opcodes(group) + again(1) + b"ss\x85R"
    return {
        "G_ema": persistent("Generator", {"_modules": {"0": shared, **{str(n): Raw(module) for n in range(1, count)}}})
    }


def nested_lists(width: int, depth: int) -> Any:
    """`width` ** `depth` places in `width` * `depth` references."""
    value: Any = Raw(opcodes([None] * width))
    for number in range(depth):
        value = [remembered(value, number), *[Raw(again(number))] * (width - 1)]
    return value


def set_copies() -> Any:
    """A list of 15,000, and 15,000 sets of it."""
    return copies(Named("builtins", "set"), ([None] * 15_000,), 15_000)


#: name -> (door, ending, pickle or bytes, words of the refusal)
CASES: dict[str, tuple[str, str, Callable[[], Any], str]] = {
    "sets": ("checkpoint", ".pkl", set_copies, COPIES),
    "sets in a zip": ("checkpoint", ".pt", lambda: torch_zip(pickled(set_copies(), 2), {}), COPIES),
    "bytes written as text": (
        "checkpoint",
        ".pkl",
        lambda: copies(Named("_codecs", "encode"), ("x" * 3_000_000, "latin1"), 15_000),
        COPIES,
    ),
    "sets among arrays": ("arrays", ".pt", set_copies, COPIES),
    "one dict of parameters": (
        "checkpoint",
        ".pkl",
        lambda: modules("_parameters", dict.fromkeys(map(str, range(9_000)))),
        ENTRIES,
    ),
    "one dict of buffers": (
        "checkpoint",
        ".pkl",
        lambda: modules("_buffers", dict.fromkeys(map(str, range(9_000)))),
        ENTRIES,
    ),
    "one dict of modules": (
        "checkpoint",
        ".pkl",
        lambda: modules("_modules", dict.fromkeys(map(str, range(9_000)))),
        ENTRIES,
    ),
    "filters without end": (
        "checkpoint",
        ".pkl",
        lambda: values()["state_dict"] | {f"{n}.resample_filter": FILTER for n in range(1_000)},
        ENTRIES,
    ),
    "entries that share one dict": (
        "checkpoint",
        ".pkl",
        lambda: {0: remembered(dict.fromkeys(range(9_000)), 0)} | {str(n): Raw(again(0)) for n in range(9_000)},
        ENTRIES,
    ),
    "lists of one list": ("arrays", ".pt", lambda: nested_lists(1_000, 3), ENTRIES),
    "lists of one list in a pickle": ("arrays", ".pkl", lambda: nested_lists(100, 4), "nested too deeply"),
    "an outside reference of 20,000 parts": (
        "checkpoint",
        ".pkl",
        lambda: [remembered(("storage", *range(19_000)), 0), *[Raw(again(0) + b"Q")] * 100],
        "outside reference",
    ),
    "one global, 200,000 times": (
        "checkpoint",
        ".pkl",
        lambda: Raw(b"]" + b"ctorch\nSize\na" * 200_000),
        "holds a list of 200000",
    ),
}
SEEN = {"p22_sources_product.pkl": ENTRIES}


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Every case, read by one worker."""
    folder = tmp_path_factory.mktemp("shared")

    def written() -> Iterator[tuple[str, Path]]:
        for number, (door, ending, build, _) in enumerate(CASES.values()):
            value = build()
            path = folder / f"{number}{ending}"
            path.write_bytes(value if isinstance(value, bytes) else pickled(value))
            yield door, path
        for name in SEEN:
            yield "checkpoint", DATA / name

    return dict(zip((*CASES, *SEEN), judge_in_worker(list(written()), folder), strict=True))


@pytest.mark.parametrize("name", [*CASES, *SEEN])
def test_what_is_endless_when_copied_or_walked_is_refused_early(name: str, verdicts: dict[str, dict[str, Any]]) -> None:
    verdict = verdicts[name]
    assert verdict["outcome"] == "refused", verdict
    expected = SEEN[name] if name in SEEN else CASES[name][3]
    assert expected in verdict["message"], verdict
    assert verdict["message"].isprintable()
