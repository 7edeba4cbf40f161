"""Answers to a questionnaire on the disk: written after each one, and taken up again where they stopped."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from tuiface.directions.direction import DirectionOrigin, Labels
from tuiface.directions.questionnaire import Answers, Questionnaire, Scale
from tuiface.errors import InputFileError, TuifaceError
from tuiface.files import make_folder, write_file
from tuiface.recipe import ModelRef
from tuiface.validation import read_json

ANSWERS_SUFFIX = ".answers.json"


@dataclass(frozen=True, slots=True)
class AnswersFile:
    """Where one concept's answers lie, and what they are about."""

    path: Path
    concept: str
    scale: Scale
    model: ModelRef
    labels: Labels | None = None
    """What the ends look like, where the user said it."""

    @classmethod
    def of(cls, path: Path, answers: Answers) -> AnswersFile:
        """The file that `answers` were read from."""
        return cls(path, answers.concept, answers.scale, answers.model, answers.labels)

    def resume(self, questionnaire: Questionnaire) -> AnswersFile:
        """Take up its answers, if it is there, and the words for the ends where none are given now.

        Raises InputFileError for answers to another question.
        """
        if not self.path.exists():
            return self
        found = read_json(Answers, self.path)
        if (found.concept, found.scale, found.model.sha256) != (self.concept, self.scale, self.model.sha256):
            raise InputFileError(
                f"{self.path.name}: answers about '{found.concept}' ({found.scale}) for the model '{found.model.name}'",
                "name another file with --answers",
            )
        known = set(questionnaire.seeds)
        unknown = next((a.seed for a in found.answers if a.seed not in known), None)
        if unknown is not None:
            raise InputFileError(f"{self.path.name}: face {unknown} is beyond the pool", "enlarge it: --pool N")
        questionnaire.answers = list(found.answers)
        return replace(self, labels=self.labels or found.labels)

    def write(self, questionnaire: Questionnaire) -> None:
        """Keep the answers so far: nothing is lost when the connection goes. Raises OutputError."""
        value = Answers(
            concept=self.concept,
            scale=self.scale,
            model=self.model,
            labels=self.labels,
            answers=tuple(questionnaire.answers),
        )
        make_folder(self.path.parent)
        write_file(self.path, (value.model_dump_json(indent=1) + "\n").encode(), force=True)

    def origin(self, questionnaire: Questionnaire) -> DirectionOrigin:
        """What a direction that is made of the answers says of where it came from."""
        settings: dict[str, str | int | float | bool] = {"answers": questionnaire.num_given, "scale": self.scale}
        accuracy = questionnaire.accuracy()
        if accuracy is not None:
            settings |= {"foreseen": round(accuracy.share, 3), "foreseen_low": round(accuracy.low, 3)}
        return DirectionOrigin(method="answers", data=self.path.name, settings=settings)


def answers_path(folder: Path, concept: str) -> Path:
    """Where the answers about a concept lie in the user's folder of directions."""
    return folder / f"{concept}{ANSWERS_SUFFIX}"


def kept_answers(folder: Path, model: ModelRef) -> list[tuple[AnswersFile, Answers]]:
    """All answers about faces of `model` in the user's folder, by concept; files that cannot be read are left out."""
    found = []
    for path in sorted(folder.glob(f"*{ANSWERS_SUFFIX}")):
        try:
            answers = read_json(Answers, path)
        except TuifaceError:
            continue
        if answers.model.sha256 == model.sha256:
            found.append((AnswersFile.of(path, answers), answers))
    return found
