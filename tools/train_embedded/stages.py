"""The stages, each by the project's own functions; each ends when it is done, or when its time is over, resumably."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from tools.train_embedded.plan import ASSET_OF, open_faces_start, open_start
from tools.train_embedded.sheets import write_sheets
from tools.train_embedded.work import StageName, Work
from tools.verify_directions import verify_directions
from tools.write_directions import format_table, write_strip
from tools.write_reader_cards import write_cards
from tuiface.benchmarks.quality import measure, write_report
from tuiface.core.assets import EMBEDDED_MODEL, embedded_model_path, use_assets
from tuiface.core.errors import ModelError
from tuiface.core.files import make_folder, write_file
from tuiface.core.settings import Settings
from tuiface.directions.direction import Direction, read_direction, write_direction
from tuiface.engine.loading import load_checkpoint, open_engine
from tuiface.engine.local_engine import LocalEngine
from tuiface.engine.predictors import AttributePredictor, Segmenter
from tuiface.engine.predictors.files import Kind
from tuiface.engine.training import SNAPSHOT_NAME, RunLimits, build_run_limits, train
from tuiface.engine.training.gan.trainer import MODEL_NAME
from tuiface.engine.training.predictors.snapshots import read_predictor_progress
from tuiface.engine.training.predictors.training import train_predictor_on
from tuiface.engine.training.report import CURVES_NAME
from tuiface.engine_api.requests import AttributesRequest


@dataclass(frozen=True, slots=True)
class Workshop:
    """A work, and the machine and the time that there is for it now."""

    work: Work
    device: str
    """Name of a torch device."""
    heads: Path
    """Folder of rendered heads."""
    deadline: float
    """Of `time.monotonic`."""
    workers: int
    """Processes that render heads."""
    threads: int
    """CPU threads; 0 leaves torch's choice."""
    note: Callable[[str], None]

    @property
    def seconds(self) -> float:
        """Left."""
        return self.deadline - time.monotonic()

    @property
    def assets(self) -> Path:
        """What is to ship."""
        return self.work.folder / "assets"

    @property
    def docs(self) -> Path:
        """What is said and shown of it."""
        return self.work.folder / "docs"

    def limits(self, name: str, **changes: object) -> RunLimits:
        """Of a training in the folder `name`."""
        return build_run_limits({
            "out": self.work.folder / "runs" / name, "minutes": max(self.seconds, 0.1) / 60, "device": self.device,
            "workers": self.workers, "cache": self.heads, "threads": self.threads, "model_precision": "float16",
            **changes,
        })  # fmt: skip

    @contextlib.contextmanager
    def open_engine(self) -> Iterator[LocalEngine]:
        """An engine of the new network, with the new readers and directions alone."""
        nothing = self.work.folder / "cache" / "none"
        settings = Settings(
            model=self.assets / EMBEDDED_MODEL,
            device="cpu" if self.device == "cpu" else "cuda",
            threads=self.threads,
            cache=self.work.folder / "cache",
            directions=nothing,
            regions=nothing,
        )
        make_folder(self.assets / "directions")
        with use_assets(self.assets), contextlib.closing(open_engine(settings)) as engine:
            yield engine

    def directions(self) -> list[Direction]:
        """Those that were learned."""
        return [read_direction(path) for path in sorted((self.assets / "directions").glob("*.safetensors"))]


@dataclass(frozen=True, slots=True)
class Part:
    """What a call of a stage did."""

    done: bool
    share: float = 1.0
    """Of the stage, done so far."""


Stage = Callable[[Workshop], Part]


def train_reader(kind: Kind, shop: Workshop) -> Part:
    """Train one of the two readers, from the shipped one where the plan says so."""
    settings = shop.work.plan.reader(kind)
    start = open_start(settings)
    limits = shop.limits(kind)
    outcome = train_predictor_on(settings, limits, start)
    if outcome is None:
        return Part(done=False, share=_reader_share(limits.out / SNAPSHOT_NAME, settings.kimg))
    make_folder(shop.assets)
    write_file(shop.assets / ASSET_OF[kind], outcome.path.read_bytes(), force=True)
    return Part(done=True)


def _reader_share(snapshot: Path, kimg: float) -> float:
    return min(read_predictor_progress(snapshot).images / (1000 * kimg), 1.0)


def start_faces(shop: Workshop) -> Part:
    """The paired start: regression, then distillation."""
    progress = _train_faces(shop, "paired")
    paired = shop.work.plan.faces.paired
    lengths = {"regression": paired.regression_kimg, "distillation": paired.distillation_kimg}
    names = [name for name, kimg in lengths.items() if kimg]
    if progress["stage"] not in names:
        return Part(done=True)
    place = names.index(str(progress["stage"]))
    share = min(_count(progress, "images") / max(1000 * lengths[names[place]], 1), 1.0)
    return Part(done=place == len(names) - 1 and share == 1, share=(place + share) / len(names))


def train_faces(shop: Workshop) -> Part:
    """The warm-up of the discriminator and the adversarial stage; the best network becomes the asset."""
    progress = _train_faces(shop, "all")
    goal = 1000 * shop.work.plan.faces_kimg
    share = min(_count(progress, "images") / goal, 1.0) if progress["stage"] == "adversarial" else 0.0
    if share < 1:
        return Part(done=False, share=share)
    run = shop.work.folder / "runs" / "faces"
    for name, asset in ((MODEL_NAME, EMBEDDED_MODEL), ("best.json", "embedded.json")):
        write_file(shop.assets / asset, (run / name).read_bytes(), force=True)
    return Part(done=True)


def _train_faces(shop: Workshop, until: str) -> dict[str, object]:
    """Train until a stage is done or time is over; the run's progress."""
    limits = shop.limits("faces", stage=until, kimg=shop.work.plan.faces_kimg)
    snapshot, settings = limits.out / SNAPSHOT_NAME, shop.work.plan.faces
    resume = snapshot if snapshot.exists() else None
    start = open_faces_start(settings) if resume is None else None
    with use_assets(shop.assets):
        outcome = train(settings, limits, resume=resume, start=start)
    return dict(outcome.progress)


def _count(progress: dict[str, object], name: str) -> int:
    value = progress[name]
    assert isinstance(value, int)
    return value


class _OutOfTimeError(Exception):
    """Raised between two steps of learning; what was worked out is in the cache."""


def learn_directions(shop: Workshop) -> Part:
    """Directions of all that the reader sees in the network's faces; those that fail are said, and not kept."""
    plan, folder = shop.work.plan, shop.assets / "directions"

    def check(text: str) -> None:
        if text:
            shop.note(text)
        if shop.seconds <= 0:
            raise _OutOfTimeError

    with shop.open_engine() as engine:
        visible = sum(attribute.is_visible for attribute in AttributePredictor.load().attributes)
        request = AttributesRequest(draws=plan.draws, faces=min(40, plan.draws), seeds=plan.seeds)
        tried = 0
        try:
            for made in engine.make_directions(request, check):
                tried += 1
                if made.holds or plan.keep_weak:
                    write_direction(made.direction, folder / f"{made.direction.name}.safetensors", force=True)
                if not made.holds:
                    kept = "kept all the same" if plan.keep_weak else "left out"
                    shop.note(f"{made.direction.name}: failed its verification, {kept}")
                check("")
        except _OutOfTimeError:
            return Part(done=False, share=min(tried / max(visible, 1), 0.99))
        except ModelError as error:  # of faces that show nothing: a trial's
            shop.note(f"no directions: {error.message}")
    return Part(done=True)


def verify(shop: Workshop) -> Part:
    """Measure all directions once more, as they are stored: what another reader would be asked for, too."""
    plan = shop.work.plan
    with shop.open_engine() as engine:
        failed = verify_directions(engine.network, shop.assets / "directions", plan.draws, plan.seeds)
    if failed:
        shop.note(f"{failed} directions no longer hold: look at them before they ship")
    return Part(done=True)


def draw_strips(shop: Workshop) -> Part:
    """A picture of each direction; those that are there stay."""
    folder, directions = shop.docs / "pictures" / "directions", shop.directions()
    make_folder(folder)
    with shop.open_engine() as engine:
        for number, direction in enumerate(directions):
            if shop.seconds <= 0:
                return Part(done=False, share=number / len(directions))
            if not (folder / f"{direction.name}.jpg").exists():
                write_strip(engine, direction, folder)
    return Part(done=True)


def make_cards(shop: Workshop) -> Part:
    """The readers' cards, the table of directions, and the figures of the network with their sheets."""
    plan, docs = shop.work.plan, shop.docs
    make_folder(docs)
    with use_assets(shop.assets):
        write_cards(docs)
        (docs / "directions-table.md").write_text(format_table(shop.directions()) + "\n", "utf-8")
        checkpoint = load_checkpoint(embedded_model_path(), cache=shop.work.folder / "cache")
        predictor, segmenter = AttributePredictor.load(), Segmenter.load()
        quality = measure(checkpoint, predictor, segmenter, plan.compared, shop.heads, shop.note)
    model = {"name": checkpoint.info.name, "sha256": checkpoint.info.network_sha256}
    report = write_report(docs / "quality", quality, model)
    shop.note(f"goals: {report['goals']}")
    curves = shop.work.folder / "runs" / "faces" / CURVES_NAME
    if curves.exists():
        shutil.copyfile(curves, docs / "pictures" / "training-curves.png")
    return Part(done=True)


def draw_sheets(shop: Workshop) -> Part:
    """Forty-eight faces, and twelve enlarged, old beside new."""
    cache = shop.work.folder / "cache"
    old = load_checkpoint(embedded_model_path(), cache=cache).generator
    new = load_checkpoint(shop.assets / EMBEDDED_MODEL, cache=cache).generator
    with torch.no_grad():
        write_sheets(old, new, shop.docs / "pictures")
    return Part(done=True)


STAGES: dict[StageName, Stage] = {
    "attributes": partial(train_reader, "attributes"),
    "segmenter": partial(train_reader, "segmenter"),
    "paired": start_faces,
    "adversarial": train_faces,
    "directions": learn_directions,
    "verification": verify,
    "strips": draw_strips,
    "cards": make_cards,
    "sheets": draw_sheets,
}
