"""The questionnaire: it finds a simulated person's concept, asks well, and says how sure it is."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuiface.core.errors import UsageError
from tuiface.core.limits import MIN_ANSWERS
from tuiface.directions.questionnaire import Answer, Answers, Questionnaire, wilson_interval
from tuiface.directions.regression import conditional_step, cosine, fit_linear, ridge_slopes
from tuiface.faces.recipe import ModelRef

POOL, COMPONENTS = 400, 24


def concept(seed: int = 0) -> np.ndarray:
    slopes = np.random.RandomState(seed).randn(COMPONENTS) * np.linspace(1.5, 0.1, COMPONENTS)
    return np.asarray(slopes / np.linalg.norm(slopes))


def asked(
    answers: int, *, wrong: float = 0.05, scale: Literal["yes-no", "1-7"] = "yes-no", seed: int = 0
) -> Questionnaire:
    """A questionnaire answered by a simulated person, of whose answers a share is wrong."""
    rng = np.random.RandomState(seed)
    features, truth = rng.randn(POOL, COMPONENTS), concept(seed)
    questionnaire = Questionnaire(tuple(range(POOL)), features, scale, random_seed=seed)
    while questionnaire.num_given < answers:
        face, reason = questionnaire.next_face()
        score = float(features[face] @ truth)
        if rng.rand() < wrong:
            score = -score
        value = float(score > 0) if scale == "yes-no" else float(np.clip(np.rint(4 + 1.5 * score), 1, 7))
        questionnaire.answer(face, value, reason)
    return questionnaire


@pytest.mark.parametrize("scale", ["yes-no", "1-7"])
def test_a_hundred_answers_with_some_wrong_find_the_concept(scale: Literal["yes-no", "1-7"]) -> None:
    cosines = [cosine(asked(100, scale=scale, seed=seed).slopes(), concept(seed)) for seed in range(4)]
    assert np.mean(cosines) >= 0.8
    assert min(cosines) >= 0.6


@pytest.mark.parametrize("seed", range(4))
def test_a_concept_of_few_components_is_told_from_all_others(seed: int) -> None:
    """The readings of attributes are such components, and most concepts are one or two of fifty."""
    rng = np.random.RandomState(seed)
    features, truth = rng.randn(POOL, 50), np.zeros(50)
    truth[[3, 17]] = 1.0, -0.6
    questionnaire = Questionnaire(tuple(range(POOL)), features)
    while questionnaire.num_given < 100:
        face, reason = questionnaire.next_face()
        right = float(features[face] @ truth) > 0
        questionnaire.answer(face, float(right != (rng.rand() < 0.05)), reason)
    assert cosine(questionnaire.slopes(), truth) > 0.88  # with a Gaussian prior 0.70 to 0.84


def test_chosen_faces_tell_more_than_random_ones() -> None:
    """Faces near the boundary: the model is least sure of what will be said."""
    questionnaire = asked(60)
    surprise = {"random": [], "informative": []}  # type: dict[str, list[float]]
    for answer in questionnaire.answers[20:]:
        if answer.expected is not None and answer.chosen in surprise:
            surprise[answer.chosen].append(abs(answer.expected - 0.5))
    assert np.mean(surprise["informative"]) < np.mean(surprise["random"])


def test_accuracy_is_counted_on_random_faces_alone() -> None:
    questionnaire = asked(120, wrong=0.0)
    accuracy = questionnaire.accuracy()
    assert accuracy is not None
    randoms = [a for a in questionnaire.answers if a.chosen == "random" and a.expected is not None]
    assert accuracy.count == len(randoms)
    assert accuracy.low < accuracy.fraction < accuracy.high
    assert accuracy.fraction > 0.6


def test_no_face_is_shown_twice_but_repeats() -> None:
    answers = asked(80).answers
    fresh = [a.seed for a in answers if a.chosen != "repeat"]
    assert len(fresh) == len(set(fresh))
    repeats = [a.seed for a in answers if a.chosen == "repeat"]
    assert len(repeats) == len(answers) // 11
    assert set(repeats) <= set(fresh)


def test_skipped_faces_teach_nothing() -> None:
    questionnaire = asked(MIN_ANSWERS)
    before = questionnaire.slopes()
    questionnaire.answer(
        next(s for s in range(POOL) if s not in {a.seed for a in questionnaire.answers}), None, "random"
    )
    assert np.array_equal(questionnaire.slopes(), before)


def test_undo_takes_the_last_answer_back() -> None:
    questionnaire = asked(40)
    before = list(questionnaire.answers)
    face, reason = questionnaire.next_face()
    questionnaire.answer(face, 1.0, reason)
    questionnaire.undo()
    assert questionnaire.answers == before
    assert questionnaire.next_face() == (face, reason)


def test_answers_survive_their_file() -> None:
    questionnaire = asked(35)
    model = ModelRef(sha256="e" * 64, name="fake")
    value = Answers(concept="kind", scale="yes-no", model=model, answers=tuple(questionnaire.answers))
    again = Questionnaire(questionnaire.seeds, questionnaire.features)
    again.answers = list(Answers.model_validate_json(value.model_dump_json()).answers)
    assert np.array_equal(again.slopes(), questionnaire.slopes())
    assert again.next_face() == questionnaire.next_face()


def test_too_few_answers() -> None:
    with pytest.raises(UsageError, match="29 answers; a direction takes at least 30"):
        asked(29).slopes()


def test_answers_all_alike() -> None:
    questionnaire = Questionnaire(tuple(range(POOL)), np.random.RandomState(0).randn(POOL, 4))
    questionnaire.answers = [Answer(seed=i, value=1.0, chosen="random") for i in range(40)]
    with pytest.raises(UsageError, match="all 40 answers are the same"):
        questionnaire.slopes()


def test_contradicting_answers() -> None:
    questionnaire = Questionnaire(tuple(range(POOL)), np.random.RandomState(0).randn(POOL, 4))
    questionnaire.answers = [Answer(seed=i, value=float(i % 2), chosen="random") for i in range(40)]
    questionnaire.answers += [Answer(seed=i, value=float(1 - i % 2), chosen="repeat") for i in range(4)]
    with pytest.raises(UsageError, match="contradict each other: 0 of 4 repeated faces"):
        questionnaire.slopes()


@pytest.mark.parametrize(("scale", "value"), [("yes-no", 2.0), ("1-7", 0.0), ("1-7", 8.0)])
def test_values_outside_the_scale(scale: Literal["yes-no", "1-7"], value: float) -> None:
    questionnaire = Questionnaire((1,), np.zeros((1, 2)), scale)
    with pytest.raises(UsageError, match="accepted: "):
        questionnaire.answer(1, value, "random")


def test_pool_that_is_used_up() -> None:
    questionnaire = Questionnaire((1, 2), np.zeros((2, 2)))
    for seed in (1, 2):
        questionnaire.answer(seed, None, "random")
    with pytest.raises(UsageError, match="all 2 faces have been shown"):
        questionnaire.next_face()


@given(right=st.integers(0, 50), more=st.integers(0, 50))
def test_interval_holds_the_share(right: int, more: int) -> None:
    count = right + more
    if count:
        low, high = wilson_interval(right, count)
        assert 0 <= low <= right / count <= high <= 1


def test_known_interval() -> None:
    assert wilson_interval(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-3)


def test_conditional_step_moves_its_concept_and_not_the_held_one() -> None:
    rng = np.random.RandomState(0)
    slopes = rng.randn(12, 3)
    slopes[:, 1] = 0.4 * slopes[:, 0] + 0.6 * slopes[:, 1]
    step = conditional_step(slopes, 0, [1, 2], stretch=10)
    assert slopes.T @ step == pytest.approx([1, 0, 0], abs=1e-9)
    alone = conditional_step(slopes, 0, [])
    assert np.linalg.norm(alone) < np.linalg.norm(step)
    # InterFaceGAN's projection of the boundary's normal, up to scale.
    held = slopes[:, 1:]
    normal = slopes[:, 0] - held @ np.linalg.solve(held.T @ held, held.T @ slopes[:, 0])
    assert cosine(normal, step) == pytest.approx(1)


def test_step_that_would_leave_every_face_gives_way() -> None:
    rng = np.random.RandomState(0)
    slopes = rng.randn(12, 2)
    slopes[:, 1] = slopes[:, 0] + 0.01 * slopes[:, 1]
    step = conditional_step(slopes, 0, [1])
    assert np.linalg.norm(step) <= 1.5 / np.linalg.norm(slopes[:, 0]) + 1e-9
    assert slopes[:, 0] @ step == pytest.approx(1)


def test_linear_reading_tells_what_w_explains() -> None:
    rng = np.random.RandomState(0)
    white = rng.randn(600, 8)
    values = np.c_[white[:, 0], rng.randn(600)]
    reading = fit_linear(white, values)
    assert reading.r2[0] > 0.95
    assert reading.r2[1] < 0.05
    assert ridge_slopes(white, values, 0.0)[:, 0] == pytest.approx([1] + [0] * 7, abs=1e-6)
