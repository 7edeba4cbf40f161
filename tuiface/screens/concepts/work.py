"""Long work of Concepts, each as a job: faces are read, directions made, looked for and imported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tuiface.core.errors import UsageError, quote
from tuiface.core.i18n import tr, trn
from tuiface.screens.concepts.open_questionnaire import POOL_SIZE, OpenQuestionnaire
from tuiface.screens.face.words import home_relative
from tuiface.screens.jobs.resident import JobCommand, engine_flags
from tuiface.screens.messages import WorkFinished

if TYPE_CHECKING:
    from textual.app import App

    from tuiface.directions.direction import Direction
    from tuiface.directions.import_options import ImportOptions
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
        from tuiface.directions.questionnaire import read_pool

        try:
            features = read_pool(engine, POOL_SIZE, _go_on(report))
        except Exception as error:
            text = str(error) or tr("cancelled")
            app.post_message(WorkFinished(lambda: state.concepts.stop(questionnaire, text)))
            raise
        app.post_message(WorkFinished(lambda: state.concepts.begin(questionnaire, features)))
        return trn("{number} face read", "{number} faces read", POOL_SIZE)

    questionnaire.job = state.jobs.submit(tr("Faces to ask about {name}", name=file.concept), work, POOL_SIZE)


def check_replacement(studio: Studio, request: ScoresRequest) -> bool:
    """Whether a direction that was made of the same answers before gives way to this one.

    Raises UsageError where another direction of the user's has the name.
    """
    entries = {e.direction.name: e for e in studio.catalogue.entries(studio.info.model) if not e.shipped}
    if request.name not in entries:
        return False
    origin = entries[request.name].direction.header.origin
    if (origin.method, origin.data) != (request.origin.method, request.origin.data):
        raise UsageError(
            f"a direction of yours is called {quote(request.name)} already", "rename that one in the list of concepts"
        )
    return True


def submit_direction_job(state: InterfaceState, request: ScoresRequest, *, force: bool) -> None:
    """Make a direction of scores and keep it; the list shows it when the job is done."""
    studio = state.studio
    assert studio is not None

    def work(report: ProgressCallback) -> str:
        report(0, 1)
        (made,) = studio.engine.make_directions(request)
        path = studio.catalogue.add(made.direction, force=force)
        report(1, 1)
        return home_relative(path)

    state.jobs.submit(tr("Direction {name}", name=request.name), work, 1)


def learn_attributes(state: InterfaceState, names: tuple[str, ...]) -> None:
    """Learn from the attribute reader and keep what holds on other faces; no names stand for all that it sees."""
    from tuiface.engine_api.requests import AttributesRequest

    studio = state.studio
    assert studio is not None
    request = AttributesRequest(names=names)

    def work(report: ProgressCallback) -> str:
        go_on = _go_on(report)
        go_on(0, 0)
        num_kept = 0
        for made in studio.engine.make_directions(request, lambda _: go_on(0, 0)):
            if made.holds:
                studio.catalogue.add(made.direction)
                num_kept += 1
                go_on(0, 0)
        return trn("{number} direction kept", "{number} directions kept", num_kept)

    words = ["directions", "learn", "--attributes", ",".join(names) or "all", *engine_flags(state.settings)]
    folder = state.settings.directions.absolute()
    command = JobCommand(lambda: [*words, "--out", str(folder)], home_relative(folder))
    state.jobs.submit_resident(tr("Directions from the reader"), command, work)


def search(app: App[object], state: InterfaceState, request: SearchRequest) -> None:
    """Look for directions without labels; what was found before gives way to what is found."""
    studio = state.studio
    assert studio is not None

    def take(found: tuple[Direction, ...]) -> None:
        if state.studio is studio:
            state.concepts.take_search(request, found)

    def work(report: ProgressCallback) -> str:
        go_on = _go_on(report)
        go_on(0, 0)
        found = tuple(made.direction for made in studio.engine.make_directions(request, lambda _: go_on(0, 0)))
        go_on(0, 0)
        app.post_message(WorkFinished(lambda: take(found)))
        return trn("{number} direction found", "{number} directions found", len(found))

    state.jobs.submit(tr("Search by {method}", method=request.method), work)


def import_file(
    app: App[object], state: InterfaceState, path: Path, options: ImportOptions, then: Callable[[], None]
) -> None:
    """Read a user's file, have its array measured by the engine, and keep the direction.

    `then` is called on the app's thread when it lies in the folder.
    """
    studio = state.studio
    assert studio is not None

    def work(report: ProgressCallback) -> str:
        from tuiface.directions.importing import prepare_import, read_array, with_limit

        report(0, 1)
        request = prepare_import(read_array(path, options.key, options.component), path, options, studio.info)
        (made,) = studio.engine.make_directions(request)
        kept = studio.catalogue.add(with_limit(made.direction, options.limit), force=options.force)
        report(1, 1)
        app.post_message(WorkFinished(then))
        return home_relative(kept)

    state.jobs.submit(tr("Import {name}", name=path.name), work, 1)


def _go_on(report: ProgressCallback) -> Callable[[int, int], None]:
    """`report` for work that is given up by raising Cancelled."""
    from tuiface.stimuli.series import Cancelled

    def go_on(done: int, total: int) -> None:
        if not report(done, total):
            raise Cancelled

    return go_on
