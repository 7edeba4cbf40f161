"""`tuiface fairness`: how fair line-ups are, from what mock witnesses chose."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tuiface.commands.arguments import Commands
from tuiface.commands.output import emit
from tuiface.core.argument_types import parse_path, parse_text, real_number, whole_number
from tuiface.core.errors import EXIT_DONE

if TYPE_CHECKING:
    from tuiface.stimuli.fairness import Diagnosticity, Estimate, Fairness, Homogeneity, Interval

EXAMPLE = """\
example:
  tuiface fairness counts.csv

counts.csv has a heading, then a line for each line-up: how many mock witnesses chose each member.

  lineup,target,suspect,1,2,3,4,5,6,rejected
  A,present,4,2,13,1,14,9,3,12
  A,absent,4,8,9,5,3,8,7,14

Only the members' columns must be there. Without the column suspect, --suspect says who it is; with target (present or
absent) in two lines of one line-up, or of one pair, the diagnosticity of the suspect's identification follows.
"""


def add_parser(commands: Commands[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "fairness",
        parents=[common],
        help="how fair line-ups are, from mock witnesses' choices",
        description="Measure line-ups by what mock witnesses chose: shares, functional and effective size, E', "
        "bias against the suspect, diagnosticity, each with its interval. No network is opened.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("counts", type=parse_path, metavar="COUNTS.csv", help="a line for each line-up")
    parser.add_argument(
        "--suspect",
        type=parse_text,
        metavar="MEMBER",
        help="a member's place from 1, or name, where the file says none",
    )
    parser.add_argument(
        "--level", type=real_number(0.5, 0.999), default=0.95, metavar="P", help="of the intervals; default: 0.95"
    )
    parser.add_argument(
        "--draws", type=whole_number(100, 100_000), default=9999, metavar="N", help="of the bootstrap; default: 9999"
    )
    parser.add_argument(
        "--bootstrap-seed", type=whole_number(0, 2**32 - 1), default=0, metavar="N", help="of its draws; default: 0"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure every line-up of the file, then its pairs."""
    from tuiface.stimuli.choices import pair_by_target, read_choices
    from tuiface.stimuli.fairness import assess_homogeneity, measure_diagnosticity, measure_fairness

    lineups = read_choices(Path(args.counts), args.suspect)
    pairs = pair_by_target(lineups)
    for choices in lineups:
        found = measure_fairness(choices, level=args.level, draws=args.draws, seed=args.bootstrap_seed)
        emit(args, *_describe(found, args.level), **_values(found, args))
    diagnosed = [measure_diagnosticity(*pair, level=args.level) for pair in pairs]
    for pair in diagnosed:
        emit(args, *_describe_pair(pair), **_pair_values(pair))
    if len(diagnosed) > 1:
        together = assess_homogeneity(diagnosed)
        emit(args, *_describe_homogeneity(together), **_homogeneity_values(together))
    return EXIT_DONE


# --- for people ----------------------------------------------------------------------------------------------------


def _describe(found: Fairness, level: float) -> Iterator[str]:
    choices = found.choices
    target = f", target {choices.target}" if choices.target else ""
    rejected = f", {choices.rejections} chose nobody" if choices.rejections else ""
    yield f"{choices.name}{target}: {choices.num_choosers} witnesses chose one of {len(choices.counts)}{rejected}"
    width = max(len("member"), *map(len, choices.members))
    yield f"  {'member':<{width}}  chosen  share  {level:.0%} (Wilson)"
    for place, (name, count, share) in enumerate(zip(choices.members, choices.counts, found.shares, strict=True)):
        mark = "  suspect" if place == choices.suspect else ""
        yield f"  {name:<{width}}  {count:6}  {share.value:.3f}  {_format_interval(share.interval, 3)}{mark}"
    functional = found.functional_size
    yield _line("functional size", "-" if functional is None else _format(functional), "N over the suspect's choosers")
    yield _line(
        "effective size", _format(found.effective_size), f"Malpass; his form of 1981: {found.effective_size_1981:.2f}"
    )
    bootstrap = _format_interval(found.tredoux_bootstrap, 2)
    yield _line("E'", _format(found.tredoux_size), f"Tredoux, normal; bootstrap (BCa): {bootstrap}")
    chance = 1 / len(choices.counts)
    bias = f"{found.shares[choices.suspect].value:.3f} chose the suspect, by chance {chance:.3f}"
    yield _line("suspect bias", f"{found.bias:+.3f}", f"{bias}: p = {found.bias_p:.4f} (binomial)")


def _line(name: str, value: str, remark: str) -> str:
    return f"  {name:<16}  {value:<22}  {remark}"


def _format(estimate: Estimate) -> str:
    return f"{estimate.value:.2f}  {_format_interval(estimate.interval, 2)}"


def _format_interval(interval: Interval | None, digits: int) -> str:
    return "-" if interval is None else f"{interval[0]:.{digits}f} to {interval[1]:.{digits}f}"


def _describe_pair(pair: Diagnosticity) -> Iterator[str]:
    present, absent = pair.present, pair.absent
    yield (
        f"{present.pair or 'the pair'}: the suspect was chosen by {present.counts[present.suspect]} of "
        f"{present.num_witnesses} with the target present, by {absent.counts[absent.suspect]} of "
        f"{absent.num_witnesses} without"
    )
    ratio = "no bound" if pair.ratio is None else f"{pair.ratio:.2f}"
    yield _line("diagnosticity", f"{ratio}  {_format_interval(pair.interval, 2)}", f"adjusted: {pair.adjusted:.2f}")


def _describe_homogeneity(together: Homogeneity) -> Iterator[str]:
    yield "all pairs"
    remark = f"chi-square {together.chi_square:.2f}, {together.degrees_of_freedom} df, p = {together.p:.4f}: "
    one = "they may have one diagnosticity" if together.p >= 0.05 else "they differ by more than chance"
    yield _line("diagnosticity", f"{together.mean:.2f}", remark + one)


# --- for programs --------------------------------------------------------------------------------------------------


def _values(found: Fairness, args: argparse.Namespace) -> dict[str, object]:
    choices = found.choices
    return {
        "lineup": choices.name,
        "target": choices.target,
        "members": choices.members,
        "counts": choices.counts,
        "suspect": choices.members[choices.suspect],
        "choosers": choices.num_choosers,
        "rejections": choices.rejections,
        "level": args.level,
        "shares": [_estimate_values(share) for share in found.shares],
        "functional_size": None if found.functional_size is None else _estimate_values(found.functional_size),
        "effective_size": _estimate_values(found.effective_size),
        "effective_size_1981": found.effective_size_1981,
        "tredoux_size": {**_estimate_values(found.tredoux_size), "bootstrap": found.tredoux_bootstrap},
        "bias": {"value": found.bias, "p": found.bias_p},
        "bootstrap": {"draws": args.draws, "seed": args.bootstrap_seed},
    }


def _estimate_values(estimate: Estimate) -> dict[str, object]:
    return {"value": estimate.value, "interval": estimate.interval}


def _pair_values(pair: Diagnosticity) -> dict[str, object]:
    return {
        "pair": pair.present.pair,
        "diagnosticity": pair.ratio,
        "adjusted": pair.adjusted,
        "interval": pair.interval,
        "log_variance": pair.log_variance,
    }


def _homogeneity_values(together: Homogeneity) -> dict[str, object]:
    return {
        "pairs": "all",
        "diagnosticity": together.mean,
        "chi_square": together.chi_square,
        "degrees_of_freedom": together.degrees_of_freedom,
        "p": together.p,
    }
