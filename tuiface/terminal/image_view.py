"""A widget that shows one picture, as large as fits, by whatever the terminal has.

Where another screen lies over it (a dialog, the palette), Textual tints the cells below, which would change the number
that a placeholder's colour is: coloured cells stand in until it is gone. So they do under a toast where the picture is
a sixel, which knows no cells above it, and where a scrolled container shows a part of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.filter import ANSIToTruecolor, LineFilter
from textual.geometry import Offset, Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tuiface.terminal.private_api import control_segment, invalidate_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from tuiface.terminal.encoding import EncodedPicture
    from tuiface.terminal.picture import Picture
    from tuiface.terminal.pump import FramePump
    from tuiface.terminal.writer import TerminalWriter, WorkDone

COVER_CHECK_INTERVAL_S = 0.1
"""How often a sixel looks whether something lies over it."""


class ImageView(Widget):
    """Shows uint8 [H, W, 3], centred, with its own aspect; subclasses say what stands there before."""

    ALLOW_SELECT = False
    WATCHES_COVERS: ClassVar[bool] = True
    """Whether it looks by itself whether something lies over it; else what holds it does."""

    @dataclass
    class Resized(Message):
        """The view can show this many pixels along its longer side."""

        view: ImageView
        view_px: int

        @property
        def control(self) -> ImageView:
            """The view, for selectors of handlers."""
            return self.view

    def __init__(
        self, writer: TerminalWriter, *, id: str | None = None, classes: str | None = None, at_top: bool = False
    ) -> None:
        """`at_top`: the picture stands below what is above it, not in the middle of its place."""
        super().__init__(id=id, classes=classes)
        self.writer = writer
        self._at_top = at_top
        self.pixels: np.ndarray | None = None
        """uint8 [H, W, 3] of what is shown, or as soon as the terminal takes it; None for no picture."""
        self.twin: ImageView | None = None
        """The view that this one is compared with: where one is a column wider, both have the size of the other."""
        self.picture: Picture | None = None
        """What the terminal has of it; None before it is sent."""
        self._pump: FramePump[np.ndarray] | None = None
        self._drawn_size = Size(0, 0)
        """Size of the widget that the strips were made for."""
        self._fit = (0, 0)
        """Columns and rows that the picture takes."""
        self._background: Style | None = None
        """Of the margins; None when it must be asked for again, which takes as long as drawing a row."""
        self._was_covered = False
        """When it was last drawn."""
        self._drawn_at = Offset(0, 0)
        """Where on the screen: a sixel says its place itself."""
        self._seemed_covered = False
        """When it was last looked at: on a screen that is not shown nothing is drawn, however often it is asked for."""

    # --- what to show --------------------------------------------------------------------------------------------

    def show_pixels(self, pixels: np.ndarray) -> None:
        """Show a picture: the newest one, as soon as the terminal has read the one before."""
        if self.pixels is None or self.pixels.shape != pixels.shape:
            self._drawn_size = Size(0, 0)
        self.pixels = pixels
        if not self.writer.capabilities.has_pictures:
            self._drawn_size = Size(0, 0)
            self.refresh()
        elif all(self.content_size):
            self._ensure_pump().offer(pixels)

    def clear(self) -> None:
        """Show nothing."""
        self.pixels = None
        self._drawn_size = Size(0, 0)
        self.free()
        self.refresh()

    @property
    def is_current(self) -> bool:
        """Whether the newest picture is on the terminal, in full."""
        return self._pump is None or self._pump.is_idle

    def send_again(self) -> None:
        """Draw all anew: the protocol changed, or the terminal is another one."""
        self.free()
        self._drawn_size = Size(0, 0)
        self._background = None
        self.on_resize()
        if self.pixels is not None:
            self.show_pixels(self.pixels)
        self.refresh()

    def free(self) -> None:
        """Delete what the terminal keeps."""
        if self.picture is not None:
            self.picture.forget()
            self.picture = None

    # --- events --------------------------------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Be told when the protocol changes."""
        self.writer.views.append(self)
        if self.WATCHES_COVERS and "sixel" in self.writer.capabilities.available_protocols:
            self.set_interval(COVER_CHECK_INTERVAL_S, self.look_for_covers)

    def on_unmount(self) -> None:
        """Free the picture."""
        self.free()
        if self in self.writer.views:
            self.writer.views.remove(self)

    def on_resize(self) -> None:
        """Say how large the picture is now; it is drawn when its rows are asked for."""
        columns, rows = self.fit_picture()
        self.post_message(self.Resized(self, self.writer.capabilities.view_px(columns, rows)))
        if self.twin is not None:
            self.twin.fit_again()

    def fit_again(self) -> None:
        """Draw anew where the picture has another size now, though the view has not."""
        if self._fit != self.fit_picture():
            self._drawn_size = Size(0, 0)
            self.refresh()

    def on_work_done(self, message: WorkDone) -> None:
        """The encoder has the picture."""
        message.stop()
        message.deliver()

    def notify_style_update(self) -> None:
        """The margins have the theme's colour: ask for it again."""
        super().notify_style_update()
        self._background = None

    def get_line_filters(self) -> Sequence[LineFilter]:
        """All but the one that turns palette numbers into 24-bit colours: pictures take what there is."""
        return [f for f in super().get_line_filters() if not isinstance(f, ANSIToTruecolor)]

    def get_content_width(self, container: Size, viewport: Size) -> int:
        """As wide as it may be: the picture is fitted into what the layout gives."""
        return container.width

    # --- drawing -------------------------------------------------------------------------------------------------

    def fit_picture(self) -> tuple[int, int]:
        """Columns and rows that a picture takes in the present size: a square while there is none."""
        columns, rows = self.content_size
        if self.twin is not None and self.twin.display and self.twin.content_size.width:
            columns = min(columns, self.twin.content_size.width)
        if self.pixels is None:
            return self.writer.capabilities.fit_square(columns, rows)
        height, width = self.pixels.shape[:2]
        return self.writer.capabilities.fit(columns, rows, width / height)

    def render_message(self, columns: int, rows: int) -> list[Strip]:
        """What stands in the picture's place while none is shown: nothing."""
        return []

    def render_lines(self, crop: Region) -> list[Strip]:
        """Rows of the widget, all drawn again when something has come to lie over it, or gone, or it was moved."""
        covered, place = self._is_covered(), self.content_region.offset
        if covered != self._was_covered or place != self._drawn_at:
            self._was_covered, self._drawn_at = covered, place
            invalidate_lines(self)
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        """One row of the widget: the picture's, with the background on both sides."""
        width = self.content_size.width
        if self._drawn_size != self.content_size:
            self._rebuild()
        columns, rows = self._fit
        top, left = self._top, (width - columns) // 2
        if self._background is None:
            self._background = self.rich_style
        strips = self.strips
        row = y - top
        if not 0 <= row < len(strips):
            return Strip.blank(width, self._background)
        margins = [Segment(" " * cells, self._background) for cells in (left, width - columns - left)]
        below = self._sixel_segments(left, top) if not self._was_covered else []
        # A sixel ends up to five pixels above its cells' end: what is seen there is the view's ground.
        picture = [Segment(" " * columns, self._background)] if below else strips[row]
        segments = [margins[0], *picture, margins[1]]
        if row == rows - 1:
            segments += below
        return Strip(segments, width)

    @property
    def _top(self) -> int:
        """Rows above the picture."""
        return 0 if self._at_top else (self.content_size.height - self._fit[1]) // 2

    @property
    def strips(self) -> list[Strip]:
        """The rows of the picture, or of what stands in its place."""
        if self.pixels is None or not self.writer.capabilities.has_pictures:
            return self._message_strips
        if self.picture is None:
            return []
        return self.picture.render_fallback() if self._was_covered else self.picture.strips

    _message_strips: list[Strip] = []  # noqa: RUF012 - replaced, never changed

    def _rebuild(self) -> None:
        """Make the strips for the present size, at once: what is shown next must fit."""
        self._drawn_size = self.content_size
        self._fit = self.fit_picture()
        if self.pixels is None or not self.writer.capabilities.has_pictures:
            self._message_strips = self.render_message(*self._fit)
            return
        from tuiface.terminal.encoding import encode

        if self.picture is not None and self.picture.encoded is not None:
            encoded = self.picture.encoded
            if (encoded.columns, encoded.rows) == self._fit and encoded.pixels is self.pixels:
                return
        self._ensure_picture().show(encode(self.pixels, *self._fit, self.writer.capabilities))

    def _ensure_pump(self) -> FramePump[np.ndarray]:
        if self._pump is None:
            from tuiface.terminal.pump import FramePump

            self._pump = FramePump(self._send, self.set_timer, slow=self.writer.capabilities.is_remote)
        return self._pump

    def _send(self, pixels: np.ndarray, draft: bool) -> None:  # noqa: FBT001 - the pump's signature
        """Encode and present: cells here, in a few milliseconds; PNG and sixel in the encoder's thread."""
        from tuiface.terminal.encoding import encode

        self._drawn_size = self.content_size
        self._fit = self.fit_picture()
        size, capabilities = self._fit, self.writer.capabilities

        def work() -> Callable[[], None]:
            encoded = encode(pixels, *size, capabilities, draft=draft)
            return lambda: self._present(encoded)

        if capabilities.graphics == "block":
            work()()
        elif self.writer.encode(self, work):
            self._ensure_pump().skip_previous()

    def _present(self, encoded: EncodedPicture) -> None:
        """Put an encoded picture on the terminal, then ask when it has been read."""
        if not self.is_attached or not self.is_wanted(encoded):
            self._ensure_pump().skip()
            self.refresh()
            return
        changed = self._ensure_picture().show(encoded)
        if changed is None or encoded.graphics != "block":
            self.refresh()
        elif changed:
            width = self.content_size.width
            self.refresh(*(Region(0, self._top + row, width, 1) for row in changed))
        self.call_after_refresh(self.writer.request_acknowledgement, self._ensure_pump().acknowledge)

    def is_wanted(self, encoded: EncodedPicture) -> bool:
        """Whether a picture may still be shown: not where the view was cleared, or has another size, meanwhile."""
        return self.pixels is not None and self._fit == (encoded.columns, encoded.rows)

    def _ensure_picture(self) -> Picture:
        if self.picture is None:
            from tuiface.terminal.picture import Picture

            self.picture = Picture(self.writer)
        return self.picture

    def _sixel_segments(self, left: int, top: int) -> list[Segment]:
        sixel = self.picture.sixel if self.picture is not None else ""
        if not sixel:
            return []
        from tuiface.terminal.sixel import place_sixel

        region = self.content_region
        return [control_segment(place_sixel(region.x + left, region.y + top, sixel))]

    # --- covers --------------------------------------------------------------------------------------------------

    def _is_covered(self) -> bool:
        if self.writer.capabilities.graphics not in ("kitty", "sixel"):
            return False
        if self.writer.must_use_cells or not self.screen.is_active:
            return True
        return self.writer.capabilities.graphics == "sixel" and self._is_obscured()

    def _is_obscured(self) -> bool:
        """Whether a toast lies over the view, or only a part of it is on the screen."""
        from textual.widgets._toast import Toast

        region = self.region
        if not self.screen.region.contains_region(region):
            return True
        return any(region.overlaps(toast.region) for toast in self.screen.query(Toast))

    def look_for_covers(self) -> None:
        """Draw anew where something has come to lie over a sixel, or gone."""
        if self.writer.capabilities.graphics != "sixel":
            return
        is_covered, seemed_covered = self._is_covered(), self._seemed_covered
        self._seemed_covered = is_covered
        is_drawn = self.screen.is_active and bool(self.region)
        if is_covered != self._was_covered and (is_drawn or is_covered != seemed_covered):
            self.refresh()
