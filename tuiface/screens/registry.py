"""The screens by their places; each is imported when it is wanted, since most sessions see few of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuiface.actions import ScreenName
from tuiface.screens.work_screen import WorkScreen

if TYPE_CHECKING:
    from tuiface.screens.session import Session


def make_screen(place: ScreenName, session: Session) -> WorkScreen:
    """A new screen for `place`."""
    if place == "explore":
        from tuiface.screens.explore import ExploreScreen

        return ExploreScreen(session)
    if place == "mix":
        from tuiface.screens.mix import MixScreen

        return MixScreen(session)
    if place == "morph":
        from tuiface.screens.morph import MorphScreen

        return MorphScreen(session)
    if place == "library":
        from tuiface.screens.library.screen import LibraryScreen

        return LibraryScreen(session)
    if place == "models":
        from tuiface.screens.models import ModelsScreen

        return ModelsScreen(session)
    if place == "jobs":
        from tuiface.screens.jobs.screen import JobsScreen

        return JobsScreen(session)
    if place == "concepts":
        from tuiface.screens.concepts.screen import ConceptsScreen

        return ConceptsScreen(session)
    if place == "answering":
        from tuiface.screens.concepts.questionnaire import QuestionnaireScreen

        return QuestionnaireScreen(session)
    from tuiface.screens.face.screen import FaceScreen

    return FaceScreen(session)
