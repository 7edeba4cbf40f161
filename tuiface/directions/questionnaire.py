"""Learning a concept from one person's eyes: which face to show next, what is known so far, and when it is enough.

A Bayesian linear model of the answers over standardised components: logistic for yes and no, Gaussian for ratings from
1 to 7. The next face is the one whose answer is expected to tell most (Houlsby et al. 2011, arXiv 1112.5745); every
fourth is drawn at random, and on those alone is the accuracy counted: the chosen ones are the hardest there are. Every
eleventh is a face that was answered before: so contradictions show.

Answers lie on the disk: written after each one, and taken up again where they stopped.

Shape legend: N = faces of the pool, F = components.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from tuiface.core.errors import InputFileError, TuifaceError, UsageError
from tuiface.core.files import make_folder, write_file
from tuiface.core.limits import MIN_ANSWERS
from tuiface.core.reading import is_there
from tuiface.core.values import Value, read_json
from tuiface.core.visible import escape_bytes
from tuiface.directions.direction import DirectionOrigin, Labels, Name
from tuiface.engine_api.protocol import Engine
from tuiface.engine_api.requests import ScoresRequest
from tuiface.faces.recipe import ModelRef, Seed

#: With 100 answers, 5 % of them wrong, a direction comes near the fully supervised one.
RECOMMENDED_ANSWERS = 100
RANDOM_EVERY, REPEAT_EVERY = 4, 11
#: Prior precision of a component's slope, for N(0, 1) components, while faces are chosen.
PRIOR_PRECISION = 8.0
#: At the end slopes have a Cauchy prior of this scale, by expectation and maximisation (Gelman et al. 2008, Annals of
#: Applied Statistics 2(4)): most components say nothing of any one concept, and a few say all.
SLOPE_SCALE = 32**-0.5
EM_ITERATIONS = 10
NEWTON_ITERATIONS = 8
#: Answers to repeated faces that agree less often than this say nothing.
MIN_AGREEMENT = 0.6
Z95 = 1.959964
#: Faces of a pool that are read at a time: pictures of the screen come in between.
POOL_BATCH_SIZE = 8

Scale = Literal["yes-no", "1-7"]
Reason = Literal["informative", "random", "repeat"]
"""Why a face was shown."""


class Answer(Value):
    """One face and what was said of it."""

    seed: Seed
    value: Annotated[float, Field(ge=0, le=7)] | None
    """1 for yes and 0 for no, 1 to 7 for a rating, null for a skipped face."""
    chosen: Reason
    """Why this face was shown."""
    expected: float | None = None
    """What the model said before the answer: a probability of yes, or a rating."""


class Answers(Value):
    """The file of a questionnaire; it is written after each answer, and goes on where it stopped."""

    format: Literal["tuiface.answers/1"] = "tuiface.answers/1"
    concept: Name
    scale: Scale
    model: ModelRef
    labels: Labels | None = None
    """What both ends look like; null for those of the table of concepts."""
    answers: tuple[Answer, ...] = Field((), max_length=10_000)


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How well answers were foreseen, on faces drawn at random."""

    fraction: float
    """Of answers that were foreseen: the right side of yes and no, or of the middle rating."""
    low: float
    """95 % interval (Wilson)."""
    high: float
    count: int


@dataclass(slots=True)
class Questionnaire:
    """A questionnaire over a pool of faces. Pure logic: it shows nothing and writes nothing."""

    seeds: tuple[int, ...]
    """Seed of each face of the pool."""
    features: np.ndarray
    """float64 [N, F], standardised over the pool."""
    scale: Scale = "yes-no"
    answers: list[Answer] = field(default_factory=list)
    random_seed: int = 0

    def next_face(self) -> tuple[int, Reason]:
        """Seed of the face to show now, and why."""
        number = len(self.answers)
        rng = np.random.RandomState((self.random_seed + 7919 * number) % 2**32)
        given = [a.seed for a in self.answers if a.value is not None and a.chosen != "repeat"]
        if number % REPEAT_EVERY == REPEAT_EVERY - 1 and given:
            return int(rng.choice(given)), "repeat"
        shown = {a.seed for a in self.answers}
        left = [i for i, seed in enumerate(self.seeds) if seed not in shown]
        if not left:
            raise UsageError(f"all {len(self.seeds)} faces have been shown", "enlarge the pool: --pool N")
        if number % RANDOM_EVERY == 0 or self.num_given < 4:
            return self.seeds[int(rng.choice(left))], "random"
        gains = self._information(self.features[left])
        return self.seeds[left[int(gains.argmax())]], "informative"

    def answer(self, seed: int, value: float | None, chosen: Reason) -> None:
        """Note what was said of a face, None for a skipped one. Raises UsageError for a value outside the scale."""
        if value is not None and self.scale == "1-7" and not 1 <= value <= 7:
            raise UsageError(f"rating {value:g}; accepted: 1 to 7, or s to skip")
        if value is not None and self.scale == "yes-no" and value not in (0, 1):
            raise UsageError(f"answer {value:g}; accepted: y, n, or s to skip")
        expected = None if self.num_given < 4 else float(self.expected(self._select_features([seed]))[0])
        self.answers.append(Answer(seed=seed, value=value, chosen=chosen, expected=expected))

    def undo(self) -> None:
        """Take the last answer back."""
        if self.answers:
            self.answers.pop()

    @property
    def num_given(self) -> int:
        """Answers that were not skipped."""
        return sum(a.value is not None for a in self.answers)

    def accuracy(self) -> Accuracy | None:
        """On faces drawn at random; None before the first that could be foreseen."""
        middle = 0.5 if self.scale == "yes-no" else float(np.mean(self._values())) if self.num_given else 4.0
        right = [
            (a.expected > middle) == (a.value > middle)
            for a in self.answers
            if a.chosen == "random" and a.value is not None and a.expected is not None
        ]
        if not right:
            return None
        low, high = wilson_interval(sum(right), len(right))
        return Accuracy(sum(right) / len(right), low, high, len(right))

    def agreement(self) -> tuple[int, int]:
        """(repeated faces answered alike, repeated faces); ratings agree within one step."""
        first = {a.seed: a.value for a in self.answers if a.chosen != "repeat"}
        pairs = [
            (first[a.seed], a.value)
            for a in self.answers
            if a.chosen == "repeat" and a.value is not None and first.get(a.seed) is not None
        ]
        alike = sum(abs((before or 0) - now) <= (0 if self.scale == "yes-no" else 1) for before, now in pairs)
        return alike, len(pairs)

    def slopes(self) -> np.ndarray:
        """float64 [F]: how the concept grows with each component, up to scale.

        Raises UsageError for too few answers, answers of one kind alone, or answers that contradict each other.
        """
        count = self.num_given
        if count < MIN_ANSWERS:
            raise UsageError(f"{count} answers; a direction takes at least {MIN_ANSWERS}", "go on, or skip fewer faces")
        values = self._values()
        if float(values.std()) < 1e-9:
            raise UsageError(f"all {count} answers are the same, so nothing tells one face from another")
        alike, repeated = self.agreement()
        if repeated >= 3 and alike / repeated < MIN_AGREEMENT:
            raise UsageError(
                f"the answers contradict each other: {alike} of {repeated} repeated faces were answered alike",
                "agree on what the concept means, and begin again",
            )
        precision = np.full(self.features.shape[1], PRIOR_PRECISION)
        for _ in range(EM_ITERATIONS):
            mean, covariance, _ = self._posterior(precision)
            precision = 2 / (mean**2 + np.diag(covariance) + SLOPE_SCALE**2)
        return self._posterior(precision)[0]

    # --- the model -----------------------------------------------------------------------------------------------

    def expected(self, rows: np.ndarray) -> np.ndarray:
        """Probability of yes, or the rating, of features [M, F]."""
        mean, covariance, offset = self._posterior()
        score = rows @ mean + offset
        if self.scale == "1-7":
            return np.asarray(score.clip(1, 7))
        variance = np.einsum("ij,jk,ik->i", rows, covariance, rows)
        return _sigmoid(score / np.sqrt(1 + math.pi * variance / 8))

    def _information(self, rows: np.ndarray) -> np.ndarray:
        """Expected information of each face's answer about the slopes."""
        mean, covariance, offset = self._posterior()
        variance = np.einsum("ij,jk,ik->i", rows, covariance, rows)
        if self.scale == "1-7":
            return np.asarray(variance)
        score = rows @ mean + offset
        mixed = _sigmoid(score / np.sqrt(1 + math.pi * variance / 8))
        # The mean entropy of a logistic answer under a Gaussian score, by the approximation of Houlsby et al.
        constant = math.pi * math.log(2) / 2
        sure = np.sqrt(constant / (variance + constant)) * np.exp(-(score**2) / (2 * (variance + constant)))
        return np.asarray(_entropy_bits(mixed) - sure)

    def _posterior(self, precision: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray, float]:
        """(mean [F], covariance [F, F], offset) of the slopes after the answers so far, for a prior precision [F]."""
        rows, values = self._select_features([a.seed for a in self.answers if a.value is not None]), self._values()
        design = np.c_[rows, np.ones(len(rows))]
        if precision is None:
            precision = np.full(rows.shape[1], PRIOR_PRECISION)
        prior = np.diag(np.r_[precision, 1e-2])
        if self.scale == "1-7":
            noise = max(float(values.var()) / 2, 0.25)
            hessian = prior + design.T @ design / noise
            weights = np.linalg.solve(hessian, design.T @ values / noise)
        else:
            weights, hessian = _fit_laplace(design, values, prior)
        covariance = np.linalg.inv(hessian)[:-1, :-1]
        return weights[:-1], covariance, float(weights[-1])

    def _select_features(self, seeds: list[int]) -> np.ndarray:
        place = {seed: i for i, seed in enumerate(self.seeds)}
        return self.features[[place[seed] for seed in seeds]]

    def _values(self) -> np.ndarray:
        return np.array([a.value for a in self.answers if a.value is not None])


def standardise(features: np.ndarray) -> np.ndarray:
    """float64 [N, F] with mean 0 and deviation 1 over the faces; a feature that is the same in all of them is 0."""
    return np.asarray((features - features.mean(axis=0)) / features.std(axis=0).clip(1e-9))


def wilson_interval(right: int, count: int, z: float = Z95) -> tuple[float, float]:
    """95 % interval of a proportion (Wilson 1927): sound for few answers, and never outside 0 to 1."""
    fraction = right / count
    centre = (fraction + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * math.sqrt(fraction * (1 - fraction) / count + z**2 / (4 * count**2))
    return max(0.0, min(fraction, centre - half)), min(1.0, max(fraction, centre + half))


def _fit_laplace(design: np.ndarray, values: np.ndarray, precision: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights of a logistic regression with a Gaussian prior, and the curvature there (Newton's method)."""
    weights = np.zeros(design.shape[1])
    hessian = precision
    for _ in range(NEWTON_ITERATIONS):
        probability = _sigmoid(design @ weights)
        slope = design.T @ (values - probability) - precision @ weights
        hessian = precision + (design * (probability * (1 - probability))[:, None]).T @ design
        weights = weights + np.linalg.solve(hessian, slope)
    return weights, hessian


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x.clip(-40, 40))))


def _entropy_bits(p: np.ndarray) -> np.ndarray:
    p = p.clip(1e-9, 1 - 1e-9)
    return np.asarray(-(p * np.log2(p) + (1 - p) * np.log2(1 - p)))


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
        if not is_there(self.path):
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

    def to_request(self, questionnaire: Questionnaire) -> ScoresRequest:
        """What the engine makes a direction of. Raises UsageError for too few answers, or contradictory ones."""
        scores = questionnaire.features @ questionnaire.slopes()
        return ScoresRequest(
            name=self.concept,
            labels=self.labels,
            seeds=questionnaire.seeds,
            scores=tuple(float(score) for score in scores),
            origin=self.origin(questionnaire),
        )

    def origin(self, questionnaire: Questionnaire) -> DirectionOrigin:
        """What a direction that is made of the answers says of where it came from."""
        settings: dict[str, str | int | float | bool] = {"answers": questionnaire.num_given, "scale": self.scale}
        accuracy = questionnaire.accuracy()
        if accuracy is not None:
            settings |= {"foreseen": round(accuracy.fraction, 3), "foreseen_low": round(accuracy.low, 3)}
        return DirectionOrigin(method="answers", data=escape_bytes(self.path.name), settings=settings)


def read_pool(
    engine: Engine, count: int, report: Callable[[int, int], object] = lambda done, total: None
) -> np.ndarray:
    """float64 [count, F], standardised: what the engine knows of the faces 0 to count - 1.

    `report` hears how many are read; what it raises ends the reading.
    """
    rows = []
    for start in range(0, count, POOL_BATCH_SIZE):
        report(start, count)
        rows.append(engine.features(range(start, min(start + POOL_BATCH_SIZE, count))))
    report(count, count)
    return standardise(np.concatenate(rows).astype(np.float64))


def answers_path(folder: Path, concept: str) -> Path:
    """Where the answers about a concept lie in the user's folder of directions."""
    return folder / f"{concept}{ANSWERS_SUFFIX}"


def list_answers(folder: Path, model: ModelRef) -> list[tuple[AnswersFile, Answers]]:
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
