"""Damaged files of every format that holds tensors, each opened under limits: one clear line, or a sound result.

    python -m tests.hostile.mutants --count 500 --seed 1 [--keep FOLDER] [FORMAT ...]

prints how many of each format opened and were refused, the largest time and memory, and every finding: an exception
that escaped, a signal, too much time or memory. Findings are kept as files in FOLDER. Exit code 1 if there are any.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from tests.checkpoints.pickles import pickled
from tests.directions.directions import make_direction
from tests.fuzz.mutations import mutated, mutated_npy, mutated_safetensors, mutated_zip
from tests.fuzz.seeds import seeds, values
from tests.fuzz.values import mutated_value
from tests.hostile.worker import MAX_MB, judge_in_worker
from tuiface.core.safetensors_header import encode_header
from tuiface.directions.direction import encode_direction

Mutation = Callable[[bytes, Random], bytes]
BATCH = 250


@dataclass(frozen=True)
class Format:
    """A kind of file: sound ones, how they are damaged, and who opens them.

    Of pickles every other one is damaged in its values, and sound as a pickle.
    """

    suffix: str
    doors: tuple[str, ...]
    make: Callable[[], list[bytes]]
    mutations: tuple[Mutation, ...]
    values: tuple[str, ...] = ()
    """Names in `tests.fuzz.seeds.values`."""

    def mutant(self, random: Random) -> bytes:
        """One damaged file."""
        if self.values and random.random() < 0.5:
            return pickled(mutated_value(values()[random.choice(self.values)], random), random.choice((2, 4)))
        return random.choice(self.mutations)(random.choice(self.make()), random)


def _mutate_bytes(data: bytes, random: Random) -> bytes:
    return mutated(data, random, list(seeds().values()))


@cache
def _numpy_arrays() -> list[bytes]:
    arrays = (np.arange(6, dtype="<f4"), np.ones((4, 6), ">f8"), np.asfortranarray(np.ones((1, 6), "<i2")))
    return [_saved(np.save, array) for array in arrays]


@cache
def _numpy_archives() -> list[bytes]:
    saved = (_saved(save, a=np.arange(6.0), b=np.ones((4, 6))) for save in (np.savez, np.savez_compressed))
    return [*saved, _saved(np.savez, a=np.arange(6.0))]


def _saved(save: Callable[..., None], *arrays: Any, **named: Any) -> bytes:
    buffer = io.BytesIO()
    save(buffer, *arrays, **named)
    return buffer.getvalue()


@cache
def _directions() -> list[bytes]:
    steps = (np.array([1, 0, 2, 0]), np.arange(8).reshape(2, 4))
    styles = {"b4.conv1": np.ones(3, np.float32), "b8.conv0": np.ones(2, np.float32)}
    made = [make_direction(array=step, rows=(0, 2), leakage={"age": 0.5}, sigma=2.0) for step in steps]
    return [encode_direction(d) for d in (*made, make_direction(space="styles", arrays=styles))]


@cache
def _predictors() -> list[bytes]:
    from tests.predictors.conftest import attributes_card, segmenter_card
    from tuiface.engine.predictors.files import build_network, encode_predictor

    return [encode_predictor(card, build_network(card)) for card in (segmenter_card(), attributes_card())]


@cache
def _plain_safetensors() -> list[bytes]:
    body = np.arange(12, dtype="<f4").tobytes()
    return [encode_header({"format": "pt"}, [("a", "F32", (6,), 24), ("b", "F32", (2, 3), 24)]) + body]


FORMATS: Mapping[str, Format] = {
    "nvidia": Format(
        ".pkl",
        ("checkpoint",),
        lambda: [seeds()["nvidia.pkl"], seeds()["nvidia_d.pkl"]],
        (_mutate_bytes,),
        ("nvidia", "nvidia_d"),
    ),
    "torch": Format(
        ".pt",
        ("checkpoint", "arrays"),
        lambda: [seeds()["zip.pt"], seeds()["legacy.pt"]],
        (_mutate_bytes, mutated_zip),
        ("state_dict", "rosinality"),
    ),
    "tensorflow": Format(
        ".pkl", ("checkpoint",), lambda: [seeds()["tensorflow.pkl"]], (_mutate_bytes,), ("tensorflow",)
    ),
    "native": Format(
        ".safetensors",
        ("checkpoint", "network"),
        lambda: [seeds()["native.safetensors"]],
        (_mutate_bytes, mutated_safetensors),
    ),
    "safetensors": Format(
        ".safetensors", ("checkpoint", "direction"), _plain_safetensors, (_mutate_bytes, mutated_safetensors)
    ),
    "npy": Format(".npy", ("arrays",), _numpy_arrays, (_mutate_bytes, mutated_npy)),
    "npz": Format(".npz", ("arrays",), _numpy_archives, (_mutate_bytes, mutated_zip)),
    "direction": Format(".safetensors", ("direction",), _directions, (_mutate_bytes, mutated_safetensors)),
    "predictor": Format(".safetensors", ("predictor",), _predictors, (_mutate_bytes, mutated_safetensors)),
}


def hunt(name: str, count: int, seed: int, keep: Path | None) -> int:
    """Open `count` mutants of one format at each of its doors, print a line, and return the number of findings."""
    random, chosen = Random(f"{name} {seed}"), FORMATS[name]
    verdicts: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for first in range(0, count, BATCH):
            paths = [
                Path(folder) / f"{name}-{seed}-{n}{chosen.suffix}" for n in range(first, min(first + BATCH, count))
            ]
            for path in paths:
                path.write_bytes(chosen.mutant(random))
            for door in chosen.doors:
                judged = judge_in_worker([(door, path) for path in paths], Path(folder))
                verdicts += judged
                _keep_findings(door, judged, Path(folder), keep)
            for path in paths:
                path.unlink()
    outcomes = [verdict["outcome"] for verdict in verdicts]
    num_opened, num_refused = outcomes.count("opened"), outcomes.count("refused")
    longest = max((verdict.get("cpu_s", 0) for verdict in verdicts), default=0)
    largest = max((verdict.get("peak_mb", 0) for verdict in verdicts), default=0)
    num_findings = len(outcomes) - num_opened - num_refused
    print(
        f"{name:12} seed {seed}: {num_opened:5} opened, {num_refused:5} refused, {num_findings} findings; "
        f"at most {longest:.2f} s, {largest:.0f} of {MAX_MB} MB",
        flush=True,
    )
    return num_findings


def _keep_findings(door: str, verdicts: list[dict[str, Any]], folder: Path, keep: Path | None) -> None:
    for verdict in verdicts:
        if verdict["outcome"] not in ("opened", "refused"):
            print(f"  {verdict['file']} at {door}: {verdict['outcome']}", flush=True)
            if keep is not None:
                keep.mkdir(parents=True, exist_ok=True)
                (keep / verdict["file"]).write_bytes((folder / verdict["file"]).read_bytes())
                (keep / f"{verdict['file']}.{door}.txt").write_text(str(verdict["message"]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("formats", nargs="*", choices=[*FORMATS, []], metavar="FORMAT", help=", ".join(FORMATS))
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path)
    arguments = parser.parse_args()
    names = arguments.formats or list(FORMATS)
    return int(sum(hunt(name, arguments.count, arguments.seed, arguments.keep) for name in names) > 0)


if __name__ == "__main__":
    sys.exit(main())
