"""Thousands of damaged checkpoints: each is refused in one line or opens soundly, in little time and memory."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .mutations import mutated
from .oracle import check_any_file
from .seeds import seeds

EXAMPLES_PER_SEED = 500
MAX_SECONDS_PER_FILE = 5
MAX_PEAK_BYTES = 32 << 20


@pytest.mark.parametrize("name", seeds())
def test_every_seed_opens(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(seeds()[name])
    assert check_any_file(tmp_path / name)


@pytest.mark.parametrize("name", seeds())
@settings(
    max_examples=EXAMPLES_PER_SEED,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.integers(0, 2**32))
def test_a_damaged_checkpoint_is_refused_or_sound(name: str, tmp_path: Path, seed: int) -> None:
    path = tmp_path / name
    path.write_bytes(mutated(seeds()[name], Random(seed), list(seeds().values())))
    start = time.perf_counter()
    check_any_file(path)
    assert time.perf_counter() - start < MAX_SECONDS_PER_FILE


@pytest.mark.parametrize("name", seeds())
def test_a_damaged_checkpoint_never_takes_much_memory(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    tracemalloc.start()
    try:
        for seed in range(40):
            path.write_bytes(mutated(seeds()[name], Random(seed), list(seeds().values())))
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            check_any_file(path)
            assert tracemalloc.get_traced_memory()[1] - before < MAX_PEAK_BYTES, seed
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", seeds())
def test_a_cut_checkpoint_never_opens(name: str, tmp_path: Path) -> None:
    path, data = tmp_path / name, seeds()[name]
    for length in range(1, len(data), len(data) // 60):
        path.write_bytes(data[:length])
        assert not check_any_file(path), length
