"""A line that takes the rows of W+ that an edit moves."""

from __future__ import annotations

import re

from tuiface.language import tr
from tuiface.screens.seed_prompt import LinePrompt


class RowsPrompt(LinePrompt):
    """Answers `A-B` that fits the network, or an empty text for the direction's own rows."""

    RESTRICT = r"[0-9-]*"
    MAX_LENGTH = 9

    def __init__(self, num_ws: int, value: str) -> None:
        super().__init__(tr("Rows"), tr("such as 0-{stop}; empty for its own", stop=min(6, num_ws)), value=value)
        self._num_ws = num_ws

    def problem(self, text: str) -> str:
        """Why `text` names no rows of this network; empty if it does."""
        if not text or parse_rows(text, self._num_ws) is not None:
            return ""
        return tr("accepted: A-B with A below B, at most {stop}", stop=self._num_ws)


def parse_rows(text: str, num_ws: int) -> tuple[int, int] | None:
    """`4-8` as (4, 8), half-open; None for what a network of `num_ws` rows has not."""
    match = re.fullmatch(r"(\d+)-(\d+)", text)
    if match is None:
        return None
    start, stop = int(match[1]), int(match[2])
    return (start, stop) if start < stop <= num_ws else None
