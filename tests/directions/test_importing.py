"""What users own: every shape that people share is read, and nothing is executed or allocated on a file's word."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from tuiface.core.errors import InputFileError, ModelError, UsageError
from tuiface.directions.concepts import find_legacy_rows, legacy_concepts
from tuiface.directions.importing import choose_array, choose_component, convert_amount, read_array, to_step
from tuiface.directions.numpy_files import read_numpy_arrays
from tuiface.engine.checkpoints import read_arrays


@pytest.mark.parametrize("shape", [(6,), (1, 6), (4, 6), (1, 4, 6)])
@pytest.mark.parametrize("kind", ["npy", "npz", "pt"])
def test_shapes_that_people_share(tmp_path: Path, shape: tuple[int, ...], kind: str) -> None:
    array = np.arange(1, 1 + np.prod(shape), dtype=np.float64).reshape(shape)
    path = tmp_path / f"d.{kind}"
    if kind == "npy":
        np.save(path, array)
    elif kind == "npz":
        np.savez(path, direction=array)
    else:
        torch.save(torch.from_numpy(array), path)
    arrays = read_arrays(path) if kind == "pt" else read_numpy_arrays(path)
    step = to_step(choose_array(arrays, None, "d"), 4, 6, "d")
    assert step.shape == ((6,) if np.prod(shape) == 6 else (4, 6))
    assert np.array_equal(step.ravel(), array.ravel())


def test_rows_that_are_all_the_same_become_one(tmp_path: Path) -> None:
    assert to_step(np.ones((4, 6)), 4, 6, "d").shape == (6,)


def test_torch_file_with_several_names_them(tmp_path: Path) -> None:
    path = tmp_path / "d.pt"
    torch.save({"age": torch.ones(6), "more": [torch.zeros(2, dtype=torch.bfloat16)]}, path)
    arrays = read_arrays(path)
    assert {name: array.shape for name, array in arrays.items()} == {"age": (6,), "more.0": (2,)}
    with pytest.raises(UsageError, match=r"holds 2 arrays: age, more.0 \(choose one with --key"):
        choose_array(arrays, None, "d.pt")
    with pytest.raises(UsageError, match="did you mean 'age'"):
        choose_array(arrays, "ages", "d.pt")
    assert choose_array(arrays, "age", "d.pt").sum() == 6


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.ones(5), r"shape \[5\]; this model takes \[6\], \[1, 6\], \[4, 6\], \[1, 4, 6\]"),
        (np.ones((3, 6)), r"shape \[3, 6\]"),
        (np.array([np.nan] * 6), "NaN or infinity"),
        (np.zeros(6), "would move nothing"),
    ],
)
def test_arrays_that_are_no_direction(array: np.ndarray, reason: str) -> None:
    with pytest.raises(InputFileError, match=reason):
        to_step(array, 4, 6, "d.npy")


GANSPACE = {
    "lat_comp": np.arange(1, 31, dtype=np.float32).reshape(5, 1, 6),
    "lat_stdev": np.ones(5, dtype=np.float32),
    "act_comp": np.ones((5, 1, 6), dtype=np.float32),
}


def test_a_component_is_chosen_from_what_holds_many(tmp_path: Path) -> None:
    """Rows of GANSpace's latent components, columns of a factorization's eigenvectors, rows of any other stack."""
    np.savez(tmp_path / "g.npz", allow_pickle=False, **GANSPACE)
    vectors = torch.arange(36.0).reshape(6, 6)
    torch.save({"ckpt": "network.pt", "eigvec": vectors}, tmp_path / "factor.pt")
    np.save(tmp_path / "stack.npy", GANSPACE["lat_comp"][:, 0])
    assert read_array(tmp_path / "g.npz", None, 2).tolist() == [13, 14, 15, 16, 17, 18]
    assert read_array(tmp_path / "g.npz", "act_comp", 2).tolist() == [1] * 6
    assert read_array(tmp_path / "factor.pt", None, 2).tolist() == vectors[:, 2].tolist()
    assert read_array(tmp_path / "stack.npy", None, 4).tolist() == [25, 26, 27, 28, 29, 30]


@pytest.mark.parametrize("component", [None, 5])
def test_what_holds_many_says_how_to_choose_one(tmp_path: Path, component: int | None) -> None:
    np.savez(tmp_path / "g.npz", allow_pickle=False, **GANSPACE)
    with pytest.raises(UsageError, match=r"5.*\(choose one with --component 0 to 4\)"):
        read_array(tmp_path / "g.npz", None, component)
    with pytest.raises(InputFileError, match=r"shape \[5, 6\].*--component 0 to 4"):
        to_step(GANSPACE["lat_comp"][:, 0], 4, 6, "stack.npy")
    with pytest.raises(UsageError, match=r"shape \[6\] holds no components"):
        choose_component(np.ones(6), 0, columns=False, where="d.npy")


class Attack:
    def __reduce__(self) -> tuple[object, ...]:
        return (print, ("executed",))


def test_pickles_are_refused_unread(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.npy"
    np.save(path, np.array([Attack()], dtype=object), allow_pickle=True)
    with pytest.raises(InputFileError, match="pickled Python objects"):
        read_numpy_arrays(path)
    torch.save(Attack(), tmp_path / "bad.pt")
    with pytest.raises(ModelError, match=r"^bad.pt: "):
        read_arrays(tmp_path / "bad.pt")
    assert "executed" not in capsys.readouterr().out


def npy_bytes(header: str) -> bytes:
    text = header.encode().ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x93NUMPY",
        npy_bytes("{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,), }"),
        npy_bytes("{'descr': '<f4', 'fortran_order': False, 'shape': (-4,), }"),
        npy_bytes("{'descr': '<U9', 'fortran_order': False, 'shape': (0,), }"),
        npy_bytes("__import__('os').system('true')"),
        b"\x93NUMPY\x09\x00" + b"\x00" * 40,
    ],
)
def test_damaged_numpy_files_are_one_line(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "bad.npy"
    path.write_bytes(data)
    with pytest.raises(InputFileError, match=r"^bad.npy: ") as refused:
        read_numpy_arrays(path)
    assert "\n" not in str(refused.value)


def test_archive_that_inflates_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", b"\0" * (80 << 20))
    assert path.stat().st_size < 1 << 20
    with pytest.raises(InputFileError, match="more than"):
        read_numpy_arrays(path)
    path.write_bytes(b"PK\x03\x04 no")
    with pytest.raises(InputFileError, match=r"not a sound \.npz"):
        read_numpy_arrays(path)
    buffer = io.BytesIO()
    np.savez(buffer)
    path.write_bytes(buffer.getvalue())
    with pytest.raises(UsageError, match="holds 0 arrays"):
        choose_array(read_numpy_arrays(path), None, path.name)
    with pytest.raises(UsageError, match="holds no array 'a'; it has none"):
        choose_array(read_numpy_arrays(path), "a", path.name)


def test_a_key_for_an_array_without_a_name_is_said_to_be_needless(tmp_path: Path) -> None:
    np.save(tmp_path / "d.npy", np.ones(6))
    torch.save(torch.ones(6), tmp_path / "d.pt")
    for arrays in (read_numpy_arrays(tmp_path / "d.npy"), read_arrays(tmp_path / "d.pt")):
        with pytest.raises(UsageError, match=r"one array, which has no name: there is no 'a' \(leave --key out\)"):
            choose_array(arrays, "a", "d")


def test_earlier_systems_are_all_there() -> None:
    assert (len(legacy_concepts("first")), len(legacy_concepts("later"))) == (12, 16)
    assert find_legacy_rows("emotion_fear", "first") == (0, 8)
    assert find_legacy_rows("nose_tip", "later") is None
    with pytest.raises(UsageError, match="the first system had no direction 'yaw'"):
        find_legacy_rows("yaw", "first")


def test_old_amount_is_the_same_step() -> None:
    vector, sigma = np.array([3.0, 4.0]), 2.5
    unit_step = sigma * vector / np.linalg.norm(vector)
    for old, boosted in ((-20.0, False), (0.2, True)):
        amount = convert_amount(old, float(np.linalg.norm(vector)), sigma, boosted=boosted)
        assert np.allclose(amount * unit_step, old * (3 if boosted else 1) * vector)
