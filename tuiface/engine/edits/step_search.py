"""The search for a step in W+ that a lock or a crossing needs (lock.py has the problem), on a processor or a card.

Two twins, which go through the same points but for rounding. On a processor it is torch.optim.LBFGS, whose bits the
locked faces of earlier versions are made of, and which therefore stays. On CUDA that would wait for the device dozens
of times a picture; there a picture, its gradient and the step of `DeviceLBFGS` are one graph (device_loop.py).

Shape legend: L = num_ws, w = w_dim, k = whitened components, I = channels of a style layer, R = side of a synthesized
picture, P = numbers observed of it (observation.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tuiface.engine.edits.device_loop import DeviceLoop, LoopPool, can_capture
from tuiface.engine.edits.edits import EditSum
from tuiface.engine.edits.lbfgs import DeviceLBFGS
from tuiface.engine.edits.lock import HISTORY, LockWeights, solve_lock_step, step_cost
from tuiface.engine.edits.masks import RegionPredictor
from tuiface.engine.edits.observation import observe, synthesis_side
from tuiface.engine.renderer import Renderer
from tuiface.engine.scheduler import Pause
from tuiface.faces.recipe import Noise


@dataclass(frozen=True, slots=True, eq=False)
class SteppedFace:
    """A face with edits and a step of W+ more, differentiable in that step; of the papers' own arithmetic."""

    renderer: Renderer
    predictor: RegionPredictor
    ws: Tensor
    """float32 [1, L, w]."""
    edits: EditSum
    noise: Mapping[str, Tensor | None]
    """By layer."""

    @classmethod
    def of(
        cls, renderer: Renderer, predictor: RegionPredictor, ws: Tensor, edits: EditSum, noise: Noise
    ) -> SteppedFace:
        """With a recipe's noise, as far as pictures are synthesized to be observed."""
        return cls(renderer, predictor, ws, edits, renderer.noise_maps(noise, _side(renderer)))

    def image(self, step: Tensor) -> Tensor:
        """float32 [1, 3, R, R] of a step [1, L, w]. Not by the plan: prepared weights have no gradients."""
        side = _side(self.renderer)
        styles = self.renderer.edit_styles(self.ws + step, self.edits, side)
        return self.renderer.generator.synthesis(styles, self.noise, side)  # type: ignore[no-any-return]

    def observe(self, step: Tensor) -> Tensor:
        """float32 [P] of a step [1, L, w]."""
        return observe(self.image(step), self.predictor)[0]

    def copied(self) -> SteppedFace:
        """The same, with tensors of its own for whatever differs between faces, among them a step for each layer."""
        layers = self.renderer.generator.synthesis.style_layers(_side(self.renderer))
        styles = {name: torch.zeros(layer.affine.weight.shape[0], device=self.ws.device) for name, layer, _ in layers}
        noise = {**self.noise, **{name: maps.clone() for name, maps in self._given_noise().items()}}
        copied = replace(self, ws=self.ws.clone(), edits=EditSum(self.edits.ws.clone(), styles), noise=noise)
        copied.take(self)
        return copied

    def fits(self, other: SteppedFace) -> bool:
        """Whether a copy of one can take the other: whether they differ in numbers alone."""
        given = self._given_noise().keys()
        is_same_noise = all(self.noise[name] is other.noise[name] for name in self.noise.keys() - given)
        return self.predictor is other.predictor and is_same_noise and given == other._given_noise().keys()

    def take(self, other: SteppedFace) -> None:
        """Become another, in the tensors of a copy."""
        self.ws.copy_(other.ws)
        self.edits.ws.copy_(other.edits.ws)
        for name, step in self.edits.styles.items():
            given = other.edits.styles.get(name)
            if given is None:
                step.zero_()
            else:
                step.copy_(given)
        noise = other._given_noise()
        for name, maps in self._given_noise().items():
            maps.copy_(noise[name])

    def _given_noise(self) -> dict[str, Tensor]:
        """Maps that are neither left out nor the network's own."""
        own = self.renderer.generator.noise_maps("const", _side(self.renderer))
        return {name: maps for name, maps in self.noise.items() if maps is not None and maps is not own[name]}


@dataclass(frozen=True, slots=True, eq=False)
class StepProblem:
    """What `lock.solve_lock_step` is about."""

    face: SteppedFace
    weights: LockWeights
    target: Tensor
    """float32 [P], what is wanted inside."""
    base: Tensor
    """float32 [P], what must stay outside."""
    num_iterations: int


class StepSearch:
    """Searches of one network; on CUDA their graphs are kept for the next."""

    def __init__(self) -> None:
        self._pool: LoopPool[DeviceSearch] = LoopPool()

    @property
    def notices(self) -> tuple[str, ...]:
        """What a user must know of the searches."""
        return self._pool.notices

    def find(self, problem: StepProblem, pause: Pause) -> Tensor:
        """float32 [1, L, w]; `pause` is called before each picture, and may have another search done."""
        face = problem.face
        if not can_capture(face.ws.device):
            return _solve_on_processor(problem, pause)
        with self._pool.borrow(lambda idle: idle.fits(problem), lambda: DeviceSearch(problem)) as search:
            return search.find(problem, pause)


def _solve_on_processor(problem: StepProblem, pause: Pause) -> Tensor:
    face = problem.face

    def observe_step(step: Tensor) -> Tensor:
        pause()
        return face.observe(step)

    return solve_lock_step(
        face.renderer.population(),
        problem.weights,
        problem.target,
        problem.base,
        face.ws.shape[1],
        observe_step,
        problem.num_iterations,
    )


class DeviceSearch:
    """A search on tensors of its own, which every problem of the same kind is copied to."""

    def __init__(self, problem: StepProblem) -> None:
        """Captures, where the device can do that; `problem` says what kind of noise its faces have."""
        face, weights = problem.face, problem.weights
        self._problem = replace(
            problem,
            face=face.copied(),
            weights=LockWeights(weights.inside.clone(), weights.outside.clone()),
            target=problem.target.clone(),
            base=problem.base.clone(),
        )
        self._basis = face.renderer.population().basis  # [w, k]
        self._shape = face.ws.shape[1], self._basis.shape[1]
        device = face.ws.device
        self._lbfgs = DeviceLBFGS(self._shape[0] * self._shape[1], HISTORY, device)
        self.loop = DeviceLoop(self._advance, device)

    def fits(self, problem: StepProblem) -> bool:
        """Whether it can do another one."""
        return self._problem.face.fits(problem.face)

    def find(self, problem: StepProblem, pause: Pause) -> Tensor:
        """float32 [1, L, w]."""
        self._problem.face.take(problem.face)
        for kept, given in zip(_observed(self._problem), _observed(problem), strict=True):
            kept.copy_(given)
        self._lbfgs.reset(problem.num_iterations)
        self.loop.run(self._lbfgs.max_evaluations(problem.num_iterations), pause)
        return self._step_of(self._lbfgs.trial.view(self._shape))

    def _advance(self) -> Tensor:
        problem = self._problem
        walked = self._lbfgs.trial.detach().view(self._shape).requires_grad_()  # [L, k]
        with torch.enable_grad():
            observed = problem.face.observe(self._step_of(walked))
            cost = step_cost(problem.weights, problem.target, problem.base, observed, walked)
            (gradient,) = torch.autograd.grad(cost, walked)
        self._lbfgs.advance(cost.detach(), gradient.flatten())
        return self._lbfgs.is_finished

    def _step_of(self, walked: Tensor) -> Tensor:
        """[L, k] -> [1, L, w]."""
        return (walked @ self._basis.t())[None]


def _observed(problem: StepProblem) -> tuple[Tensor, ...]:
    return problem.weights.inside, problem.weights.outside, problem.target, problem.base


def _side(renderer: Renderer) -> int:
    """R."""
    return synthesis_side(renderer.generator.config.img_resolution)
