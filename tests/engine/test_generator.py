"""The generator's facade: shapes, rows, truncation, and errors that name the value."""

from __future__ import annotations

import pytest
import torch

from tests.engine.networks import small_generator
from tuiface.engine.networks.config import GeneratorConfig
from tuiface.engine.networks.generator import Generator


def test_psi_zero_gives_w_avg() -> None:
    generator = small_generator()
    ws = generator.truncate(generator.map(torch.randn(2, 9)), psi=0)
    assert torch.allclose(ws, generator.mapping.w_avg.expand_as(ws))


def test_psi_one_changes_nothing() -> None:
    generator = small_generator()
    ws = generator.map(torch.randn(2, 9))
    assert torch.equal(generator.truncate(ws, psi=1), ws)


def test_cutoff_leaves_later_rows() -> None:
    generator = small_generator()
    ws = generator.map(torch.randn(2, 9))
    cut = generator.truncate(ws, psi=0.5, cutoff=2)
    assert torch.equal(cut[:, 2:], ws[:, 2:])
    assert not torch.equal(cut[:, :2], ws[:, :2])


@pytest.mark.parametrize(("resolution", "num_ws"), [(8, 4), (16, 6), (64, 10), (1024, 18)])
def test_number_of_rows(resolution: int, num_ws: int) -> None:
    channels = (1,) * (resolution.bit_length() - 2)
    config = GeneratorConfig(4, 0, 4, resolution, 3, channels, (4,))
    assert config.num_ws == num_ws


def test_ffhq_layers_and_channels() -> None:
    """Config F at 1024 px: 26 layers, 6048 + 3040 = 9088 style channels."""
    channels = tuple(min(32768 // 2**i, 512) for i in range(2, 11))
    with torch.device("meta"):
        generator = Generator(GeneratorConfig(512, 0, 512, 1024, 3, channels, (512,) * 8))
    widths = {name: layer.affine.weight.shape[0] for name, layer, _ in generator.synthesis.style_layers()}
    assert len(widths) == 26
    assert sum(w for name, w in widths.items() if "conv" in name) == 6048
    assert sum(w for name, w in widths.items() if "torgb" in name) == 3040


def test_torgb_shares_its_row_with_the_next_conv0() -> None:
    rows = {name: row for name, _, row in small_generator().synthesis.style_layers()}
    assert rows == {
        "b4.conv1": 0, "b4.torgb": 1, "b8.conv0": 1, "b8.conv1": 2, "b8.torgb": 3, "b16.conv0": 3, "b16.conv1": 4,
        "b16.torgb": 5,
    }  # fmt: skip


def test_a_row_moves_only_its_own_layers() -> None:
    generator = small_generator()
    ws = generator.map(torch.randn(1, 9))
    moved = ws.clone()
    moved[:, 4] += 1
    before, after = generator.synthesis.styles(ws), generator.synthesis.styles(moved)
    assert [name for name in before if not torch.equal(before[name], after[name])] == ["b16.conv1"]


def test_errors_name_the_value_and_what_is_accepted() -> None:
    generator, labelled = small_generator(), small_generator(c_dim=3)
    ws = torch.zeros(1, generator.num_ws, 11)
    with pytest.raises(ValueError, match=r"z has shape \[1, 8\].*\[1, 9\]"):
        generator.map(torch.zeros(1, 8))
    with pytest.raises(ValueError, match="no block has 12 px; accepted: 4, 8, 16"):
        generator.synthesize(ws, resolution=12)
    with pytest.raises(ValueError, match=r"ws has shape \[1, 5, 11\]"):
        generator.synthesize(ws[:, :5])
    with pytest.raises(ValueError, match="3 classes; c is missing"):
        labelled.map(torch.zeros(1, 9))
    with pytest.raises(ValueError, match="0 classes; c is given"):
        generator.map(torch.zeros(1, 9), torch.zeros(1, 3))
    with pytest.raises(ValueError, match="2 noise maps for 5 convolutions"):
        generator.synthesize(ws, noise=[torch.zeros(1, 1, 4, 4)] * 2)
    with pytest.raises(ValueError, match="'fresh'; accepted: 'const', 'none'"):
        generator.synthesize(ws, noise="fresh")  # type: ignore[arg-type]
