"""What Explore and Library share: a grid of faces with a chosen one, pages, marks."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tuiface.screens.changes import Drawn
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

    def toggle_mark(self, key: str) -> None:
        """Mark a face, or take its mark away."""
        others = tuple(other for other in self.marked if other != key)
        self.marked = others if len(others) < len(self.marked) else (*self.marked, key)

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
