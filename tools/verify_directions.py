"""Measure the shipped directions again after a change of the attribute reader; their steps stay as they are.

    python -m tools.verify_directions

Writes what they are found to do into their files, and exits with 1 where one no longer holds.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tuiface.core.assets import directions_path
from tuiface.core.errors import EXIT_CHECK_FAILED
from tuiface.core.settings import Settings
from tuiface.directions.direction import read_direction, write_direction
from tuiface.engine.learning.learn import verify_again
from tuiface.engine.loading import open_engine
from tuiface.engine.opened_network import OpenedNetwork

DRAWS, SEEDS = 2000, 100


def main() -> int:
    """Measure and write all."""
    network = open_engine(Settings(device="cpu")).network
    failed = verify_directions(network, Path(directions_path()), DRAWS, SEEDS)
    return EXIT_CHECK_FAILED if failed else 0


def verify_directions(network: OpenedNetwork, folder: Path, draws: int, seeds: int) -> int:
    """Measure all directions in `folder` and write what was found into them; returns how many do not hold."""
    paths = sorted(folder.glob("*.safetensors"))
    before = [read_direction(path) for path in paths]
    failed = 0
    if not paths:
        return failed
    verified = verify_again(network, network.attributes, network.regions, before, draws, seeds)
    for path, old, learned in zip(paths, before, verified, strict=True):
        measures, found = old.header.measures, learned.verification
        print(
            f"{old.name}: monotone {measures['monotone_percent']:g} -> {found.monotone_percent:g} %, "
            f"slope {measures['slope_sigma']:g} -> {found.slope:.3f}{'' if learned.holds else '  FAILED'}",
            flush=True,
        )
        failed += not learned.holds
        write_direction(learned.direction, path, force=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
