"""Faces that were made elsewhere: the latents that people have, dumps, pictures of seeds; and what is none."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.conftest import MODEL
from tuiface.cli import main
from tuiface.core.errors import EXIT_CHECK_FAILED, EXIT_DONE, EXIT_INPUT, EXIT_MODEL, EXIT_USAGE
from tuiface.faces.library import read_tags
from tuiface.faces.provenance import read_saved_face
from tuiface.faces.recipe import LatentSource, SeedSource

NUM_WS, W_DIM, Z_DIM = 8, 64, 64
rng = np.random.RandomState(0)
W = rng.randn(W_DIM).astype(np.float32)
ROWS = rng.randn(3, NUM_WS, W_DIM).astype(np.float32)

Tuiface = Callable[..., int]


@pytest.fixture(autouse=True)
def small_model(monkeypatch: pytest.MonkeyPatch, shared_cache: Path, tmp_path: Path) -> None:
    values = {"MODEL": MODEL, "CACHE": shared_cache, "LIBRARY": tmp_path / "library"}
    for name, value in {**values, "DEVICE": "cpu", "THREADS": "1"}.items():
        monkeypatch.setenv(f"TUIFACE_{name}", str(value))


@pytest.fixture(scope="module")
def digest() -> str:
    from tuiface.core.settings import Settings
    from tuiface.engine.loading import open_engine

    return open_engine(Settings(model=MODEL, device="cpu", threads=1)).info().model.sha256


def write(path: Path, array: np.ndarray) -> Path:
    if path.suffix == ".npy":
        np.save(path, array)
    elif path.suffix == ".npz":
        np.savez(path, w=array, dlatent_avg=np.zeros(3, np.float32))
    else:
        torch.save({"face.png": {"latent": torch.from_numpy(array), "noise": [torch.zeros(1, 1, 4, 4)]}}, path)
    return path


def imported(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "library").glob("*.png"))


@pytest.mark.parametrize("ending", ["npy", "npz", "pt"])
@pytest.mark.parametrize(
    ("array", "count"), [(W, 1), (W[None], 1), (ROWS[:1], 1), (ROWS[0], 1), (ROWS, 3), (ROWS[:, :1], 3)]
)
def test_latents_of_every_shape_that_people_have(
    array: np.ndarray, count: int, ending: str, digest: str, tmp_path: Path
) -> None:
    path = write(tmp_path / f"face.{ending}", array)
    assert main(["import-faces", str(path), "--network", digest[:12], "--tag", "old"]) == EXIT_DONE
    saved = imported(tmp_path)
    assert len(saved) == count
    recipe = read_saved_face(saved[0]).provenance.recipe
    assert isinstance(recipe.source, LatentSource)
    assert (recipe.truncation.psi, recipe.model.sha256) == (1.0, digest)
    assert recipe.source.origin is not None
    assert recipe.source.origin.settings["file"] == path.name
    assert read_tags(saved[0]).tags == ("imported", "old")
    found = {tuple(np.unique(read_latent(path))) for path in saved}
    wanted = {tuple(np.unique(one)) for one in array.reshape(count, -1, W_DIM)}
    assert found == wanted
    assert main(["verify", "--exact", *map(str, saved)]) == EXIT_DONE


def read_latent(png: Path) -> np.ndarray:
    source = read_saved_face(png).provenance.recipe.source
    assert isinstance(source, LatentSource)
    return source.array()


def test_z_is_mapped_and_truncated(digest: str, tmp_path: Path) -> None:
    z = np.random.RandomState(5).randn(1, Z_DIM)
    path = write(tmp_path / "z.npy", z.astype(np.float32))
    assert main(["import-faces", str(path), "--space", "z", "--psi", "0.5", "--network", digest]) == EXIT_DONE
    assert main(["render", "5", "--psi", "0.5", "--out", str(tmp_path / "seed")]) == EXIT_DONE
    ours, theirs = (read_saved_face(p).pixels for p in (*imported(tmp_path), *(tmp_path / "seed").glob("*.png")))
    assert ours is not None
    assert theirs is not None
    assert np.abs(ours.astype(int) - theirs).max() <= 1, "z was float32 here"


def test_a_dump_of_seeds_and_latents(digest: str, tmp_path: Path) -> None:
    listed = json.dumps([round(float(x), 6) for x in W])
    rows = "{" + ",".join("{" + ",".join(f"{x:.6f}" for x in row) + "}" for row in ROWS[0]) + "}"
    stored = "\\x" + W[::-1].astype("<f4").tobytes().hex()
    path = tmp_path / "dump.csv"
    path.write_text(
        'id;seed;latent;tags;psi\n7;42;;"{sospechoso,rueda 2}";0,5\n'.replace("0,5", "0.5")
        + f'8;;"{listed}";;\n9;;"{rows}";x;\n10;;{stored};;\n'
    )
    assert main(["import-faces", str(path), "--network", digest]) == EXIT_DONE
    found = [read_saved_face(png).provenance.recipe for png in imported(tmp_path)]
    seeds = [recipe for recipe in found if isinstance(recipe.source, SeedSource)]
    assert [(r.source.seed, r.truncation.psi) for r in seeds if isinstance(r.source, SeedSource)] == [(42, 0.5)]
    latents = {
        r.source.origin.settings["id"]: r.source.array()
        for r in found
        if isinstance(r.source, LatentSource) and r.source.origin
    }
    np.testing.assert_allclose(latents["8"], W, atol=1e-6)
    np.testing.assert_allclose(latents["9"], ROWS[0], atol=1e-6)
    np.testing.assert_array_equal(latents["10"], W[::-1])
    tags = [read_tags(png).tags for png in imported(tmp_path) if png.name.startswith("seed42")]
    assert tags == [("imported", "sospechoso", "rueda-2")]


def test_pictures_of_seeds_are_drawn_again_and_compared(
    digest: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["render", "42", "--psi", "0.5", "--out", str(tmp_path / "made")]) == EXIT_DONE
    pixels = read_saved_face(next((tmp_path / "made").glob("*.png"))).pixels
    assert pixels is not None
    same, other = tmp_path / "seed0042.jpg", tmp_path / "seed0043.png"
    Image.fromarray(pixels).resize((64, 64), Image.Resampling.BICUBIC).save(same, quality=95)
    Image.fromarray(255 - pixels).save(other)
    capsys.readouterr()
    flags = ["--psi", "0.5", "--network", digest]
    assert main(["import-faces", str(same), *flags]) == EXIT_DONE
    assert "levels from seed0042.jpg" in capsys.readouterr().out
    assert main(["import-faces", str(other), *flags]) == EXIT_CHECK_FAILED
    assert "another network, psi or noise made seed0043.png" in capsys.readouterr().err


def test_whose_they_are_is_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "w.npy", W)
    assert main(["import-faces", str(path)]) == EXIT_USAGE
    assert "needs a yes" in capsys.readouterr().err
    assert main(["import-faces", str(path), "--network", "f" * 12]) == EXIT_USAGE
    assert f"--network '{'f' * 12}': opened is" in capsys.readouterr().err
    assert imported(tmp_path) == []


NOT_FACES: dict[str, tuple[Callable[[Path], object], str, int]] = {
    "wide.npy": (lambda p: np.save(p, np.ones(65, np.float32)), r"shape [65]; this model takes [64]", EXIT_INPUT),
    "nan.npy": (lambda p: np.save(p, np.full(64, np.nan)), "NaN or infinity", EXIT_INPUT),
    "large.npy": (lambda p: np.save(p, np.full(64, 1e9)), "latents have none above 10000", EXIT_INPUT),
    "pickled.npy": (lambda p: np.save(p, np.array([{}]), allow_pickle=True), "could run code", EXIT_INPUT),
    "two.npz": (lambda p: np.savez(p, a=W, b=W), "choose one with --key", EXIT_USAGE),
    "twins.csv": (lambda p: p.write_text("seed\n1\n1\n"), "are one face", EXIT_USAGE),
    "cut.pt": (lambda p: p.write_bytes(b"PK\x03\x04cut"), "cut.pt", EXIT_MODEL),
    "none.csv": (lambda p: p.write_text("id,age\n1,30\n"), "no column 'seed' or 'latent'", EXIT_INPUT),
    "both.csv": (lambda p: p.write_text('seed,latent\n1,"[1]"\n'), "line 2: both a seed and a latent", EXIT_INPUT),
    "neither.csv": (lambda p: p.write_text("seed,latent\n,\n"), "line 2: neither seed nor latent", EXIT_INPUT),
    "code.csv": (lambda p: p.write_text("latent\n__import__('os')\n"), "accepted: [0.1, ...]", EXIT_INPUT),
    "psi.csv": (lambda p: p.write_text("seed,psi\n1,nan\n"), "psi 'nan'; accepted are -3 to 3", EXIT_INPUT),
    "seed.csv": (lambda p: p.write_text("seed\n-1\n"), "seed '-1'", EXIT_INPUT),
    "face.png": (lambda p: Image.new("RGB", (8, 8)).save(p), "its name ends in no seed", EXIT_USAGE),
    "face1.png": (lambda p: p.write_bytes(b"no picture"), "is damaged", EXIT_INPUT),
    "face.txt": (lambda p: p.write_text("1"), "accepted are .npz", EXIT_USAGE),
}


@pytest.mark.parametrize("name", NOT_FACES)
def test_what_is_no_face_is_refused_in_a_line_and_nothing_is_written(
    name: str, digest: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, message, code = NOT_FACES[name]
    make(tmp_path / name)
    assert main(["import-faces", str(tmp_path / name), "--network", digest]) == code
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not (tmp_path / "library").exists()
