"""A grown network begins as the one that it grew from."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from tuiface.core.assets import embedded_model_path
from tuiface.core.errors import ModelError
from tuiface.engine.networks import ops
from tuiface.engine.networks.config import DiscriminatorConfig, GeneratorConfig
from tuiface.engine.networks.discriminator import Discriminator
from tuiface.engine.networks.generator import Generator
from tuiface.engine.training.data.head_data import head_latents
from tuiface.engine.training.gan.growing import (
    FadingDiscriminator,
    rearrange_latents,
    transfer_discriminator,
    transfer_generator,
)
from tuiface.engine.training.gan.warm_start import open_warm_start
from tuiface.heads import sample_parameters
from tuiface.heads.sampling.priors import stream_names

CHANNELS = (8, 8, 6, 4)


def generator(resolution: int, channels: tuple[int, ...] = CHANNELS) -> Generator:
    depth = resolution.bit_length() - 3 + 1
    return Generator(GeneratorConfig(8, 0, 8, resolution, 3, channels[:depth], (8, 8)))


def test_latents_are_found_again_by_their_names() -> None:
    """Draws that are new move nothing at first; those that are gone are left out."""
    torch.manual_seed(0)
    before, after = generator(16), generator(16)
    transfer_generator(before, after)
    rearrange_latents(after, ("age", "smile", "yaw"), ("yaw", "mole", "age"))
    z = torch.zeros(4, 8)
    z[:, 0], z[:, 2] = torch.randn(4), torch.randn(4)
    same = torch.zeros(4, 8)
    same[:, 2], same[:, 0] = z[:, 0], z[:, 2]
    assert torch.allclose(after.mapping(z), before.mapping(same), atol=1e-6)
    taken = after.mapping.get_parameter("fc0.weight").abs().sum(0) > 0
    assert taken.tolist() == [True, False, True, False, False, False, False, False]
    with pytest.raises(ModelError, match="a z of 8 numbers is too short for 9 draws"):
        rearrange_latents(after, ("age",), tuple(map(str, range(9))))


def discriminator(resolution: int) -> Discriminator:
    depth = resolution.bit_length() - 3 + 1
    return Discriminator(DiscriminatorConfig(0, resolution, 3, CHANNELS[:depth]))


def test_a_grown_generator_draws_the_old_picture_enlarged() -> None:
    torch.manual_seed(0)
    small, large = generator(16), generator(32)
    transfer_generator(small, large)
    z = torch.randn(2, 8)
    with torch.no_grad():
        expected = ops.upsample_rgb(small.synthesize(small.map(z), noise="none"))
        drawn = large.synthesize(large.map(z), noise="none")
    assert torch.allclose(drawn, expected, atol=1e-5)


def test_the_new_torgb_learns_although_it_begins_at_zero() -> None:
    small, large = generator(16), generator(32)
    transfer_generator(small, large)
    large.synthesize(large.map(torch.randn(2, 8))).square().sum().backward()  # type: ignore[no-untyped-call]
    gradient = large.get_parameter("synthesis.b32.torgb.weight").grad
    assert gradient is not None
    assert gradient.abs().max() > 0


def test_a_grown_discriminator_begins_as_the_old_one_on_the_shrunken_picture() -> None:
    torch.manual_seed(0)
    small, large = discriminator(16), FadingDiscriminator(discriminator(32))
    transfer_discriminator(small, large)
    x = torch.randn(4, 3, 32, 32)
    assert torch.allclose(large(x), small(F.avg_pool2d(x, 2)), atol=1e-5)
    large.set_alpha(1.0)
    assert torch.allclose(large(x), large.network(x))
    assert not torch.allclose(large(x), small(F.avg_pool2d(x, 2)), atol=1e-3)


def test_features_are_those_behind_the_logits_while_fading_and_after() -> None:
    torch.manual_seed(0)
    small, large = discriminator(16), FadingDiscriminator(discriminator(32))
    transfer_discriminator(small, large)
    x = torch.randn(4, 3, 32, 32)
    for alpha in (0.0, 0.5, 1.0):
        large.set_alpha(alpha)
        features = large.features(x)
        assert [f.shape[2] for f in features] == [16, 8, 4]
        assert torch.equal(large.network.b4(features[-1]), large(x))


def test_the_fade_is_continuous() -> None:
    torch.manual_seed(0)
    large = FadingDiscriminator(discriminator(32))
    x = torch.randn(4, 3, 32, 32)
    large.set_alpha(1 - 1e-6)
    nearly = large(x)
    large.set_alpha(1.0)
    assert torch.allclose(nearly, large(x), atol=1e-4)


def test_the_same_size_is_copied_whole() -> None:
    source, target = generator(16), generator(16)
    transfer_generator(source, target)
    for name, tensor in source.state_dict().items():
        assert torch.equal(target.state_dict()[name], tensor)


def test_sizes_and_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ModelError, match="32 or 16 px; this one has 8"):
        transfer_generator(generator(8), generator(32))
    with pytest.raises(ModelError, match=r"synthesis\.b4\.\S+ has shape"):
        transfer_generator(generator(16, (8, 8, 6)), generator(16, (4, 8, 6)))


def test_the_embedded_network_says_what_its_z_stands_for() -> None:
    """And a mapping network of today's draws, made from it, draws each head as it did."""
    start = open_warm_start(embedded_model_path())
    assert len(start.latent_names) == 117
    assert set(start.latent_names) <= set(stream_names())
    taken = copy.deepcopy(start.generator)
    rearrange_latents(taken, start.latent_names, stream_names())
    heads = sample_parameters(4, 3)
    today = head_latents(heads, 128)
    place = {name: column for column, name in enumerate(stream_names())}
    then = torch.zeros_like(today)
    then[:, :117] = today[:, [place[name] for name in start.latent_names]]
    moves = torch.tensor([name in start.latent_names for name in stream_names()])
    with torch.no_grad():
        assert torch.allclose(taken.mapping(today * moves), start.generator.mapping(then), atol=1e-4)


def test_a_summary_of_another_file_says_nothing(tmp_path: Path) -> None:
    model = embedded_model_path()
    for path in (model, model.with_suffix(".json")):
        shutil.copy(path, tmp_path / path.name)
    assert open_warm_start(tmp_path / model.name).latent_names
    for text in ("[1]", "{", '{"file_sha256": "0", "settings": {"latent_names": ["age"]}}'):
        (tmp_path / "embedded.json").write_text(text)
        assert open_warm_start(tmp_path / model.name).latent_names == ()
