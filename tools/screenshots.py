"""Draw pictures of the real interface for the documents: `python -m tools.screenshots` writes docs/pictures/face*.png.

The app runs headless with the embedded model; its cells are then drawn one by one, half-blocks as the two rectangles
that a terminal makes of them. Needs the DejaVu Sans Mono font.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from rich.color import ColorType
from rich.style import Style
from textual.strip import Strip

from tuiface.app import TuifaceApp
from tuiface.settings import Settings
from tuiface.terminal.capabilities import Capabilities

OUT = Path(__file__).parent.parent / "docs" / "pictures"
FONTS = Path("/usr/share/fonts/truetype/dejavu")
CELL = (10, 20)
PICTURES = {
    "face.png": ((120, 36), ("right", "right", "right")),
    "face-80x24.png": ((80, 24), ("right",)),
    "face-160x50.png": ((160, 50), ("n", "n", "k")),
    "help-120x36.png": ((120, 36), ("question_mark",)),
}


async def take(size: tuple[int, int], keys: tuple[str, ...], model: Path | None) -> Image.Image:
    """The screen of `size` cells after the first face and `keys`."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(model=model, state=Path(folder), device="cpu")
        app = TuifaceApp(settings, Capabilities())
        async with app.run_test(size=size) as pilot:
            await until(lambda: app.session.frame is not None)
            for key in keys:
                await pilot.press(key)
                await asyncio.sleep(0.5)
            await pilot.pause()
            strips = app.screen._compositor.render_strips()
            return draw(strips, size)


async def until(condition: object, timeout_s: float = 60) -> None:
    """Wait for `condition` to hold."""
    assert callable(condition)
    for _ in range(int(timeout_s * 10)):
        if condition():
            return
        await asyncio.sleep(0.1)
    raise TimeoutError("the app did not get there")


def draw(strips: list[Strip], size: tuple[int, int]) -> Image.Image:
    """Cells as pixels."""
    width, height = CELL
    image = Image.new("RGB", (size[0] * width, size[1] * height))
    canvas = ImageDraw.Draw(image)
    fonts = {bold: ImageFont.truetype(str(FONTS / name), 16) for bold, name in FONT_FILES.items()}
    for row, strip in enumerate(strips):
        column = 0
        for segment in strip:
            fore, back = colours(segment.style or Style())
            for character in segment.text:
                x, y = column * width, row * height
                canvas.rectangle((x, y, x + width - 1, y + height - 1), fill=back)
                if character == "▀":
                    canvas.rectangle((x, y, x + width - 1, y + height // 2 - 1), fill=fore)
                elif character != " ":
                    bold = bool(segment.style and segment.style.bold)
                    canvas.text((x, y), character, font=fonts[bold], fill=fore)
                column += 1
    return image


FONT_FILES = {False: "DejaVuSansMono.ttf", True: "DejaVuSansMono-Bold.ttf"}


def colours(style: Style) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Foreground and background of a cell."""
    fore, back = (
        tuple(c.get_truecolor()) if c is not None and c.type is not ColorType.DEFAULT else default
        for c, default in ((style.color, (224, 224, 224)), (style.bgcolor, (18, 18, 18)))
    )
    return (back, fore) if style.reverse else (fore, back)  # type: ignore[return-value]


def main() -> None:
    """Take all pictures; a checkpoint may be named instead of the embedded model."""
    model = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    os.environ["TEXTUAL_ANIMATIONS"] = "none"
    for name, (size, keys) in PICTURES.items():
        asyncio.run(take(size, keys, model)).save(OUT / name)


if __name__ == "__main__":
    main()
