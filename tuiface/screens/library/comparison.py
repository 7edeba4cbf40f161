"""Two saved faces side by side, with the map of their differences between them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen

from tuiface.core.i18n import tr
from tuiface.screens.face.comparison import difference_map, mean_difference
from tuiface.screens.widgets.face_view import FaceView
from tuiface.screens.widgets.text import Static

if TYPE_CHECKING:
    from tuiface.screens.state import InterfaceState


class ComparisonScreen(ModalScreen[None]):
    """Raises InputFileError where a picture cannot be read."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,c,enter", "close", "Close")]

    def __init__(self, state: InterfaceState, paths: list[Path]) -> None:
        super().__init__()
        from tuiface.faces.provenance import read_png
        from tuiface.terminal.halfblock import resample

        self._state = state
        first, second = (read_png(path)[0] for path in paths)
        side = min(first.shape[0], second.shape[0])
        before, after = (resample(pixels, side, side) for pixels in (first, second))
        percent = mean_difference(before, after)
        middle = tr("{percent} % different", percent=f"{percent:.1f}")
        self._pictures = (
            (paths[0].stem, before),
            (middle, difference_map(before, after)),
            (paths[1].stem, after),
        )

    def compose(self) -> ComposeResult:
        """Three pictures and how to leave."""
        with Vertical(id="comparison"):
            with Horizontal():
                for number, (caption, _) in enumerate(self._pictures):
                    with Vertical(classes="column"):
                        yield Static(caption, classes="caption")
                        yield FaceView(self._state.writer, id=f"compared-{number}", at_top=True)
            yield Static(tr("Orange is lighter on the right, blue darker. Esc closes."), classes="answer")

    def on_mount(self) -> None:
        """The pictures wait for their sizes by themselves."""
        for number, (_, pixels) in enumerate(self._pictures):
            self.query_one(f"#compared-{number}", FaceView).show_derived(pixels)

    def action_close(self) -> None:
        """Back to the library."""
        self.dismiss()
