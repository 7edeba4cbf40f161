"""The screens by their names; each is imported when it is wanted, since few are seen at one sitting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuiface.actions import ScreenName
from tuiface.screens.work_screen import WorkScreen

if TYPE_CHECKING:
    from tuiface.screens.state import InterfaceState


def make_screen(name: ScreenName, state: InterfaceState) -> WorkScreen:
    """A new screen for `name`."""
    if name == "explore":
        from tuiface.screens.explore import ExploreScreen

        return ExploreScreen(state)
    if name == "mix":
        from tuiface.screens.mix import MixScreen

        return MixScreen(state)
    if name == "morph":
        from tuiface.screens.morph import MorphScreen

        return MorphScreen(state)
    if name == "library":
        from tuiface.screens.library.screen import LibraryScreen

        return LibraryScreen(state)
    if name == "models":
        from tuiface.screens.models import ModelsScreen

        return ModelsScreen(state)
    if name == "jobs":
        from tuiface.screens.jobs.screen import JobsScreen

        return JobsScreen(state)
    if name == "concepts":
        from tuiface.screens.concepts.screen import ConceptsScreen

        return ConceptsScreen(state)
    if name == "answering":
        from tuiface.screens.concepts.questionnaire import QuestionnaireScreen

        return QuestionnaireScreen(state)
    if name == "settings":
        from tuiface.screens.settings import SettingsScreen

        return SettingsScreen(state)
    from tuiface.screens.face.screen import FaceScreen

    return FaceScreen(state)
