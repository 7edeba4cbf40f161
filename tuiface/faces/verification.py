"""Verify a saved face: rebuild it from its provenance alone, compare, and name everything that differs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from tuiface.core.errors import TuifaceError, quote
from tuiface.engine_api.protocol import Engine, EngineInfo, RenderRequest
from tuiface.faces.provenance import Provenance, SavedFace, SidecarState, pixels_digest, read_face
from tuiface.faces.recipe import DirectionEdit, LatentSource, Recipe, face_id

#: Another device or library release may round the last bit the other way; more than this is another picture.
TOLERANCE_LEVELS = 2
MEASURE_TOLERANCE = 0.05
"""Of a measure, or of 1 where it is smaller: what two levels of 255 move on another device."""

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
    """What else is not as recorded and may explain a difference: software, device, the network's name."""
    max_difference: int | None
    """Largest difference of any colour value, in levels of 255; None when there is no picture to compare with."""


FindFace = Callable[[str], Recipe | None]
"""The recipe of that digest among faces at hand, or None."""


def find_saved_recipe(folders: Iterable[Path], digest: str) -> Recipe | None:
    """The recipe of that digest among the faces saved in `folders`, whose files have its id in their names."""
    for folder in folders:
        for path in sorted(folder.glob(f"*-{face_id(digest)}*.json")):
            with contextlib.suppress(TuifaceError):
                recipe, _, _ = read_face(path)
                if recipe.digest == digest:
                    return recipe
    return None


def verify(saved: SavedFace, engine: Engine, find_face: FindFace = lambda digest: None) -> Verdict:
    """Compare `saved` with what `engine` makes of its recipe, and its record with what can be found out again.

    Measures are taken anew; the network's licence and name are those of the opened one; parents are looked for by
    `find_face`. Operator and time are the record's own words: nothing in a picture shows them.

    Raises ModelError or EngineError if it cannot render.
    """
    provenance, info = saved.provenance, engine.info()
    differences = [*_compare_texts(saved), *_compare_pixels(saved), *_compare_model(provenance, info)]
    differences += [*_compare_directions(provenance), *_compare_parents(provenance, find_face)]
    environment = _compare_environment(provenance, info)
    context = (*environment, *_compare_names(provenance, info))
    if provenance.recipe.model.sha256 != info.model.sha256:
        return Verdict("differs", tuple(differences), context, None)
    request = RenderRequest(provenance.recipe, provenance.picture.resolution, threads=provenance.device.threads)
    result = engine.render(request)
    differences += _compare_measures(provenance.measures, result.measures, is_same_stack=not environment)
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
    if provenance.model.licence != info.licence:
        was, now = quote(provenance.model.licence), quote(info.licence)
        found.append(f"model: its licence is recorded as {was}; the network with that digest has {now}")
    return found


def _compare_directions(provenance: Provenance) -> list[str]:
    recorded = {d.name: d.sha256 for d in provenance.directions}
    edits = [e for e in provenance.recipe.edits if isinstance(e, DirectionEdit)]
    return [
        f"direction '{e.direction}': recorded {recorded.get(e.direction, 'nothing')[:10]}, recipe {e.sha256[:10]}"
        for e in edits
        if recorded.get(e.direction) != e.sha256
    ]


def _compare_measures(
    recorded: Mapping[str, float], measured: Mapping[str, float], *, is_same_stack: bool
) -> list[str]:
    """On the same stack every measure comes out again; elsewhere within what the last bits of pixels move."""
    slack = 1e-6 if is_same_stack else MEASURE_TOLERANCE
    names = recorded.keys() | measured.keys() if is_same_stack else recorded.keys() & measured.keys()
    found = []
    for name in sorted(names):
        then, now = recorded.get(name), measured.get(name)
        if then is None or now is None or abs(then - now) > slack * max(1.0, abs(now)):
            was, is_now = ("nothing" if value is None else f"{value:g}" for value in (then, now))
            found.append(f"measures: {name} is recorded as {was}, measured now {is_now}")
    return found


def _compare_parents(provenance: Provenance, find_face: FindFace) -> list[str]:
    """Each parent that is at hand must have given the face something: a source, a mix, or the search it came from."""
    found = []
    for digest in provenance.parents:
        parent = find_face(digest)
        if parent is not None and not _descends(provenance.recipe, parent):
            found.append(f"parents: {digest[:10]} is recorded, and gave this face neither source nor rows")
    return found


def _descends(child: Recipe, parent: Recipe) -> bool:
    if isinstance(child.source, LatentSource):
        return True  # numbers do not tell what they were computed from
    given = {parent.source, *(mix.source for mix in parent.mixes)}
    return bool(given & {child.source, *(mix.source for mix in child.mixes)})


def _compare_environment(provenance: Provenance, info: EngineInfo) -> tuple[str, ...]:
    now = {**info.software, "device": info.device_name, "kernels": info.kernels}
    then = {**provenance.software, "device": provenance.device.name, "kernels": provenance.kernels}
    changed = [k for k in sorted(now.keys() | then.keys()) if now.get(k) != then.get(k)]
    return tuple(f"{key}: {then.get(key, 'none')} then, {now.get(key, 'none')} now" for key in changed)


def _compare_names(provenance: Provenance, info: EngineInfo) -> tuple[str, ...]:
    """A file that is renamed is the same network: its digest decides, and the names are said."""
    names = dict.fromkeys((provenance.model.name, provenance.recipe.model.name))
    return tuple(f"network's name: {name} then, {info.model.name} now" for name in names if name != info.model.name)


def _max_difference(rendered: np.ndarray, saved: np.ndarray | None) -> int | None:
    if saved is None or saved.shape != rendered.shape:
        return None
    return int(np.abs(rendered.astype(np.int16) - saved.astype(np.int16)).max())
