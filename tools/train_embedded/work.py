"""The folder of a work: plan, what is done of each stage, and all that a stage needs to go on.

DIR/state.json    plan, stages, and the files with their digests
DIR/pieces/       those files in parts: with state.json, all that another machine needs
DIR/runs/         snapshots and logs of the trainings        DIR/assets/, DIR/docs/    what came of them
DIR/heads/        rendered heads, and DIR/cache/: made again where they are missing; only what was worked out
                  for directions is kept
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from tools.train_embedded.pieces import KeptFile, join_files, split_files
from tools.train_embedded.plan import Plan
from tuiface.core.durations import format_duration
from tuiface.core.errors import InputFileError, UsageError, quote
from tuiface.core.files import make_folder, write_file
from tuiface.core.reading import read_regular
from tuiface.core.strict_json import MAX_JSON_BYTES
from tuiface.core.values import Value, parse_json

STATE_NAME = "state.json"
KEPT_FOLDERS = ("runs", "assets", "docs", "cache")
"""Whose files go into pieces; of the cache, what was learned."""

StageName = Literal[
    "attributes", "segmenter", "paired", "adversarial", "directions", "verification", "strips", "cards", "sheets"
]
STAGE_NAMES: tuple[StageName, ...] = (
    "attributes", "segmenter", "paired", "adversarial", "directions", "verification", "strips", "cards", "sheets",
)  # fmt: skip
"""In order. The readers come first: the network is given room for what they read, and held to it."""


class StageState(Value):
    """How far one stage is."""

    name: StageName
    done: bool = False
    share: float = Field(0.0, ge=0, le=1)
    """Done of it."""
    seconds: float = Field(0.0, ge=0)
    """Spent on it, wherever."""

    @property
    def seconds_left(self) -> float | None:
        """At the pace so far; None before there is one."""
        if self.done:
            return 0.0
        return self.seconds / self.share * (1 - self.share) if self.share > 0 else None


class WorkState(Value):
    """state.json."""

    format: Literal["tuiface.embedded-work/1"] = "tuiface.embedded-work/1"
    plan: Plan
    stages: tuple[StageState, ...] = Field(max_length=64)
    next: StageName | None
    """The first stage that is not done."""
    seconds_left: float | None
    """Of that stage, estimated."""
    files: tuple[KeptFile, ...] = Field((), max_length=1 << 16)


class Work:
    """A work in its folder."""

    def __init__(self, folder: Path, state: WorkState) -> None:
        self.folder, self.state = folder, state

    @classmethod
    def begin(cls, folder: Path, plan: Plan) -> Work:
        """A new one; nothing is done."""
        make_folder(folder)
        stages = tuple(StageState(name=name) for name in STAGE_NAMES)
        return cls(folder, WorkState(plan=plan, stages=stages, next=STAGE_NAMES[0], seconds_left=None))

    @classmethod
    def open(cls, folder: Path) -> Work:
        """The one in `folder`; raises InputFileError for anything else."""
        return cls(folder, read_state(folder))

    @classmethod
    def take_up(cls, source: Path, folder: Path) -> Work:
        """The one whose pieces lie in `source`, put together in `folder`, where there is none yet."""
        if (folder / STATE_NAME).exists():
            raise UsageError(f"there is a work in {quote(folder)} already", "leave out --from, or give another --out")
        state = read_state(source)
        if tuple(stage.name for stage in state.stages) != STAGE_NAMES:
            raise InputFileError(f"{quote(source / STATE_NAME)} has other stages than this version", "begin anew")
        make_folder(folder)
        join_files(source, state.files, folder, KEPT_FOLDERS)
        work = cls(folder, state)
        work.save()
        return work

    @property
    def plan(self) -> Plan:
        """What is to come of it."""
        return self.state.plan

    def stage(self, name: StageName) -> StageState:
        """How far a stage is."""
        return next(stage for stage in self.state.stages if stage.name == name)

    def note_stage(self, name: StageName, *, done: bool, share: float, seconds: float) -> None:
        """A part of a stage was done, in `seconds`."""
        before = self.stage(name)
        now = StageState(name=name, done=done, share=1.0 if done else share, seconds=before.seconds + seconds)
        stages = tuple(now if stage.name == name else stage for stage in self.state.stages)
        first = next((stage for stage in stages if not stage.done), None)
        self.state = self.state.model_copy(
            update={
                "stages": stages,
                "next": None if first is None else first.name,
                "seconds_left": None if first is None else first.seconds_left,
            }
        )

    def save(self) -> None:
        """Bring everything that is kept into pieces, then say so; raises OutputError."""
        files = split_files(self.folder, list_kept(self.folder))
        self.state = self.state.model_copy(update={"files": files})
        write_file(self.folder / STATE_NAME, self.state.canonical_json(), force=True)

    def describe_next(self) -> str:
        """One line: which piece comes next."""
        if self.state.next is None:
            return f"all stages are done: {self.folder / 'assets'}, {self.folder / 'docs'}"
        stage = self.stage(self.state.next)
        left = "" if not stage.seconds_left else f", about {format_duration(stage.seconds_left)} left here"
        number = STAGE_NAMES.index(stage.name) + 1
        return f"next: {stage.name} ({number} of {len(STAGE_NAMES)}), {100 * stage.share:.0f} % done{left}"


def read_state(folder: Path) -> WorkState:
    """What `folder` says of its work; raises InputFileError, one line."""
    path = folder / STATE_NAME
    try:
        return parse_json(WorkState, read_regular(path, MAX_JSON_BYTES), str(path))
    except OSError as error:
        raise InputFileError(f"cannot read {quote(path)}: {error.strerror}", "name the folder of a work") from None


def list_kept(folder: Path) -> list[str]:
    """Files that go into pieces, by their paths within `folder`, in order."""
    found = []
    for root in KEPT_FOLDERS:
        within = folder / root / ("learning" if root == "cache" else "")
        for path in sorted(within.rglob("*")):
            is_heads = path.is_relative_to(folder / "runs") and "heads" in path.relative_to(folder / "runs").parts
            if path.is_file() and not path.is_symlink() and not is_heads and not path.name.startswith("."):
                found.append(path.relative_to(folder).as_posix())
    return found
