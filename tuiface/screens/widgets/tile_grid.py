"""A grid of small pictures with captions, one of which is chosen; as many as fit, the page decides which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.events import Click
from textual.filter import ANSIToTruecolor, LineFilter
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tuiface.core.visible import to_visible
from tuiface.screens.widgets.tile_picture import TilePicture
from tuiface.terminal.image_view import COVER_CHECK_INTERVAL_S, ImageView
from tuiface.terminal.private_api import invalidate_lines

if TYPE_CHECKING:
    import numpy as np

    from tuiface.terminal.picture import Picture
    from tuiface.terminal.writer import TerminalWriter

_CAPTION, _CHOSEN, _PLACE = "tile-grid--caption", "tile-grid--chosen", "tile-grid--place"
TILE_ROWS = (4, 6, 8, 10, 13, 17, 22)
"""Heights of a picture in cells that the keys for size go through."""
_GAP = 2
"""Columns between pictures; a caption stands below each, and an empty row below that where there is room."""


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """One face in the grid."""

    caption: str
    pixels: np.ndarray | None = None
    """uint8 [r, r, 3]; None until it was rendered."""
    is_marked: bool = False


class TileGrid(Widget):
    """Draws tiles; the screen says which ones, and which is chosen."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {_CAPTION, _CHOSEN, _PLACE}
    ALLOW_SELECT = False

    @dataclass
    class Chosen(Message):
        """A tile was clicked, or clicked twice."""

        index: int
        twice: bool

    @dataclass
    class Reshaped(Message):
        """Another number of tiles fits now."""

    def __init__(self, writer: TerminalWriter, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.writer = writer
        self.tiles: tuple[Tile, ...] = ()
        """Those of the page."""
        self._chosen = 0
        self._size_index = 2
        """Of TILE_ROWS."""
        self._pictures: list[Picture | None] = []
        """Of tiles that are drawn in cells: coloured ones, or kitty's placeholders."""
        self._views: list[TilePicture] = []
        """Of those that lie over them."""
        self._was_covered = False

    # --- what to show --------------------------------------------------------------------------------------------

    def show(self, tiles: Sequence[Tile], chosen: int) -> None:
        """Show a page of tiles, `chosen` among them; at most `capacity` are seen."""
        before, chosen_before = self.tiles, self._chosen
        self.tiles, self._chosen = tuple(tiles), chosen
        while len(self._pictures) < len(self.tiles):
            self._pictures.append(None)
        self._place_views()
        changed = {index for index in range(len(self._pictures)) if self._show_picture(index)}
        if len(before) != len(self.tiles):
            self.refresh()
            return
        for index, (tile, old) in enumerate(zip(self.tiles, before, strict=True)):
            region = self.tile_region(index)
            if index in changed:
                self.refresh(region)
            elif (tile.caption, tile.is_marked, index == chosen) != (
                old.caption,
                old.is_marked,
                index == chosen_before,
            ):
                self.refresh(Region(region.x, region.y + self.tile_size[1], region.width, 1))

    def resize_tiles(self, step: int) -> None:
        """Larger (1) or smaller (-1) pictures."""
        self._size_index = min(max(self._size_index + step, 0), len(TILE_ROWS) - 1)
        self._reshape()

    @property
    def shape(self) -> tuple[int, int]:
        """Tiles in a row, and rows of them, that fit: at least one."""
        columns, rows = self.tile_size
        width, height = self.content_size
        return max(1, (width + _GAP) // (columns + _GAP)), max(
            1, (height + self._row_gap) // (rows + 1 + self._row_gap)
        )

    @property
    def capacity(self) -> int:
        """Tiles on a page."""
        across, down = self.shape
        return across * down

    @property
    def tile_px(self) -> int:
        """Pixels along the longer side of a tile that can be shown."""
        return self.writer.capabilities.view_px(*self.tile_size)

    def tile_region(self, index: int) -> Region:
        """Where the widget shows a tile, with its caption."""
        columns, rows = self.tile_size
        tile_row, tile_column = divmod(index, self.shape[0])
        height = rows + 1 + self._row_gap
        return Region(self._left + tile_column * (columns + _GAP), tile_row * height, columns, height)

    @property
    def tile_size(self) -> tuple[int, int]:
        """Columns and rows of a picture."""
        width, height = self.content_size
        rows = min(TILE_ROWS[self._size_index], max(2, height - 1))
        return self.writer.capabilities.fit_square(max(2, width), rows)

    @property
    def _row_gap(self) -> int:
        return 1 if self.content_size.height >= 26 else 0

    # --- events --------------------------------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Be told when the protocol changes."""
        self.writer.views.append(self)
        if "sixel" in self.writer.capabilities.available_protocols:
            self.set_interval(COVER_CHECK_INTERVAL_S, self._look_for_covers)

    def on_unmount(self) -> None:
        """Free the pictures."""
        self.free()
        if self in self.writer.views:
            self.writer.views.remove(self)

    def on_resize(self) -> None:
        """Another page may fit."""
        self._reshape()

    def on_click(self, event: Click) -> None:
        """Choose a tile; twice opens it."""
        index = self._index_at(event.screen_x - self.content_region.x, event.screen_y - self.content_region.y)
        if index is not None:
            self.post_message(self.Chosen(index, twice=event.chain > 1))

    def on_image_view_resized(self, event: ImageView.Resized) -> None:
        """A tile's own place is ours to know."""
        event.stop()

    def send_again(self) -> None:
        """Draw all anew."""
        self._reshape()

    def free(self) -> None:
        """Delete what the terminal keeps."""
        for picture in self._pictures:
            if picture is not None:
                picture.forget()
        self._pictures = [None] * len(self._pictures)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """All but the one that turns palette numbers into 24-bit colours."""
        return [f for f in super().get_line_filters() if not isinstance(f, ANSIToTruecolor)]

    def get_content_width(self, container: Size, viewport: Size) -> int:
        """As wide as it may be."""
        return container.width

    def _reshape(self) -> None:
        self.free()
        self._place_views()
        for index in range(len(self.tiles)):
            self._show_picture(index)
        self.refresh()
        self.post_message(self.Reshaped())

    # --- drawing -------------------------------------------------------------------------------------------------

    def _place_views(self) -> None:
        """As many views as tiles are seen, each in its place; none where pictures are cells."""
        capabilities = self.writer.capabilities
        is_over_cells = capabilities.has_pictures and capabilities.graphics == "sixel"
        number = min(len(self.tiles), self.capacity) if is_over_cells and all(self.content_size) else 0
        for view in self._views[number:]:
            view.remove()
        del self._views[number:]
        new = [TilePicture(self.writer) for _ in range(number - len(self._views))]
        self._views += new
        columns, rows = self.tile_size
        for index, view in enumerate(self._views):
            place = self.tile_region(index)
            view.styles.offset = (place.x, place.y)
            view.styles.width, view.styles.height = columns, rows
        if new:
            self.mount_all(new)

    def _show_picture(self, index: int) -> bool:
        """Bring what is drawn in line with a tile; whether the grid's own cells change by it."""
        tile = self.tiles[index] if index < min(len(self.tiles), self.capacity) else None
        pixels = tile.pixels if tile is not None else None
        if index < len(self._views):
            self._views[index].show_tile(pixels)
            pixels = None
        picture = self._pictures[index]
        if pixels is None or not self.writer.capabilities.has_pictures:
            if picture is not None:
                picture.forget()
                self._pictures[index] = None
            return picture is not None
        if picture is not None and picture.encoded is not None and picture.encoded.pixels is pixels:
            return False
        from tuiface.terminal.encoding import encode
        from tuiface.terminal.picture import Picture

        if picture is None:
            picture = self._pictures[index] = Picture(self.writer)
        picture.show(encode(pixels, *self.tile_size, self.writer.capabilities))
        return True

    def _look_for_covers(self) -> None:
        for view in self._views:
            view.look_for_covers()

    def render_lines(self, crop: Region) -> list[Strip]:
        """Rows of the widget, all drawn again when a dialog has come to lie over it, or gone."""
        covered = self.writer.capabilities.graphics == "kitty" and (
            self.writer.must_use_cells or not self.screen.is_active
        )
        if covered != self._was_covered:
            self._was_covered = covered
            invalidate_lines(self)
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        """One row of the widget."""
        width = self.content_size.width
        background = self.rich_style
        columns, rows = self.tile_size
        across, down = self.shape
        tile_row, line = divmod(y, rows + 1 + self._row_gap)
        left = self._left
        if line > rows or tile_row >= down:
            return Strip.blank(width, background)
        segments = [Segment(" " * left, background)]
        used = left
        for index in range(tile_row * across, min((tile_row + 1) * across, len(self.tiles))):
            segments += self._picture_row(index, line) if line < rows else [self._caption(index, columns)]
            segments.append(Segment(" " * _GAP, background))
            used += columns + _GAP
        return Strip(segments, used).adjust_cell_length(width, background)

    @property
    def _left(self) -> int:
        """Margin that centres the grid."""
        columns, across = self.tile_size[0], self.shape[0]
        return max(0, (self.content_size.width - across * (columns + _GAP) + _GAP) // 2)

    def _picture_row(self, index: int, line: int) -> list[Segment]:
        columns, rows = self.tile_size
        picture = self._pictures[index]
        strips = [] if picture is None else picture.render_fallback() if self._was_covered else picture.strips
        if line < len(strips) and picture is not None and picture.size == (columns, rows):
            return list(strips[line])
        return [Segment(" " * columns, self._style(_PLACE))]

    def _caption(self, index: int, columns: int) -> Segment:
        tile = self.tiles[index]
        mark = ("● " if self.writer.capabilities.unicode else "* ") if tile.is_marked else ""
        text = f"{mark}{to_visible(tile.caption)}"
        if len(text) > columns:
            text = text[: columns - 1] + ("…" if self.writer.capabilities.unicode else ">")
        name = _CHOSEN if index == self._chosen else _CAPTION
        return Segment(text.center(columns), self._style(name))

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(name)

    def _index_at(self, x: int, y: int) -> int | None:
        return next((index for index in range(len(self.tiles)) if self.tile_region(index).contains(x, y)), None)


class TileStrip(TileGrid):
    """One row of a given number of tiles, as large as the place allows."""

    def __init__(self, writer: TerminalWriter, *, id: str | None = None) -> None:
        super().__init__(writer, id=id)
        self._num_tiles = 5

    def show_strip(self, tiles: Sequence[Tile], chosen: int, number: int) -> None:
        """Show `tiles`, each of the size that `number` of them have."""
        if number != self._num_tiles:
            self.free()
            self._num_tiles = number
        self.show(tiles, chosen)

    @property
    def shape(self) -> tuple[int, int]:
        """One row."""
        return self._num_tiles, 1

    @property
    def tile_size(self) -> tuple[int, int]:
        """Columns and rows of a picture."""
        width, height = self.content_size
        columns = (width + _GAP) // self._num_tiles - _GAP
        return self.writer.capabilities.fit_square(max(2, columns), max(2, height - 1))
