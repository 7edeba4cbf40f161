"""Every command that a screen shows runs as it stands, after the interface has gone, and makes the very same faces."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

import tuiface
from tests.tui.conftest import Open, Running
from tests.tui.directions import with_directions
from tests.tui.fake_engine import INFO, FakeEngine
from tests.tui.test_editing import find
from tuiface.cli import main
from tuiface.commands import faces as command_faces
from tuiface.core.assets import embedded_model_path
from tuiface.core.settings import Settings, load_settings
from tuiface.directions.direction import DirectionOrigin
from tuiface.directions.populations import NamedPopulation
from tuiface.faces.provenance import read_face
from tuiface.faces.recipe import ModelRef
from tuiface.faces.studio import Face, Studio
from tuiface.screens.concepts.screen import ConceptsScreen
from tuiface.screens.explore import ExploreScreen
from tuiface.screens.kept_faces import kept_path
from tuiface.screens.mix import MixScreen
from tuiface.screens.morph import MorphScreen
from tuiface.screens.work_screen import WorkScreen

OTHER_MODEL = ModelRef(sha256="cd" * 32, name="other")


def shown_faces(tui: Running) -> list[Face]:
    """The faces that the screen says its command makes; none while they are worked out."""
    screen, studio = tui.app.screen, tui.app.state.studio
    assert studio is not None
    if isinstance(screen, ExploreScreen):
        places = screen.page if "--count" in tui.command_text() else [screen.chosen]
        return [face for place in places if (face := screen.face_at(place)) is not None]
    if isinstance(screen, MixScreen):
        children = screen.both_children()
        return [] if children is None else [*((screen.both_parents() or ()) if screen.is_cross else ()), *children]
    if isinstance(screen, MorphScreen):
        return list(screen.frames)
    if isinstance(screen, ConceptsScreen):
        assert screen.row is not None
        face = screen._faces(screen.row)[screen._amount_index]
        return [] if face is None else [face]
    return [studio.current]


@dataclass
class Shown:
    """Lines, each with the digests of the faces that were shown beside it."""

    tui: Running
    lines: dict[str, set[str]] = field(default_factory=dict)
    scripts: dict[str, set[str]] = field(default_factory=dict)

    async def note(self, *keys: str) -> None:
        """Press keys and take down what is shown then."""
        await self.tui.press(*keys)
        await self.tui.until(lambda: shown_faces(self.tui))
        self.tui.app.state.changes.mark()
        await self.tui.press()
        line = self.tui.command_text()
        screen = self.tui.app.screen
        assert isinstance(screen, WorkScreen)
        assert line.startswith("$ tuiface "), (screen.SCREEN_NAME, keys, line)
        assert line == f"$ {screen.command_line()}"
        kept = [Path(word) for word in shlex.split(line) if "kept-faces" in word]
        await self.tui.until(lambda: all(path.exists() for path in kept))
        await self.copy_python(screen)
        self.lines[line.removeprefix("$ tuiface ")] = {face.recipe.digest for face in shown_faces(self.tui)}

    async def copy_python(self, screen: WorkScreen) -> None:
        """What Y copies, where the screen has faces to choose from."""
        faces = screen.chosen_faces()
        if faces:
            await self.tui.press("Y")
            script = self.tui.app.clipboard
            kept = [kept_path(face) for face in faces if kept_path(face).name in script]
            await self.tui.until(lambda: all(path.exists() for path in kept))
            self.scripts[script] = {face.recipe.digest for face in faces}

    async def show(self, change: Callable[[Face], Face], *keys: str) -> None:
        """Another current face."""
        self.tui.app.state.apply(lambda studio: studio.show(change(studio.current)))
        await self.tui.settled()
        await self.note(*keys)


@pytest.fixture(params=[None, "/models/other net.pkl"], ids=["settings' model", "another model"])
def settings(request: pytest.FixtureRequest, tui_settings: Settings, tmp_path: Path) -> Settings:
    model = None if request.param is None else Path(request.param)
    return with_directions(tui_settings, tmp_path / "directions").model_copy(update={"model": model})


@pytest.fixture
def run_shown(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], set[str]]:
    """Runs a shown line in a shell that has the user's settings, but not the network that was opened since."""
    for name in ("library", "cache", "state", "directions"):
        monkeypatch.setenv(f"TUIFACE_{name.upper()}", str(getattr(settings, name)))
    monkeypatch.chdir("/")

    def open_fake(given: Settings) -> FakeEngine:
        model = INFO.model if given.model == settings.model else OTHER_MODEL
        engine = FakeEngine(given, replace(INFO, model=model))
        engine.start()
        return engine

    def open_studio(model: str | None = None) -> Studio:
        given = load_settings({"model": model})
        return Studio(open_fake(given), given)

    monkeypatch.setattr(tuiface, "open", open_studio)
    monkeypatch.setattr(command_faces, "open_engine_for", open_fake)

    def run(line: str) -> set[str]:
        number = len(list(tmp_path.glob("out*")))
        words = [*shlex.split(line), "--json", "--out", str(tmp_path / f"out{number}")]
        code = main(words)
        out, err = capsys.readouterr()
        assert code == 0, (line, err)
        found = [json.loads(row) for row in out.splitlines()]
        return {row["recipe_sha256"] for row in found if "recipe_sha256" in row}

    return run


def add_population(tui: Running) -> None:
    studio = tui.app.state.studio
    assert studio is not None
    centre = np.ones(studio.info.w_dim, np.float32)
    studio.populations.add(NamedPopulation.of("ours", studio.info.model, centre, DirectionOrigin(method="faces")))


def towards_earlier(face: Face) -> Face:
    """As a recipe has it that was made before the population of that name was estimated anew."""
    centre = np.zeros(face.studio.info.w_dim, np.float32)
    return face.derive(truncation=face.recipe.truncation.towards("ours", centre))


async def walk_faces(shown: Shown) -> None:
    """The first screen: what flags say, and what only a file can."""
    tui = shown.tui
    add_population(tui)
    for key in ("right", "K", "n"):
        await shown.note(key)
    await find(tui, "smile")
    for keys in (["right"] * 3, ["f"], ["G"], ["exclamation_mark", *["right"] * 6]):
        await shown.note(*keys)
    await shown.show(lambda face: face.studio.face(3).mix(face.studio.face(9), (2, 6)).truncate(-1e-05, 4))
    await shown.show(lambda face: face.studio.face(3).edit("b4.conv1:2", -0.7).towards("ours").noise("random", 8))
    await shown.show(lambda face: face.studio.face(3).lock_mask(np.eye(face.studio.info.resolution, dtype=bool)))
    await shown.show(lambda face: face.studio.face_from_latent(np.arange(4.0, dtype=np.float32)).edit("smile", 1.0))
    await shown.note("s")
    await tui.until(lambda: not tui.app.state.saves.pending)
    await shown.note()
    await shown.show(lambda face: towards_earlier(face.studio.face(4)))


async def walk_explore(shown: Shown) -> None:
    add_population(shown.tui)
    await shown.show(lambda face: towards_earlier(face.studio.face(4)), "2")
    await shown.show(lambda face: face.studio.face(4), "right")
    for key in ("pagedown", "K", "o", "r", "right", "m", "right", "d", "K"):
        await shown.note(key)
    screen = shown.tui.app.screen
    assert isinstance(screen, ExploreScreen)
    screen._show_seeds("seeds", 2**32 - 2)
    await shown.note()


async def walk_mix(shown: Shown) -> None:
    state = shown.tui.app.state
    add_population(shown.tui)
    await shown.note("3")
    for key in ("left", "n", "c", "backspace"):
        await shown.note(key)
    studio = state.studio
    assert studio is not None
    latents = [studio.face_from_latent(np.arange(i, i + 4.0, dtype=np.float32)) for i in range(2)]
    for parents in (
        latents,
        (studio.face(3), latents[0]),
        (studio.face(3, 0.5), studio.face(4, 0.9)),
        (studio.face(3).towards("ours"), studio.face(4, cutoff=5)),
        (studio.face(3).noise("none"), studio.face(4, -1e-05)),
        (studio.face(3).edit("smile", 1.0).lock("frame"), studio.face(4).mix(studio.face(9), (2, 6))),
    ):
        state.mix.set_parents(parents)
        await shown.note()


async def walk_morph(shown: Shown) -> None:
    state = shown.tui.app.state
    await shown.note("4", "minus", "minus", "minus", "minus")
    await shown.show(lambda face: face.edit("smile", 1.0).lock("frame"))
    studio = state.studio
    assert studio is not None
    latent = studio.face_from_latent(np.arange(4.0, dtype=np.float32))
    for faces in (
        (studio.face(3), latent, studio.face(5)),
        (studio.face(3, 0.5), studio.face(4, 0.9)),
        (studio.face(3).mix(studio.face(8), (2, 4)), studio.face(4)),
        (studio.face(3).edit("smile", 1.0).lock("frame"), studio.face(4).noise("none")),
    ):
        state.morph.set_transition(faces)
        await shown.show(lambda face: face)


async def walk_concepts(shown: Shown) -> None:
    await shown.note("8", "right")
    await shown.show(lambda face: face.studio.face(3).mix(face.studio.face(9), (2, 6)).edit("yaw", 0.5))
    await shown.show(lambda face: face.studio.face_from_latent(np.arange(4.0, dtype=np.float32)))


WALKS = (walk_faces, walk_explore, walk_mix, walk_morph, walk_concepts)


@pytest.mark.parametrize("walk", WALKS, ids=lambda walk: walk.__name__.removeprefix("walk_"))
async def test_a_shown_command_makes_what_is_shown(
    open_app: Open,
    settings: Settings,
    run_shown: Callable[[str], set[str]],
    walk: Callable[[Shown], object],
    tmp_path: Path,
) -> None:
    async with open_app(settings=settings) as tui:
        shown = Shown(tui)
        await walk(shown)  # type: ignore[misc]
    for line, digests in shown.lines.items():
        assert run_shown(line) == digests, line
    assert bool(shown.scripts) == (walk is not walk_concepts)
    for number, (script, digests) in enumerate(shown.scripts.items()):
        folder = tmp_path / f"python{number}"
        exec(script.replace("'out'", repr(str(folder))), {})
        assert {read_face(path)[0].digest for path in folder.glob("*.json")} == digests, script


async def test_the_embedded_network_is_named_where_the_settings_name_another(
    open_app: Open, settings: Settings
) -> None:
    async with open_app(settings=settings) as tui:
        tui.app.state.open_model(None)
        await tui.until(lambda: tui.app.state.engine.phase == "ready" and tui.app.state.studio is not None)
        await tui.settled()
        named = [] if settings.model is None else ["--model", str(embedded_model_path())]
        assert shlex.split(tui.command_text())[6:] == named


async def test_no_command_is_shown_that_names_a_file_which_cannot_be_written(
    open_app: Open, tui_settings: Settings
) -> None:
    (tui_settings.state / "kept-faces").touch()
    async with open_app() as tui:
        tui.app.state.apply(lambda studio: studio.show(studio.face_from_latent(np.zeros(4, np.float32))))
        await tui.until(lambda: not tui.command_text())
        tui.app.state.apply(lambda studio: studio.show(studio.face(3)))
        await tui.until(lambda: tui.command_text() == "$ tuiface render 3 --psi 0.7")
