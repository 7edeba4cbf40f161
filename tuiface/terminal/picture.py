"""One picture on the terminal: what must be sent for it, and the strips of cells that show it.

Kitty's pictures have two numbers that take turns: a picture is sent under the one that is not on the screen, then the
cells are painted with it. Sending again under the shown number blanks it meanwhile, and in tmux for good.
"""

from __future__ import annotations

from textual.strip import Strip

from tuiface.terminal import kitty
from tuiface.terminal.capabilities import Capabilities
from tuiface.terminal.encoding import EncodedPicture, cell_strips, encode_cells
from tuiface.terminal.writer import TerminalWriter


class Picture:
    """Owned by the widget that draws it."""

    def __init__(self, writer: TerminalWriter) -> None:
        self._writer = writer
        self._image_ids: tuple[int, int] | None = None
        self._image_id = 0
        self.encoded: EncodedPicture | None = None
        self.strips: list[Strip] = []
        """One for each row; of blanks where a sixel lies over them."""
        self._fallback_strips: list[Strip] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows; 0 without a picture."""
        return (self.encoded.columns, self.encoded.rows) if self.encoded is not None else (0, 0)

    @property
    def sixel(self) -> str:
        """What is to be written over the cells; empty for other protocols."""
        return self.encoded.text if self.encoded is not None and self.encoded.graphics == "sixel" else ""

    def show(self, encoded: EncodedPicture) -> list[int] | None:
        """Send `encoded` and make its strips; the rows that differ from those before, None for all."""
        before, self.encoded, self._fallback_strips = self.encoded, encoded, None
        capabilities = self._writer.capabilities
        if encoded.graphics == "kitty":
            self._send(encoded, capabilities)
            return None
        if encoded.graphics == "sixel":
            self.strips = [Strip.blank(encoded.columns)] * encoded.rows
            return None
        return self._show_cells(before, encoded, capabilities)

    def render_fallback(self) -> list[Strip]:
        """The picture in coloured cells, for where its own protocol cannot be used for a while."""
        if self.encoded is None or self.encoded.graphics == "block":
            return self.strips
        if self._fallback_strips is None:
            capabilities = self._writer.capabilities
            cells = encode_cells(self.encoded.pixels, self.encoded.columns, self.encoded.rows, capabilities).cells
            assert cells is not None
            self._fallback_strips = cell_strips(cells, capabilities)
        return self._fallback_strips

    def forget(self) -> None:
        """Show nothing, and free what the terminal keeps."""
        self.free()
        self.encoded, self.strips, self._fallback_strips = None, [], None

    def free(self) -> None:
        """Delete the picture from the terminal's memory."""
        if self._image_ids is not None:
            in_tmux = self._writer.capabilities.in_tmux
            self._writer.write("".join(kitty.delete(number, in_tmux=in_tmux) for number in self._image_ids))
            self._image_ids = None

    def _send(self, encoded: EncodedPicture, capabilities: Capabilities) -> None:
        if self._image_ids is None:
            self._image_ids = (kitty.new_id(), kitty.new_id())
        first, second = self._image_ids
        self._image_id = second if self._image_id == first else first
        columns, rows = encoded.columns, encoded.rows
        self._writer.write(kitty.transmit(encoded.data, self._image_id, columns, rows, in_tmux=capabilities.in_tmux))
        self.strips = kitty.placeholder_strips(self._image_id, columns, rows)

    def _show_cells(
        self, before: EncodedPicture | None, encoded: EncodedPicture, capabilities: Capabilities
    ) -> list[int] | None:
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
