"""Long work of Concepts, each as a job: faces are read, directions made, looked for and imported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from tuiface.core.errors import UsageError, quote
from tuiface.core.i18n import tr, trn
from tuiface.screens import models
from tuiface.screens.concepts.open_questionnaire import POOL_SIZE, OpenQuestionnaire, read_pool
from tuiface.screens.face.words import home_relative
from tuiface.screens.messages import WorkFinished

if TYPE_CHECKING:
    from textual.app import App

    from tuiface.core.settings import Settings
    from tuiface.directions.direction import Direction
    from tuiface.directions.questionnaire import AnswersFile
    from tuiface.engine_api.requests import ScoresRequest, SearchRequest
    from tuiface.faces.studio import Studio
    from tuiface.screens.jobs.runner import ProgressCallback
    from tuiface.screens.state import InterfaceState


def start_questionnaire(app: App[object], state: InterfaceState, file: AnswersFile) -> None:
    """Ask about faces, or go on asking; the engine reads them first, once for all questions about its network."""
    assert state.studio is not None
    questionnaire = OpenQuestionnaire(file)
    state.concepts.open_questionnaire(questionnaire)
    if state.concepts.pool_features is not None:
        state.concepts.begin(questionnaire, state.concepts.pool_features)
        return
    engine = state.studio.engine

    def work(report: ProgressCallback) -> str:
        try:
            features = read_pool(engine, report)
        except Exception as error:
            text = str(error) or tr("cancelled")
            app.post_message(WorkFinished(lambda: state.concepts.stop(questionnaire, text)))
            raise
        app.post_message(WorkFinished(lambda: state.concepts.begin(questionnaire, features)))
        return trn("{number} face read", "{number} faces read", POOL_SIZE)

    questionnaire.job = state.jobs.submit(tr("Faces to ask about {name}", name=file.concept), work, POOL_SIZE)


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


def submit_direction_job(state: InterfaceState, order: ScoresRequest, *, force: bool) -> None:
    """Make a direction of scores and keep it; the list shows it when the job is done."""
    studio = state.studio
    assert studio is not None

    def work(report: ProgressCallback) -> str:
        report(0, 1)
        (direction,) = studio.engine.make_directions(order)
        path = studio.catalogue.add(direction, force=force)
        report(1, 1)
        return home_relative(path)

    state.jobs.submit(tr("Direction {name}", name=order.name), work, 1)


def search(app: App[object], state: InterfaceState, order: SearchRequest) -> None:
    """Look for directions without labels; what was found before gives way to what is found."""
    studio = state.studio
    assert studio is not None

    def take(found: tuple[Direction, ...]) -> None:
        if state.studio is studio:
            state.concepts.take_found(order, found)

    def work(report: ProgressCallback) -> str:
        from tuiface.stimuli.series import Cancelled

        report(0, 0)
        found = studio.engine.make_directions(order)
        if not report(0, 0):
            raise Cancelled
        app.post_message(WorkFinished(lambda: take(found)))
        return trn("{number} direction found", "{number} directions found", len(found))

    state.jobs.submit(tr("Search by {method}", method=order.method), work)


def import_file(app: App[object], state: InterfaceState, words: list[str], then: Callable[[], None]) -> None:
    """Import what `tuiface directions import` takes, in a process of its own: this one never reads such a file.

    `then` is called on the app's thread when it lies in the folder.
    """
    environment = command_environment(state.settings)

    def work(report: ProgressCallback) -> str:
        report(0, 1)
        printed = models.run_command(["directions", "import", *words], environment=environment)
        report(1, 1)
        app.post_message(WorkFinished(then))
        return printed.strip().splitlines()[-1] if printed.strip() else ""

    state.jobs.submit(tr("Import {name}", name=words[0].rpartition("/")[2]), work, 1)


def command_environment(settings: Settings) -> Mapping[str, str]:
    """The settings of this interface for a command, which runs on the CPU: one network on the GPU is enough."""
    named = {"directions": settings.directions, "cache": settings.cache, "model": settings.model, "device": "cpu"}
    return {f"TUIFACE_{name.upper()}": str(value) for name, value in named.items() if value is not None}
