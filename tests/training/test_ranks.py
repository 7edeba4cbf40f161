"""Training in two processes: the same steps as in one, the same state in both, and an end that nobody waits for."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

import pytest
import torch

from tests.training import run_ranks as two_ranks
from tests.training.conftest import tiny_limits, tiny_settings, write_heads, write_pictures
from tests.training.test_command import TINY, call, parse
from tests.training.test_resume import assert_same_run
from tuiface.commands.rank_processes import run_ranks
from tuiface.commands.train import _choose_rank_device
from tuiface.core.errors import EXIT_DONE, EngineError, UsageError
from tuiface.engine.training import SNAPSHOT_NAME, read_snapshot_header, train
from tuiface.engine.training.gan.state import TrainingState
from tuiface.engine.training.ranks import ALONE, GROUP, RankPlace, Ranks
from tuiface.engine.training.rng import RandomGenerator

pytestmark = pytest.mark.usefixtures("few_projections")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of all that two ranks wrote, and the line with which the death of one ended the other."""
    folder = tmp_path_factory.mktemp("ranks")
    write_pictures(folder / "pictures")
    write_heads(folder / "heads", num_shards=2)
    flags = (
        "--data",
        str(folder / "pictures"),
        "--res",
        "8",
        "--out",
        str(folder / "command"),
        *TINY,
        "--kimg",
        "0.016",
    )
    with pytest.raises(EngineError) as caught:
        run_ranks(two_ranks.work, 2, folder, parse(*flags, "--gpus", "2", "--device", "cpu"))
    return folder, str(caught.value)


def test_each_pass_of_two_ranks_has_the_gradient_of_the_whole_batch(trained: tuple[Path, str]) -> None:
    """With regularisers, augmentation, anchors and the groups of the standard deviation; relative to the largest."""
    shared = torch.load(trained[0] / "passes-0.pt")
    whole = two_ranks.collect_pass_tensors(trained[0] / "heads", ALONE)
    assert shared.keys() == whole.keys()
    for name in two_ranks.PASSES:
        assert any(key.startswith(name) and tensor.abs().max() > 1e-3 for key, tensor in whole.items()), name
    assert torch.equal(shared.pop("chance"), whole.pop("chance"))
    errors = {name: float((shared[name] - t).abs().max() / t.abs().max().clamp(min=1)) for name, t in whole.items()}
    assert max(errors.values()) < 1e-6, errors


def test_both_ranks_have_the_same_state_bit_by_bit(trained: tuple[Path, str]) -> None:
    one, other = (torch.load(trained[0] / f"state-{rank}.pt") for rank in (0, 1))
    assert [name for name in one if not torch.equal(one[name], other[name])] == []
    assert one["progress"][0] > 0, "augmentation never began: the test would not see it"


def test_ranks_that_differ_in_a_bit_are_found(trained: tuple[Path, str]) -> None:
    assert [json.loads((trained[0] / f"equal-{rank}.json").read_text()) for rank in (0, 1)] == [[True, False]] * 2


def test_a_run_whose_ranks_differ_ends(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ranks, "have_equal", lambda *_: False)
    with pytest.raises(EngineError, match=r"have come to different networks.*--resume"):
        train(tiny_settings(pictures), tiny_limits(tmp_path / "run", kimg=0.016))


def test_a_run_of_two_ranks_goes_on_exactly(trained: tuple[Path, str]) -> None:
    assert_same_run(trained[0] / "whole", trained[0] / "stopped")
    assert read_snapshot_header(trained[0] / "whole" / SNAPSHOT_NAME)[1].ranks == 2


@pytest.mark.gpu
@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two CUDA devices")
def test_two_gpus_train_one_network_and_go_on_exactly(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures")
    run_ranks(two_ranks.work_on_gpus, 2, tmp_path)
    assert_same_run(tmp_path / "whole", tmp_path / "stopped")


def test_a_rank_that_dies_ends_the_other_with_a_line(trained: tuple[Path, str]) -> None:
    folder, line = trained
    assert line.startswith(f"process 1 of 2 ended with exit code {two_ranks.EXIT_CODE}, and the others with it")
    assert "--resume" in line
    assert "another process of this training ended" in (folder / "lost.txt").read_text()


def test_a_signal_to_one_rank_stops_both_behind_one_step(trained: tuple[Path, str]) -> None:
    one, other = (json.loads((trained[0] / f"stopped-{rank}.json").read_text()) for rank in (0, 1))
    assert one["interrupted"]
    assert other["interrupted"]
    assert one["progress"]["steps"] == other["progress"]["steps"] == 5


def test_a_run_by_the_command_goes_on_in_one_process(
    trained: tuple[Path, str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = trained[0] / "command"
    assert read_snapshot_header(out / SNAPSHOT_NAME)[1].ranks == 2
    hardware = json.loads((out / "best.json").read_text())["hardware"]
    assert (hardware["ranks"], hardware["batch_per_rank"]) == (2, 4)
    assert call("--resume", str(out), "--threads", "1", "--kimg", "0.024") == EXIT_DONE
    assert "the snapshot is of 2 processes: the run goes on with 1" in capsys.readouterr().err
    assert read_snapshot_header(out / SNAPSHOT_NAME)[1].ranks == 1


def test_ranks_draw_the_rows_of_one_batch() -> None:
    """Together they draw what one process draws, and stay in one state."""
    whole, parts = RandomGenerator(3), [RandomGenerator(3, "cpu", Ranks(rank, 2).sharing(16)) for rank in (0, 1)]
    for draw in ("normal", "uniform"):
        rows = [getattr(part, draw)(8, 5) for part in parts]
        together = getattr(whole, draw)(16, 5)
        assert torch.equal(torch.cat([part.view(4, 2, 5) for part in rows], dim=1).flatten(0, 1), together)
    assert not torch.equal(*(part.integers(0, 1000, 8) for part in parts))
    assert torch.equal(*(part.generator.get_state() for part in parts))


def test_the_rows_of_ranks_go_by_the_discriminators_groups(tmp_path: Path) -> None:
    assert tiny_settings(tmp_path).discriminator_config().mbstd_group_size == GROUP


@pytest.mark.parametrize(("own", "groups"), [(8, [{0, 4, 8, 12}, {1, 5, 9, 13}]), (3, [{0, 1, 2}]), (2, [{0, 1}])])
def test_a_rank_compares_pictures_that_one_process_would_compare(own: int, groups: list[set[int]]) -> None:
    """The groups of the standard deviation; where they do not come out even, a rank's rows are consecutive."""
    rows = Ranks(0, 2).sharing(2 * own).own_rows(torch.arange(2 * own)).view(len(groups[0]), -1)
    assert [set(column.tolist()) for column in rows.unbind(dim=1)] == groups


@pytest.mark.parametrize("batch", [7, 2])
def test_a_batch_that_cannot_be_shared_is_refused(batch: int, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf"batch {batch} among 2 processes; accepted: multiples of 2 from 4 up"):
        TrainingState(tiny_settings(tmp_path, batch=batch), "cpu", Ranks(0, 2))


TORCHRUN = {
    **{"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "4"},
    **{"MASTER_ADDR": "localhost", "MASTER_PORT": "29500"},
}


def test_torchruns_variables_name_the_place() -> None:
    assert RankPlace.from_environment(TORCHRUN) == RankPlace(5, 8, 1, 4, None)
    assert RankPlace.from_environment({"WORLD_SIZE": "8"}) is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"RANK": "-1"}, "RANK='-1': torchrun sets it to a whole number"),
        ({"WORLD_SIZE": "\u0663"}, "WORLD_SIZE='\u0663'"),
        ({"WORLD_SIZE": "9" * 5000}, "WORLD_SIZE='9999"),
        ({"RANK": "8"}, "RANK=8 of WORLD_SIZE=8"),
        ({"LOCAL_RANK": "4"}, "LOCAL_RANK=4 of 4"),
    ],
)
def test_variables_that_name_no_place_are_refused(changes: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        RankPlace.from_environment({**TORCHRUN, **changes})


def test_gpus_are_not_asked_for_twice(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**TORCHRUN, "TORCHELASTIC_RUN_ID": "1"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match="--gpus 2 under torchrun"):
        call("--data", str(pictures), "--res", "8", "--out", str(tmp_path / "run"), *TINY, "--gpus", "2")


def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    args = argparse.Namespace(device="cuda", gpus=4)
    with pytest.raises(EngineError, match=r"4 processes train here, a GPU each, and 3 CUDA devices .*\(--gpus 3\)"):
        _choose_rank_device(RankPlace(0, 4, 0, 4, None), args)
