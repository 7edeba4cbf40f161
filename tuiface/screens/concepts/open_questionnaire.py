"""A questionnaire under way: the faces are read by the engine first, then each answer is written as it is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuiface.core.errors import UsageError
from tuiface.core.limits import MAX_ANSWERS
from tuiface.directions.questionnaire import Questionnaire

if TYPE_CHECKING:
    import numpy as np

    from tuiface.directions.questionnaire import AnswersFile, Reason
    from tuiface.engine_api.requests import ScoresRequest

POOL_SIZE = 400
"""Faces to choose from: as many as `tuiface directions learn` takes, so that either goes on where the other stopped."""


@dataclass
class OpenQuestionnaire:
    """What the screen of the questionnaire draws. Used on the app's thread alone."""

    file: AnswersFile
    answering: Questionnaire | None = None
    """None while the faces are read."""
    seed: int | None = None
    """The face that is asked about; None where there is none left to ask about."""
    reason: Reason = "random"
    job: int | None = None
    """Number of the job that reads the faces."""
    problem: str = ""
    """Why there is nothing to answer."""

    def begin(self, features: np.ndarray) -> None:
        """Take up the answers so far and ask about the first face. Raises InputFileError for a file that misfits."""
        questionnaire = Questionnaire(tuple(range(len(features))), features, self.file.scale)
        self.file = self.file.resume(questionnaire)
        self.answering = questionnaire
        self._ask()

    def answer(self, value: float | None) -> None:
        """Note the answer about the face that is shown, None to skip it, and write it. Raises OutputError."""
        if self.answering is None or self.seed is None:
            return
        self.answering.answer(self.seed, value, self.reason)
        self._ask()
        self.file.write(self.answering)

    def undo(self) -> None:
        """Take the last answer back, and ask about its face again. Raises OutputError."""
        if self.answering is None or not self.answering.answers:
            return
        last = self.answering.answers[-1]
        self.answering.undo()
        self.seed, self.reason, self.problem = last.seed, last.chosen, ""
        self.file.write(self.answering)

    def to_request(self) -> ScoresRequest:
        """What makes a direction of the answers. Raises UsageError for too few of them, or contradictory ones."""
        if self.answering is None:
            raise UsageError("the faces are still being read", "wait a moment")
        return self.file.to_request(self.answering)

    def predict_next_seeds(self) -> list[int]:
        """Faces that may be asked about after the present one, so that their pictures can be made meanwhile."""
        if self.answering is None or self.seed is None:
            return []
        found = []
        for value in (1.0, 0.0) if self.file.scale == "yes-no" else (2.0, 6.0):
            tried = Questionnaire(
                self.answering.seeds,
                self.answering.features,
                self.answering.scale,
                list(self.answering.answers),
            )
            tried.answer(self.seed, value, self.reason)
            try:
                found.append(tried.next_face()[0])
            except UsageError:
                break  # it is the last face
        return list(dict.fromkeys(found))

    def _ask(self) -> None:
        assert self.answering is not None
        self.seed, self.problem = None, ""
        if self.answering.num_given >= MAX_ANSWERS:
            self.problem = f"{MAX_ANSWERS} answers: that is enough"
            return
        try:
            self.seed, self.reason = self.answering.next_face()
        except UsageError as error:
            self.problem = error.message
