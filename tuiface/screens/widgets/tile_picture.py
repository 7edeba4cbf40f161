"""A tile whose picture lies over the cells (sixel): a widget of its own, so that it is sent when it changes, and alone.

In one widget for all, whatever repaints a row of cells would have every picture in that row sent again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.geometry import Size

from tuiface.terminal.image_view import ImageView

if TYPE_CHECKING:
    import numpy as np

    from tuiface.terminal.encoding import EncodedPicture
    from tuiface.terminal.pump import FramePump


class TilePicture(ImageView):
    """Takes the whole of its place; blank until its picture is encoded: no old one stands over a new caption."""

    DEFAULT_CSS = "TilePicture { position: absolute; }"
    WATCHES_COVERS = False

    _offered: tuple[np.ndarray | None, Size] = (None, Size(0, 0))
    """What the pump has, and for which size."""

    def show_tile(self, pixels: np.ndarray | None) -> None:
        """Show uint8 [r, r, 3], or nothing yet."""
        if pixels is self.pixels:
            return
        if self.pixels is not None:
            self.clear()
        if pixels is not None:
            self.show_pixels(pixels)

    def show_pixels(self, pixels: np.ndarray) -> None:
        """Have it encoded, as soon as its place is known."""
        self.pixels = pixels
        self._offer()

    def clear(self) -> None:
        """Show nothing."""
        self._offered = (None, Size(0, 0))
        super().clear()

    def send_again(self) -> None:
        """Draw all anew."""
        self._offered = (None, Size(0, 0))
        super().send_again()

    def is_wanted(self, encoded: EncodedPicture) -> bool:
        """No face stands over another one's caption, not for a moment."""
        return super().is_wanted(encoded) and encoded.pixels is self.pixels

    def _offer(self) -> None:
        offered, size = self._offered
        if self.pixels is None or not all(self.content_size) or (offered is self.pixels and size == self.content_size):
            return
        self._offered = (self.pixels, self.content_size)
        self._ensure_pump().offer(self.pixels)

    def _rebuild(self) -> None:
        """In the encoder's thread alone: a page has dozens."""
        self._drawn_size = self.content_size
        self._fit = self.fit_picture()
        if self.picture is not None and self.picture.size != self._fit:
            self.free()
        self._offer()

    def _ensure_pump(self) -> FramePump[np.ndarray]:
        if self._pump is None:
            from tuiface.terminal.pump import FramePump

            self._pump = FramePump(self._send, self.set_timer, slow=False, has_drafts=False)
        return self._pump
