"""Transitions between faces: frames by interpolation in Z, W or W+, with both ends included.

The first and the last frame, and each face on the way, are those faces themselves, to the byte.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tuiface.core.errors import UsageError
from tuiface.core.limits import MAX_FRAMES
from tuiface.faces.recipe import Edit, LatentSource, Recipe, SeedSource, hold_directions
from tuiface.faces.studio import Face
from tuiface.stimuli.neighbours import draw_z

Space = Literal["z", "w", "w+"]
SPACES: tuple[Space, ...] = ("z", "w", "w+")
MAX_NAMED_FACES = 12
#: The lab's habits.
DEFAULT_FRAMES: dict[Space, int] = {"z": 100, "w": 50, "w+": 50}


@dataclass(frozen=True, slots=True)
class Morph:
    """What a transition is."""

    faces: tuple[Face, ...]
    """Two or more, in their order."""
    num_frames: int
    """Of the whole transition, ends included."""
    space: Space = "w+"

    def check(self) -> None:
        """Raise UsageError for what cannot be interpolated."""
        if len(self.faces) < 2:
            raise UsageError(f"a transition of {len(self.faces)} face; accepted: 2 and more")
        if not len(self.faces) <= self.num_frames <= MAX_FRAMES:
            raise UsageError(f"{self.num_frames} frames; accepted: {len(self.faces)} (one a face) to {MAX_FRAMES}")
        if self.space == "z":
            self._check_seeds()

    def _check_seeds(self) -> None:
        if not self._is_uniform:
            raise UsageError(
                "faces of other edits, locks, noise or centres of truncation have no transition in z", "use --space w+"
            )
        for face in self.faces:
            if not isinstance(face.recipe.source, SeedSource) or face.recipe.mixes:
                raise UsageError(f"face {face.id} was not drawn by a seed alone, so it has no z", "use --space w+")
        labels = {face.recipe.source.label for face in self.faces if isinstance(face.recipe.source, SeedSource)}
        if len(labels) > 1:
            raise UsageError("faces of different classes have no transition in z", "use --space w+")

    @property
    def _is_uniform(self) -> bool:
        """Whether the faces differ in source, mixes and psi alone: frames then keep everything else as it is."""

        def rest(face: Face) -> tuple[object, ...]:
            recipe = face.recipe
            return (
                recipe.edits,
                recipe.locks,
                recipe.noise,
                recipe.truncation.model_copy(update={"psi": 1.0}),
            )

        return len({rest(face) for face in self.faces}) == 1

    def remarks(self) -> list[str]:
        """What frames on the way do not have of the faces, a line each."""
        if self._is_uniform:
            return []
        found = []
        if len({face.recipe.noise for face in self.faces}) > 1:
            found.append(f"frames on the way have the noise of {self.faces[0].id}")
        for face in self.faces:
            firm = [lock for lock in face.recipe.locks if lock.guarantee != "direction"]
            found += [f"frames on the way lack what {face.id} has by {lock.region}:{lock.guarantee}" for lock in firm]
        return found

    def frames(self) -> list[Face]:
        """Every frame as a face, ready to be rendered or saved. Raises what `check` and the engine raise.

        Where the faces differ in more than source, mixes and psi, what edits and locks do is baked into rows of W+.
        """
        self.check()
        stops = self._stops()
        is_uniform = self._is_uniform
        ways = self.faces if is_uniform else tuple(face.bake() for face in self.faces)
        faces: list[Face] = []
        for index, face in enumerate(self.faces[:-1]):
            steps = stops[index + 1] - stops[index]
            parts = np.arange(steps) / steps
            faces += [face, *self._interpolate(ways[index], ways[index + 1], parts[1:])]
        return [*faces, self.faces[-1]]

    def _stops(self) -> list[int]:
        """Frame of each face: the way is divided as evenly as whole frames allow."""
        stops: list[int] = np.linspace(0, self.num_frames - 1, len(self.faces)).round().astype(int).tolist()
        return stops

    def _interpolate(self, a: Face, b: Face, parts: np.ndarray) -> list[Face]:
        if self.space == "z":
            return self._interpolate_z(a, b, parts)
        engine = a.studio.engine
        start, end = engine.ws(a.recipe), engine.ws(b.recipe)  # [num_ws, w_dim], truncated
        if self.space == "w" and (np.ptp(start, axis=0).any() or np.ptp(end, axis=0).any()):
            raise UsageError(f"faces {a.id} and {b.id} are not both of one w in all rows", "use --space w+")
        rows = [start + part * (end - start) for part in parts]
        truncation = a.recipe.truncation.model_copy(update={"psi": 1.0, "cutoff": None})
        sources = [LatentSource.from_array(row[0] if self.space == "w" else row) for row in rows]
        noise = self.faces[0].recipe.noise
        frames = []
        for part, source in zip(parts, sources, strict=True):
            edits = a.recipe.edits if a.recipe.edits == b.recipe.edits else blend_edits(a, b, float(part))
            held = hold_directions((a.recipe, b.recipe), edits)
            changes = {"source": source, "truncation": truncation, "mixes": (), "noise": noise, "edits": edits}
            frames.append(a.derive(b, **changes, directions=held))
        return frames

    def _interpolate_z(self, a: Face, b: Face, parts: np.ndarray) -> list[Face]:
        """Linear in z, and in psi where the ends differ in it."""
        studio = a.studio
        z = [draw_z(_seed_source(face.recipe).seed, studio.info.z_dim) for face in (a, b)]
        w = studio.engine.map(z[0] + parts[:, None] * (z[1] - z[0]), _seed_source(a.recipe).label)
        psi = [face.recipe.truncation.psi for face in (a, b)]
        return [
            a.derive(
                b,
                source=LatentSource.from_array(row),
                truncation=a.recipe.truncation.model_copy(update={"psi": float(psi[0] + part * (psi[1] - psi[0]))}),
            )
            for part, row in zip(parts, w, strict=True)
        ]


def blend_edits(a: Face, b: Face, part: float) -> tuple[Edit, ...]:
    """The edits of both, those of `a` by 1 - `part`, those of `b` by `part`; one that both have stands once."""
    amounts: dict[Edit, float] = {}
    for face, weight in ((a, 1 - part), (b, part)):
        for edit in face.recipe.edits:
            step = edit.model_copy(update={"amount": 0.0})
            amounts[step] = amounts.get(step, 0.0) + weight * edit.amount
    return tuple(step.model_copy(update={"amount": amount}) for step, amount in amounts.items() if amount)


def _seed_source(recipe: Recipe) -> SeedSource:
    assert isinstance(recipe.source, SeedSource)
    return recipe.source


def series_name(faces: Sequence[Face], space: Space, num_frames: int) -> str:
    """`morph-1f0c9a7b3d-8e41b0c2aa-w+-50`: the name of a transition's series and the beginning of its files.

    Of more than twelve faces, which no name can hold, the first and the last stand there, and a digest of all.
    """
    ids = [face.id for face in faces]
    if len(ids) > MAX_NAMED_FACES:
        ids = [ids[0], hashlib.sha256("".join(ids).encode()).hexdigest()[:10], ids[-1]]
    return "-".join(("morph", *ids, space, str(num_frames)))
