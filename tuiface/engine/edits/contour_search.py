"""The search for a face with another one's contour: coarse rows of W+ by the gradient through the soft segmentation.

By Adam (Kingma and Ba 2015, algorithm 1). Nothing in a step is read by the host, on CUDA it is a graph
(device_loop.py): what was found at each step is kept on the device, and looked at afterwards.

Shape legend: L = num_ws, w = w_dim, k = whitened components, R = side of a synthesized picture, c = side of the
classes that are compared, S = steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from tuiface.directions.frame_metric import FRAME_SIDE_PX, HAIRLINE_WEIGHT, OUTLINE_WEIGHT
from tuiface.engine.edits.device_loop import DeviceLoop
from tuiface.engine.edits.masks import RegionPredictor
from tuiface.engine.edits.observation import contour_labels, pool
from tuiface.engine.edits.step_search import SteppedFace
from tuiface.engine.predictors.segmenter import group_probabilities
from tuiface.engine.scheduler import Pause

COARSE_ROWS = 6
LEARNING_RATE = 0.04
#: Weight of the distance walked, in standard deviations: the face stays itself, and among the population's.
PRIOR_WEIGHT = 2e-4

_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8
"""Adam's."""


@dataclass(frozen=True, slots=True, eq=False)
class ContourProblem:
    """A face whose contour is to become another's."""

    face: SteppedFace
    """Without noise."""
    wanted: Tensor
    """float32 [1, 3, c, c]: `compared_classes` of the other."""
    num_steps: int
    """S."""


class ContourSearch:
    """Every step of a walk through W+, on tensors of its own, which every problem of the same kind is copied to."""

    def __init__(self, problem: ContourProblem) -> None:
        """Captures, where the device can do that."""
        face, steps, device = problem.face, problem.num_steps, problem.face.ws.device
        self._problem = replace(problem, face=face.copied(), wanted=problem.wanted.clone())
        self._basis = face.renderer.population().basis  # [w, k]
        self._rows = min(COARSE_ROWS, face.ws.shape[1])
        self._walked = torch.zeros(self._rows, self._basis.shape[1], device=device)  # [rows, k]
        self._mean, self._square = torch.zeros_like(self._walked), torch.zeros_like(self._walked)
        rates, roots = zip(*(_corrections(number) for number in range(1, steps + 1)), strict=True)
        self._rates = torch.tensor(rates, device=device)  # [S]
        self._roots = torch.tensor(roots, device=device)
        self._number = torch.zeros(1, dtype=torch.int64, device=device)
        self._ws = torch.zeros(steps, *face.ws.shape[1:], device=device)  # [S, L, w]
        self._labels = torch.zeros(steps, FRAME_SIDE_PX, FRAME_SIDE_PX, dtype=torch.uint8, device=device)
        self.loop = DeviceLoop(self._advance, device)

    def fits(self, problem: ContourProblem) -> bool:
        """Whether it can do another one."""
        own = self._problem
        return own.face.fits(problem.face) and own.num_steps == problem.num_steps

    def find(self, problem: ContourProblem, pause: Pause) -> tuple[Tensor, Tensor]:
        """ws of each step, float32 [S, L, w], and its contour, uint8 [S, 224, 224]; `pause` before each picture."""
        self._problem.face.take(problem.face)
        self._problem.wanted.copy_(problem.wanted)
        for state in (self._walked, self._mean, self._square, self._number):
            state.zero_()
        self.loop.run(problem.num_steps, pause)
        return self._ws, self._labels

    def _advance(self) -> Tensor:
        face = self._problem.face
        walked = self._walked.detach().requires_grad_()
        with torch.enable_grad():
            step = F.pad((walked @ self._basis.t())[None], (0, 0, 0, face.ws.shape[1] - self._rows))  # [1, L, w]
            image = face.image(step)
            change = compared_classes(image, face.predictor) - self._problem.wanted  # background, face, hair
            cost = OUTLINE_WEIGHT * change[:, 0].square().mean() + HAIRLINE_WEIGHT * change[:, 2].square().mean()
            cost = cost + PRIOR_WEIGHT * walked.square().sum() / self._rows
            (gradient,) = torch.autograd.grad(cost, walked)
        with torch.no_grad():
            self._ws.index_copy_(0, self._number, face.ws + step)
            self._labels.index_copy_(0, self._number, contour_labels(image, face.predictor)[None])
            self._mean.lerp_(gradient, 1 - _BETA1)
            self._square.mul_(_BETA2).addcmul_(gradient, gradient, value=1 - _BETA2)
            deviation = self._square.sqrt() / self._roots.index_select(0, self._number) + _EPSILON
            self._walked.sub_(self._rates.index_select(0, self._number) * self._mean / deviation)
            self._number.add_(1).remainder_(self._problem.num_steps)
            return self._number == 0


def compared_classes(image: Tensor, predictor: RegionPredictor) -> Tensor:
    """Background, face and hair of a picture, soft: [1, 3, c, c] with c at most `OBSERVED_SIDE`; differentiable."""
    return pool(group_probabilities(predictor.probabilities(image.clamp(-1, 1))))


def _corrections(number: int) -> tuple[float, float]:
    """Of Adam's step `number`, from 1: its length, and the root that its deviations are divided by."""
    return LEARNING_RATE / (1 - _BETA1**number), math.sqrt(1 - _BETA2**number)
