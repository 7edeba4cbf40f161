"""A number as a mark on a line from -1 to 1."""

from __future__ import annotations

from textual.content import Content

from tuiface.screens.widgets.text import assemble

LINE = "$foreground 55%"
MARK = "bold $text-primary"


def draw_gauge(value: float, width: int, *, unicode: bool, filled: bool = False, mark: str = MARK) -> Content:
    """At most `width` columns, an odd number: a tick at 0 and a mark at `value`, which is held at the ends.

    `filled` makes the way from the tick to the mark thick.
    """
    line, tick, sign, thick = "─┼●━" if unicode else "-+o="
    half = (max(width, 3) - 1) // 2
    track = [line] * half + [tick] + [line] * half
    at = half + round(half * min(max(value, -1.0), 1.0))
    low, high = min(at, half), max(at, half)
    if filled:
        track[low:high] = [thick] * (high - low)
    before, after = "".join(track[:at]), "".join(track[at + 1 :])
    if not filled:
        return assemble((before, LINE), (sign, mark), (after, LINE))
    return assemble(
        ("".join(track[:low]), LINE),
        ("".join(track[low:at]), mark),
        (sign, mark),
        ("".join(track[at + 1 : high + 1]), mark),
        ("".join(track[max(at, high) + 1 :]), LINE),
    )
