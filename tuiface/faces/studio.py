"""The headless studio. A `Face` is a recipe with its lineage, changed, rendered and saved through its studio.

A `Studio` makes new faces and keeps a session of them, with undo and redo. Both front ends, the command line and the
interface, work through this module and hold no recipe of their own.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import pwd
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

import numpy as np
from pydantic import ValidationError

from tuiface.core.assets import directions_path
from tuiface.core.errors import ModelError, UsageError, quote
from tuiface.core.files import reserve_paths, write_pair
from tuiface.core.limits import CHANNEL_LIMIT, ID_LENGTH, MAX_AMOUNT, MAX_SEED, W_AVG
from tuiface.core.settings import Settings
from tuiface.core.values import describe_error
from tuiface.core.words import is_whole_number
from tuiface.directions.catalogue import Catalogue
from tuiface.directions.direction import Direction, find_embedded
from tuiface.directions.populations import Populations
from tuiface.engine_api.protocol import Engine, EngineInfo, RenderRequest, RenderResult
from tuiface.engine_api.requests import BakeRequest, ContourCorrectionRequest, FaceRequest
from tuiface.faces.provenance import (
    Device,
    DirectionRecord,
    ModelRecord,
    Picture,
    Provenance,
    encode_png,
    list_saved_files,
    pixels_digest,
    read_face,
)
from tuiface.faces.recipe import (
    ChannelEdit,
    DirectionEdit,
    Edit,
    Guarantee,
    LatentOrigin,
    LatentSource,
    LockMask,
    Noise,
    Recipe,
    Region,
    RegionLock,
    SeedSource,
    StyleMix,
    Truncation,
)
from tuiface.faces.repair import complete_face


@dataclass(frozen=True, slots=True)
class Face:
    """A recipe with its lineage; every change gives a new face. Rendering and saving go through its studio."""

    studio: Studio
    recipe: Recipe
    parents: tuple[str, ...] = ()
    """Recipe digests of the saved faces that this one was made from."""
    saved: bool = False
    """Whether this very recipe lies in a file: faces derived from it name it as their parent."""

    @property
    def id(self) -> str:
        """How the library names this face."""
        return self.recipe.id

    def derive(self, *others: Face, **changes: object) -> Face:
        """A face with some fields of the recipe replaced, whose parents are this one (and `others`) where saved."""
        parents = dict.fromkeys(p for face in (self, *others) for p in face._lineage())
        return Face(self.studio, self.recipe.derive(**changes), tuple(parents))

    def _lineage(self) -> tuple[str, ...]:
        return (self.recipe.digest,) if self.saved else self.parents

    def truncate(self, psi: float, cutoff: int | None = None) -> Face:
        """The same draw at another psi (and on rows [0, cutoff) alone)."""
        changed = {**self.recipe.truncation.model_dump(), "psi": float(psi), "cutoff": cutoff}
        return self.derive(truncation=Truncation.model_validate(changed))

    def towards(self, population: str) -> Face:
        """The same draw, truncated towards a named population, or back towards `w_avg`.

        Raises ModelError for a population that this network does not have.
        """
        centre = None
        if population != W_AVG:
            centre = self.studio.populations.find(population, self.studio.info.model).array()
        return self.derive(truncation=self.recipe.truncation.towards(population, centre))

    def edit(
        self,
        name: str,
        amount: float,
        rows: tuple[int, int] | None = None,
        *,
        beyond: bool = False,
        foreign: bool = False,
    ) -> Face:
        """One more edit: a direction by its name, or a style channel such as `b16.conv1:501`, by standard deviations.

        `rows` overrides the rows that a direction moves. `beyond` accepts amounts past what the direction was verified
        for, `foreign` a direction of another network. Raises ModelError for an unknown name, UsageError for the rest.
        """
        layer, _, channel = name.partition(":")
        if is_whole_number(channel):
            if rows is not None:
                raise UsageError(f"rows for the channel {quote(name)}: a channel has none")
            _refuse_beyond(name, amount, CHANNEL_LIMIT, beyond=beyond)
            try:
                edit = ChannelEdit(channel=(layer, int(channel)), amount=float(amount))
            except ValidationError as error:
                raise UsageError(*describe_error(error, ChannelEdit, f"edit {quote(name)}")) from None
            return self.derive(edits=(*self.recipe.edits, edit))
        direction = self.studio.catalogue.find(name, self.studio.info.model, foreign=foreign)
        _refuse_beyond(name, amount, direction.header.limit, beyond=beyond)
        step = DirectionEdit(
            direction=direction.name,
            sha256=direction.sha256,
            amount=float(amount),
            rows=rows,
            foreign=direction.is_foreign(self.studio.info.model),
        )
        return self.derive(edits=(*self.recipe.edits, step))

    def mix(self, other: Face, rows: tuple[int, int]) -> Face:
        """Take rows [start, stop) of W+ from `other`, truncated as this face is."""
        mix = StyleMix(source=other.recipe.source, rows=rows)
        return self.derive(other, mixes=(*self.recipe.mixes, mix))

    def lock(self, region: Region, strength: float = 1.0, guarantee: Guarantee = "direction") -> Face:
        """Ask that edits leave `region` as it is, with one of three guarantees (see docs/directions.md)."""
        if region == "mask":
            raise UsageError("region 'mask' is a picture of your own", "--lock FILE.png, or face.lock_mask")
        lock = RegionLock(region=region, strength=float(strength), guarantee=guarantee)
        return self.derive(locks=(*self.recipe.locks, lock))

    def lock_mask(self, mask: np.ndarray, strength: float = 1.0, guarantee: Guarantee = "direction") -> Face:
        """Ask that edits leave a drawn region as it is: bool [R, R], true where the face must stay.

        Raises UsageError for another size than the full picture's, an empty mask, or one that leaves nothing to move.
        """
        side = self.studio.info.resolution
        if mask.shape != (side, side):
            raise UsageError(
                f"a mask of {mask.shape[1]} x {mask.shape[0]} px; this model takes {side} x {side}",
                "draw it on a full-size picture of this model",
            )
        if not mask.any():
            raise UsageError("the mask is empty", "paint white what must stay")
        if mask.all():
            raise UsageError("the mask leaves nothing that may change", "paint black what edits may move")
        lock = RegionLock(
            region="mask", strength=float(strength), guarantee=guarantee, mask=LockMask.from_array(mask.astype(bool))
        )
        return self.derive(locks=(*self.recipe.locks, lock))

    def match_contour(self, reference: Face) -> tuple[Face, float, float]:
        """The face with coarse rows changed until its frame is that of `reference` without its edits.

        Returns it with its frame variation, in percent, before and after. The engine takes seconds.
        """
        face, measures = self.find(ContourCorrectionRequest(face=self.recipe, reference=reference.recipe), reference)
        return face, measures["frame_variation_before"], measures["frame_variation_after"]

    def find(self, request: FaceRequest, other: Face) -> tuple[Face, dict[str, float]]:
        """This face at the rows of W+ that the engine finds for `request`, of it and `other`; and its measures.

        Edits of styles, locks and noise stay. Request and measures are recorded as the latent's origin.
        """
        found = self.studio.engine.find_face(request)
        measures = {name: round(value, 3) for name, value in found.measures.items()}
        digests = {name: recipe.digest for name, recipe in request.recipes().items()}
        origin = LatentOrigin(settings={"method": request.METHOD, **digests, **measures})
        styles = tuple(edit for edit in self.recipe.edits if not self.studio.moves_rows(self.recipe, edit))
        source = LatentSource.from_array(found.ws, origin)
        face = self.derive(other, source=source, truncation=Truncation(psi=1.0), mixes=(), edits=styles)
        return face, measures

    @property
    def is_plain(self) -> bool:
        """Whether the face is its source and truncation alone, besides its noise."""
        return not (self.recipe.mixes or self.recipe.edits or self.recipe.locks)

    def bake(self) -> Face:
        """The same face as rows of W+, so that it can be composed with any other: mixes, edits and locks are in them.

        Edits of style channels are in no row and stay edits. What a lock blends or pastes is lost, and the latent's
        origin names it. The engine takes seconds where there are locks.
        """
        is_latent = isinstance(self.recipe.source, LatentSource)
        if is_latent and self.is_plain and self.recipe.truncation == Truncation(psi=1.0):
            return self
        baked, _ = self.find(BakeRequest(face=self.recipe), self)
        lost = [f"{lock.region}:{lock.guarantee}" for lock in self.recipe.locks if lock.guarantee != "direction"]
        if not lost:
            return baked.derive(locks=())
        source = baked.recipe.source
        assert isinstance(source, LatentSource)
        assert source.origin is not None
        origin = LatentOrigin(settings={**source.origin.settings, "not_baked": " ".join(lost)})
        return baked.derive(locks=(), source=source.model_copy(update={"origin": origin}))

    def noise(self, mode: str, seed: int | None = None) -> Face:
        """Another noise input: "const", "none", or "random" with its seed."""
        return self.derive(noise=Noise.model_validate({"mode": mode, "seed": seed}))

    def render(self, size: int | None = None) -> RenderResult:
        """The picture at the largest block of at most `size` px; None for the full picture.

        Raises UsageError for a size below 4.
        """
        return self.studio.engine.render(RenderRequest(self.recipe, self.studio.block_within(size)))

    def save(self, folder: str | Path, *, resolution: int | None = None, force: bool = False) -> Path:
        """Render and write `NAME.png` and `NAME.json` into `folder` (made if absent); returns the picture's path.

        A picture of this very face whose JSON is missing, as a kill leaves it, is completed and not rendered again.
        Raises OutputError, with nothing written, if either file exists and `force` is not set.
        """
        png = Path(folder) / f"{self.file_stem(resolution)}.png"
        with reserve_pictures(png.parent, [self], [png], resolution, force=force) as completed:
            if png in completed:
                return png
            result = self.studio.engine.render(RenderRequest(self.recipe, resolution))
            return self.write(result, png, resolution=resolution, force=force)

    def write(self, result: RenderResult, png: Path, *, resolution: int | None = None, force: bool = False) -> Path:
        """Write a rendered picture of this face with its JSON, both or neither."""
        text = self.provenance(result, png.name, resolution).to_text()
        write_pair(png, encode_png(result.pixels, text), png.with_suffix(".json"), text.encode(), force=force)
        return png

    def _block(self, resolution: int | None) -> int | None:
        """The block that the network stops at for `resolution`, as it is recorded: None for the full picture."""
        return None if resolution == self.studio.info.resolution else resolution

    def file_stem(self, resolution: int | None = None) -> str:
        """`seed42-1f0c9a7b3d`: where the face came from and its id, and the size if it is not the full picture."""
        source = self.recipe.source
        kind = f"seed{source.seed}" if isinstance(source, SeedSource) else "latent"
        block = self._block(resolution)
        size = "" if block is None else f"-{block}px"
        return f"{kind}-{self.id}{size}"

    def provenance(self, result: RenderResult, file: str, resolution: int | None = None) -> Provenance:
        """What the JSON beside the picture says."""
        info = self.studio.info
        height, width = result.pixels.shape[:2]
        return Provenance(
            recipe=self.studio.embed_directions(self.recipe),
            recipe_sha256=self.recipe.digest,
            parents=self.parents,
            picture=Picture(
                file=file,
                width=width,
                height=height,
                resolution=self._block(resolution),
                pixels_sha256=pixels_digest(result.pixels),
            ),
            model=ModelRecord(sha256=info.model.sha256, name=info.model.name, licence=info.licence),
            directions=self._record_directions(),
            measures=result.measures,
            software=info.software,
            device=Device(kind="cuda" if "cuda" in info.device else "cpu", name=info.device_name, threads=info.threads),
            dtype=result.dtype,
            kernels=info.kernels,
            operator=read_operator(),
            time=datetime.datetime.now(datetime.UTC).replace(microsecond=0),
            notices=(*info.notices, *result.notices),
        )

    def _record_directions(self) -> tuple[DirectionRecord, ...]:
        records = {}
        for edit in self.recipe.edits:
            if isinstance(edit, DirectionEdit):
                direction = self.studio.find_direction(self.recipe, edit)
                records[(edit.direction, edit.sha256)] = DirectionRecord(
                    name=edit.direction,
                    sha256=edit.sha256,
                    licence="unknown" if direction is None else direction.header.licence,
                    model=None if direction is None else direction.header.model,
                    foreign=edit.foreign,
                )
        return tuple(records.values())


def complete_faces(faces: Sequence[Face], pictures: Sequence[Path], resolution: int | None) -> dict[Path, np.ndarray]:
    """The pixels of those of `pictures` that are there without their JSON, as a kill leaves them; it is written.

    Only where a picture is of this very face and size, and sound: any other is somebody else's. Raises OutputError.
    """
    completed = {}
    for face, path in zip(faces, pictures, strict=True):
        pixels = complete_face(path, face.recipe, face._block(resolution))
        if pixels is not None:
            completed[path] = pixels
    return completed


@contextlib.contextmanager
def reserve_pictures(
    folder: Path,
    faces: Sequence[Face],
    pictures: Sequence[Path],
    resolution: int | None = None,
    *,
    beside: Iterable[Path] = (),
    force: bool = False,
) -> Iterator[dict[Path, np.ndarray]]:
    """`reserve_paths` for `pictures` of `faces`, with their JSON and the files `beside`; yields what is there already.

    That is `complete_faces`, and nothing with `force`. Raises OutputError.
    """
    completed = {} if force else complete_faces(faces, pictures, resolution)
    left = [path for path in pictures if path not in completed]
    with reserve_paths(folder, (*list_saved_files(left), *beside), force=force):
        yield completed


def _refuse_beyond(name: str, amount: float, limit: float, *, beyond: bool) -> None:
    """Raise UsageError for an amount that the concept was not verified for, unless it is asked for."""
    if not abs(amount) <= MAX_AMOUNT:
        raise UsageError(f"{name}={amount:g}; accepted: -{MAX_AMOUNT:g} to {MAX_AMOUNT:g} at most")
    if abs(amount) > limit and not beyond:
        raise UsageError(
            f"{name}={amount:g}: beyond what this model is known to do; accepted: -{limit:g} to {limit:g}",
            "add --beyond to go further, where faces break",
        )


def read_operator() -> str:
    """The Unix user by the kernel's word, which is also what an engine sees at its socket; never the environment's."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


MIN_RESOLUTION = 4


class Studio:
    """One user's session with one engine: the current face, its history, and new faces.

    A context manager: leaving it closes the engine.
    """

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self.engine = engine
        self.settings = settings
        self.info: EngineInfo = engine.info()
        self.catalogue = Catalogue(directions_path(settings.model), settings.directions)
        self.populations = Populations(settings.directions)
        first = self.face(seed=0)
        self._history: tuple[Face, ...] = (first,)
        self._position = 0

    def __enter__(self) -> Studio:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the engine."""
        self.engine.close()

    def block_within(self, size: int | None) -> int | None:
        """The largest resolution of the network's blocks that is at most `size`; None, the full picture, for None."""
        if size is None or size >= self.info.resolution:
            return None
        if size < MIN_RESOLUTION:
            raise UsageError(f"size {size}; accepted: {MIN_RESOLUTION} px and more")
        return 1 << (size.bit_length() - 1)

    def moves_rows(self, recipe: Recipe, edit: Edit) -> bool:
        """Whether an edit of `recipe` moves rows of W+, rather than styles."""
        if isinstance(edit, ChannelEdit):
            return False
        direction = self.find_direction(recipe, edit)
        return direction is None or direction.header.space != "styles"

    def find_direction(self, recipe: Recipe, edit: DirectionEdit) -> Direction | None:
        """The direction that an edit of `recipe` names: among those at hand, else as the recipe itself holds it."""
        return self.catalogue.by_digest(edit.sha256) or find_embedded(recipe, edit.sha256)

    def embed_directions(self, recipe: Recipe) -> Recipe:
        """The same recipe with the numbers of its directions: what is saved outlives their files."""
        found = {}
        for edit in recipe.edits:
            if isinstance(edit, DirectionEdit) and (direction := self.find_direction(recipe, edit)) is not None:
                found[edit.sha256] = direction.numbers
        return recipe.derive(directions=tuple(found.values()))

    def _drop_directions_at_hand(self, recipe: Recipe) -> Recipe:
        """Without the numbers that the catalogue has: a face is the same whether it was saved or not."""
        missing = tuple(n for n in recipe.directions if self.catalogue.by_digest(n.digest) is None)
        return recipe.derive(directions=missing) if recipe.directions else recipe

    # --- new faces -----------------------------------------------------------------------------------------------

    def face(self, seed: int, psi: float | None = None, cutoff: int | None = None, label: int | None = None) -> Face:
        """The face of a seed number; psi defaults to the setting, `label` is the class for a network with labels."""
        if not 0 <= seed <= MAX_SEED:
            raise UsageError(f"seed {seed}; accepted: 0 to {MAX_SEED}")
        if label is None and self.info.c_dim:
            label = 0
        recipe = Recipe(
            model=self.info.model,
            source=SeedSource(seed=seed, label=label),
            truncation=Truncation(psi=float(self.settings.psi if psi is None else psi), cutoff=cutoff),
        )
        return Face(self, recipe)

    def face_from_latent(self, w: np.ndarray, psi: float = 1.0) -> Face:
        """The face of float numbers [w_dim] in W or [num_ws, w_dim] in W+."""
        source = LatentSource.from_array(w)
        return Face(self, Recipe(model=self.info.model, source=source, truncation=Truncation(psi=psi)))

    def open_file(self, path: Path, *, foreign: bool = False) -> Face:
        """The face of a saved PNG, its JSON, a bare recipe JSON or a kept face's.

        Raises InputFileError, and ModelError when it was made with another network, unless `foreign` is set.
        """
        recipe, parents, saved = read_face(path)
        recipe = self._drop_directions_at_hand(recipe)
        if recipe.model.sha256 != self.info.model.sha256:
            if not foreign:
                raise ModelError(
                    f"{path.name} was made with the model '{recipe.model.name}' ({recipe.model.sha256[:ID_LENGTH]}), "
                    f"opened is '{self.info.model.name}' ({self.info.model.sha256[:ID_LENGTH]})",
                    "open that one with --model, or use --foreign to apply the recipe to this one",
                )
            return Face(self, recipe.derive(model=self.info.model), (recipe.digest,) if saved else parents)
        return Face(self, recipe, parents, saved=saved)

    # --- the session ---------------------------------------------------------------------------------------------

    @property
    def current(self) -> Face:
        """The face on the screen."""
        return self._history[self._position]

    @property
    def can_undo(self) -> bool:
        """Whether an earlier face is there to go back to."""
        return self._position > 0

    @property
    def can_redo(self) -> bool:
        """Whether a face was undone and nothing else done since."""
        return self._position + 1 < len(self._history)

    @property
    def history(self) -> tuple[tuple[Face, ...], int]:
        """All faces of the session, oldest first, and the place of the current one."""
        return self._history, self._position

    @property
    def original(self) -> Face:
        """The current face without its edits; where it has none, the earliest before it with the same source."""
        if self.current.recipe.edits:
            return self.current.derive(edits=(), locks=())
        position = self._position
        while position and self._history[position - 1].recipe.source == self.current.recipe.source:
            position -= 1
        return self._history[position]

    def restore(self, faces: Sequence[Face], position: int) -> None:
        """Go on with another session's history, at one of its faces."""
        assert 0 <= position < len(faces)
        self._history, self._position = tuple(faces), position

    def show(self, face: Face) -> Face:
        """Make `face` the current one; what was undone before is forgotten. The same recipe again changes nothing."""
        if face.recipe != self.current.recipe:
            self._history = (*self._history[: self._position + 1], face)
            self._position += 1
        return self.current

    def amend(self, face: Face) -> Face:
        """Put `face` in the current one's place in the history; as the one before it again, that step never was."""
        kept = self._history[: self._position]
        self._history = kept if kept and face.recipe == kept[-1].recipe else (*kept, face)
        self._position = len(self._history) - 1
        return self.current

    def undo(self) -> Face:
        """Go back one face, if there is one."""
        self._position = max(0, self._position - 1)
        return self.current

    def redo(self) -> Face:
        """Go forward again, if something was undone."""
        self._position = min(len(self._history) - 1, self._position + 1)
        return self.current

    def mark_saved(self, recipe: Recipe) -> None:
        """Note that `recipe` lies in a file now, so that what is derived from it names it as parent."""
        self._history = tuple(replace(f, saved=True) if f.recipe == recipe else f for f in self._history)
