"""Verify a saved face: rebuild it from its provenance alone, compare, and name everything that differs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from tuiface.engine_api.protocol import Engine, EngineInfo, RenderRequest
from tuiface.faces.provenance import Provenance, SavedFace, SidecarState, pixels_digest
from tuiface.faces.recipe import DirectionEdit

#: Another device or library release may round the last bit the other way; more than this is another picture.
TOLERANCE_LEVELS = 2

_SIDECARS: dict[SidecarState, str] = {
    "older": "the JSON is older than its picture, as an interrupted --force leaves it; tuiface library repair",
    "damaged": "the JSON is cut off or no JSON at all; tuiface library repair makes it again from the picture",
    "differs": "the JSON file does not say the same as the text inside the PNG",
}

Status = Literal["exact", "within tolerance", "differs"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome for one picture."""

    status: Status
    """`exact`: the rebuilt pixels are the recorded ones. `within tolerance`: at most 2 of 255 levels apart."""
    differences: tuple[str, ...]
    """What differs and speaks against the picture, a sentence each; empty unless status is `differs`."""
    context: tuple[str, ...]
    """What else is not as recorded and may explain a difference: software, device."""
    max_difference: int | None
    """Largest difference of any colour value, in levels of 255; None when there is no picture to compare with."""


def verify(saved: SavedFace, engine: Engine) -> Verdict:
    """Compare `saved` with what `engine` makes of its recipe. Raises ModelError or EngineError if it cannot render."""
    provenance, info = saved.provenance, engine.info()
    differences = [*_compare_texts(saved), *_compare_pixels(saved), *_compare_model(provenance, info)]
    differences += _compare_directions(provenance)
    context = _compare_environment(provenance, info)
    if provenance.recipe.model.sha256 != info.model.sha256:
        return Verdict("differs", tuple(differences), context, None)
    request = RenderRequest(provenance.recipe, provenance.picture.resolution, threads=provenance.device.threads)
    result = engine.render(request)
    exact = pixels_digest(result.pixels) == provenance.picture.pixels_sha256
    distance = _max_difference(result.pixels, saved.pixels)
    close = distance is not None and distance <= TOLERANCE_LEVELS
    if not exact and not close:
        amount = "the picture is not at hand, so by how much is unknown" if distance is None else f"by up to {distance}"
        differences.append(f"pixels: the rebuilt picture is not the recorded one ({amount} of 255 levels)")
    if differences:
        return Verdict("differs", tuple(differences), context, distance)
    return Verdict("exact" if exact else "within tolerance", (), context, distance)


def _compare_texts(saved: SavedFace) -> list[str]:
    found = []
    provenance = saved.provenance
    computed = provenance.recipe.digest
    if computed != provenance.recipe_sha256:
        found.append(f"recipe: changed after saving (recorded {provenance.recipe_sha256[:10]}, now {computed[:10]})")
    if saved.sidecar != "agrees":
        found.append(f"provenance: {_SIDECARS[saved.sidecar]}")
    return found


def _compare_pixels(saved: SavedFace) -> list[str]:
    if saved.pixels is None or pixels_digest(saved.pixels) == saved.provenance.picture.pixels_sha256:
        return []
    return ["pixels: the picture was changed after saving"]


def _compare_model(provenance: Provenance, info: EngineInfo) -> list[str]:
    wanted = provenance.recipe.model
    found = []
    if provenance.model.sha256 != wanted.sha256:
        found.append(f"model: the provenance names {provenance.model.sha256[:10]}, its recipe {wanted.sha256[:10]}")
    if info.model.sha256 != wanted.sha256:
        found.append(
            f"model: made with '{wanted.name}' ({wanted.sha256[:10]}), "
            f"opened is '{info.model.name}' ({info.model.sha256[:10]})"
        )
    return found


def _compare_directions(provenance: Provenance) -> list[str]:
    recorded = {d.name: d.sha256 for d in provenance.directions}
    edits = [e for e in provenance.recipe.edits if isinstance(e, DirectionEdit)]
    return [
        f"direction '{e.direction}': recorded {recorded.get(e.direction, 'nothing')[:10]}, recipe {e.sha256[:10]}"
        for e in edits
        if recorded.get(e.direction) != e.sha256
    ]


def _compare_environment(provenance: Provenance, info: EngineInfo) -> tuple[str, ...]:
    now = {**info.software, "device": info.device_name, "kernels": info.kernels}
    then = {**provenance.software, "device": provenance.device.name, "kernels": provenance.kernels}
    changed = [k for k in sorted(now.keys() | then.keys()) if now.get(k) != then.get(k)]
    return tuple(f"{key}: {then.get(key, 'none')} then, {now.get(key, 'none')} now" for key in changed)


def _max_difference(rendered: np.ndarray, saved: np.ndarray | None) -> int | None:
    if saved is None or saved.shape != rendered.shape:
        return None
    return int(np.abs(rendered.astype(np.int16) - saved.astype(np.int16)).max())
