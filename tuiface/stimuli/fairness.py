"""How fair a line-up is, from the choices of mock witnesses who never saw the culprit; and what its choices diagnose.

    functional size    N / D, D the choosers of the suspect (Wells, Leippe and Ostrom 1979)
    effective size     k - sum |o - e| / (2 e), e = N / k (Malpass 1981; his own form leaves out members nobody chose)
    E'                 1 / (1 - I), I = 1 - sum (o / N)^2, with the variance of I (Tredoux 1998)
    suspect bias       the suspect's share of the choices against 1 / k, by the exact binomial test
    diagnosticity      the suspect's share where the target is present over that where it is absent (Wells and Lindsay
                       1980), adjusted by halves against zeros, with the variance of its logarithm, and the homogeneity
                       of several pairs (Tredoux 1998)

Shares have Wilson's interval (1927), sizes the bias-corrected and accelerated bootstrap's (Efron 1987), in which
witnesses are drawn again, not cells. Witnesses who rejected the line-up choose nobody: sizes and bias leave them out,
diagnosticity counts them.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import DegenerateDataWarning, binomtest, bootstrap, chi2, norm

from tuiface.stimuli.choices import Choices

Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its interval; None where the data determine none."""

    value: float
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class Fairness:
    """What the choices say of one line-up."""

    choices: Choices
    shares: tuple[Estimate, ...]
    """Of the choosers, for each member."""
    functional_size: Estimate | None
    """None where nobody chose the suspect: it has no bound then."""
    effective_size: Estimate
    effective_size_1981: float
    tredoux_size: Estimate
    """E', with the interval of the normal approximation."""
    tredoux_bootstrap: Interval | None
    bias: float
    """The suspect's share of the choices less 1 / k."""
    bias_p: float
    """Two-sided, exact."""


@dataclass(frozen=True, slots=True)
class Diagnosticity:
    """One pair of line-ups: with the target and without."""

    present: Choices
    absent: Choices
    ratio: float | None
    """None where nobody chose the suspect of the line-up without the target."""
    adjusted: float
    log_variance: float
    """Of the ratio's logarithm; of the adjusted one where a count is 0."""
    interval: Interval


@dataclass(frozen=True, slots=True)
class Homogeneity:
    """Whether several pairs have one diagnosticity."""

    mean: float
    """Weighted by the inverse variances of the logarithms."""
    chi_square: float
    degrees_of_freedom: int
    p: float


def measure_fairness(choices: Choices, *, level: float = 0.95, draws: int = 9999, seed: int = 0) -> Fairness:
    """Every measure of a line-up that somebody chose from, with intervals of `level`; `draws` of the bootstrap."""
    counts = np.array(choices.counts)
    size, total = len(counts), int(counts.sum())
    chosen = int(counts[choices.suspect])
    shares = tuple(Estimate(int(o) / total, _wilson(int(o), total, level)) for o in counts)
    suspect_share = shares[choices.suspect]
    functional = None
    if chosen and suspect_share.interval is not None:
        low, high = suspect_share.interval
        functional = Estimate(total / chosen, (1 / high, 1 / low))

    def interval(statistic: Callable[[np.ndarray, int], np.ndarray]) -> Interval | None:
        return _bootstrap(counts, statistic, level, draws, seed)

    return Fairness(
        choices,
        shares,
        functional,
        Estimate(effective_size(counts), interval(_effective_sizes)),
        effective_size(counts[counts > 0]),
        Estimate(tredoux_size(counts), _tredoux_interval(counts, level)),
        interval(_tredoux_sizes),
        bias=chosen / total - 1 / size,
        bias_p=float(binomtest(chosen, total, 1 / size).pvalue),
    )


def effective_size(counts: np.ndarray) -> float:
    """Malpass' size of counts [k] that are not all 0."""
    expected = counts.sum() / len(counts)
    return float(len(counts) - np.abs(counts - expected).sum() / (2 * expected))


def tredoux_size(counts: np.ndarray) -> float:
    """E' of counts [k] that are not all 0."""
    return float(counts.sum() ** 2 / (counts**2).sum())


def measure_diagnosticity(present: Choices, absent: Choices, *, level: float = 0.95) -> Diagnosticity:
    """The suspects' shares of all witnesses of two line-ups."""
    hits, num_present = present.counts[present.suspect], present.num_witnesses
    alarms, num_absent = absent.counts[absent.suspect], absent.num_witnesses
    ratio = (hits / num_present) / (alarms / num_absent) if alarms else None
    adjusted = ((hits + 0.5) / (num_present + 0.5)) / ((alarms + 0.5) / (num_absent + 0.5))
    half = 0.0 if hits and alarms else 0.5
    variance = sum(1 / (n + half) for n in (hits, alarms)) - sum(1 / (n + half) for n in (num_present, num_absent))
    centre = math.log(ratio) if ratio and not half else math.log(adjusted)
    reach = float(norm.ppf((1 + level) / 2)) * math.sqrt(variance)
    interval = math.exp(centre - reach), math.exp(centre + reach)
    return Diagnosticity(present, absent, ratio, adjusted, variance, interval)


def assess_homogeneity(pairs: Sequence[Diagnosticity]) -> Homogeneity:
    """Of two pairs or more: the weighted mean, and how far the pairs lie from it together."""
    ratios = np.array([p.ratio if p.ratio and _is_whole(p) else p.adjusted for p in pairs])
    weights = 1 / np.array([max(p.log_variance, 1e-12) for p in pairs])
    logarithms = np.log(ratios)
    mean = (weights * logarithms).sum() / weights.sum()
    statistic = float((weights * (logarithms - mean) ** 2).sum())
    degrees = len(pairs) - 1
    return Homogeneity(float(np.exp(mean)), statistic, degrees, float(chi2.sf(statistic, degrees)))


def _is_whole(pair: Diagnosticity) -> bool:
    """Whether no count is 0, so that nothing was added."""
    return all(c.counts[c.suspect] for c in (pair.present, pair.absent))


def _wilson(count: int, total: int, level: float) -> Interval:
    found = binomtest(count, total).proportion_ci(level, method="wilson")
    return float(found.low), float(found.high)


def _tredoux_interval(counts: np.ndarray, level: float) -> Interval:
    """I is asymptotically normal with variance 4 / N * (sum p^3 - (sum p^2)^2)."""
    shares = counts / counts.sum()
    squares, cubes = (shares**2).sum(), (shares**3).sum()
    spread = math.sqrt(max(4 / counts.sum() * (cubes - squares**2), 0.0)) * float(norm.ppf((1 + level) / 2))
    high = 1 / (squares - spread) if squares > spread else len(counts)
    return float(1 / (squares + spread)), float(high)


def _bootstrap(
    counts: np.ndarray, statistic: Callable[[np.ndarray, int], np.ndarray], level: float, draws: int, seed: int
) -> Interval | None:
    """None where every draw gives the same: then there is nothing to tell an interval from."""
    if (counts > 0).sum() < 2:
        return None
    witnesses = np.repeat(np.arange(len(counts), dtype=np.uint8), counts)
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):
        warnings.simplefilter("ignore", DegenerateDataWarning)
        found = bootstrap(
            (witnesses,),
            lambda sample, axis: statistic(_count(sample, len(counts), axis), len(counts)),
            n_resamples=draws,
            batch=max(1, 4_000_000 // len(witnesses)),
            confidence_level=level,
            method="BCa",
            rng=np.random.default_rng(seed),
        ).confidence_interval
    low, high = float(found.low), float(found.high)
    return None if math.isnan(low) or math.isnan(high) else (low, high)


def _count(choices: np.ndarray, num_members: int, axis: int) -> np.ndarray:
    """Counts [k, ...] of choices along `axis`."""
    return np.stack([(choices == member).sum(axis) for member in range(num_members)])


def _effective_sizes(counts: np.ndarray, num_members: int) -> np.ndarray:
    expected = counts.sum(0) / num_members
    sizes: np.ndarray = num_members - np.abs(counts - expected).sum(0) / (2 * expected)
    return sizes


def _tredoux_sizes(counts: np.ndarray, num_members: int) -> np.ndarray:
    sizes: np.ndarray = counts.sum(0) ** 2 / (counts**2).sum(0)
    return sizes
