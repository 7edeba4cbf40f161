"""What Explore and Library share: a grid of faces with a chosen one, pages, marks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from textual.content import Content

from tuiface.actions import Action, format_key, format_key_ascii
from tuiface.core.i18n import tr, trn
from tuiface.screens.changes import Drawn
from tuiface.screens.widgets.text import assemble
from tuiface.screens.widgets.tile_grid import TileGrid
from tuiface.screens.work_screen import WorkScreen

MOVES: Mapping[str, Callable[[GridScreen], None]] = {
    "left": lambda screen: screen.move(-1),
    "right": lambda screen: screen.move(1),
    "up": lambda screen: screen.move(-screen.grid.shape[0]),
    "down": lambda screen: screen.move(screen.grid.shape[0]),
    "previous_page": lambda screen: screen.turn_pages(-1),
    "next_page": lambda screen: screen.turn_pages(1),
    "larger": lambda screen: screen.grid.resize_tiles(1),
    "smaller": lambda screen: screen.grid.resize_tiles(-1),
}
"""The actions that only move, by the ends of their ids."""


class GridScreen(WorkScreen):
    """Subclasses say what `count` is and draw a page; moves beyond a page turn it."""

    first: Drawn[int] = Drawn(0)
    """Index of the first face on the page."""
    chosen: Drawn[int] = Drawn(0)
    """Index of the chosen face among all."""
    marked: Drawn[tuple[str, ...]] = Drawn(())
    """Keys of the marked faces, in the order of marking."""
    FOR_MARKED: ClassVar[tuple[str, ...]] = ()
    """Ids of the actions that take the marked faces."""
    _last_mark = 0
    """Index of the face that was marked last: a range begins there."""

    @property
    def count(self) -> int | None:
        """Faces in all; None where there is no end."""
        raise NotImplementedError

    @property
    def grid(self) -> TileGrid:
        """The widget."""
        return self.query_one(TileGrid)

    @property
    def page(self) -> range:
        """Indices of the faces on the page."""
        stop = self.first + self.grid.capacity
        return range(self.first, stop if self.count is None else min(stop, self.count))

    def move(self, step: int) -> None:
        """Choose another face; a page is turned where it lies beyond."""
        self.choose(self.chosen + step)

    def turn_pages(self, pages: int) -> None:
        """Turn whole pages, with the choice at the same place."""
        self.choose(self.chosen + pages * self.grid.capacity)

    def choose(self, index: int) -> None:
        """Choose the face at `index`, or the nearest there is."""
        last = None if self.count is None else max(self.count - 1, 0)
        self.chosen = max(0, index if last is None else min(index, last))
        self.fit_page()

    def fit_page(self) -> None:
        """Pages begin at multiples of their size."""
        capacity = self.grid.capacity
        self.first = self.chosen // capacity * capacity

    def action_move(self, name: str) -> None:
        """Any action that only moves."""
        MOVES[name](self)

    def action_mark(self, name: str) -> None:
        """Mark several at once."""
        if name == "invert":
            self.invert_marks()
        else:
            self.mark_range()

    def mark_key(self, index: int) -> str | None:
        """The key by which the face at `index` is marked; None where there is none."""
        raise NotImplementedError

    def toggle_mark(self) -> None:
        """Mark the chosen face, or take its mark away, and go on to the next."""
        key = self.mark_key(self.chosen)
        if key is not None:
            self._toggle([key])
            self._last_mark = self.chosen
            self.move(1)

    def mark_range(self) -> None:
        """Mark the faces from the one that was marked last to the chosen one; that one alone where none is marked."""
        first, last = sorted((self._last_mark if self.marked else self.chosen, self.chosen))
        keys = [self.mark_key(index) for index in range(first, last + 1)]
        self._toggle([key for key in keys if key is not None and key not in self.marked])
        self._last_mark = self.chosen

    def invert_marks(self) -> None:
        """Mark those of the page that are not, and take the marks of the others away."""
        self._toggle([key for key in map(self.mark_key, self.page) if key is not None])

    def _toggle(self, keys: Sequence[str]) -> None:
        kept = tuple(key for key in self.marked if key not in keys)
        self.marked = (*kept, *(key for key in keys if key not in self.marked))

    def marked_text(self) -> Content:
        """How many are marked, and what can be done with them: `3 marked: s save  a morph`; empty for none."""
        if not self.marked:
            return Content("")
        sign = format_key if self.state.capabilities.unicode else format_key_ascii
        keys = [
            (sign(action.keys[0]), tr(action.footer or action.label)) for action in self._next_actions() if action.keys
        ]
        words = [assemble((key, "bold $text-primary"), f" {word.lower()}") for key, word in keys]
        number = trn("{number} marked", "{number} marked", len(self.marked))
        return assemble((f"{number}: ", "$text-warning"), Content("  ").join(words))

    def _next_actions(self) -> Sequence[Action]:
        return [self.state.actions.by_id(name) for name in self.FOR_MARKED]

    def on_tile_grid_chosen(self, event: TileGrid.Chosen) -> None:
        """A click chooses; two open."""
        self.choose(self.first + event.index)
        if event.twice:
            self.open_chosen()

    def on_tile_grid_reshaped(self) -> None:
        """Another page may fit."""
        self.fit_page()
        self.changes.mark()

    def open_chosen(self) -> None:
        """Show the chosen face large."""
        raise NotImplementedError
