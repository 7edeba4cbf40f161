"""Six emotions: what their action units move, how much of each a head shows, and how often."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.heads.test_render import plain
from tuiface.core.errors import UsageError
from tuiface.core.regions import Region
from tuiface.heads import (
    EMOTIONS,
    HeadParameters,
    concatenate,
    emotion_intensities,
    express,
    render_heads,
    sample_parameters,
)
from tuiface.heads.geometry.head import build_head
from tuiface.heads.render import chart_of
from tuiface.heads.sampling.emotions import ACTION_UNITS
from tuiface.heads.sampling.look import resolve_look

POINTS = {
    "inner brow": (0.13, 0.21), "outer brow": (0.45, 0.23), "wing of the nose": (0.12, -0.42),
    "cheek": (0.38, -0.25), "chin": (0.05, -0.92),
}  # fmt: skip
"""Places of the neutral head, dm."""


def places(parameters: HeadParameters) -> tuple[dict[str, Tensor], Tensor]:
    """Where skin and the corner of the mouth lie, dm: [3] by name, and [3]."""
    look = resolve_look(parameters)
    chart = chart_of(128, look.device)
    head = build_head(look, chart)
    flat = head.part.position.flatten(2)[0]
    found = {name: flat[:, chart.nearest_texel(*torch.tensor([at]).T)[0]] for name, at in POINTS.items()}
    return found, head.landmarks[0, :, 3]


def moved(emotion: str) -> dict[str, Tensor]:
    """Displacement [3] of each place by an emotion at its full intensity, dm."""
    (rest, corner), (shown, corner_shown) = (places(express(plain(), emotion, k)) for k in (0.0, 1.0))
    return {**{name: shown[name] - rest[name] for name in POINTS}, "corner": corner_shown - corner}


@pytest.mark.parametrize(
    ("emotion", "axis", "sign", "names"),
    [
        ("joy", 1, 1, ("corner", "cheek")),
        ("joy", 0, 1, ("corner",)),
        ("sadness", 1, 1, ("inner brow", "chin")),
        ("sadness", 1, -1, ("corner",)),
        ("anger", 1, -1, ("inner brow", "outer brow")),
        ("anger", 0, -1, ("inner brow",)),
        ("fear", 1, 1, ("inner brow",)),
        ("fear", 0, 1, ("corner",)),
        ("disgust", 1, 1, ("wing of the nose",)),
        ("disgust", 1, -1, ("inner brow",)),
        ("surprise", 1, -1, ("chin",)),
    ],
)
def test_an_emotion_moves_what_its_action_units_say(emotion: str, axis: int, sign: int, names: tuple[str, ...]) -> None:
    displacement = moved(emotion)
    for name in names:
        assert sign * float(displacement[name][axis]) > 0.006, (name, displacement[name])


def test_emotions_show_in_eyes_and_mouth() -> None:
    """Narrow lids in anger, wide ones and an open mouth in surprise, lips pressed thin in anger."""
    emotions = ("anger", "surprise")
    heads = render_heads(concatenate([plain(), *(express(plain(), emotion) for emotion in emotions)]), 64)
    eyes, mouth = ((heads.regions == int(region)).sum((1, 2)) for region in (Region.EYES, Region.MOUTH))
    assert eyes[1] < 0.85 * eyes[0] < eyes[0] * 1.1 < eyes[2]
    assert mouth[1] < 0.8 * mouth[0]
    assert mouth[2] > 1.3 * mouth[0]


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_an_emotion_is_read_as_what_was_expressed(emotion: str) -> None:
    base = sample_parameters(3, seed=5)
    index = list(EMOTIONS).index(emotion)
    for intensity in (0.0, 0.4, 1.0):
        read = emotion_intensities(express(base, emotion, intensity))
        torch.testing.assert_close(read[:, index], torch.full((3,), intensity))
        read[:, index] = 0
        assert read.max() < 0.3


def test_three_heads_in_ten_show_an_emotion_and_most_of_the_others_no_action_unit() -> None:
    parameters = sample_parameters(4000, seed=3)
    shown = emotion_intensities(parameters) > 0.3
    for emotion, share in zip(EMOTIONS, shown.float().mean(0).tolist(), strict=True):
        assert (0.2 < share < 0.4) if emotion == "joy" else (0.03 < share < 0.08), (emotion, share)
    still = torch.stack([parameters[name] for name in ACTION_UNITS]).amax(0) == 0
    assert 0.5 < still.float().mean() < 0.7


@pytest.mark.parametrize(("emotion", "intensity", "said"), [("joi", 1, "did you mean 'joy'"), ("joy", 2, "0 to 1")])
def test_other_emotions_and_intensities_are_refused(emotion: str, intensity: float, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        express(plain(), emotion, intensity)
