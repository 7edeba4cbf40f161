"""Lists of fixed length: the same pictures, and nothing that a GPU would have to be waited for."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.heads.operations import OtherRounding, count_operations
from tuiface.heads import HeadParameters, concatenate, sample_parameters
from tuiface.heads.lists import FixedLists, Lists, ShortLists
from tuiface.heads.render import draw_heads

RESOLUTION = 32


def heads() -> HeadParameters:
    """Some with curls, a full beard, glasses, and a bare one with nothing of it."""
    drawn = sample_parameters(6, seed=7)
    return concatenate(
        [
            drawn.select(slice(0, 3)),
            drawn.select(slice(3, 4)).override(hair_style="long_curly", glasses="thick"),
            drawn.select(slice(4, 5)).override(beard_density=1, beard_length=1, beard_style="full"),
            drawn.select(slice(5, 6)).override(hair_style="bald", beard_density=0, glasses="none"),
        ]
    )


def drawn(parameters: HeadParameters, lists: Lists, resolution: int = RESOLUTION) -> tuple[Tensor, Tensor]:
    with torch.no_grad():
        return draw_heads(parameters, resolution, lists)


def test_lists_of_fixed_length_draw_the_same_pictures() -> None:
    fixed = FixedLists(slack=2)
    for short_result, fixed_result in zip(drawn(heads(), ShortLists()), drawn(heads(), fixed), strict=True):
        assert torch.equal(short_result, fixed_result)
    assert bool(fixed.fits)


def test_a_list_that_is_too_short_says_so() -> None:
    fixed = FixedLists(slack=0.2)
    pixels, _ = drawn(heads(), fixed)
    assert not bool(fixed.fits)
    assert not torch.equal(pixels, drawn(heads(), ShortLists())[0])


def test_nothing_is_waited_for_and_no_step_is_taken_head_by_head() -> None:
    parameters = heads()
    some = count_operations(lambda: drawn(parameters.select(slice(1, 3)), FixedLists()))
    more = count_operations(lambda: drawn(parameters.select(slice(3, 6)), FixedLists()))
    assert some.waits == more.waits == []
    assert some.launches == more.launches
    assert "nonzero" in count_operations(lambda: drawn(parameters, ShortLists())).waits


@pytest.mark.parametrize("lists", [ShortLists(), FixedLists(slack=1.5)])
def test_repeating_and_selecting(lists: Lists) -> None:
    values, counts = torch.tensor([5.0, 6.0, 7.0, 8.0]), torch.tensor([2, 0, 3, 0])
    repeated = lists.repeat((values,), counts, typical=1.25)
    exists = repeated.exists.expand(len(repeated.place))
    assert repeated.columns[0][exists].tolist() == [5, 5, 7, 7, 7]
    assert repeated.place[exists].tolist() == [0, 1, 0, 1, 2]
    chosen = lists.select(torch.tensor([False, True, True, False]))
    weights = chosen.weigh(chosen.of(values))
    assert weights[weights > 0].tolist() == [6, 7]
    assert lists.any(values > 7)


def test_another_rounding_of_every_step_hardly_changes_a_picture() -> None:
    """What pictures of another device may differ by: the bounds that documents and the GPU's test name."""
    parameters = sample_parameters(3, seed=3)
    pixels, regions = drawn(parameters, ShortLists(), 64)
    with OtherRounding(seed=1):
        others, other_regions = drawn(parameters, ShortLists(), 64)
    difference = (pixels.int() - others.int()).abs()
    assert 0 < difference.float().mean() < 0.1
    assert (difference > 1).float().mean() < 0.005
    assert (regions != other_regions).float().mean() < 0.005
