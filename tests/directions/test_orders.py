"""Orders as people type them, answers on the disk, and names that change."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.directions.directions import MODEL, make_direction
from tuiface.cli import build_parser
from tuiface.commands.discovery import METHODS as METHODS_OF_THE_COMMAND
from tuiface.core.errors import InputFileError, ModelError, OutputError, UsageError
from tuiface.directions.catalogue import Catalogue
from tuiface.directions.concepts import GROUPS, group_of
from tuiface.directions.direction import Labels, labels_from, labels_of
from tuiface.directions.questionnaire import AnswersFile, Questionnaire, answers_path, list_answers, standardise
from tuiface.engine_api.requests import METHODS, SearchRequest, parse_search, search_flags
from tuiface.screens.concepts.open_questionnaire import POOL_SIZE

LABELS = Labels(en=("cold", "warm"), es=("frío", "cálido"))


def test_the_command_knows_the_methods_and_the_pool() -> None:
    assert METHODS_OF_THE_COMMAND == METHODS
    assert build_parser().parse_args(["directions", "learn", "--ask", "x"]).pool == POOL_SIZE


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("ganspace", SearchRequest(method="ganspace")),
        ("sefa 2-8 12", SearchRequest(method="sefa", rows=(2, 8), count=12)),
        ("sefa 12", SearchRequest(method="sefa", count=12)),
        ("regional mouth 0-4", SearchRequest(method="regional", region="mouth", rows=(0, 4))),
        ("channels hair 5", SearchRequest(method="channels", region="hair", count=5)),
    ],
)
def test_a_search_is_said_in_a_line_and_as_a_command(text: str, order: SearchRequest) -> None:
    assert parse_search(text.split()) == order
    args = build_parser().parse_args(["directions", "discover", *search_flags(order)])
    assert (args.method, args.region, args.count) == (order.method, order.region, order.count)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "method ''; accepted: sefa"),
        ("gan", "did you mean 'ganspace'"),
        ("regional", "regional needs a region"),
        ("channels mout", "did you mean 'mouth'"),
        ("sefa 8-2", "rows '8-2'"),
        ("sefa 0", "'0'; accepted"),
        ("sefa 2-8 3 4", "'3 4'; accepted"),
        ("ganspace mouth", "'mouth'; accepted"),
    ],
)
def test_a_search_that_means_nothing_is_told(text: str, message: str) -> None:
    with pytest.raises(UsageError) as refusal:
        parse_search(text.split())
    assert message in str(refusal.value)


# --- answers -----------------------------------------------------------------------------------------------------


def questionnaire() -> Questionnaire:
    return Questionnaire(tuple(range(40)), standardise(np.random.RandomState(0).randn(40, 3)))


def test_answers_are_taken_up_with_the_words_for_the_ends(tmp_path: Path) -> None:
    path = answers_path(tmp_path / "own", "kind")
    asked = questionnaire()
    for _ in range(3):
        asked.answer(asked.next_face()[0], 1.0, "random")
    AnswersFile(path, "kind", "yes-no", MODEL, LABELS).write(asked)
    again = questionnaire()
    file = AnswersFile(path, "kind", "yes-no", MODEL).resume(again)
    assert again.answers == asked.answers
    assert file.labels == LABELS
    ((found, answers),) = list_answers(tmp_path / "own", MODEL)
    assert (found.concept, found.path, found.labels) == ("kind", path, LABELS)
    assert len(answers.answers) == 3
    assert list_answers(tmp_path / "own", MODEL.model_copy(update={"sha256": "f" * 64})) == []


def test_answers_to_another_question_are_refused(tmp_path: Path) -> None:
    path = answers_path(tmp_path, "kind")
    file = AnswersFile(path, "kind", "yes-no", MODEL)
    asked = questionnaire()
    asked.answer(39, 1.0, "random")
    file.write(asked)
    with pytest.raises(InputFileError, match="answers about 'kind'"):
        AnswersFile(path, "kind", "1-7", MODEL).resume(questionnaire())
    with pytest.raises(InputFileError, match="face 39 is beyond the pool"):
        file.resume(Questionnaire((0, 1), np.zeros((2, 3))))
    (tmp_path / "damaged.answers.json").write_text("{")
    assert len(list_answers(tmp_path, MODEL)) == 1


def test_what_a_user_says_of_the_ends_fills_what_is_missing() -> None:
    assert labels_from("smile", ("", ""), ("", "")) is None
    assert labels_from("smile", ("a", "b"), ("", "")) == Labels(en=("a", "b"), es=("a", "b"))
    assert labels_from("smile", ("", ""), ("c", "d")) == Labels(en=("c", "d"), es=("c", "d"))
    assert labels_from("smile", ("a", ""), ("c", "")) == Labels(
        en=("a", labels_of("smile").en[1]), es=("c", labels_of("smile").es[1])
    )


# --- names -------------------------------------------------------------------------------------------------------


def test_a_renamed_direction_keeps_its_digest(tmp_path: Path) -> None:
    catalogue = Catalogue(tmp_path / "shipped", tmp_path / "own")
    catalogue.add(make_direction("ganspace_2"))
    before = catalogue.find("ganspace_2", MODEL).sha256
    catalogue.add(make_direction("age", np.array([0, 1, 0, 0], np.float32)))
    with pytest.raises(OutputError, match="exists already"):
        catalogue.rename("ganspace_2", "age", MODEL)
    with pytest.raises(UsageError, match="name 'No'"):
        catalogue.rename("ganspace_2", "No", MODEL)
    path = catalogue.rename("ganspace_2", "smile", MODEL)
    assert path.exists()
    assert [entry.direction.name for entry in catalogue.entries(MODEL)] == ["age", "smile"]
    found = catalogue.by_digest(before)
    assert found is not None
    assert catalogue.remove("smile", MODEL) == path
    assert not path.exists()


def test_what_ships_is_not_changed(tmp_path: Path) -> None:
    shipped = Catalogue(tmp_path / "none", tmp_path / "shipped")
    path = shipped.add(make_direction("smile"))
    (tmp_path / "shipped" / path.name).write_bytes(path.read_bytes())
    catalogue = Catalogue(tmp_path / "shipped", tmp_path / "own")
    refusal = "'smile' ships with tuiface; your own can be changed: none yet"
    with pytest.raises(ModelError, match=refusal):
        catalogue.remove("smile", MODEL)
    with pytest.raises(ModelError, match=refusal):
        catalogue.rename("smile", "grin", MODEL)
    with pytest.raises(ModelError, match="is none of this model's"):
        catalogue.remove("yaw", MODEL)


def test_every_group_is_listed() -> None:
    assert {group_of(name) for name in ("age", "yaw", "smile", "beard", "x")} <= set(GROUPS)
