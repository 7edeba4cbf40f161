"""Long work of Concepts, each as a job: faces are read, directions made, looked for and imported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from tuiface.core.errors import TuifaceError, UsageError, quote
from tuiface.core.i18n import tr, trn
from tuiface.screens import models
from tuiface.screens.concepts.questionnaire_session import POOL_SIZE, QuestionnaireSession, read_pool
from tuiface.screens.face.summary import home_relative
from tuiface.screens.messages import WorkFinished

if TYPE_CHECKING:
    import numpy as np
    from textual.app import App

    from tuiface.core.settings import Settings
    from tuiface.directions.direction import Direction
    from tuiface.directions.questionnaire import AnswersFile
    from tuiface.engine_api.requests import ScoresRequest, SearchRequest
    from tuiface.faces.studio import Studio
    from tuiface.screens.jobs.runner import ProgressCallback
    from tuiface.screens.session import Session


def start_questionnaire(app: App[object], session: Session, file: AnswersFile) -> None:
    """Ask about faces, or go on asking; the engine reads them first, once for all questions about its network."""
    assert session.studio is not None
    inquiry = session.questionnaire_session = QuestionnaireSession(file)
    if session.pool_features is not None:
        _begin(app, session, inquiry, session.pool_features)
        return
    engine = session.studio.engine

    def work(report: ProgressCallback) -> str:
        try:
            features = read_pool(engine, report)
        except Exception as error:
            text = str(error) or tr("cancelled")
            app.post_message(WorkFinished(lambda: _stop(app, session, inquiry, text)))
            raise
        app.post_message(WorkFinished(lambda: _begin(app, session, inquiry, features)))
        return trn("{number} face read", "{number} faces read", POOL_SIZE)

    inquiry.job = session.submit_job(tr("Faces to ask about {name}", name=file.concept), work, POOL_SIZE)


def _begin(app: App[object], session: Session, inquiry: QuestionnaireSession, features: np.ndarray) -> None:
    if session.questionnaire_session is not inquiry:
        return  # another one was opened, or another network, meanwhile
    session.pool_features = features
    try:
        inquiry.begin(features)
    except TuifaceError as error:
        inquiry.problem = str(error)
    app.call_later(_show, app)


def _stop(app: App[object], session: Session, inquiry: QuestionnaireSession, problem: str) -> None:
    inquiry.problem = problem
    if session.questionnaire_session is inquiry:
        _show(app)


def _show(app: App[object]) -> None:
    from tuiface.screens.work_screen import WorkScreen

    if isinstance(app.screen, WorkScreen):
        app.screen.show_state()


def check_replacement(studio: Studio, order: ScoresRequest) -> bool:
    """Whether a direction that was made of the same answers before gives way to this one.

    Raises UsageError where another direction of the user's has the name.
    """
    entries = {e.direction.name: e for e in studio.catalogue.entries(studio.info.model) if not e.shipped}
    if order.name not in entries:
        return False
    origin = entries[order.name].direction.header.origin
    if (origin.method, origin.data) != (order.origin.method, order.origin.data):
        raise UsageError(
            f"a direction of yours is called {quote(order.name)} already", "rename that one in the list of concepts"
        )
    return True


def submit_direction_job(app: App[object], session: Session, order: ScoresRequest, *, force: bool) -> None:
    """Make a direction of scores and keep it; the list shows it when the job is done."""
    studio = session.studio
    assert studio is not None

    def work(report: ProgressCallback) -> str:
        report(0, 1)
        (direction,) = studio.engine.make_directions(order)
        path = studio.catalogue.add(direction, force=force)
        report(1, 1)
        return home_relative(path)

    session.submit_job(tr("Direction {name}", name=order.name), work, 1)


def search(app: App[object], session: Session, order: SearchRequest) -> None:
    """Look for directions without labels; what was found before gives way to what is found."""
    studio = session.studio
    assert studio is not None

    def take(found: tuple[Direction, ...]) -> None:
        if session.studio is studio:
            session.search, session.found = order, found
            _show(app)

    def work(report: ProgressCallback) -> str:
        from tuiface.stimuli.series import Cancelled

        report(0, 0)
        found = studio.engine.make_directions(order)
        if not report(0, 0):
            raise Cancelled
        app.post_message(WorkFinished(lambda: take(found)))
        return trn("{number} direction found", "{number} directions found", len(found))

    session.submit_job(tr("Search by {method}", method=order.method), work)


def import_file(app: App[object], session: Session, words: list[str], then: Callable[[], None]) -> None:
    """Import what `tuiface directions import` takes, in a process of its own: this one never reads such a file.

    `then` is called on the app's thread when it lies in the folder.
    """
    environment = command_environment(session.settings)

    def work(report: ProgressCallback) -> str:
        report(0, 1)
        printed = models.run_command(["directions", "import", *words], environment=environment)
        report(1, 1)
        app.post_message(WorkFinished(then))
        return printed.strip().splitlines()[-1] if printed.strip() else ""

    session.submit_job(tr("Import {name}", name=words[0].rpartition("/")[2]), work, 1)


def command_environment(settings: Settings) -> Mapping[str, str]:
    """The settings of this session for a command, which runs on the CPU: one network on the GPU is enough."""
    named = {"directions": settings.directions, "cache": settings.cache, "model": settings.model, "device": "cpu"}
    return {f"TUIFACE_{name.upper()}": str(value) for name, value in named.items() if value is not None}
