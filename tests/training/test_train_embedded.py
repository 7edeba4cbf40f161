"""The whole way from heads to cards: in parts, from folder to folder, exactly as in one piece."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from tools.train_embedded import pieces
from tools.train_embedded.__main__ import main
from tools.train_embedded.pieces import join_files, split_files
from tools.train_embedded.plan import TRIAL_SIDE_PX, open_faces_start, standard_plan, trial_plan
from tools.train_embedded.work import STAGE_NAMES, Work, read_state
from tuiface.core.assets import asset_path, embedded_model_path, use_assets
from tuiface.core.errors import InputFileError, UsageError
from tuiface.core.regions import Region
from tuiface.engine import load_checkpoint
from tuiface.engine.checkpoint import file_sha256
from tuiface.engine.predictors import AttributePredictor, Segmenter
from tuiface.engine.training.data.head_shards import SHARD_HEADS, ShardKey, write_shard
from tuiface.heads import HeadBatch, sample_parameters

FLAGS = ("--workers", "0", "--threads", "1", "--device", "cpu")


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two shards of discs, as dark as the skin and as high as the pitch, in place of heads."""
    folder, side = tmp_path_factory.mktemp("heads"), TRIAL_SIDE_PX
    ys, xs = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    for index in range(2):
        parameters = sample_parameters(SHARD_HEADS, seed=0, start=index * SHARD_HEADS)
        centre = side / 2 + parameters["pitch"].clamp(-12, 12) / 3
        disc = ((ys - centre[:, None, None]) ** 2 + (xs - side / 2) ** 2).sqrt() < side / 4
        shade = 20 + 160 * (1 - parameters["melanin"])
        pixels = torch.where(disc, shade[:, None, None], 230.0).to(torch.uint8)[..., None].expand(-1, -1, -1, 3)
        regions = torch.where(disc, int(Region.SKIN), int(Region.BACKGROUND)).to(torch.uint8)
        batch = HeadBatch(pixels.contiguous(), regions, parameters)
        write_shard(folder / ShardKey(side, 0, index).file_name, batch)
    return folder


@pytest.fixture(scope="module")
def finished(few_projections: None, heads: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trial, from beginning to end; no test changes it."""
    out = tmp_path_factory.mktemp("trial") / "work"
    assert main(["--trial", "--minutes", "5", "--out", str(out), "--heads", str(heads), *FLAGS]) == 0
    return out


def test_a_trial_walks_the_whole_plan(finished: Path) -> None:
    state = read_state(finished)
    assert state.next is None
    assert [stage.name for stage in state.stages if stage.done] == list(STAGE_NAMES)
    assets, docs = finished / "assets", finished / "docs"
    assert "melanin" in AttributePredictor.load(assets / "attributes.safetensors").names
    assert Segmenter.load(assets / "segmenter.safetensors").card.resolution == TRIAL_SIDE_PX
    assert load_checkpoint(assets / "embedded.safetensors", cache=finished / "cache").info.name == "trial"
    assert json.loads((assets / "embedded.json").read_text())["precision"] == "float16"
    assert {"attributes-card.md", "segmenter-card.md", "directions-table.md"} <= {p.name for p in docs.iterdir()}
    assert {"goals", "beads"} <= set(json.loads((docs / "quality" / "quality.json").read_text()))
    sheets = docs / "pictures"
    assert [path.stem for path in (assets / "directions").iterdir()] == ["pitch"]
    assert [path.stem for path in (sheets / "directions").iterdir()] == ["pitch"]
    assert {"embedded-sheet.png", "enlarged.png", "segmenter.png"} <= {p.name for p in sheets.iterdir()}


def test_all_that_another_machine_needs_lies_in_small_pieces(finished: Path, tmp_path: Path) -> None:
    sizes = [path.stat().st_size for path in (finished / "pieces").iterdir()]
    assert max(sizes) <= pieces.PIECE_BYTES
    moved = tmp_path / "moved"
    moved.mkdir()
    shutil.copytree(finished / "pieces", moved / "pieces")
    shutil.copy(finished / "state.json", moved / "state.json")
    work = Work.take_up(moved, tmp_path / "out")
    assert work.state.stages == read_state(finished).stages
    for file in work.state.files:
        assert (tmp_path / "out" / file.path).read_bytes() == (finished / file.path).read_bytes()
    assert not any("heads" in file.path.split("/") for file in work.state.files)


def test_in_parts_from_folder_to_folder_the_same_comes_of_it(
    finished: Path, heads: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each call has time for next to nothing, and goes on with the pieces of the one before."""
    before: list[str] = []
    for number in range(60):
        flags = ["--minutes", "0.03", "--out", str(tmp_path / str(number)), "--heads", str(heads), *FLAGS]
        assert main([*flags, *(before or ["--trial"])]) == 0
        before = ["--from", str(tmp_path / str(number))]
        state = read_state(tmp_path / str(number))
        said = capfd.readouterr().err
        if state.next in ("directions", None):
            break
        assert f"next: {state.next}" in said
        assert "go on with: python -m tools.train_embedded" in said
    assert number > 1
    for name in ("attributes", "segmenter", "embedded"):
        file = f"assets/{name}.safetensors"
        a, b = ({f.path: f for f in read_state(folder).files}[file] for folder in (finished, tmp_path / str(number)))
        assert a.size == b.size
    states = [tensors_of(folder, tmp_path / "cache") for folder in (finished, tmp_path / str(number))]
    assert all(torch.equal(a, b) for a, b in zip(*states, strict=True))


def tensors_of(work: Path, cache: Path) -> list[torch.Tensor]:
    """All numbers of the network that a work made."""
    return list(load_checkpoint(work / "assets" / "embedded.safetensors", cache=cache).generator.state_dict().values())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("lose", "cannot read the piece"),
        ("spoil", "holds something else than its name says"),
        ("escape", "is no file of such a work"),
        ("mix", "do not make it up"),
    ],
)
def test_pieces_that_do_not_fit_are_refused_before_anything_is_written(change: str, said: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "runs").mkdir(parents=True)
    (source / "runs" / "a.bin").write_bytes(bytes(range(256)) * 8)
    files = split_files(source, ["runs/a.bin"])
    (part,) = (source / "pieces").iterdir()
    if change == "lose":
        part.unlink()
    elif change == "spoil":
        part.write_bytes(part.read_bytes()[:-1] + b"!")
    elif change == "escape":
        files = (files[0].model_copy(update={"path": "runs/../../a.bin"}),)
    else:
        files = (files[0].model_copy(update={"sha256": "0" * 64}),)
    with pytest.raises(InputFileError, match=said):
        join_files(source, files, tmp_path / "out", ("runs",))
    assert not (tmp_path / "out").exists()


def test_what_did_not_change_is_not_split_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE_BYTES", 100)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "a").write_bytes(b"x" * 150 + b"y" * 100)
    first = split_files(tmp_path, ["runs/a"])
    stamps = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "pieces").iterdir()}
    assert [len(file.pieces) for file in first] == [3]
    (tmp_path / "runs" / "a").write_bytes(b"x" * 150 + b"z" * 100)
    split_files(tmp_path, ["runs/a"])
    now = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "pieces").iterdir()}
    assert len(now) == 3
    assert len([name for name in now if stamps.get(name) == now[name]]) == 1


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--res", "256"], "is of 32 px"),
        (["--from", "OUT"], "there is a work in"),
    ],
)
def test_flags_that_do_not_fit_a_work_are_refused(
    flags: list[str], said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    Work.begin(tmp_path, trial_plan()).save()
    given = [str(tmp_path) if flag == "OUT" else flag for flag in flags]
    assert main(["--minutes", "1", "--out", str(tmp_path), *given, *FLAGS]) == 2
    assert said in capfd.readouterr().err


def test_new_files_stand_in_for_shipped_ones_while_they_are_made(tmp_path: Path) -> None:
    shipped = asset_path("segmenter.safetensors")
    (tmp_path / "segmenter.safetensors").write_bytes(b"new")
    with use_assets(tmp_path):
        assert asset_path("segmenter.safetensors") == tmp_path / "segmenter.safetensors"
        assert asset_path("attributes.safetensors") == shipped.parent / "attributes.safetensors"
    assert asset_path("segmenter.safetensors") == shipped


def test_the_next_edition_goes_on_from_what_ships(monkeypatch: pytest.MonkeyPatch) -> None:
    """Through its own mapping: nothing is learned anew that the shipped network draws already."""
    monkeypatch.setattr("tools.train_embedded.plan.choose_precision", lambda *_: "float32")  # it times steps
    settings = standard_plan(128, "cpu").faces
    assert settings.paired.through_mapping
    start = open_faces_start(settings)
    assert start is not None
    assert start.sha256 == file_sha256(embedded_model_path())
    with pytest.raises(UsageError, match=r"another one .* than this work goes on from"):
        open_faces_start(settings.model_copy(update={"start": "0" * 64}))
