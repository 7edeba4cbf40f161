"""Orders fulfilled: what the interface asks the engine to make directions of (tuiface.engine_api.requests).

Shape legend: N = faces, F = features of a face, w = w_dim.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from tuiface.core.errors import UsageError
from tuiface.directions.direction import Direction, DirectionOrigin
from tuiface.directions.published_channels import PAPER
from tuiface.engine.edits.masks import refuse_unknown_regions
from tuiface.engine.learning import discovery
from tuiface.engine.learning.batch_predict import SupportsAttributePrediction
from tuiface.engine.learning.from_scores import direction_from_scores, raw_features, seed_components
from tuiface.engine.learning.workshop import Workshop
from tuiface.engine_api.requests import DirectionRequest, Method, ScoresRequest, SearchRequest
from tuiface.faces.recipe import RegionLock


def seed_features(workshop: Workshop, seeds: Sequence[int], reader: SupportsAttributePrediction | None) -> np.ndarray:
    """float32 [N, F] of faces by number, not standardised: what the reader sees, or the components of w without one."""
    return raw_features(workshop, seed_components(workshop, seeds), reader).astype(np.float32)


def handle_request(workshop: Workshop, order: DirectionRequest) -> tuple[Direction, ...]:
    """The directions that `order` asks for. Raises UsageError or ModelError."""
    if isinstance(order, ScoresRequest):
        white = seed_components(workshop, order.seeds)
        scores = np.array(order.scores)
        return (direction_from_scores(workshop, order.name, white, scores, order.origin, order.labels),)
    return _handle_search(workshop, order)


def find_steps(
    workshop: Workshop,
    method: Method,
    region: RegionLock | None,
    rows: tuple[int, int],
    count: int,
) -> list[tuple[Tensor, float]]:
    """Steps [w] of one standard deviation and their weights, by any method but `channels`."""
    generator, population = workshop.generator, workshop.population
    if method == "sefa":
        found = discovery.sefa(generator, population, rows, count)
    elif method == "ganspace":
        found = discovery.ganspace(population, count)
    else:
        assert region is not None
        refuse_unknown_regions((region,), workshop.regions)
        found = discovery.resefa(generator, population, workshop.regions, region, rows, count)
    return [(one.step, one.weight) for one in found]


def search_origin(order: SearchRequest, number: int) -> DirectionOrigin:
    """Where number `number` of a search, counted from 1, came from."""
    region = {} if order.region is None else {"region": str(order.region)}
    return DirectionOrigin(method=order.method, data="the network alone", settings={"number": number, **region})


def _handle_search(workshop: Workshop, order: SearchRequest) -> tuple[Direction, ...]:
    num_ws = workshop.generator.num_ws
    rows = (0, num_ws) if order.rows is None else order.rows
    if rows[1] > num_ws:
        raise UsageError(f"rows {rows[0]}-{rows[1]}: this model has {num_ws} rows")
    lock = None if order.region is None else RegionLock(region=order.region)
    if order.method == "channels":
        assert lock is not None
        return _discover_channels(workshop, lock, order.count)
    moved = None if rows == (0, num_ws) else rows
    return tuple(
        _attach_measures(
            workshop.direction(f"{order.method}_{number}", step, search_origin(order, number), rows=moved),
            weight=weight,
        )
        for number, (step, weight) in enumerate(find_steps(workshop, order.method, lock, rows, order.count), start=1)
    )


def _discover_channels(workshop: Workshop, lock: RegionLock, count: int) -> tuple[Direction, ...]:
    reader = workshop.regions
    refuse_unknown_regions((lock,), reader)
    ranked = discovery.rank_channels(workshop.generator, workshop.population, reader, lock, count)
    made = []
    for number, rank in enumerate(ranked, start=1):
        origin = DirectionOrigin(
            method="channels",
            data=f"{rank.layer}:{rank.channel}",
            paper=PAPER,
            settings={"number": number, "region": str(lock.region)},
        )
        direction = workshop.channel_direction(f"channel_{number}", {rank.layer: {rank.channel: 1.0}}, origin)
        made.append(_attach_measures(direction, share=rank.share, change_levels=rank.change))
    return tuple(made)


def _attach_measures(direction: Direction, **measures: float) -> Direction:
    rounded = {name: round(value, 4) for name, value in measures.items()}
    return Direction(direction.header.model_copy(update={"measures": rounded}), direction.arrays)
