"""Directions as values: a step with its name, unit and origin, in the form that every way of making one leaves."""

from __future__ import annotations

import numpy as np
import torch
from pydantic import ValidationError
from torch import Tensor

from tuiface.core.errors import InputFileError, UsageError, quote
from tuiface.core.limits import CHANNEL_LIMIT, NAME_WORDS
from tuiface.directions.direction import Direction, DirectionHeader, DirectionOrigin, Labels, labels_of
from tuiface.directions.importing import to_step
from tuiface.engine.latents import LatentPopulation
from tuiface.engine.opened_network import OpenedNetwork
from tuiface.engine_api.requests import ImportRequest
from tuiface.faces.direction_numbers import STEP


def make_direction(
    network: OpenedNetwork,
    name: str,
    unit_step: Tensor,
    origin: DirectionOrigin,
    *,
    rows: tuple[int, int] | None = None,
    labels: Labels | None = None,
    licence: str | None = None,
    sigma: float | None = None,
) -> Direction:
    """A direction of the network whose amount 1 is `unit_step` [w_dim] or [num_ws, w_dim].

    sigma: length of one standard deviation; the step's own length unless given. The licence defaults to that of the
    weights. Raises UsageError for a name that cannot be one.
    """
    array = unit_step.detach().cpu().numpy().astype(np.float32)
    return _make_record(
        network,
        name,
        {STEP: array},
        space="w" if array.ndim == 1 else "w+",
        rows=rows,
        labels=labels or labels_of(name),
        origin=origin,
        sigma=float(np.linalg.norm(array)) if sigma is None else sigma,
        licence=licence or network.licence,
    )


def make_channel_direction(
    network: OpenedNetwork,
    name: str,
    layer: str,
    channel: int,
    origin: DirectionOrigin,
    *,
    licence: str | None = None,
) -> Direction:
    """A direction that moves one style channel by its own standard deviation."""
    layers = {name: module for name, module, _ in network.generator.synthesis.style_layers()}
    sigma = network.population.channel_sigma(layers[layer]).cpu().numpy()
    array = np.zeros(len(sigma), np.float32)
    array[channel] = sigma[channel]
    return _make_record(
        network,
        name,
        {layer: array},
        space="styles",
        labels=labels_of(name),
        origin=origin,
        limit=CHANNEL_LIMIT,
        licence=licence or network.licence,
    )


def make_imported_direction(network: OpenedNetwork, request: ImportRequest) -> Direction:
    """A direction from a user's array.

    Raises InputFileError where the array does not fit or the population does not vary along it, UsageError for rows
    that the network lacks.
    """
    config = network.generator.config
    step = to_step(request.step.array(), config.num_ws, config.w_dim, request.file)
    rows = request.rows
    if rows is not None and rows[1] > config.num_ws:
        raise UsageError(f"rows {rows[0]}-{rows[1]} end beyond the model's {config.num_ws} rows")
    vector = torch.from_numpy(step).to(network.device)
    norm = float(vector.norm())
    sigma = _measure_sigma(network.population, vector)
    if sigma < 1e-6 * float(network.population.deviations[0]):
        raise InputFileError(f"{request.file}: this network's population does not vary along it, so it has no unit")
    settings: dict[str, str | int | float | bool] = {"file": request.file, "raw_norm": norm}
    if request.system:
        settings["system"] = request.system
    origin = DirectionOrigin(method="import", data=request.file, paper=request.paper, settings=settings)
    unit_step = vector if request.raw else vector * (sigma / norm)
    made = make_direction(network, request.name, unit_step, origin, rows=rows, licence=request.licence, sigma=sigma)
    if not request.raw:
        return made
    return Direction(made.header.model_copy(update={"unit": "raw"}), made.arrays)


def _measure_sigma(population: LatentPopulation, step: Tensor) -> float:
    """Length of one standard deviation of w along a step, as a step of the same form."""
    if step.ndim == 1:
        return population.sigma_of(step)
    # The rows of W+ are copies of one w over the population, so the projection on the step is w times its sum.
    total = step.sum(dim=0)
    return float(total.norm() / step.norm()) * population.sigma_of(total)


def _make_record(network: OpenedNetwork, name: str, arrays: dict[str, np.ndarray], **fields: object) -> Direction:
    try:
        header = DirectionHeader.model_validate({"name": name, "model": network.model, **fields})
    except ValidationError as error:
        if error.errors()[0]["loc"] == ("name",):
            raise UsageError(f"name {quote(name)}; accepted: {NAME_WORDS}", "--name NAME") from None
        raise
    return Direction(header, arrays)
