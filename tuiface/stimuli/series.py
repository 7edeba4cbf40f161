"""Saving faces as a series: numbered pictures with provenance and tags, and films of them."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tuiface.core import processes
from tuiface.core.errors import OutputError, UsageError
from tuiface.core.files import refuse_unfit_name, write_file
from tuiface.core.limits import FPS_RANGE, MAX_FILM_PIXELS
from tuiface.engine_api.protocol import RenderRequest, RenderResult
from tuiface.faces.library import remove_tags, write_tags
from tuiface.faces.studio import Face, reserve_pictures

Progress = Callable[[int, int], bool]
"""Called with the steps done and in all, before each step; answers whether to go on."""
DEFAULT_FPS = 25.0


class Cancelled(Exception):  # noqa: N818 - it is no error: somebody asked for it
    """Progress answered no; what was written until then stays, each file whole."""


@dataclass(frozen=True, slots=True)
class SavedSeries:
    """What lies on the disk."""

    pictures: tuple[Path, ...]
    films: tuple[Path, ...]


def save_series(
    faces: Sequence[Face],
    folder: Path,
    name: str,
    *,
    films: Sequence[str] = (),
    fps: float = DEFAULT_FPS,
    resolution: int | None = None,
    tags: tuple[str, ...] = (),
    force: bool = False,
    progress: Progress = lambda done, total: True,
) -> SavedSeries:
    """Render and write `NAME-000.png`, ... with JSON and tags, and the films (`gif`, `mp4`) that are asked for.

    Every name is checked before the first picture is computed. Raises UsageError for `name`, `fps` and films that are
    too large, OutputError, or Cancelled.
    """
    refuse_unfit_name(name, "name of a series")
    if films:
        _refuse_unfit_film(faces, fps, resolution)
    width = max(3, len(str(len(faces) - 1)))
    paths = [folder / f"{name}-{index:0{width}}.png" for index in range(len(faces))]
    film_paths = [folder / f"{name}.{kind}" for kind in films]
    if "mp4" in films:
        find_ffmpeg()
    pixels = []
    total = len(faces) + len(film_paths)
    with reserve_pictures(folder, faces, paths, resolution, beside=film_paths, force=force) as completed:
        for index, (face, path) in enumerate(zip(faces, paths, strict=True)):
            report_progress(progress, index, total)
            picture = completed.get(path)
            if picture is None:
                result = face.studio.engine.render(RenderRequest(face.recipe, resolution))
                write_tagged(face, result, path, tags, name, resolution=resolution, force=force)
                picture = result.pixels
            if film_paths:
                pixels.append(picture)
        for index, path in enumerate(film_paths, len(faces)):
            report_progress(progress, index, total)
            write_film(pixels, path, fps=fps, force=force)
        progress(total, total)
    return SavedSeries(tuple(paths), tuple(film_paths))


def write_tagged(
    face: Face,
    result: RenderResult,
    path: Path,
    tags: tuple[str, ...],
    series: str,
    *,
    resolution: int | None = None,
    force: bool = False,
) -> None:
    """Write a rendered picture with its JSON and tags. The tags go first: no face is ever seen without them."""
    is_new = not path.exists()
    write_tags(path, tags, series)
    try:
        face.write(result, path, resolution=resolution, force=force)
    except BaseException:
        if is_new:
            remove_tags(path)
        raise


def _refuse_unfit_film(faces: Sequence[Face], fps: float, resolution: int | None) -> None:
    """Raise UsageError for a speed that no film has, and for more pixels than memory should hold at once."""
    least, most = FPS_RANGE
    if not least <= fps <= most:
        raise UsageError(f"{fps:g} frames a second; accepted: {least:g} to {most:g}")
    full = faces[0].studio.info.resolution
    side = full if resolution is None else min(resolution, full)
    longest = MAX_FILM_PIXELS // side**2
    if len(faces) > longest:
        raise UsageError(
            f"a film of {len(faces)} frames of {side} px; accepted: up to {longest} frames of that size",
            "fewer frames, a smaller size, or no film",
        )


def write_film(pixels: Sequence[np.ndarray], path: Path, *, fps: float, force: bool) -> None:
    """A GIF or MP4, by the name's ending, of pictures uint8 [H, W, 3]."""
    data = encode_gif(pixels, fps) if path.suffix == ".gif" else encode_mp4(pixels, fps)
    write_file(path, data, force=force)


def encode_gif(pixels: Sequence[np.ndarray], fps: float) -> bytes:
    """An endless GIF; one palette for all pictures, so that nothing flickers."""
    from PIL import Image

    sample = Image.fromarray(np.concatenate([p[::2, ::2] for p in pixels[:: max(1, len(pixels) // 16)]]))
    palette = sample.quantize(256, Image.Quantize.MEDIANCUT)
    frames = [Image.fromarray(p).quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG) for p in pixels]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:], duration=max(20, round(1000 / fps)), loop=0)
    return buffer.getvalue()


def encode_mp4(pixels: Sequence[np.ndarray], fps: float) -> bytes:
    """H.264 in MP4 through ffmpeg, near to lossless."""
    height, width = pixels[0].shape[:2]
    command = [find_ffmpeg(), "-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}"]
    command += ["-r", f"{fps:g}", "-i", "-", "-c:v", "libx264", "-crf", "12", "-pix_fmt", "yuv420p"]
    command += ["-movflags", "frag_keyframe+empty_moov", "-f", "mp4", "-"]
    done = processes.run(command, given=b"".join(p.tobytes() for p in pixels))
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip().splitlines()
        raise OutputError(f"ffmpeg failed: {reason[-1] if reason else done.returncode}", "--gif needs no ffmpeg")
    return done.stdout


def find_ffmpeg() -> str:
    """Path of ffmpeg; raises UsageError where there is none."""
    found = processes.find_program("ffmpeg")
    if found is None:
        raise UsageError("an MP4 needs ffmpeg, which is not installed", "--gif needs nothing else")
    return found


def report_progress(progress: Progress, done: int, total: int) -> None:
    """Tell how far it is; raises Cancelled where that is far enough."""
    if not progress(done, total):
        raise Cancelled
