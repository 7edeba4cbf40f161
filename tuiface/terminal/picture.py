"""One picture on the terminal: what must be sent for it, and the strips of cells that show it.

Kitty's pictures have two numbers that take turns: a picture is sent under the one that is not on the screen, then the
cells are painted with it. Sending again under the shown number blanks it meanwhile, and in tmux for good.
"""

from __future__ import annotations

from textual.strip import Strip

from tuiface.terminal import kitty
from tuiface.terminal.capabilities import Capabilities
from tuiface.terminal.encoding import Encoded, cell_strips, encode_cells
from tuiface.terminal.writer import Wire


class Picture:
    """Owned by the widget that draws it."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._numbers: tuple[int, int] | None = None
        self._number = 0
        self.shown: Encoded | None = None
        self.strips: list[Strip] = []
        """One for each row; of blanks where a sixel lies over them."""
        self._substitute: list[Strip] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows; 0 without a picture."""
        return (self.shown.columns, self.shown.rows) if self.shown is not None else (0, 0)

    @property
    def sixel(self) -> str:
        """What is to be written over the cells; empty for other protocols."""
        return self.shown.text if self.shown is not None and self.shown.graphics == "sixel" else ""

    def show(self, encoded: Encoded) -> list[int] | None:
        """Send `encoded` and make its strips; the rows that differ from those before, None for all."""
        before, self.shown, self._substitute = self.shown, encoded, None
        capabilities = self._wire.capabilities
        if encoded.graphics == "kitty":
            self._send(encoded, capabilities)
            return None
        if encoded.graphics == "sixel":
            self.strips = [Strip.blank(encoded.columns)] * encoded.rows
            return None
        return self._show_cells(before, encoded, capabilities)

    def substitute(self) -> list[Strip]:
        """The picture in coloured cells, for where its own protocol cannot be used for a while."""
        if self.shown is None or self.shown.graphics == "block":
            return self.strips
        if self._substitute is None:
            capabilities = self._wire.capabilities
            cells = encode_cells(self.shown.pixels, self.shown.columns, self.shown.rows, capabilities).cells
            assert cells is not None
            self._substitute = cell_strips(cells, capabilities)
        return self._substitute

    def forget(self) -> None:
        """Show nothing, and free what the terminal keeps."""
        self.free()
        self.shown, self.strips, self._substitute = None, [], None

    def free(self) -> None:
        """Delete the picture from the terminal's memory."""
        if self._numbers is not None:
            in_tmux = self._wire.capabilities.in_tmux
            self._wire.write("".join(kitty.delete(number, in_tmux=in_tmux) for number in self._numbers))
            self._numbers = None

    def _send(self, encoded: Encoded, capabilities: Capabilities) -> None:
        if self._numbers is None:
            self._numbers = (kitty.new_id(), kitty.new_id())
        first, second = self._numbers
        self._number = second if self._number == first else first
        columns, rows = encoded.columns, encoded.rows
        self._wire.write(kitty.transmit(encoded.data, self._number, columns, rows, in_tmux=capabilities.in_tmux))
        self.strips = kitty.placeholder_strips(self._number, columns, rows)

    def _show_cells(self, before: Encoded | None, encoded: Encoded, capabilities: Capabilities) -> list[int] | None:
        cells = encoded.cells
        assert cells is not None
        old = before.cells if before is not None else None
        if old is None or old.shape != cells.shape or len(self.strips) != len(cells):
            self.strips = cell_strips(cells, capabilities)
            return None
        changed: list[int] = (cells != old).reshape(len(cells), -1).any(axis=1).nonzero()[0].tolist()
        if changed:
            self.strips = list(self.strips)
            for row, strip in zip(changed, cell_strips(cells[changed], capabilities), strict=True):
                self.strips[row] = strip
        return changed
