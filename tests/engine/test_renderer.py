"""From recipes to pixels: order of application, repeatability, edits, and refusals that name the field."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import CHECKPOINTS, MODEL
from tuiface.core.errors import EngineError, ModelError, TuifaceError, UsageError
from tuiface.core.settings import Settings
from tuiface.engine.edits.edit_renderer import MeasuredPicture
from tuiface.engine.loading import open_engine
from tuiface.engine.local_engine import LocalEngine
from tuiface.engine_api.protocol import Engine, RenderRequest
from tuiface.faces.recipe import (
    ChannelEdit,
    DirectionEdit,
    LatentSource,
    Noise,
    Recipe,
    SeedSource,
    StyleMix,
    Truncation,
)


@pytest.fixture(scope="module")
def engine(shared_cache: Path) -> LocalEngine:
    return open_engine(Settings(model=MODEL, device="cpu", cache=shared_cache))


@pytest.fixture
def recipe(engine: LocalEngine) -> Recipe:
    return Recipe(model=engine.info().model, source=SeedSource(seed=3), truncation=Truncation(psi=0.6))


def pixels(engine: LocalEngine, recipe: Recipe, resolution: int | None = None) -> np.ndarray:
    return engine.render(RenderRequest(recipe, resolution)).pixels


def test_implements_the_protocol(engine: LocalEngine) -> None:
    assert isinstance(engine, Engine)


def test_frame_is_uint8_rgb(engine: LocalEngine, recipe: Recipe) -> None:
    for resolution in (4, 8, 16, 32):
        frame = engine.render(RenderRequest(recipe, resolution, sequence=7))
        assert frame.pixels.shape == (resolution, resolution, 3)
        assert frame.pixels.dtype == np.uint8
        assert frame.sequence == 7


def test_same_recipe_same_bytes_also_after_others(engine: LocalEngine, recipe: Recipe) -> None:
    first = pixels(engine, recipe)
    pixels(engine, recipe.derive(source=SeedSource(seed=4)), 16)
    assert np.array_equal(first, pixels(engine, recipe))


def test_same_recipe_same_bytes_in_another_process(engine: LocalEngine, recipe: Recipe, shared_cache: Path) -> None:
    code = (
        "import sys, hashlib; from pathlib import Path\n"
        "from tuiface.engine.loading import open_engine; from tuiface.core.settings import Settings\n"
        "from tuiface.faces.recipe import Recipe; from tuiface.engine_api.protocol import RenderRequest\n"
        "e = open_engine(Settings(model=Path(sys.argv[1]), device='cpu', cache=Path(sys.argv[2])))\n"
        "frame = e.render(RenderRequest(Recipe.from_json(sys.argv[3])))\n"
        "print(hashlib.sha256(frame.pixels.tobytes()).hexdigest())"
    )
    argv = [sys.executable, "-c", code, str(MODEL), str(shared_cache), recipe.canonical_json().decode()]
    other = subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()
    assert other == hashlib.sha256(pixels(engine, recipe).tobytes()).hexdigest()


def test_threads_of_a_job_are_its_own(engine: LocalEngine, recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rebuild computes with the recorded number of threads, whatever the machine has."""
    import torch

    used = []
    render = engine.edit_renderer.render

    def watch(*arguments: Any, **named: Any) -> MeasuredPicture:
        used.append(torch.get_num_threads())
        return render(*arguments, **named)

    monkeypatch.setattr(engine.edit_renderer, "render", watch)
    before = torch.get_num_threads()
    engine.render(RenderRequest(recipe, threads=3))
    engine.render(RenderRequest(recipe))
    assert used == [3, engine.info().threads]
    assert torch.get_num_threads() == before


def test_psi_zero_is_the_mean_face_for_every_seed(engine: LocalEngine, recipe: Recipe) -> None:
    mean = recipe.derive(truncation=Truncation(psi=0.0))
    assert np.array_equal(pixels(engine, mean), pixels(engine, mean.derive(source=SeedSource(seed=99))))


def test_mixing_all_rows_gives_the_other_face(engine: LocalEngine, recipe: Recipe) -> None:
    other = SeedSource(seed=8)
    mixed = recipe.derive(mixes=(StyleMix(source=other, rows=(0, 8)),))
    assert np.array_equal(pixels(engine, mixed), pixels(engine, recipe.derive(source=other)))


def test_later_mix_wins(engine: LocalEngine, recipe: Recipe) -> None:
    a, b = StyleMix(source=SeedSource(seed=8), rows=(0, 8)), StyleMix(source=SeedSource(seed=9), rows=(2, 8))
    both = recipe.derive(mixes=(a, b))
    assert not np.array_equal(pixels(engine, both), pixels(engine, recipe.derive(mixes=(b, a))))


def test_latent_of_a_seed_gives_the_seeds_face(engine: LocalEngine, recipe: Recipe) -> None:
    from tuiface.engine.latents import recipe_ws

    generator = engine.renderer.generator
    ws = recipe_ws(generator, recipe.derive(truncation=Truncation(psi=1.0)))[0]
    for array in (ws.numpy(), ws[0].numpy()):
        latent = recipe.derive(source=LatentSource.from_array(array))
        assert np.array_equal(pixels(engine, latent), pixels(engine, recipe))


def test_noise_modes_differ_and_random_is_repeatable(engine: LocalEngine, recipe: Recipe) -> None:
    modes = [Noise(), Noise(mode="none"), Noise(mode="random", seed=1), Noise(mode="random", seed=2)]
    pictures = [pixels(engine, recipe.derive(noise=mode)) for mode in modes]
    assert len({p.tobytes() for p in pictures}) == 4
    assert np.array_equal(pictures[2], pixels(engine, recipe.derive(noise=modes[2])))


def test_channel_edit_moves_one_channel_by_its_own_sigma(engine: LocalEngine, recipe: Recipe) -> None:
    generator = engine.renderer.generator
    from tuiface.engine.latents import draw_w

    layer = generator.synthesis.get_submodule("b16.conv1")
    population = layer.affine(draw_w(generator, seed=5, count=4000))[:, 3]  # type: ignore[operator]
    ws = generator.map(generator.mapping.w_avg.new_ones(1, 64))
    styles = generator.synthesis.styles(ws)
    edit = ChannelEdit(channel=("b16.conv1", 3), amount=2.0)
    moved = engine.renderer.edit_styles(ws, engine.renderer.edits(recipe.derive(edits=(edit,))))
    assert [name for name in styles if not styles[name].equal(moved[name])] == ["b16.conv1"]
    step = float((moved["b16.conv1"] - styles["b16.conv1"])[0, 3])
    assert step == pytest.approx(2 * float(population.std()), rel=0.05)


def test_channel_edits_add_up(engine: LocalEngine, recipe: Recipe) -> None:
    one = ChannelEdit(channel=("b8.conv1", 2), amount=1.5)
    back = ChannelEdit(channel=("b8.conv1", 2), amount=-1.5)
    assert not np.array_equal(pixels(engine, recipe.derive(edits=(one,))), pixels(engine, recipe))
    undone = pixels(engine, recipe.derive(edits=(one, back))).astype(int)
    assert np.abs(undone - pixels(engine, recipe)).max() <= 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"truncation": Truncation(center="women")}, "truncation.center: no population 'women'"),
        ({"mixes": (StyleMix(source=SeedSource(seed=1), rows=(2, 9)),)}, r"mixes\[0\].rows: \[2, 9\).*8 rows"),
        ({"edits": (ChannelEdit(channel=("b16.conv1", 99), amount=1.0),)}, r"b16.conv1 has channels 0 to 31, not 99"),
        ({"edits": (ChannelEdit(channel=("b64.conv1", 0), amount=1.0),)}, r"no layer 'b64.conv1'"),
        ({"edits": (DirectionEdit(direction="smile", sha256="0" * 64, amount=1.0),)}, r"no direction 'smile'"),
        ({"source": SeedSource(seed=1, label=2)}, "has no classes"),
        ({"source": LatentSource.from_array(np.zeros(5))}, r"\[5\] in w; this model takes \[64\]"),
    ],
)
def test_what_does_not_fit_the_model_is_named(
    engine: LocalEngine, recipe: Recipe, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        pixels(engine, recipe.derive(**changes))


def test_recipe_of_another_network_is_refused(engine: LocalEngine, recipe: Recipe) -> None:
    other = recipe.model.model_copy(update={"sha256": "f" * 64})
    with pytest.raises(ModelError, match="ffffffffff"):
        pixels(engine, recipe.derive(model=other))


def test_size_without_a_block_is_refused(engine: LocalEngine, recipe: Recipe) -> None:
    with pytest.raises(UsageError, match="no block has 33 px"):
        pixels(engine, recipe, 33)


def test_network_with_labels_needs_a_class(shared_cache: Path) -> None:
    engine = open_engine(Settings(model=CHECKPOINTS["b_ada_cond64"], device="cpu", cache=shared_cache))
    recipe = Recipe(model=engine.info().model, source=SeedSource(seed=1))
    with pytest.raises(ModelError, match="needs a class from 0 to 2"):
        engine.render(RenderRequest(recipe))
    pictures = {
        engine.render(RenderRequest(recipe.derive(source=SeedSource(seed=1, label=i)))).pixels.tobytes()
        for i in (0, 1, 2)
    }
    assert len(pictures) == 3


def test_missing_device_is_an_engine_error() -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    with pytest.raises(EngineError, match="accepted here: auto, cpu"):
        open_engine(Settings(model=MODEL, device="cuda"))


def test_running_out_of_memory_is_one_line(
    engine: LocalEngine, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:98] DefaultCPUAllocator: can't allocate memory: 9 bytes")

    monkeypatch.setattr(engine.renderer, "render", fail)
    with pytest.raises(TuifaceError, match="out of memory on cpu") as caught:
        engine.render(RenderRequest(recipe))
    assert caught.value.exit_code == 5


def test_latents_are_those_that_are_rendered(engine: LocalEngine, recipe: Recipe) -> None:
    info = engine.info()
    z = np.random.RandomState(3).randn(1, info.z_dim)
    plain = recipe.derive(truncation=Truncation(psi=1.0))
    np.testing.assert_allclose(engine.ws(plain), np.tile(engine.map(z), (info.num_ws, 1)), rtol=1e-6)
    rebuilt = plain.derive(source=LatentSource.from_array(engine.ws(recipe)))
    assert np.abs(pixels(engine, rebuilt).astype(int) - pixels(engine, recipe)).max() <= 1
    with pytest.raises(UsageError, match="z of shape"):
        engine.map(z[:, :3])
