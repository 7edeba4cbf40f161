"""What threads tell the app. A thread posts one of these and touches nothing else of the interface."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from textual.message import Message

from tuiface.core.errors import TuifaceError
from tuiface.core.reading import explain

if TYPE_CHECKING:
    from tuiface.engine_api.protocol import JobProgress, RenderResult
    from tuiface.faces.studio import Face, Studio


@dataclass
class EngineReady(Message):
    """The engine answers, for the first time or again."""

    studio: Studio
    remark: str = ""
    """Why it is not the resident engine that runs."""


@dataclass
class EngineFailed(Message):
    """The engine could not be started."""

    error: TuifaceError


@dataclass
class PreviewArrived(Message):
    """A preview was rendered."""

    result: RenderResult

    def can_replace(self, message: Message) -> bool:
        """A picture that is still unread when a newer one comes is never drawn; a late older one takes no place."""
        return isinstance(message, PreviewArrived) and message.result.sequence >= self.result.sequence


@dataclass
class PreviewFailed(Message):
    """The engine refused a preview, or is gone."""

    error: TuifaceError


@dataclass
class FaceSaved(Message):
    """A face lies in the library."""

    face: Face
    path: Path
    """The PNG."""
    existed: bool
    """It lay there before: the name holds the recipe's digest, so it is this very face."""


@dataclass
class SaveFailed(Message):
    """A face could not be rendered or written."""

    face: Face
    error: TuifaceError


@dataclass
class TileArrived(Message):
    """A small picture for a grid was rendered."""

    result: RenderResult


@dataclass
class WorkFinished(Message):
    """Short work in a thread is done: what to do with it, on the app's thread."""

    deliver: Callable[[], None]


@dataclass
class WorkFailed(Message):
    """Short work in a thread ended with an error of the user's or the engine's."""

    title: str
    error: TuifaceError


def do_work(title: str, work: Callable[[], Callable[[], None]]) -> WorkFinished | WorkFailed:
    """Do short work, in whatever thread: the message that tells what is to be done with what came of it."""
    try:
        return WorkFinished(work())
    except TuifaceError as error:
        return WorkFailed(title, error)
    except OSError as error:
        if (explained := explain(error)) is None:
            raise
        return WorkFailed(title, explained)


@dataclass
class JobChanged(Message):
    """Long work went on, ended, or waits."""

    progress: JobProgress
    is_first_report: bool = False
    """It is work of a resident engine, as it was when this app met it."""


@dataclass
class ThreadCrashed(Message):
    """A bug of ours in a thread: raised again where Textual ends the app with its traceback."""

    error: BaseException
