"""The picture of a run's curves: whatever the log holds is drawn, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tuiface.core.errors import InputFileError
from tuiface.engine.training.gan.state import Progress
from tuiface.engine.training.report import Report, write_curves

TICK = {"stage": "adversarial", "images_per_s": 20.0, "augment_p": 0.0, "generator": 1.0, "discriminator": 1.3}


def drawn(folder: Path, records: list[dict[str, object]]) -> Image.Image:
    log = folder / "log.jsonl"
    log.write_text("".join(json.dumps(record) + "\n" for record in records))
    write_curves(log, folder / "curves.png")
    return Image.open(folder / "curves.png").convert("RGB")


def has_colour(picture: Image.Image, colour: tuple[int, int, int]) -> bool:
    return bool((np.asarray(picture) == colour).all(axis=2).any())


def test_panels_are_those_with_values(tmp_path: Path) -> None:
    ticks: list[dict[str, object]] = [{**TICK, "seconds": 60.0 * i} for i in range(5)]
    three = drawn(tmp_path, ticks)
    four = drawn(
        tmp_path, [*ticks, {"stage": "adversarial", "seconds": 300.0, "patch_swd_by_px": {"16": 5.0, "32": 4}}]
    )
    assert three.size == four.size  # two rows of two: losses, shares, speed, and then patch-SWD
    assert has_colour(three, (0x1B, 0x6C, 0xA8))
    assert three.tobytes() != four.tobytes()


def test_one_record_a_constant_and_a_missing_value_are_drawn(tmp_path: Path) -> None:
    assert has_colour(drawn(tmp_path, [{**TICK, "seconds": 1.0}]), (0xD1, 0x49, 0x5B))
    constant: list[dict[str, object]] = [{**TICK, "seconds": 1.0}, {**TICK, "generator": float("nan"), "seconds": 2.0}]
    assert has_colour(drawn(tmp_path, constant), (0x1B, 0x6C, 0xA8))


def test_an_empty_log_gives_an_empty_picture(tmp_path: Path) -> None:
    assert np.asarray(drawn(tmp_path, [])).min() == 255


def test_a_damaged_log_is_named(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text("{not json\n")
    with pytest.raises(InputFileError, match=r"log\.jsonl"):
        write_curves(tmp_path / "log.jsonl", tmp_path / "curves.png")
    assert not (tmp_path / "curves.png").exists()


@pytest.mark.parametrize("rest", ['{"step": 4, "los', '{"step": 4}', ""])
def test_a_last_line_that_a_kill_cut_off_is_left_out(tmp_path: Path, rest: str) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text('{"step": 1, "seconds": 1}\n{"step": 3, "seconds": 2}\n' + rest)
    Report(tmp_path, resumed_at=Progress(stage="adversarial", total_steps=4)).record({"step": 5})
    steps = [json.loads(line)["step"] for line in log.read_text().splitlines()]
    assert steps == ([1, 3, 4, 5] if rest.endswith("}") else [1, 3, 5])
    write_curves(log, tmp_path / "curves.png")


@pytest.mark.parametrize(
    "line",
    [
        *(
            "[]",
            "null",
            "3",
            "[" * 5000,
            '{"seconds": "1"}',
            '{"seconds": -1}',
            '{"seconds": 1e300}',
            '{"seconds": NaN}',
        ),
        *('{"seconds": [1]}', '{"stage": ["a"]}', '{"step": "4"}', '{"step": true}', '{"step": 1e999}', "9" * 5000),
    ],
)
def test_a_line_that_no_run_writes_is_named(tmp_path: Path, line: str) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(f"{line}\n")
    with pytest.raises(InputFileError, match="is not a run's log"):
        write_curves(log, tmp_path / "curves.png")
    with pytest.raises(InputFileError, match="is not a run's log"):
        Report(tmp_path, resumed_at=Progress(stage="adversarial", total_steps=4))
    assert log.read_text() == f"{line}\n"


def test_figures_beyond_all_measure_are_left_out(tmp_path: Path) -> None:
    hostile = {"seconds": 0.0, "stage": "\n" * 100, "generator": 1e308, "discriminator": [1], "real_logit": "x"}
    records: list[dict[str, object]] = [
        {**TICK, "seconds": 1.0},
        {**TICK, **hostile},
        {"generator": -1e308},
        {"augment_p": {"a": 1}},
    ]
    assert has_colour(drawn(tmp_path, records), (0x1B, 0x6C, 0xA8))
