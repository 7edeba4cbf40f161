"""What two ranks of `test_ranks` do, one after the other, in processes that are started once."""

from __future__ import annotations

import json
import os
import signal
from argparse import Namespace
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor

from tests.service.processes import eventually
from tests.training.conftest import tiny_limits, tiny_settings
from tuiface.commands.train import train_rank
from tuiface.core.errors import LostProcessError
from tuiface.engine.training import SNAPSHOT_NAME, TrainingSettings, train
from tuiface.engine.training.data.head_data import HeadData
from tuiface.engine.training.data.pictures import PictureData
from tuiface.engine.training.data.sources import TrainingData
from tuiface.engine.training.gan import evaluation
from tuiface.engine.training.gan.adversarial import AdversarialStage
from tuiface.engine.training.gan.paired import RegressionStage
from tuiface.engine.training.gan.settings import HEADS, AdversarialSettings, PairedSettings
from tuiface.engine.training.gan.state import TrainingState
from tuiface.engine.training.passes import Passes
from tuiface.engine.training.ranks import RankPlace, Ranks, join_ranks

EXIT_CODE = 7
"""Of the rank that dies."""
PASSES = ("generator", "path_length", "discriminator", "r1", "regression")
_STILL = 1e-20
"""Learning rate at which no weight moves, so that every pass has the weights that it has elsewhere."""


def compare_settings() -> TrainingSettings:
    """Heads, all passes and all losses, four pictures of each group for a rank."""
    adversarial = AdversarialSettings(
        generator_lr=_STILL,
        discriminator_lr=_STILL,
        gamma=0.1,
        anchor_share=0.5,
        anchor_weight=1.0,
        feature_weight=1.0,
        reading_weight=0.5,
    )
    paired = PairedSettings(regression_kimg=1.0, regression_lr=_STILL)
    return tiny_settings(Path(HEADS), batch=16, num_heads=1024, adversarial=adversarial, paired=paired)


def collect_pass_tensors(heads: Path, ranks: Ranks) -> dict[str, Tensor]:
    """The gradients of every pass, by its name and the parameter's number, and what moves with the pictures."""
    settings = compare_settings()
    state = TrainingState(settings, "cpu", ranks)
    state.augmentation.restore(0.5, 0.0)
    data = HeadData.open(settings, tiny_limits(heads, cache=heads, workers=0), 0, print)
    collected: dict[str, Tensor] = {}
    remaining = iter(PASSES)

    def collect(optimizer: torch.optim.Optimizer, *_: object) -> None:
        name = next(remaining)
        for index, parameter in enumerate(optimizer.param_groups[0]["params"]):
            if parameter.grad is not None:
                collected[f"{name} {index}"] = parameter.grad.clone()

    passes = Passes.on(state.rng, print)
    for stage in (AdversarialStage(state, data, 16, passes), RegressionStage(state, data, passes)):
        for optimizer in sorted(stage.optimizers.items(), reverse=True):
            optimizer[1].register_step_pre_hook(collect)
        stage.step()
    collected |= {f"loss {name}": sums[0] for name, sums in state.statistics.sums.items()}
    moving = {"w_avg": state.generator.mapping.w_avg, "path_length_mean": state.path_length_mean}
    signs = torch.tensor([float(state.augmentation.sign_sum), state.progress.sign_count])
    return {**collected, **moving, "signs": signs, "chance": state.rng.generator.get_state()}


def collect_state(data: TrainingData, folder: Path, ranks: Ranks, num_steps: int) -> dict[str, Tensor]:
    """Everything of a state after some steps."""
    state = TrainingState(tiny_settings(folder), "cpu", ranks)
    stage = AdversarialStage(state, data, 1000, Passes.on(state.rng, print))
    state.optimizers = stage.optimizers
    for _ in range(num_steps):
        stage.step()
    state.read_controllers()
    tensors = {f"{k}.{name}": t for k, module in state.modules().items() for name, t in module.state_dict().items()}
    numbers = torch.tensor([state.progress.augment_p, state.progress.sign_sum, float(state.progress.epoch_offset)])
    chance = state.rng.generator.get_state()
    return {**tensors, "path_length_mean": state.path_length_mean, "progress": numbers, "chance": chance}


def stop_at(step: int) -> None:
    """Let this process get a SIGTERM in its `step`-th step of the adversarial stage from now on."""
    original, steps = AdversarialStage.step, iter(range(step))

    def counted_step(stage: AdversarialStage) -> None:
        if next(steps, None) == step - 1:
            os.kill(os.getpid(), signal.SIGTERM)
        original(stage)

    AdversarialStage.step = counted_step  # type: ignore[assignment,method-assign]


def train_whole_and_stopped(folder: Path, ranks: Ranks, device: str) -> None:
    """The same run twice: to its end, and stopped by a signal to rank 1 and resumed."""
    settings, stopped = tiny_settings(folder / "pictures"), tiny_limits(folder / "stopped", kimg=0.096, device=device)
    train(settings, tiny_limits(folder / "whole", kimg=0.096, device=device), ranks=ranks)
    if ranks.rank == 1:
        stop_at(step=5)
    outcome = train(settings, stopped, ranks=ranks)
    (folder / f"stopped-{ranks.rank}.json").write_text(json.dumps(outcome.to_json()))
    train(settings, stopped, resume=stopped.out / SNAPSHOT_NAME, ranks=ranks)


def work_on_gpus(rank: int, folder: Path) -> None:
    """One of two ranks, each with its GPU; before each evaluation a run compares what both have."""
    device = torch.device("cuda", rank)
    torch.cuda.set_device(device)
    with join_ranks(RankPlace(rank, 2, rank, 2, folder / "meeting"), device) as ranks:
        train_whole_and_stopped(folder, ranks, str(device))


def work(rank: int, folder: Path, command: Namespace) -> None:
    """One of two ranks: a run by the command, passes, steps, a run and one that is resumed; then rank 1 dies."""
    torch.set_num_threads(1)
    evaluation._PROJECTIONS = 16
    train_rank(RankPlace(rank, 2, rank, 2, folder / "first meeting"), command)
    pictures = folder / "pictures"
    with join_ranks(RankPlace(rank, 2, rank, 2, folder / "second meeting"), torch.device("cpu")) as ranks:
        torch.save(collect_pass_tensors(folder / "heads", ranks), folder / f"passes-{rank}.pt")
        data = PictureData.open(pictures, 8, folder / "pictures")
        torch.save(collect_state(data, pictures, ranks, num_steps=6), folder / f"state-{rank}.pt")
        equal = [ranks.have_equal([torch.ones(3), torch.zeros(2) + rank * other]) for other in (0.0, 1e-30)]
        (folder / f"equal-{rank}.json").write_text(json.dumps(equal))
        train_whole_and_stopped(folder, ranks, "cpu")
        if rank == 1:
            dist.destroy_process_group()
            eventually((folder / "lost.txt").exists)
            os._exit(EXIT_CODE)
        try:
            ranks.mean(torch.zeros(3))
        except LostProcessError as error:
            (folder / "lost.txt").write_text(str(error))
            raise
