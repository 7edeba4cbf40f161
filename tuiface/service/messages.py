"""What a resident engine and its clients say besides pictures: whether they fit, how it is, and long work.

All of it is strict JSON, like whatever crosses the socket. Only `Offer` is read leniently, since it must tell of an
engine of another version.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from tuiface.core.assets import embedded_model_path
from tuiface.core.bounds import Count, LargeCount, Line, PathText, Side, Word
from tuiface.core.errors import EngineError
from tuiface.core.settings import Settings
from tuiface.core.strict_json import JsonError, parse_strict_json
from tuiface.core.values import Value
from tuiface.core.version import __version__
from tuiface.core.visible import escape_bytes
from tuiface.engine_api.codec import parse_answer
from tuiface.engine_api.protocol import JobProgress

PROTOCOL_VERSION = 3
"""Grows with every change that an engine or a client of before would misunderstand."""

OFFER_PATH = "/offer"
STATUS_PATH = "/status"
STOP_PATH = "/stop"
JOB_PATH = "/job"
JOBS_PATH = "/jobs"
CANCEL_PATH = "/jobs/cancel"
FORGET_PATH = "/jobs/forget"

MAX_LINES = 10_000
"""Users, or jobs, in one answer."""


class Offer(Value):
    """The answer to `GET /offer`: what must be equal on both sides before a client renders here."""

    protocol: Count = PROTOCOL_VERSION
    version: Word = __version__
    model: PathText
    """Absolute path of the checkpoint."""
    size: LargeCount
    mtime_ns: int = Field(ge=-(2**63), lt=2**63)
    """Of the checkpoint when it was opened: one that was replaced since is another model."""
    directions: PathText
    """The folder of the user's own directions."""

    @classmethod
    def of(cls, settings: Settings) -> Offer:
        """What an engine of `settings` offers, and a client of `settings` wants. Raises EngineError without a file."""
        path = Path(os.path.realpath(settings.model or embedded_model_path()))
        try:
            status = path.stat()
        except OSError as error:
            raise EngineError(f"cannot read {path}: {error.strerror}") from None
        directions = escape_bytes(str(settings.directions.absolute()))
        model = escape_bytes(str(path))
        return cls(model=model, size=status.st_size, mtime_ns=status.st_mtime_ns, directions=directions)

    def misfit(self, wanted: Offer, *, same_user: bool) -> str:
        """Why a client that wants `wanted` cannot use this; empty where it can."""
        if (self.model, self.size, self.mtime_ns) != (wanted.model, wanted.size, wanted.mtime_ns):
            changed = " as it was before the file changed" if self.model == wanted.model else ""
            held, asked = Path(self.model), Path(wanted.model)
            if held.name == asked.name and held != asked:  # runs of the trainer call their snapshots alike
                return f"it holds {held}, wanted is {asked}"
            return f"it holds {held.name}{changed}, wanted is {asked.name}"
        if same_user and self.directions != wanted.directions:
            return f"it reads directions from {self.directions}, wanted is {wanted.directions}"
        return ""


def decode_offer(text: bytes) -> Offer:
    """The engine's answer to /offer; raises EngineError for another version, or for no engine of tuiface at all."""
    try:
        values = parse_strict_json(text)
        protocol, version = values["protocol"], values["version"]
    except (JsonError, TypeError, KeyError):
        raise EngineError("what answers there is no engine of tuiface") from None
    if (protocol, version) != (PROTOCOL_VERSION, __version__):
        raise EngineError(
            f"it is of tuiface {version} (protocol {protocol}), this is {__version__} (protocol {PROTOCOL_VERSION})",
            "tuiface engine stop, then start",
        )
    return parse_answer(Offer, text, "offer")


class ClientLine(Value):
    """One user's interfaces that are connected now."""

    user: Word
    interfaces: Count


class JobLine(Value):
    """Long work and whose it is."""

    user: Word
    job: JobProgress


JobLines = Annotated[tuple[JobLine, ...], Field(max_length=MAX_LINES)]


class Status(Value):
    """The answer to `GET /status`."""

    pid: Count
    user: Word
    version: Word
    model: Word
    path: PathText
    device: Word
    device_name: Word
    resolution: Side
    uptime_s: float
    idle_minutes: float
    """Without clients and work it ends after these; 0: never."""
    group: Word | None
    """Unix group that may use it too."""
    memory_mb: float
    """Of the process."""
    device_memory_mb: float | None
    """On the GPU; null without one."""
    audit: PathText
    """The file that says what it made, and for whom."""
    clients: Annotated[tuple[ClientLine, ...], Field(max_length=MAX_LINES)]
    jobs: JobLines
    """The asker's own, and everybody's for the user who started the engine; the newest last."""


class StopMessage(Value):
    """The body of `POST /stop`."""

    force: bool = False
    """Cancel long work that runs."""


class StopAnswer(Value):
    """Whether the engine ends once the saves that wait are done, and the work that keeps it otherwise."""

    stops: bool
    jobs: JobLines = ()


class JobOpening(Value):
    """The first message on `WS /job`, from the process that does long work."""

    label: Line
    total: Count = 0


class JobTicket(Value):
    """The engine's answer: the number of the job."""

    id: LargeCount


class JobReport(Value):
    """Each message after it; the last one has a state that is over."""

    state: Literal["running", "done", "failed", "cancelled"] = "running"
    done: Count = 0
    total: Count = 0
    message: Line = ""


class JobCancel(Value):
    """What the engine sends on `WS /job` when its user wants it to end."""

    cancel: Literal[True] = True


class JobNumber(Value):
    """The body of `POST /jobs/cancel`."""

    id: LargeCount


class JobList(Value):
    """Each message on `WS /jobs`: all jobs of the client's user, oldest first."""

    jobs: Annotated[tuple[JobProgress, ...], Field(max_length=MAX_LINES)]
