"""Line-up statistics against values that were worked out by hand from the published formulas."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from tuiface.cli import main
from tuiface.core.errors import EXIT_INPUT, InputFileError, UsageError
from tuiface.stimuli.choices import MAX_WITNESSES, Choices, Target, pair_by_target, read_choices
from tuiface.stimuli.fairness import (
    Diagnosticity,
    assess_homogeneity,
    measure_diagnosticity,
    measure_fairness,
)

EXACT = pytest.approx


def choices(*counts: int, suspect: int = 1, rejections: int = 0, target: Target | None = None) -> Choices:
    members = tuple(str(number + 1) for number in range(len(counts)))
    return Choices("A", members, counts, suspect - 1, rejections, target, "A")


def test_sizes_of_a_line_up_are_the_published_formulas() -> None:
    found = measure_fairness(choices(2, 13, 1, 14, 9, 3, suspect=4), draws=200)
    assert found.functional_size is not None
    assert found.functional_size.value == EXACT(3, abs=1e-9)
    assert found.tredoux_size.value == EXACT(3.8347826087, abs=1e-9)
    assert found.tredoux_size.interval == EXACT((3.1426705962, 4.9178414373), abs=1e-4)
    assert found.effective_size.value == EXACT(3.8571428571, abs=1e-9)
    assert found.bias == EXACT(14 / 42 - 1 / 6)
    # Wilson 1927: (p + z^2 / 2n +- z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)
    p, n, z = 14 / 42, 42, 1.959963984540054
    reach = z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    wilson = tuple((p + z**2 / (2 * n) + sign * reach) / (1 + z**2 / n) for sign in (-1, 1))
    assert found.shares[3].interval == EXACT(wilson, abs=1e-12)
    assert found.functional_size.interval == EXACT((1 / wilson[1], 1 / wilson[0]))


def test_members_nobody_chose_are_left_out_in_the_form_of_1981_alone() -> None:
    found = measure_fairness(choices(10, 0, 0, 10, 20, 20), draws=200)
    assert (found.effective_size.value, found.effective_size_1981) == EXACT((4, 10 / 3))
    assert found.tredoux_size.value == EXACT(3.6)
    assert found.bias == EXACT(0)
    assert found.bias_p == EXACT(1)


def test_exact_bias_is_the_binomial_tail() -> None:
    found = measure_fairness(choices(4, 0, suspect=1), draws=100)
    assert found.bias_p == EXACT(2 * 0.5**4)


def test_where_everybody_chose_one_nothing_has_a_bootstrap_interval() -> None:
    found = measure_fairness(choices(0, 12, suspect=1), draws=100)
    assert found.functional_size is None
    assert found.tredoux_size.value == 1
    assert found.tredoux_bootstrap is None


def test_bootstrap_draws_witnesses_again() -> None:
    """The interval covers the true E' of the population in about 95 of 100 samples, and is one for a seed."""
    shares = np.array([0.3, 0.25, 0.2, 0.15, 0.1])
    truth = 1 / (shares**2).sum()
    rng = np.random.default_rng(3)
    covered = 0
    for _ in range(40):
        sample = choices(*rng.multinomial(120, shares).tolist())
        interval = measure_fairness(sample, draws=300).tredoux_bootstrap
        assert interval is not None
        covered += interval[0] <= truth <= interval[1]
    assert 33 <= covered <= 40
    assert measure_fairness(sample, draws=300).tredoux_bootstrap == interval
    assert measure_fairness(sample, draws=300, seed=1).tredoux_bootstrap != interval


def pair(hits: int, present: int, alarms: int, absent: int) -> Diagnosticity:
    return measure_diagnosticity(
        choices(hits, 0, rejections=present - hits, target="present"),
        choices(alarms, 0, rejections=absent - alarms, target="absent"),
    )


def test_diagnosticity_its_adjustment_and_the_variance_of_its_logarithm() -> None:
    found = pair(19, 133, 3, 133)
    assert found.ratio == EXACT(6.3333333333, abs=1e-9)
    assert found.adjusted == EXACT(5.5714285714, abs=1e-9)
    assert found.log_variance == EXACT(0.370927318296, abs=1e-11)
    reach = 1.959963984540054 * math.sqrt(0.370927318296)
    assert found.interval == EXACT((19 / 3 * math.exp(-reach), 19 / 3 * math.exp(reach)))


def test_no_false_choice_leaves_the_adjusted_ratio() -> None:
    found = pair(20, 50, 0, 40)
    assert found.ratio is None
    assert found.adjusted == EXACT((20.5 / 50.5) / (0.5 / 40.5))
    assert found.interval[0] < found.adjusted < found.interval[1]


def test_pairs_of_one_ratio_are_homogeneous_and_others_are_not() -> None:
    same = assess_homogeneity([pair(19, 133, 3, 133), pair(38, 266, 6, 266)])
    assert same.mean == EXACT(19 / 3)
    assert same.chi_square == EXACT(0, abs=1e-12)
    assert same.p == EXACT(1)
    assert same.degrees_of_freedom == 1
    first, second = pair(90, 100, 10, 100), pair(50, 100, 45, 100)
    weights = [1 / one.log_variance for one in (first, second)]
    difference = math.log(9) - math.log(50 / 45)
    apart = assess_homogeneity([first, second])
    assert apart.chi_square == EXACT(difference**2 * weights[0] * weights[1] / sum(weights))
    assert apart.p < 0.001


SOUND = "lineup,target,suspect,1,2,3,rejected\nA,present,2,4,8,3,5\nA,absent,2,4,1,3,12\n"


@pytest.mark.parametrize("text", [SOUND, SOUND.replace(",", ";"), "\ufeff" + SOUND, SOUND.replace("lineup", "Rueda")])
def test_tables_as_people_save_them(tmp_path: Path, text: str) -> None:
    path = tmp_path / "counts.csv"
    path.write_text(text, encoding="utf-8")
    first, second = read_choices(path)
    assert (first.counts, first.suspect, first.rejections, first.target) == ((4, 8, 3), 1, 5, "present")
    assert pair_by_target([first, second]) == [(first, second)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "0 columns of members; accepted are 2 to 100"),
        ("suspect,1,2\n", "no counts in it"),
        ("suspect,1,2\n1,-3,4\n", "line 2: '1': count '-3'; accepted are whole numbers"),
        ("suspect,1,2\n1,,4\n", "count ''"),
        ("suspect,1,2\n1,2.5,4\n", "count '2.5'"),
        ("suspect,1,2\n1,٣,4\n", "count '٣'"),
        (f"suspect,1,2\n1,{MAX_WITNESSES + 1},4\n", "count"),
        (f"suspect,1,2\n1,{MAX_WITNESSES},4\n", "10004 witnesses"),
        ("suspect,1,2,3\n1,2,4\n", "line 2: 3 columns; the heading has 4"),
        ("suspect,1,2\n3,2,4\n", "suspect '3'; accepted are 1 to 2"),
        ("1,2\n2,4\n", "no suspect (add a column 'suspect', or --suspect MEMBER)"),
        ("suspect,1,2\n1,0,0\n", "nobody was chosen"),
        ("suspect,1,1\n1,2,4\n", "several members are called '1'"),
        ("suspect,suspect,1,2\n1,1,2,4\n", "several columns 'suspect'"),
        ("suspect,target,1,2\n1,maybe,2,4\n", "target 'maybe'"),
        ("suspect,only\n1,2\n", "1 columns of members"),
    ],
)
def test_tables_that_are_none_are_refused_in_a_line(
    tmp_path: Path, text: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "counts.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputFileError) as refused:
        read_choices(path)
    assert message in str(refused.value)
    assert main(["fairness", str(path)]) == EXIT_INPUT
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("targets", "message"),
    [(("present", "present"), "several line-ups with the target present"), (("present",), "and none absent")],
)
def test_pairs_that_are_none_are_refused(targets: tuple[Target, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        pair_by_target([choices(3, 4, target=target) for target in targets])


def test_the_command_says_the_same_to_people_and_to_programs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "counts.csv"
    path.write_text(SOUND)
    assert main(["fairness", str(path), "--draws", "200"]) == 0
    text = capsys.readouterr().out
    assert "suspect bias      +0.200" in text
    assert "A: the suspect was chosen by 8 of 20 with the target present, by 1 of 20 without" in text
    assert main(["fairness", str(path), "--draws", "200", "--json"]) == 0
    first, _, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["bias"]["value"] == EXACT(0.2)
    assert last["diagnosticity"] == EXACT(8)
