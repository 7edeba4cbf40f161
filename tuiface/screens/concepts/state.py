"""What lasts of Concepts while other screens are shown: what a search found, and the questionnaire under way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuiface.core.errors import TuifaceError
from tuiface.screens.changes import Drawn, StatePart

if TYPE_CHECKING:
    import numpy as np

    from tuiface.directions.direction import Direction
    from tuiface.engine_api.requests import SearchRequest
    from tuiface.screens.concepts.open_questionnaire import OpenQuestionnaire


class ConceptsState(StatePart):
    """Of the open network."""

    search: Drawn[SearchRequest | None] = Drawn(None)
    found: Drawn[tuple[Direction, ...]] = Drawn(())
    """What that search found and nobody kept yet."""
    questionnaire: Drawn[OpenQuestionnaire | None] = Drawn(None)
    pool_features: Drawn[np.ndarray | None] = Drawn(None)
    """float64 [N, F] of the faces that questionnaires ask about; None until they were read."""

    def take_search(self, search: SearchRequest, found: tuple[Direction, ...]) -> None:
        """What was found before gives way to what is found."""
        self.search, self.found = search, found

    def drop_candidate(self, direction: Direction | None) -> None:
        """It was kept under a name, or is not wanted."""
        self.found = tuple(other for other in self.found if other is not direction)

    def open_questionnaire(self, questionnaire: OpenQuestionnaire) -> None:
        """Ask these questions, in place of those before."""
        self.questionnaire = questionnaire

    def begin(self, questionnaire: OpenQuestionnaire, features: np.ndarray) -> None:
        """The faces were read; another questionnaire, or another network, may have been opened meanwhile."""
        if self.questionnaire is not questionnaire:
            return
        self.pool_features = features
        try:
            questionnaire.begin(features)
        except TuifaceError as error:
            questionnaire.problem = str(error)
        self.changes.mark()

    def stop(self, questionnaire: OpenQuestionnaire, problem: str) -> None:
        """Its faces were not read."""
        questionnaire.problem = problem
        self.changes.mark()

    def close_questionnaire(self) -> None:
        """A direction is made of its answers."""
        self.questionnaire = None

    def clear(self) -> None:
        """Another network is opened."""
        self.questionnaire = self.pool_features = self.search = None
        self.found = ()
