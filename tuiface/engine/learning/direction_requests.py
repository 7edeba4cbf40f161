"""Directions of a network by what they are asked for with: tuiface.engine_api.requests.DirectionRequest.

Shape legend: N = faces, F = features of a face, w = w_dim.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from torch import Tensor

from tuiface.core.errors import UsageError
from tuiface.directions.direction import Direction, DirectionOrigin
from tuiface.directions.importing import PAPER, refuse_other_shape, single_channels
from tuiface.engine.edits.masks import refuse_unknown_regions
from tuiface.engine.learning import discovery
from tuiface.engine.learning.from_scores import direction_from_scores, raw_features, seed_components
from tuiface.engine.learning.learn import learn_directions
from tuiface.engine.learning.records import make_channel_direction, make_direction, make_imported_direction
from tuiface.engine.learning.work_cache import NOTHING_KEPT, WorkCache
from tuiface.engine.opened_network import OpenedNetwork
from tuiface.engine.scheduler import Pause, no_pause
from tuiface.engine_api.requests import (
    AttributesRequest,
    DirectionRequest,
    ImportRequest,
    MadeDirection,
    OnStep,
    ScoresRequest,
    SearchRequest,
    ignore_steps,
)
from tuiface.faces.recipe import RegionLock


def seed_features(network: OpenedNetwork, seeds: Sequence[int], pause: Pause = no_pause) -> np.ndarray:
    """float32 [N, F] of faces by number, not standardised: what a predictor sees, without one the components of w."""
    return raw_features(network, seed_components(network, seeds, pause), network.attributes_or_none, pause).astype(
        np.float32
    )


def make_requested_directions(
    network: OpenedNetwork,
    request: DirectionRequest,
    note: OnStep = ignore_steps,
    pause: Pause = no_pause,
    cache: WorkCache = NOTHING_KEPT,
) -> Iterator[MadeDirection]:
    """The directions that `request` asks for. Raises UsageError, ModelError, or InputFileError for an array."""
    if isinstance(request, AttributesRequest):
        for learned in learn_directions(network, network.attributes, network.regions, request, note, pause, cache):
            yield MadeDirection(learned.direction, learned.holds)
    elif isinstance(request, ScoresRequest):
        white = seed_components(network, request.seeds, pause)
        scores = np.array(request.scores)
        yield MadeDirection(direction_from_scores(network, request.name, white, scores, request.origin, request.labels))
    elif isinstance(request, ImportRequest):
        yield MadeDirection(make_imported_direction(network, request))
    elif isinstance(request, SearchRequest):
        yield from _search(network, request, pause)
    else:
        refuse_other_shape(network.model.name, network.layers)
        for name, (layer, channel) in single_channels().items():
            origin = DirectionOrigin(method="published", data=f"{layer}:{channel}", paper=PAPER)
            yield MadeDirection(make_channel_direction(network, name, layer, channel, origin, licence=request.licence))


def _search(network: OpenedNetwork, request: SearchRequest, pause: Pause) -> Iterator[MadeDirection]:
    num_ws = network.generator.num_ws
    rows = (0, num_ws) if request.rows is None else request.rows
    if rows[1] > num_ws:
        raise UsageError(f"rows {rows[0]}-{rows[1]}: this model has {num_ws} rows")
    lock = None if request.region is None else RegionLock(region=request.region)
    if lock is not None:
        refuse_unknown_regions((lock,), network.regions)
    if request.method == "channels":
        assert lock is not None
        yield from _rank_channels(network, request, lock, pause)
        return
    moved = None if rows == (0, num_ws) else rows
    found = _find_steps(network, request, lock, rows, pause)
    for number, (step, weight) in enumerate(found, start=1):
        origin = _search_origin(request, number, "the network alone")
        made = make_direction(network, f"{request.method}_{number}", step, origin, rows=moved)
        yield MadeDirection(_attach_measures(made, weight=weight), figures={"weight": weight})


def _find_steps(
    network: OpenedNetwork, request: SearchRequest, lock: RegionLock | None, rows: tuple[int, int], pause: Pause
) -> list[tuple[Tensor, float]]:
    """Steps [w] of one standard deviation and their weights, by any method but `channels`."""
    generator, population = network.generator, network.population
    if request.method == "sefa":
        found = discovery.sefa(generator, population, rows, request.count)
    elif request.method == "ganspace":
        found = discovery.ganspace(population, request.count)
    else:
        assert lock is not None
        found = discovery.resefa(generator, population, network.regions, lock, rows, request.count, pause=pause)
    return [(one.step, one.weight) for one in found]


def _rank_channels(
    network: OpenedNetwork, request: SearchRequest, lock: RegionLock, pause: Pause
) -> Iterator[MadeDirection]:
    generator, population = network.generator, network.population
    ranks = discovery.rank_channels(generator, population, network.regions, lock, request.count, pause=pause)
    for number, rank in enumerate(ranks, start=1):
        origin = _search_origin(request, number, f"{rank.layer}:{rank.channel}", PAPER)
        made = make_channel_direction(network, f"channel_{number}", rank.layer, rank.channel, origin)
        yield MadeDirection(
            _attach_measures(made, share=rank.fraction, change_levels=rank.change),
            figures={"share": rank.fraction, "change": rank.change},
        )


def _search_origin(request: SearchRequest, number: int, data: str, paper: str = "") -> DirectionOrigin:
    """Where number `number` of a search, counted from 1, came from."""
    region = {} if request.region is None else {"region": str(request.region)}
    settings: dict[str, str | int | float | bool] = {"number": number, **region}
    return DirectionOrigin(method=request.method, data=data, paper=paper, settings=settings)


def _attach_measures(direction: Direction, **measures: float) -> Direction:
    rounded = {name: round(value, 4) for name, value in measures.items()}
    return Direction(direction.header.model_copy(update={"measures": rounded}), direction.arrays)
