"""`tuiface train`: flags become settings, errors are one line, exit codes are the documented ones."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest
from torch import Tensor

from tuiface.cli import Parser, common_flags
from tuiface.commands import train
from tuiface.core.errors import EXIT_DONE, InputFileError, OutputError, TuifaceError, UsageError
from tuiface.engine.checkpoints import read_native_header
from tuiface.engine.networks.discriminator import Discriminator
from tuiface.engine.training import SNAPSHOT_NAME, choose_precision, read_snapshot_header, recommend_settings
from tuiface.engine.training.precision import time_step

TINY = ("--channel-base", "64", "--channel-max", "8", "--batch", "8", "--precision", "float32", "--threads", "1")


def parse(*arguments: str) -> argparse.Namespace:
    parser = Parser(prog="tuiface")
    train.add_parser(parser.add_subparsers(parser_class=Parser), common_flags())
    return parser.parse_args(["train", *arguments])


def call(*arguments: str) -> int:
    args = parse(*arguments)
    code = args.run(args)
    assert isinstance(code, int)
    return code


def test_a_run_begins_resumes_and_names_its_model(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "run")
    new = ("--data", str(pictures), "--res", "8", "--out", out, *TINY, "--kimg", "0.016", "--half", "--json")
    assert call(*new) == EXIT_DONE
    report = json.loads(capsys.readouterr().out)
    assert report["finished"]
    assert report["best"] == f"{out}/best.safetensors"
    header = read_native_header(tmp_path / "run" / "best.safetensors")
    assert (header.name, header.dtypes) == ("run", frozenset({"F16"}))
    assert call("--resume", out, "--kimg", "0.032", "--threads", "1") == EXIT_DONE
    assert read_snapshot_header(tmp_path / "run" / SNAPSHOT_NAME)[1].images == 32


def test_a_second_run_does_not_overwrite_the_first(pictures: Path, tmp_path: Path) -> None:
    new = ("--data", str(pictures), "--res", "8", "--out", str(tmp_path / "run"), *TINY, "--kimg", "0.008")
    call(*new)
    with pytest.raises(OutputError, match="there is a run in"):
        call(*new)


def test_refused_data_leave_no_folder_behind(pictures: Path, tmp_path: Path) -> None:
    (pictures / "bad.png").write_text("hello")
    with pytest.raises(InputFileError, match="damaged"):
        call("--data", str(pictures), "--res", "8", "--out", str(tmp_path / "run"), *TINY)
    assert not (tmp_path / "run").exists()


def test_a_run_is_not_resumed_with_other_settings(pictures: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "run")
    call("--data", str(pictures), "--res", "8", "--out", out, *TINY, "--kimg", "0.008")
    with pytest.raises(UsageError, match=r"batch: 8 there, 16 here"):
        call("--resume", out, "--batch", "16")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--out is missing"),
        (("--out", "run"), "--data and --res are needed"),
        (("--out", "run", "--data", "heads", "--res", "100"), "--res 100; accepted: 8, 16"),
        (("--out", "run", "--data", "heads", "--res", "64", "--batch", "0"), "--batch 0; accepted: 2 to"),
        (("--out", "run", "--data", "heads", "--res", "64", "--gamma", "-1"), "--gamma -1; accepted: numbers above 0"),
        (
            ("--out", "run", "--data", "heads", "--res", "64", "--minutes", "0"),
            "--minutes 0; accepted: numbers above 0",
        ),
        (("--out", "run", "--data", "nowhere", "--res", "64"), "no folder or zip"),
        (("--resume", "nowhere"), "cannot read the snapshot"),
        (("--resume", "run", "--out", "other"), "leave out --out"),
        (("--out", "run", "--data", "heads", "--res", "64", "--from", "nowhere.pkl"), "nowhere.pkl"),
        (("--out", "run", "--data", "heads", "--stage", "regress"), "accepted: paired, all"),
        (("--out", "run", "--data", "heads", "--gpus", "0"), "--gpus 0; accepted: 1 to 64"),
    ],
)
def test_wrong_use_is_one_line_that_names_the_value(
    arguments: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TuifaceError) as caught:
        call(*arguments, *(("--precision", "float32") if "--data" in arguments else ()))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.hint or "accepted" in caught.value.message or "should" in caught.value.message


def test_heads_get_the_paired_start_and_pictures_do_not() -> None:
    heads = recommend_settings("heads", 64, paired=True, start=None, changes={})
    assert heads.paired.regression_kimg > 0
    assert heads.adversarial.anchor_share > 0
    pictures = recommend_settings("folder", 64, paired=True, start=None, changes={})
    assert pictures.paired.regression_kimg == 0
    assert pictures.adversarial.anchor_share == 0
    assert recommend_settings("heads", 64, paired=False, start=None, changes={}).paired.regression_kimg == 0


def test_gamma_follows_the_published_heuristic_unless_given() -> None:
    settings = recommend_settings("folder", 256, paired=True, start=None, changes={})
    assert settings.gamma == pytest.approx(0.0002 * 256**2 / 32)
    given = recommend_settings("folder", 256, paired=True, start=None, changes={"adversarial.gamma": 3.0})
    assert given.gamma == 3.0


def test_auto_precision_is_one_of_the_two() -> None:
    changes = {"network.channel_base": 64, "network.channel_max": 8, "batch": 4}
    settings = recommend_settings("folder", 8, paired=True, start=None, changes=changes)
    assert choose_precision(settings) in ("float32", "bfloat16")


def test_a_hopeless_precision_is_not_timed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    changes = {"network.channel_base": 64, "network.channel_max": 8, "batch": 16}
    settings = recommend_settings("folder", 8, paired=True, start=None, changes=changes)
    pictures: list[int] = []
    forward = Discriminator.forward

    def counting(self: Discriminator, images: Tensor, *args: object, **kwargs: object) -> Tensor:
        pictures.append(len(images))
        return forward(self, images, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(Discriminator, "forward", counting)
    time_step(settings, "float32", hopeless_s=0.0)
    assert pictures == [16]
    pictures.clear()
    time_step(settings, "float32")
    assert pictures == [16] * 4
    pictures.clear()
    choose_precision(settings)
    assert set(pictures) == {4}, "a processor is timed on fewer pictures than a batch"
