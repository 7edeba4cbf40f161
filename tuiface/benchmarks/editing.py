"""Whether edits and locks keep their promises: the figures of `tuiface bench edit` and of docs/directions.md.

Every figure is over faces that nothing was learned from: seeds 0, 1, 2, ... at psi 0.7, amounts both ways.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from tuiface.directions.concepts import direction_name
from tuiface.directions.direction import Direction
from tuiface.directions.questionnaire import Questionnaire, standardise
from tuiface.directions.regression import cosine
from tuiface.directions.report import build_edited_recipe
from tuiface.engine.learning.batch_predict import SupportsAttributePrediction
from tuiface.engine.learning.fitting import EvaluationFaces
from tuiface.engine.learning.from_scores import direction_from_scores, raw_features, seed_components
from tuiface.engine.local_engine import LocalEngine
from tuiface.engine.pixels import normalise
from tuiface.engine_api.protocol import RenderRequest, RenderResult
from tuiface.engine_api.requests import ContourCorrectionRequest, CrossRequest
from tuiface.faces.recipe import Guarantee, RegionLock

#: Directions of the inner face, which a lock on the frame should leave possible.
INNER_FACE = (
    "brow_height", "brow_raise", "brow_thickness", "eye_opening", "eye_size", "gaze_x", "lip_fullness", "lipstick",
    "mouth_open", "mouth_width", "nose_length", "nose_width", "smile", "teeth",
)  # fmt: skip
#: The laboratory's published ranking, least change of the frame first (Roca & Britos 2024, arXiv 2407.00803).
PUBLISHED_RANKING = (("eye_opening", "mouth_open"), ("pitch", "gender", "age", "smile"), ("yaw",))
GUARANTEES: tuple[Guarantee, ...] = ("direction", "blend", "paste")
MAX_EFFECT_RATIO = 4.0
NUM_ANSWERS, WRONG_FRACTION, POOL = 100, 0.05, 300
MIN_COSINE, COMPARED_FACES = 0.6, 24


@dataclass(frozen=True, slots=True)
class EditBench:
    """An engine with its attribute predictor, and the faces of a run."""

    engine: LocalEngine
    predictor: SupportsAttributePrediction
    seeds: Sequence[int]

    def render(self, direction: Direction, seed: int, amount: float, lock: RegionLock | None = None) -> RenderResult:
        """One edited face at full size."""
        locks = () if lock is None else (lock,)
        return self.engine.render(RenderRequest(build_edited_recipe(self.engine, direction, seed, amount, locks)))

    def value(self, result: RenderResult, direction: Direction) -> float:
        """The direction's own concept in a picture, in the predictor's unit."""
        names = [direction_name(name) for name in self.predictor.names]
        pixels = normalise(torch.from_numpy(result.pixels.copy())[None], torch.device("cpu"))
        return float(self.predictor.read(pixels)[0, names.index(direction.name)])


def time_searches(bench: EditBench, direction: Direction) -> dict[str, float]:
    """Seconds of the first locked picture of a face and of the next one, of a frame correction, of a cross' child."""
    engine, lock = bench.engine, RegionLock(region="frame")
    face, other = (
        build_edited_recipe(engine, direction, seed, 0.0, ()) for seed in (bench.seeds[0], bench.seeds[0] + 1)
    )
    searches: dict[str, Callable[[], object]] = {
        "lock_first_s": lambda: bench.render(direction, bench.seeds[0], 1.0, lock),
        "lock_next_s": lambda: bench.render(direction, bench.seeds[0], 1.1, lock),
        "frame_s": lambda: engine.find_face(ContourCorrectionRequest(face=face, reference=other)),
        "cross_s": lambda: engine.find_face(CrossRequest(contour=face, inner=other)),
    }
    engine.faces.forget()
    found = {}
    for name, search in searches.items():
        start = time.perf_counter()
        search()
        found[name] = round(time.perf_counter() - start, 2)
    return found


class LockMeasurement:
    """Frame variation of directions, free and under each guarantee of a lock on the frame, face by face.

    Faces come in the outer loop: what is found out about one serves every direction.
    """

    def __init__(self, amount: float = 2.0) -> None:
        self._amount = amount
        self._rows: dict[str, dict[str, list[float]]] = {}

    def add(self, bench: EditBench, direction: Direction, seed: int) -> None:
        """Measure one face both ways."""
        rows = self._rows.setdefault(direction.name, {})
        still = bench.value(bench.render(direction, seed, 0.0), direction)
        for signed in (self._amount, -self._amount):
            free = bench.render(direction, seed, signed)
            _note(rows, "free", free.measures["frame_variation_percent"])
            for guarantee in GUARANTEES:
                locked = bench.render(direction, seed, signed, RegionLock(region="frame", guarantee=guarantee))
                _note(rows, guarantee, locked.measures["frame_variation_percent"])
                if guarantee == "paste":
                    _note(rows, "paste_outside_max", locked.measures.get("outside_change_max", 0.0))
                    _note(rows, "paste_border_jump", locked.measures["border_jump_ratio"])
                if guarantee == "direction":
                    moved = bench.value(locked, direction) - still
                    ratio = (bench.value(free, direction) - still) / moved if moved else MAX_EFFECT_RATIO
                    scale = float(np.clip(ratio, 1 / MAX_EFFECT_RATIO, MAX_EFFECT_RATIO))
                    lock = RegionLock(region="frame", guarantee=guarantee)
                    equal = bench.render(direction, seed, signed * scale, lock)
                    _note(rows, "direction_equal_effect", equal.measures["frame_variation_percent"])

    @property
    def names(self) -> tuple[str, ...]:
        """Directions that a face was measured of."""
        return tuple(self._rows)

    def figures(self, name: str) -> dict[str, float]:
        """Of one direction, averaged over its faces.

        `direction_equal_effect` is that of the guarantee `direction` at the amount where the concept changes as much as
        it does free; `free_over_direction` divides the two.
        """
        means = {
            key: round(float(np.max(values) if key.endswith("_max") else np.mean(values)), 4)
            for key, values in self._rows[name].items()
        }
        faces = float(len(self._rows[name]["free"]) // 2)
        return {
            **means,
            "faces": faces,
            "free_over_direction": round(means["free"] / max(means["direction_equal_effect"], 1e-3), 2),
        }


class PredictionMeasurement:
    """How well the change outside a lock is predicted, over directions, faces and amounts up to 1."""

    def __init__(self) -> None:
        self._predicted: list[float] = []
        self._measured: list[float] = []

    @torch.no_grad()
    def add(self, bench: EditBench, direction: Direction, seed: int) -> None:
        """Predict and measure one face, free and with its lock."""
        engine, locks = bench.engine, (RegionLock(region="frame"),)
        for amount in (-1.0, -0.5, 0.5, 1.0):
            recipe = build_edited_recipe(engine, direction, seed, amount, locks)
            face, edits = engine.faces.find(recipe), engine.renderer.edits(recipe)
            for tried in (edits, engine.lock_solver.solve(face, recipe, edits)):
                self._predicted.append(engine.lock_solver.predict_outside_change(face, locks, tried))
                self._measured.append(engine.lock_solver.measure_outside_change(face, locks, tried))

    @property
    def num_pairs(self) -> int:
        """Predictions compared with their measurement so far."""
        return len(self._predicted)

    def figures(self) -> dict[str, float]:
        """Rank correlation, and the share of pairs that agree within a factor."""
        predicted, measured = np.array(self._predicted), np.array(self._measured)
        ratio = predicted / np.maximum(measured, 1e-6)
        return {
            "spearman": round(spearman(predicted, measured), 4),
            "within_factor_1.5_percent": round(100 * float(np.mean((ratio < 1.5) & (ratio > 1 / 1.5))), 1),
            "median_factor": round(float(np.median(ratio)), 3),
            "pairs": float(len(ratio)),
        }


def check_ranking(free: dict[str, float]) -> dict[str, float]:
    """Mean free frame variation of each published group that is at hand, and whether they grow."""
    means = []
    for group in PUBLISHED_RANKING:
        values = [free[name] for name in group if name in free]
        if values:
            means.append(float(np.mean(values)))
    return {"groups": float(len(means)), "holds": float(all(a < b for a, b in pairwise(means)))}


def learning_figures(bench: EditBench, directions: Sequence[Direction]) -> Iterator[dict[str, object]]:
    """For each direction that the predictor knows: 100 simulated answers, 5 % wrong, against the readings themselves.

    Where the cosine is low, both directions are tried on other faces as well: `selectivity_ratio` is the effect for its
    cross-talk (root mean square of all other attributes) of the answers' direction over that of the readings'.
    """
    network, seeds = bench.engine.network, tuple(range(POOL))
    white = seed_components(network, seeds)
    raw = raw_features(network, white, bench.predictor)
    features = standardise(raw)
    names = [direction_name(name) for name in bench.predictor.names]
    faces = EvaluationFaces.of(network, bench.predictor, raw.std(axis=0), COMPARED_FACES)
    for direction in directions:
        target = names.index(direction.name)
        truth = features[:, target]
        supervised = direction_from_scores(network, direction.name, white, truth, direction.header.origin)
        answered = _simulate_answers(seeds, features, truth)
        learned = direction_from_scores(
            network, direction.name, white, features @ answered.slopes(), direction.header.origin
        )
        likeness = cosine(learned.step, supervised.step)
        row = {"name": direction.name, "cosine": round(likeness, 3), "answers": answered.num_given}
        if likeness < MIN_COSINE:
            ratio = _selectivity(faces, learned, target) / _selectivity(faces, supervised, target)
            row["selectivity_ratio"] = round(ratio, 2)
        yield row


def _selectivity(faces: EvaluationFaces, direction: Direction, target: int) -> float:
    """Change of the wanted attribute over the root mean square of all others', in standard deviations."""
    step = torch.from_numpy(direction.step).to(faces.ws)
    effect = faces.measure_effect(step.expand(faces.ws.shape[1:]))
    others = np.delete(effect, target)
    return float(effect[target] / np.sqrt((others**2).mean()))


def _simulate_answers(seeds: tuple[int, ...], features: np.ndarray, truth: np.ndarray) -> Questionnaire:
    """A person who says yes above the median, and the wrong thing once in twenty times."""
    rng = np.random.RandomState(0)
    questionnaire = Questionnaire(seeds, features)
    middle = float(np.median(truth))
    while questionnaire.num_given < NUM_ANSWERS:
        seed, reason = questionnaire.next_face()
        right = truth[seeds.index(seed)] > middle
        questionnaire.answer(seed, float(right != (rng.rand() < WRONG_FRACTION)), reason)
    return questionnaire


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Rank correlation; ties share their mean rank."""
    return float(np.corrcoef(_ranks(a), _ranks(b))[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = counts.cumsum()
    mean_rank = ends - (counts - 1) / 2
    return np.asarray(mean_rank[inverse])


def _note(rows: dict[str, list[float]], key: str, value: float) -> None:
    rows.setdefault(key, []).append(value)
