"""`library repair`, and what verify says before: what an interrupted write explains is mended, all else is named."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.chaos.operations import Scene, Step, repair, save, save_over
from tests.fake_engine import FakeEngine
from tuiface import cli
from tuiface.core.errors import InputFileError, OutputError, quote
from tuiface.core.files import lock_folder
from tuiface.faces.provenance import compare_sidecar, encode_png, read_png, read_png_text, read_saved_face
from tuiface.faces.repair import complete_face
from tuiface.faces.verification import Verdict, verify


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    scene = Scene(tmp_path)
    save(scene)
    return scene


def verify_both(png: Path) -> list[Verdict]:
    return [verify(read_saved_face(path), FakeEngine(resolution=8)) for path in (png, png.with_suffix(".json"))]


def test_missing_json_is_made_again_byte_for_byte(scene: Scene) -> None:
    sidecar = scene.png().with_suffix(".json")
    before, picture = sidecar.read_bytes(), scene.png().read_bytes()
    sidecar.unlink()
    assert [(r.file, r.outcome, r.reason) for r in scene.library.repair(dry_run=True)] == [
        (sidecar.name, "rebuilt", "missing")
    ]
    assert not sidecar.exists()
    assert [r.outcome for r in scene.library.repair()] == ["rebuilt"]
    assert (sidecar.read_bytes(), scene.png().read_bytes()) == (before, picture)
    assert scene.library.repair() == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: data[: data.index(b"}") + 1],  # ends as JSON does
        lambda data: data[:100] + bytes(len(data) - 100),
        lambda data: bytes(len(data)),
        lambda data: b"\xff\xfe nonsense",
    ],
    ids=["empty", "cut off", "cut off at a bracket", "zeroed", "zeros", "other bytes"],
)
def test_damaged_json_is_named_and_made_again(scene: Scene, damage: Callable[[bytes], bytes]) -> None:
    sidecar = scene.png().with_suffix(".json")
    whole = sidecar.read_bytes()
    damaged = damage(whole)
    sidecar.write_bytes(damaged)
    verdict = verify(read_saved_face(scene.png()), FakeEngine(resolution=8))
    assert verdict.status == "differs"
    assert [text.partition(";")[0] for text in verdict.differences] == [
        "provenance: the JSON is cut off or no JSON at all"
    ]
    with pytest.raises(InputFileError, match="library repair"):
        read_saved_face(sidecar)
    (repair,) = scene.library.repair()
    assert (repair.outcome, sidecar.read_bytes()) == ("rebuilt", whole)
    if damaged.strip(b"\0"):
        assert repair.kept is not None
        assert repair.kept.read_bytes() == damaged


def make_older(scene: Scene) -> Path:
    """A new picture with the old JSON: what earlier versions left when they were killed."""
    sidecar = scene.png().with_suffix(".json")
    old, times = sidecar.read_bytes(), sidecar.stat()
    save_over(scene)
    sidecar.write_bytes(old)
    os.utime(sidecar, ns=(times.st_atime_ns, times.st_mtime_ns))
    return sidecar


def test_json_older_than_its_picture_is_named_and_made_again(scene: Scene) -> None:
    sidecar = make_older(scene)
    old = sidecar.read_bytes()
    for verdict in verify_both(scene.png()):
        assert [text.partition(",")[0] for text in verdict.differences] == [
            "provenance: the JSON is older than its picture"
        ]
    (repair,) = scene.library.repair()
    assert repair.outcome == "rebuilt"
    assert sidecar.read_text() == read_png_text(scene.png())
    assert repair.kept is not None
    assert repair.kept.read_bytes() == old
    assert [verdict.status for verdict in verify_both(scene.png())] == ["exact", "exact"]


def change(sidecar: Path, fields: dict[str, Any], *, keeps_mtime: bool) -> None:
    times = sidecar.stat()
    sidecar.write_text(json.dumps(json.loads(sidecar.read_text()) | fields, indent=2) + "\n")
    if keeps_mtime:
        os.utime(sidecar, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.mark.parametrize(
    ("fields", "is_old", "keeps_mtime"),
    [
        ({"operator": "somebody else"}, False, True),
        ({"operator": "somebody else"}, True, False),
        ({"time": "2031-01-01T00:00:00Z"}, True, True),
        ({"recipe_sha256": "0" * 64}, True, True),
        ({"notices": 3}, True, True),
    ],
    ids=["same time", "written after its picture", "of a later time", "of another recipe", "no record"],
)
def test_json_that_no_interrupted_write_explains_is_left_and_named(
    scene: Scene, fields: dict[str, Any], is_old: bool, keeps_mtime: bool
) -> None:
    sidecar = make_older(scene) if is_old else scene.png().with_suffix(".json")
    change(sidecar, fields, keeps_mtime=keeps_mtime)
    before = scene.contents()
    assert [r.outcome for r in scene.library.repair()] == ["tampered"]
    assert scene.contents() == before
    verdict = verify(read_saved_face(scene.png()), FakeEngine(resolution=8))
    assert verdict.differences == ("provenance: the JSON file does not say the same as the text inside the PNG",)


def test_json_that_is_a_link_to_nothing_is_named_and_left(scene: Scene) -> None:
    """What it led to may be on a disk that is away; once the link is removed, the JSON is made again."""
    sidecar = scene.png().with_suffix(".json")
    whole = sidecar.read_bytes()
    sidecar.unlink()
    sidecar.symlink_to("/nowhere/face.json")
    reason = f"{quote(sidecar)} is a link to nothing (bring back what it led to, or remove the link)"
    assert [(r.outcome, r.reason) for r in scene.library.repair()] == [("unreadable", reason)]
    assert [str(problem) for problem in scene.library.look().problems] == [reason]
    assert sidecar.is_symlink()
    sidecar.unlink()
    assert [r.outcome for r in scene.library.repair()] == ["rebuilt"]
    assert sidecar.read_bytes() == whole


@pytest.mark.parametrize("part", ["pixels", "recipe"])
def test_json_is_never_made_from_a_picture_that_was_changed(scene: Scene, part: str) -> None:
    pixels, text = read_png(scene.png())
    assert text is not None
    changed = text.replace('"seed": 1', '"seed": 2')
    assert changed != text
    scene.png().write_bytes(encode_png(pixels ^ np.uint8(1), text) if part == "pixels" else encode_png(pixels, changed))
    scene.png().with_suffix(".json").unlink()
    before = scene.contents()
    assert [(r.file, r.outcome) for r in scene.library.repair()] == [(scene.png().name, "tampered")]
    assert scene.contents() == before


def test_picture_of_another_face_is_not_completed(scene: Scene) -> None:
    other = scene.face(2).save(scene.root / "other")
    other.rename(scene.png())
    scene.png().with_suffix(".json").unlink()
    with pytest.raises(OutputError, match="exists already"):
        save(scene)
    assert not scene.png().with_suffix(".json").exists()


def test_picture_of_another_size_is_not_completed(scene: Scene) -> None:
    """In a series its name may be the same."""
    sidecar = scene.png().with_suffix(".json")
    sidecar.unlink()
    assert complete_face(scene.png(), scene.face().recipe, 4) is None
    assert not sidecar.exists()
    assert complete_face(scene.png(), scene.face().recipe, None) is not None
    assert sidecar.exists()


@pytest.mark.parametrize("place", ["start", "length", "text", "end"])
def test_damaged_picture_is_named_and_nothing_is_made_of_it(scene: Scene, place: str) -> None:
    data = bytearray(scene.png().read_bytes())
    at = data.index(b"iTXt")
    if place == "end":
        del data[at + 50 :]
    else:
        data[{"start": 3, "length": at - 4, "text": at + 100}[place]] ^= 0xFF
    scene.png().write_bytes(data)
    scene.png().with_suffix(".json").unlink()
    assert [r.outcome for r in scene.library.repair()] == ["unreadable"]
    assert len(scene.library.look().problems) == 1
    with pytest.raises(InputFileError):
        read_saved_face(scene.png())


def test_quick_and_slow_readers_read_the_same_text(scene: Scene, tmp_path: Path) -> None:
    """A second text, or one behind the pixels, as other tools write it, is what the decoder says it is."""
    from PIL import Image, PngImagePlugin

    pixels, text = read_png(scene.png())
    assert read_png_text(scene.png()) == text
    for add in ("add_text", "add_itxt"):
        for compressed in (False, True):
            info = PngImagePlugin.PngInfo()
            getattr(info, add)("tuiface.provenance", "first", zip=compressed)
            info.add_itxt("tuiface.provenance", text or "", zip=compressed)
            path = tmp_path / f"{add}{compressed}.png"
            Image.fromarray(pixels).save(path, pnginfo=info)
            assert read_png_text(path) == read_png(path)[1] == text


@pytest.mark.parametrize("work", [repair, save], ids=["repair", "complete"])
def test_a_writer_who_was_between_two_steps_is_not_interfered_with(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, work: Step
) -> None:
    """The JSON is missing when it is looked for, and there once the folder is free."""
    scene.png().with_suffix(".json").unlink()
    waited = []

    @contextlib.contextmanager
    def wait_for_writer(folder: Path) -> Iterator[None]:
        waited.append(folder)
        save_over(scene)
        with lock_folder(folder):
            yield

    monkeypatch.setattr("tuiface.faces.repair.lock_folder", wait_for_writer)
    with contextlib.suppress(OutputError):  # it exists already
        work(scene)
    assert waited == [scene.library.folder]
    assert scene.png().with_suffix(".json").read_text() == read_png_text(scene.png())
    assert len(scene.contents()) == 2


def test_json_that_a_living_writer_moves_away_meanwhile_is_no_damage(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was there when it was looked for, and not when it was read: with the folder held, it is there."""
    looks: list[Path] = []

    def look(picture: Path, inside: str, sidecar: Path) -> str:
        looks.append(sidecar)
        if len(looks) == 1:
            raise InputFileError(f"no file {quote(sidecar)}")
        return compare_sidecar(picture, inside, sidecar)

    monkeypatch.setattr("tuiface.faces.repair.compare_sidecar", look)
    assert scene.library.repair() == []
    assert len(looks) == 2


def test_the_command_says_what_it_did_and_ends_with_1_for_what_it_left(
    scene: Scene, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TUIFACE_CACHE", str(scene.root / "cache"))
    folder = str(scene.library.folder)
    assert cli.main(["library", "repair", "--library", folder]) == 0
    assert "nothing to repair" in capsys.readouterr().err
    sidecar = scene.png().with_suffix(".json")
    sidecar.unlink()
    assert cli.main(["library", "repair", "--dry-run", "--library", folder]) == 0
    assert f"{sidecar.name}: missing; would be made again" in capsys.readouterr().out
    assert cli.main(["library", "repair", "--json", "--library", folder]) == 0
    assert json.loads(capsys.readouterr().out)["outcome"] == "rebuilt"
    change(sidecar, {"operator": "somebody else"}, keeps_mtime=False)
    assert cli.main(["library", "repair", "--library", folder]) == 1
    assert f"{sidecar.name}: tampered with, and left as it is" in capsys.readouterr().out
    assert cli.main(["library", "list", "--library", folder]) == 0
    assert f"problem: {sidecar.name}" in capsys.readouterr().err
    scene.png().write_bytes(b"nonsense")
    assert cli.main(["library", "repair", "--library", folder]) == 3


@pytest.mark.parametrize("action", ["list", "repair", "reindex"])
def test_a_folder_that_is_not_there_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    monkeypatch.setenv("TUIFACE_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "mistyped"
    assert cli.main(["library", action, "--library", str(folder)]) == 0
    assert capsys.readouterr().err.splitlines() == [
        f"no folder {quote(folder)}; the first face that is saved there makes it"
    ]
    assert not folder.exists()
    folder.mkdir()
    assert cli.main(["library", action, "--library", str(folder)]) == 0
    assert "no folder" not in capsys.readouterr().err
