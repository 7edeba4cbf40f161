"""What a user does to a folder of faces, each as a scene: what is there, what is done, what must hold after a kill."""

from __future__ import annotations

import datetime
import functools
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from unittest import mock

import numpy as np

from tests.conftest import MODEL
from tests.directions.directions import make_direction
from tests.fake_engine import FakeEngine
from tuiface.core.files import whole_folder, write_file, write_pair
from tuiface.core.settings import Settings
from tuiface.directions.catalogue import Catalogue
from tuiface.directions.direction import DirectionOrigin
from tuiface.directions.populations import NamedPopulation, Populations
from tuiface.engine.checkpoints import CheckpointContents, read_checkpoint, write_native
from tuiface.engine.checkpoints.native import encode_native
from tuiface.faces.library import Library
from tuiface.faces.studio import Face, Studio
from tuiface.screens.session_file import SessionFile
from tuiface.stimuli.series import save_series
from tuiface.stimuli.sets import FaceSets

TAGS = ("suspect",)


@dataclass(frozen=True)
class Scene:
    """One folder with its settings."""

    root: Path

    @property
    def settings(self) -> Settings:
        names = ("library", "cache", "state", "directions")
        return Settings.model_validate({name: self.root / name for name in names})

    @property
    def library(self) -> Library:
        return Library(self.root / "library", Path("/dev/null/no-index"))

    def studio(self) -> Studio:
        return Studio(FakeEngine(resolution=8), self.settings)

    def face(self, seed: int = 1) -> Face:
        return self.studio().face(seed)

    def png(self, seed: int = 1) -> Path:
        return self.library.folder / f"{self.face(seed).file_stem()}.png"

    def contents(self) -> dict[str, bytes]:
        """All files by their names; the stamps of removed faces are left out of these."""
        named = {str(path.relative_to(self.root)): path.read_bytes() for path in self.root.rglob("*") if path.is_file()}
        return {re.sub(r"\d{8}T\d{6}-[0-9a-f]{8}", "STAMP", name): data for name, data in named.items()}


@contextmanager
def at_hour(hour: int) -> Iterator[None]:
    """Faces are saved at this hour of one day."""

    clock = mock.Mock(now=lambda zone: datetime.datetime(2026, 5, 4, hour, tzinfo=zone))
    with mock.patch("tuiface.faces.studio.datetime", mock.Mock(datetime=clock, UTC=datetime.UTC)):
        yield


Step = Callable[[Scene], None]


def nothing(scene: Scene) -> None:
    """An empty place."""


def save(scene: Scene) -> None:
    with at_hour(1):
        scene.face().save(scene.library.folder)


def save_tagged(scene: Scene) -> None:
    save(scene)
    set_tags(scene)


def save_over(scene: Scene) -> None:
    with at_hour(2):
        scene.face().save(scene.library.folder, force=True)


def set_tags(scene: Scene) -> None:
    scene.library.set_tags(scene.library.find(scene.png().name), add=TAGS)


def set_more_tags(scene: Scene) -> None:
    scene.library.set_tags(scene.library.find(scene.png().name), add=("more",))


def remove(scene: Scene) -> None:
    faces = [face for face in scene.library.faces() if face.path == scene.png()]
    for face in faces:  # none: an earlier try came so far
        scene.library.remove(face)


def save_and_remove(scene: Scene) -> None:
    save_tagged(scene)
    remove(scene)


def restore(scene: Scene) -> None:
    for trashed in (scene.library.folder / ".trash").glob(f"*/{scene.png().name}"):
        scene.library.restore(trashed)


def lose_sidecar(scene: Scene) -> None:
    save(scene)
    scene.png().with_suffix(".json").unlink()


def lose_picture(scene: Scene) -> None:
    save(scene)
    scene.png().unlink()


def damage_sidecar(scene: Scene) -> None:
    save(scene)
    scene.png().with_suffix(".json").write_text('{"format": "tuif')


def repair(scene: Scene) -> None:
    scene.library.repair()


def write_session(scene: Scene, text: str = '{"now": 1}') -> None:
    file = SessionFile(scene.root / "state")
    file._name = "session"  # by itself it names the process
    file.write(text)
    file.close()


def write_session_again(scene: Scene) -> None:
    write_session(scene, '{"now": 2}')


def add_direction(scene: Scene) -> None:
    _catalogue(scene).add(make_direction(model=FakeEngine().info().model), force=True)


def add_other_direction(scene: Scene) -> None:
    direction = make_direction(model=FakeEngine().info().model, licence="another")
    _catalogue(scene).add(direction, force=True)


def rename_direction(scene: Scene) -> None:
    if "smile" in {entry.direction.name for entry in _catalogue(scene).entries()}:
        _catalogue(scene).rename("smile", "grin", FakeEngine().info().model)


def _catalogue(scene: Scene) -> Catalogue:
    return Catalogue(scene.root / "shipped", scene.root / "directions")


def add_population(scene: Scene) -> None:
    model, origin = FakeEngine().info().model, DirectionOrigin(method="faces", data="1 2")
    population = NamedPopulation.of("ours", model, np.full(4, 0.5, np.float32), origin)
    Populations(scene.root / "directions").add(population, force=True)


def save_film(scene: Scene) -> None:
    with at_hour(1):
        save_series([scene.face()], scene.library.folder, "walk", films=("gif",), force=True)


def convert(scene: Scene) -> None:
    write_native(_contents(), scene.root / "model.safetensors")


def convert_again(scene: Scene) -> None:
    write_native(_contents(), scene.root / "model.safetensors", licence="another")


def export(scene: Scene, licence: str = "one") -> None:
    content = list(encode_native(_contents(), licence=licence))
    write_pair(scene.root / "model.safetensors", content, scene.root / "model.json", licence.encode(), force=True)


def export_again(scene: Scene) -> None:
    export(scene, "another")


def make_data_set(scene: Scene) -> None:
    if not (scene.root / "heads").exists():
        with whole_folder(scene.root / "heads") as folder:
            for name in ("labels", "picture"):
                (folder / name).mkdir()
                write_file(folder / name / "1", name.encode())


def make_set(scene: Scene) -> None:
    sets = FaceSets(scene.library)
    with _at_one_time():
        if "s" not in sets.names():
            sets.create("s")


def add_to_set(scene: Scene) -> None:
    FaceSets(scene.library).add("s", [scene.png()])


def freeze_set(scene: Scene) -> None:
    sets = FaceSets(scene.library)
    with _at_one_time():
        if sets.read("s").frozen is None:
            sets.freeze("s")


def save_and_make_set(scene: Scene) -> None:
    save(scene)
    make_set(scene)


def save_and_add_to_set(scene: Scene) -> None:
    save_and_make_set(scene)
    add_to_set(scene)


def _at_one_time() -> AbstractContextManager[object]:
    clock = mock.Mock(now=lambda zone: datetime.datetime(2026, 5, 4, 9, tzinfo=zone))
    return mock.patch("tuiface.stimuli.sets.datetime", mock.Mock(datetime=clock, UTC=datetime.UTC))


@functools.cache
def _contents() -> CheckpointContents:
    """A few of a network's tensors: each is a write of its own."""
    contents = read_checkpoint(MODEL)
    names = sorted(contents.generator.tensors, key=lambda name: contents.generator.tensors[name].size)[-3:]
    few = {name: contents.generator.tensors[name][:4] for name in names}
    return replace(contents, generator=replace(contents.generator, tensors=few), discriminator=None)


OPERATIONS: dict[str, tuple[Step, Step]] = {
    "save": (nothing, save),
    "save a file of the same name again": (save, save_over),
    "save over a JSON without its picture": (lose_picture, save_over),
    "save over a picture without its JSON": (lose_sidecar, save_over),
    "save a series with a film": (nothing, save_film),
    "tag": (save, set_tags),
    "tag again": (save_tagged, set_more_tags),
    "remove": (save_tagged, remove),
    "restore": (save_and_remove, restore),
    "repair a missing JSON": (lose_sidecar, repair),
    "repair a damaged JSON": (damage_sidecar, repair),
    "write a session": (nothing, write_session),
    "write a session again": (write_session, write_session_again),
    "add a direction": (nothing, add_direction),
    "replace a direction": (add_direction, add_other_direction),
    "rename a direction": (add_direction, rename_direction),
    "add a population": (nothing, add_population),
    "convert": (nothing, convert),
    "convert again": (convert, convert_again),
    "make a data set": (nothing, make_data_set),
    "make a set": (save, make_set),
    "add to a set": (save_and_make_set, add_to_set),
    "freeze a set": (save_and_add_to_set, freeze_set),
    "export a trained network again": (export, export_again),
}
"""What is there first, and what is done then."""
