"""What all tests share: an isolated home, the fixture checkpoints, small studios."""

from __future__ import annotations

import gc
import itertools
import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tuiface.core.i18n import use_language
from tuiface.core.processes import limit_spinning
from tuiface.core.settings import Settings

limit_spinning()  # before any test loads torch

DATA = Path(__file__).parent / "data" / "checkpoints"

CHECKPOINTS = {path.parent.name: path for path in sorted(DATA.glob("[a-e]*_*/*")) if path.suffix in (".pkl", ".pt")}
"""The golden checkpoints by case name."""

MODEL = CHECKPOINTS["a_ada_uncond32"]
"""A small unconditional network for tests that need any."""


DEAREST_FIRST = (
    *("tests/tui/test_start.py", "tests/tui/test_at_rest.py", "tests/cli/test_resident_commands.py"),
    *("tests/cuda/test_bench_gpu.py", "tests/cli/test_commands.py", "tests/tui/test_wire.py"),
    *("tests/training/test_train_embedded.py", "tests/training/test_paired.py", "tests/training/test_readers.py"),
    *("tests/tui/test_screens.py", "tests/tui/test_tile_pictures.py", "tests/tui/test_concepts.py"),
    *("tests/chaos/test_kills.py", "tests/edits/test_locks.py", "tests/tui/test_commands.py"),
    *("tests/cuda/test_build.py", "tests/fuzz/test_mutated_checkpoints.py", "tests/tui/test_editing.py"),
    *("tests/service/test_client.py", "tests/heads/test_dataset.py", "tests/cli/test_directions.py"),
    *("tests/cuda/test_training.py", "tests/test_quality.py", "tests/edits/test_learning.py"),
    *("tests/service/test_shared_engine.py", "tests/hostile/test_working_folder.py", "tests/training/test_resume.py"),
    *("tests/predictors/test_shipped.py", "tests/cuda/test_graphs.py", "tests/heads/test_marks.py"),
    *("tests/edits/test_resuming.py", "tests/tui/test_small_faults.py", "tests/test_layering.py"),
    *("tests/edits/test_crossing.py", "tests/training/test_trainer.py", "tests/tui/test_face_rows.py"),
    *("tests/training/test_ranks.py", "tests/tui/test_face_screen.py", "tests/edits/test_evening.py"),
    *("tests/heads/test_render.py", "tests/edits/test_device_search.py", "tests/hostile/test_every_file.py"),
    *("tests/tui/test_engine_life.py", "tests/tui/test_sizes.py", "tests/cuda/test_kernels.py"),
    *("tests/tui/test_palette.py", "tests/checkpoints/test_hostile_files.py", "tests/heads/test_capture.py"),
)
"""The files that take longest, in that order: where workers share the suite, what is begun last must be short."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Several workers begin with the files that take longest, and so end together; one keeps the order of the folders.

    It needs `--no-loadscope-reorder`: by itself xdist begins with the files of most tests.
    """
    if "PYTEST_XDIST_WORKER" in os.environ:
        ranks = {name: rank for rank, name in enumerate(DEAREST_FIRST)}
        items.sort(key=lambda item: ranks.get(item.nodeid.partition("::")[0], len(ranks)))


def pytest_collection_finish() -> None:
    """What was imported stays: going through torch for garbage, again and again, took a fifth of the apps' tests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Short names for long bytes and texts: a test's name stands in the environment of every process that it starts."""
    return f"{argname}-{len(val)}" if isinstance(val, bytes | str) and len(val) > 60 else None


@pytest.fixture(scope="session")
def new_homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Empty folders; `mktemp` looks through all earlier ones each time."""
    folder = tmp_path_factory.mktemp("homes")
    return (folder / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def isolated_home(new_homes: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads the user's settings or writes outside its own folder."""
    for name in list(os.environ):
        if name.startswith("TUIFACE_"):
            monkeypatch.delenv(name)
    home = next(new_homes)
    home.mkdir(mode=0o700)
    monkeypatch.setenv("HOME", str(home))
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(home / name.lower()))
    return home


@pytest.fixture(autouse=True)
def seeded() -> None:
    """A draw without a seed of its own is the same in every run and in any order of the tests."""
    random.seed(0)
    np.random.seed(0)
    if "torch" in sys.modules:
        import torch

        torch.manual_seed(0)


@pytest.fixture(autouse=True)
def in_english() -> None:
    """The language of an app of an earlier test is gone."""
    use_language("en")


@pytest.fixture(scope="session")
def one_thread() -> Iterator[None]:
    """Torch computes on one thread: for small tensors, more only wait for each other."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings whose folders all lie in the test's own."""
    return Settings(
        model=MODEL, device="cpu", library=tmp_path / "library", cache=tmp_path / "cache", state=tmp_path / "state"
    )


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of converted checkpoints for tests that do not look into it."""
    return tmp_path_factory.mktemp("cache")
