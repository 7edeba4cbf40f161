"""Draw pictures of the real interface for the documents: `python -m tools.screenshots [FOLDER] [MODEL]`.

The app runs headless with the embedded model, once a size; its cells are then drawn one by one, block characters as the
rectangles that a terminal makes of them. Needs the DejaVu Sans Mono font. Writes docs/pictures/ and docs/tour.md.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from rich.color import ColorType
from rich.style import Style
from textual.pilot import Pilot
from textual.strip import Strip

from tuiface.app import TuifaceApp
from tuiface.core.settings import Settings
from tuiface.screens.concepts.questionnaire import QuestionnaireScreen
from tuiface.screens.dialogs.welcome import remember_welcome
from tuiface.screens.face.screen import FaceScreen
from tuiface.screens.models import ModelsScreen
from tuiface.screens.widgets.face_view import FaceView
from tuiface.screens.widgets.tile_grid import TileGrid
from tuiface.terminal.capabilities import Capabilities
from tuiface.terminal.mosaic import QUADRANTS

DOCS = Path(__file__).parent.parent / "docs"
FONTS = Path("/usr/share/fonts/truetype/dejavu")
FONT_FILES = {False: "DejaVuSansMono.ttf", True: "DejaVuSansMono-Bold.ttf"}
CELL = (10, 20)
SIZES = ((80, 24), (160, 50))

TOUR = """\
# A tour of the interface

Every screen at 160 x 50 and 80 x 24 cells, drawn in coloured cells, as any terminal with 24-bit colours shows them;
kitty, ghostty and terminals with sixel show the pictures themselves. Written by `python -m tools.screenshots` from the
real program with the model that ships with it.

"""


@dataclass(frozen=True, slots=True)
class Scene:
    """One picture of the tour."""

    name: str
    title: str
    text: str
    keys: tuple[str, ...]
    """Pressed from the scene before."""


SCENES = (
    Scene(
        "face",
        "Edit",
        "One face, large, beside everything that can be turned in it. `↑` `↓` choose a row, `←` `→` turn it: the seed, "
        "psi, noise, then the network's concepts by group; the line below is the same as a command.",
        ("right", "right", "right", "v", "v", "v", "s"),
    ),
    Scene(
        "edit",
        "A concept under a lock",
        "`/` finds a concept, `f` locks the face frame, `G` makes the lock firmer. Once no key has come for a moment, "
        "the change outside the lock is measured beside what was predicted.",
        ("slash", *"smile", "enter", *["right"] * 4, "slash", *"older", "enter", *["right"] * 3, "f", "G"),
    ),
    Scene(
        "compare",
        "Comparing",
        "`c` compares with the face that the changes began with: by flicker, side by side, and as a map of differences "
        "(orange is lighter now, blue darker).",
        ("c", "c", "c"),
    ),
    Scene(
        "explore",
        "Explore",
        "A grid of seeds, in order or at random; `space` marks, `s` saves, `m` shows faces near the chosen one.",
        ("c", "Z", "2", "right", "space", "right", "space", "right"),
    ),
    Scene("near", "More like this", "Faces at a chosen distance from one: `d` nearer, `D` farther.", ("s", "m")),
    Scene(
        "mix",
        "Mix",
        "Two parents and both children; the arrows move the rows that change places, on the scale of what rows draw. "
        "`c` crosses contour and inner face instead.",
        ("3",),
    ),
    Scene(
        "morph",
        "Morph",
        "A transition in Z, W or W+, played with `space`, saved as a series with `s`.",
        ("4", *["down"] * 4, "a", "1", "2", "enter", *["right"] * 5, "s"),
    ),
    Scene(
        "library",
        "Library",
        "The saved faces, each with what was done to it or the name that you gave it (`n`), with search, tags, ratings "
        "(`v`), series and lineage.",
        ("5",),
    ),
    Scene("remove", "Removing", "After a question, into the trash; `u` takes it back.", ("d",)),
    Scene("models", "Models", "Networks at hand, and what a file holds; nothing in it is ever executed.", ("n", "6")),
    Scene("jobs", "Jobs", "Long work with progress, and an end on request.", ("7",)),
    Scene(
        "concepts",
        "Concepts",
        "The network's directions by group: where they come from, their unit, what else they change. The strip shows "
        "the present face along the chosen one; `f` finds more without labels, `i` imports, `n` learns one from your "
        "answers.",
        ("8", "f", "enter"),
    ),
    Scene(
        "answering",
        "Learning a concept by answering",
        "One face after the other, each the most informative one: `y`, `n`, `s` or `1` to `7`. How well answers are "
        "foreseen follows each of them, with its 95 % interval; every answer is on the disk at once.",
        ("n", *"friendly", "enter", "enter", "enter", "enter"),
    ),
    Scene(
        "answers",
        "After twenty answers",
        "The more answers, the surer the direction: 30 at least, 100 are better.",
        tuple("ynynnysynnynyynnynyn"),
    ),
    Scene(
        "settings",
        "Settings",
        "What is set once, where each value comes from, and another one for it; `,` leads there.",
        ("escape", "1", "comma", *["down"] * 6),
    ),
    Scene(
        "help",
        "Help",
        "`?` shows the keys of the screen and narrows while one types; `Ctrl+P` finds an action by its name.",
        ("1", "question_mark"),
    ),
)


async def take_screenshots(size: tuple[int, int], folder: Path, model: Path | None) -> None:
    """Go through the scenes in a terminal of `size` cells and draw each."""
    with tempfile.TemporaryDirectory() as home:
        state, library = Path(home) / "state", Path(home) / "tuiface-library"
        os.environ["HOME"] = home  # paths are shown as from a home of its own
        remember_welcome(state)
        settings = Settings(
            model=model,
            state=state,
            library=library,
            cache=Path(home) / "cache",
            directions=Path(home) / "directions",
            device="cpu",
        )
        app = TuifaceApp(settings, Capabilities(mosaic="quadrant"))
        async with app.run_test(size=size) as pilot:
            await wait_until(lambda: app.state.preview.result is not None)
            for scene in SCENES:
                for key in scene.keys:
                    await pilot.press(key)
                    await asyncio.sleep(0.15)
                    if isinstance(app.screen, QuestionnaireScreen):
                        await wait_until(lambda: app.screen.is_asking)  # type: ignore[attr-defined]
                await wait_until_settled(app, pilot)
                app.clear_notifications()
                await pilot.pause(0.2)
                strips = app.screen._compositor.render_strips()
                draw_cells(strips, size).quantize(255, Image.Quantize.MEDIANCUT).save(
                    folder / f"{scene.name}-{size[0]}x{size[1]}.png", optimize=True
                )


async def wait_until_settled(app: TuifaceApp, pilot: Pilot[None]) -> None:
    """Wait for pictures, threads and jobs."""
    preview = app.state.preview
    await wait_until(
        lambda: app.state.engine.phase == "ready" and not preview.is_behind and not app.state.saves.pending
    )
    await wait_until(lambda: all(job.is_over for job in app.state.jobs.listed.values()))
    await wait_until(
        lambda: (
            not isinstance(app.screen, FaceScreen)
            or not (app.state.preview.is_provisional or app.state.preview.is_behind)
        )
    )
    await pilot.pause(0.5)
    await wait_until(lambda: not isinstance(app.screen, QuestionnaireScreen) or app.screen.is_asking)
    await wait_until(lambda: not isinstance(app.screen, ModelsScreen) or app.screen.is_settled)
    await wait_until(lambda: all(tile.pixels is not None for grid in app.screen.query(TileGrid) for tile in grid.tiles))
    await wait_until(lambda: all(view.pixels is not None for view in app.screen.query(FaceView) if view.display))
    await pilot.pause(0.5)


async def wait_until(condition: Callable[[], object], timeout_s: float = 120) -> None:
    """Wait for `condition` to hold."""
    for _ in range(int(timeout_s * 10)):
        if condition():
            return
        await asyncio.sleep(0.1)
    raise TimeoutError("the app did not get there")


def draw_cells(strips: list[Strip], size: tuple[int, int]) -> Image.Image:
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
                if character in QUADRANTS:
                    draw_quadrants(canvas, x, y, QUADRANTS.index(character), fore)
                else:
                    bold = bool(segment.style and segment.style.bold)
                    canvas.text((x, y), character, font=fonts[bold], fill=fore)
                if segment.style and segment.style.underline:
                    canvas.line((x, y + height - 2, x + width - 1, y + height - 2), fill=fore)
                column += 1
    return image


def draw_quadrants(canvas: ImageDraw.ImageDraw, x: int, y: int, number: int, ink: tuple[int, int, int]) -> None:
    """The quarters of a cell that a mosaic character fills."""
    width, height = CELL[0] // 2, CELL[1] // 2
    for quarter in range(4):
        if number >> quarter & 1:
            left, top = x + quarter % 2 * width, y + quarter // 2 * height
            canvas.rectangle((left, top, left + width - 1, top + height - 1), fill=ink)


def colours(style: Style) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Foreground and background of a cell."""
    fore, back = (
        tuple(c.get_truecolor()) if c is not None and c.type is not ColorType.DEFAULT else default
        for c, default in ((style.color, (224, 224, 224)), (style.bgcolor, (18, 18, 18)))
    )
    return (back, fore) if style.reverse else (fore, back)  # type: ignore[return-value]


def tour_text() -> str:
    """docs/tour.md."""
    parts = [TOUR]
    for scene in SCENES:
        small, large = (f"pictures/{scene.name}-{width}x{height}.png" for width, height in SIZES)
        parts.append(f"## {scene.title}\n{scene.text}\n\n![{scene.title}, 160 x 50]({large})\n\n")
        parts.append(f"![{scene.title}, 80 x 24]({small})\n\n")
    return "".join(parts).rstrip() + "\n"


def main() -> None:
    """Take all pictures, into another folder or with another checkpoint where they are named."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else DOCS / "pictures"
    model = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    os.environ["TEXTUAL_ANIMATIONS"] = "none"
    for size in SIZES:
        asyncio.run(take_screenshots(size, folder, model))
    (DOCS / "tour.md").write_text(tour_text(), "utf-8")


if __name__ == "__main__":
    main()
