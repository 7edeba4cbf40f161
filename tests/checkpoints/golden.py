"""The golden fixtures: checkpoints of every format with the digests of all their tensors, and the hostile files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[1] / "data" / "checkpoints"
HOSTILE = DATA / "malicious"


@dataclass(frozen=True)
class Golden:
    """One fixture folder."""

    name: str
    facts: dict[str, Any]

    @property
    def path(self) -> Path:
        return DATA / self.name / str(self.facts["checkpoint"])

    def tensors(self, network: str) -> dict[str, Any]:
        """Shape and digest of each stored tensor, without the constant filters."""
        stored = self.facts.get("tensors") or self.facts["tensors_after_conversion"]
        return {name: fact for name, fact in stored[network].items() if not name.endswith(("filter", "kernel"))}


def golden(name: str) -> Golden:
    return Golden(name, json.loads((DATA / name / "case.json").read_text()))


NAMES = sorted(path.parent.name for path in DATA.glob("*/case.json"))
NVIDIA_NAMES = [name for name in NAMES if "_ros_" not in name]
ROSINALITY_NAMES = [name for name in NAMES if "_ros_" in name]
HOSTILE_FACTS: list[dict[str, Any]] = json.loads((HOSTILE / "manifest.json").read_text())["files"]
