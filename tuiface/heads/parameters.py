"""`HeadParameters`: the frozen value from which, and from nothing else, a batch of heads is rendered."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from tuiface.errors import UsageError, nearest, quoted
from tuiface.heads.specification import COLUMN, SPECIFICATION, Normal, Parameter, Uniform

FORMAT = "tuiface.head/1"


@dataclass(frozen=True, eq=False)
class HeadParameters:
    """A batch of head descriptions. The same value renders the same pictures, whatever it is batched with."""

    values: Tensor
    """float32 [N, len(SPECIFICATION)]; a choice holds its index."""
    seeds: Tensor
    """int64 [N], for what is drawn rather than described: strands, pores, the blobs of the background."""

    def __post_init__(self) -> None:
        assert self.values.shape == (len(self.seeds), len(SPECIFICATION)), self.values.shape

    def __len__(self) -> int:
        return len(self.seeds)

    def __getitem__(self, name: str) -> Tensor:
        """Column [N] of the parameter `name`."""
        return self.values[:, COLUMN[name]]

    @property
    def device(self) -> torch.device:
        """Where the columns lie, and so where they are rendered."""
        return self.values.device

    def to(self, device: torch.device | str) -> HeadParameters:
        """The same value on another device."""
        return HeadParameters(self.values.to(device), self.seeds.to(device))

    def select(self, index: slice | Tensor) -> HeadParameters:
        """Some of the samples, in the order of `index`."""
        return HeadParameters(self.values[index], self.seeds[index])

    def override(self, **changes: float | str) -> HeadParameters:
        """The same heads with some parameters set to one value each; a choice also takes its name.

        Raises UsageError for an unknown name or a value outside the accepted range.
        """
        values = self.values.clone()
        for name, value in changes.items():
            values[:, COLUMN[_known(name).name]] = _accepted(_known(name), value)
        return HeadParameters(values, self.seeds)

    def to_json(self, index: int) -> str:
        """Sample `index` as one line of JSON; choices by name."""
        row = self.values[index].tolist()
        parameters = {
            spec.name: spec.choices[int(value)] if spec.choices else value
            for spec, value in zip(SPECIFICATION, row, strict=True)
        }
        return json.dumps({"format": FORMAT, "seed": int(self.seeds[index]), "parameters": parameters})

    @classmethod
    def from_json(cls, *lines: str) -> HeadParameters:
        """Read what `to_json` wrote, bit for bit; raises UsageError naming what is wrong."""
        rows, seeds = [], []
        for line in lines:
            seed, row = _read_line(line)
            seeds.append(seed)
            rows.append(row)
        values = torch.tensor(rows, dtype=torch.float32).view(len(rows), len(SPECIFICATION))
        return cls(values, torch.tensor(seeds, dtype=torch.int64))


def concatenate(batches: list[HeadParameters]) -> HeadParameters:
    """Join batches of heads in order."""
    return HeadParameters(torch.cat([b.values for b in batches]), torch.cat([b.seeds for b in batches]))


def encode(parameters: HeadParameters) -> Tensor:
    """Network input float32 [N, F]: numbers standardised by their prior or range, choices as one-hot columns.

    The paired start of training regresses pictures from this; `ENCODING` names the columns.
    """
    columns: list[Tensor] = []
    for spec in SPECIFICATION:
        value = parameters[spec.name]
        if spec.choices:
            columns.extend((value == index).float() for index in range(len(spec.choices)))
            continue
        centre, spread = _standard(spec)
        columns.append((value - centre) / spread)
    return torch.stack(columns, dim=1)


ENCODING: tuple[str, ...] = tuple(
    name
    for spec in SPECIFICATION
    for name in ([f"{spec.name}={choice}" for choice in spec.choices] if spec.choices else [spec.name])
)
"""Names of the columns of `encode`."""


def _standard(spec: Parameter) -> tuple[float, float]:
    """Centre and spread of a numeric parameter; conditional priors count as uniform over the range."""
    if isinstance(spec.prior, Normal):
        return spec.prior.mean, spec.prior.sd
    low, high = (spec.prior.low, spec.prior.high) if isinstance(spec.prior, Uniform) else (spec.low, spec.high)
    return (low + high) / 2, (high - low) / math.sqrt(12)


def _known(name: str) -> Parameter:
    if name not in COLUMN:
        hint = nearest(name, COLUMN) or "tuiface.heads.SPECIFICATION lists them"
        raise UsageError(f"no head parameter {quoted(name)}", hint)
    return SPECIFICATION[COLUMN[name]]


def _accepted(spec: Parameter, value: object) -> float:
    """`value` as the number in its column, or one clear line."""
    if isinstance(value, str):
        if value in spec.choices:
            return float(spec.choices.index(value))
        accepted = f"one of {', '.join(spec.choices)}" if spec.choices else f"a number {spec.low:g} to {spec.high:g}"
        raise UsageError(f"{spec.name}: {quoted(value)} is not {accepted}", nearest(value, spec.choices))
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise UsageError(f"{spec.name}: {quoted(value)} is not a number")
    slack = 1e-6  # the float32 nearest to a bound may lie just outside it
    if not spec.low - slack <= value <= spec.high + slack:  # also refuses NaN
        raise UsageError(f"{spec.name}: {value:g} is outside {spec.low:g} to {spec.high:g} ({spec.unit})")
    if spec.choices and value != int(value):
        raise UsageError(f"{spec.name}: {value:g} is not a whole number", f"or one of {', '.join(spec.choices)}")
    return float(value)


def _read_line(line: str) -> tuple[int, list[float]]:
    try:
        document = json.loads(line)
    except json.JSONDecodeError as error:
        raise UsageError(f"head parameters: not JSON at character {error.pos}: {quoted(line)}") from error
    if not isinstance(document, Mapping) or document.get("format") != FORMAT:
        raise UsageError(f"head parameters: {quoted(line)} is not an object of format '{FORMAT}'")
    seed, given = document.get("seed"), document.get("parameters")
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise UsageError(f"head parameters: seed {quoted(seed)} is not a whole number below 2^32")
    if not isinstance(given, Mapping):
        raise UsageError("head parameters: 'parameters' is not an object of name and value")
    for name in given:
        _known(str(name))
    missing = [spec.name for spec in SPECIFICATION if spec.name not in given]
    if missing:
        raise UsageError(f"head parameters: '{missing[0]}' is missing ({len(missing)} in all)")
    return seed, [_accepted(spec, given[spec.name]) for spec in SPECIFICATION]
