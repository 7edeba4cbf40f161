"""What the engine makes of orders, on a small network."""

from __future__ import annotations

import numpy as np
import pytest

from tuiface.core.errors import ModelError, UsageError
from tuiface.directions.direction import DirectionOrigin
from tuiface.engine.local_engine import LocalEngine
from tuiface.engine_api.requests import ScoresRequest, SearchRequest


def test_features_of_a_face_hardly_depend_on_the_others(engine: LocalEngine) -> None:
    together = engine.features([3, 4, 5])
    assert together.dtype == np.float32
    assert np.corrcoef(engine.features([4])[0], together[1])[0, 1] > 0.99  # a batch is summed in another order


@pytest.mark.parametrize("method", ["sefa", "ganspace"])
def test_a_search_makes_directions_of_this_network(engine: LocalEngine, method: str) -> None:
    order = SearchRequest.model_validate({"method": method, "rows": (2, 5), "count": 3})
    made = [one.direction for one in engine.make_directions(order)]
    assert [one.name for one in made] == [f"{method}_{number}" for number in (1, 2, 3)]
    info = engine.info()
    for number, one in enumerate(made, start=1):
        one.refuse_foreign(info.model)
        one.refuse_misfit(info.num_ws, info.w_dim, info.layers)
        assert (one.header.rows, one.header.origin.settings) == ((2, 5), {"number": number})
    weights = [one.header.measures["weight"] for one in made]
    assert weights == sorted(weights, reverse=True)


def test_channels_of_a_region_are_found_as_directions(engine: LocalEngine) -> None:
    request = SearchRequest(method="channels", region="mouth", count=1)
    (made,) = (one.direction for one in engine.make_directions(request))
    layer, _, channel = made.header.origin.data.partition(":")
    assert np.flatnonzero(made.arrays[layer]).tolist() == [int(channel)]
    assert 0 <= made.header.measures["share"] <= 1


def test_scores_make_the_direction_along_which_they_grow(engine: LocalEngine) -> None:
    seeds = tuple(range(120))
    w = engine.map(np.stack([np.random.RandomState(s).randn(engine.info().z_dim) for s in seeds]))
    scores = tuple(float(x) for x in w[:, 0])
    order = ScoresRequest(name="first", seeds=seeds, scores=scores, origin=DirectionOrigin(method="answers"))
    (made,) = (one.direction for one in engine.make_directions(order))
    assert np.corrcoef(w @ made.step, scores)[0, 1] > 0.7
    assert made.header.labels.en == ("less first", "more first")


def test_orders_that_do_not_fit_the_network_are_refused(engine: LocalEngine) -> None:
    with pytest.raises(UsageError, match="rows 2-99: this model has"):
        list(engine.make_directions(SearchRequest(method="sefa", rows=(2, 99))))
    order = ScoresRequest(name="flat", seeds=(1, 2), scores=(0.5, 0.5), origin=DirectionOrigin(method="answers"))
    with pytest.raises(ModelError, match="every face has the same score"):
        list(engine.make_directions(order))
