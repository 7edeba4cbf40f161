"""What the interface says of an edited picture: the engine's measures in words, short enough for a narrow panel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuiface.core.i18n import tr

if TYPE_CHECKING:
    from tuiface.screens.state import InterfaceState

FAR_SIGMA = 3.0
"""Farther than this beyond the average draw, hardly one in a thousand lies (docs/directions.md)."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One number with its name; a sentence where the name is empty."""

    label: str
    value: str
    is_notice: bool = False
    meaning: str = ""
    """What the number says, in a sentence."""


def measures_of(state: InterfaceState) -> tuple[Measure, ...]:
    """Of the current face; that they are under way while they are; none for a face without edits."""
    if state.studio is None or not state.studio.current.recipe.edits:
        return _comparison_measures(state)
    result, recipe = state.preview.result, state.studio.current.recipe
    if state.engine.error is not None:
        return ()
    if result is None or result.recipe != recipe or state.preview.is_provisional or state.preview.is_behind:
        words = tr("locks are worked out, then measured") if recipe.locks else tr("measured when the keys rest")
        return (*_comparison_measures(state), Measure("", words))
    return (
        *_comparison_measures(state),
        *_contour_measures(result.measures),
        *_outside_measures(result.measures),
        *_population_measures(result.measures),
    )


def _contour_measures(found: dict[str, float]) -> tuple[Measure, ...]:
    """How the face frame changed: the laboratory's measure, and the outline's mean shift."""
    if "frame_variation_percent" not in found:
        return ()
    return (
        Measure(
            tr("frame variation"),
            f"{found['frame_variation_percent']:.2f} %",
            meaning=tr("of the picture that went over between face, hair and background"),
        ),
        Measure(
            tr("contour shift"),
            f"{found['contour_shift_px']:.1f} px",
            meaning=tr("how far the outline moved, on average"),
        ),
    )


def _outside_measures(found: dict[str, float]) -> tuple[Measure, ...]:
    """Change in what is locked, in levels of 255: as it was predicted before the edit, and as it is."""
    if "predicted_outside_change" not in found:
        return ()
    mean, most = found.get("outside_change_mean", 0.0), found.get("outside_change_max", 0.0)
    measured = tr("{mean} levels, max. {most}", mean=f"{mean:.1f}", most=f"{most:.0f}")
    return (
        Measure(
            tr("locks, expected"),
            tr("{mean} levels", mean=f"{found['predicted_outside_change']:.1f}"),
            meaning=tr("change in what is locked, of 255 levels, foreseen"),
        ),
        Measure(tr("locks, measured"), measured, meaning=tr("change in what is locked: below 2 levels hardly seen")),
    )


def _population_measures(found: dict[str, float]) -> tuple[Measure, ...]:
    """How far beyond the average draw the edited face lies."""
    if "population_sigma" not in found:
        return ()
    sigma = found["population_sigma"]
    return (Measure(tr("from population"), f"{sigma:+.1f} sigma", sigma > FAR_SIGMA, sigma_text(sigma)),)


def sigma_text(sigma: float) -> str:
    """What a distance to the population means, in deviations of its radius: 0 is as far out as the average draw."""
    if sigma > FAR_SIGMA:
        return tr("{sigma} sigma: hardly one draw in a thousand lies so far out", sigma=f"{sigma:+.1f}")
    if sigma > 1:
        return tr("{sigma} sigma: more unusual than most", sigma=f"{sigma:+.1f}")
    if sigma < -1:
        return tr("{sigma} sigma: more average than most", sigma=f"{sigma:+.1f}")
    return tr("{sigma} sigma: as usual as most draws", sigma=f"{sigma:+.1f}")


def _comparison_measures(state: InterfaceState) -> tuple[Measure, ...]:
    words = {"flicker": tr("flicker"), "side": tr("side by side"), "map": tr("map")}
    if state.face.comparison not in words:
        return ()
    text = tr(
        "{mode}, {percent} % changed", mode=words[state.face.comparison], percent=f"{state.face.difference_percent:.1f}"
    )
    return (Measure(tr("compared"), text, is_notice=True),)
