"""`tuiface doctor`: what works here, and what to do about the rest."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tuiface.commands.arguments import Commands, settings_from
from tuiface.commands.output import emit
from tuiface.core.errors import EXIT_CHECK_FAILED, EXIT_DONE, TuifaceError
from tuiface.core.reading import is_folder, is_there

if TYPE_CHECKING:
    from tuiface.core.settings import Settings

Status = Literal["ok", "note", "problem"]

LOW_SPACE_MB = 500
_BUILD = "tuiface doctor --build says why our CUDA kernels are not used"
_MORE_PICTURES = 'use a terminal with colours, or set graphics = "block"'


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    topic: str
    status: Status
    text: str
    remedy: str = ""


def add_parser(commands: Commands[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "doctor",
        parents=[common],
        help="check device, model, terminal and folders",
        description="Check device, kernels, model, terminal, folders and versions; say what to do about each problem.",
        epilog="example: tuiface doctor --model ffhq.pkl",
    )
    parser.add_argument(
        "--build",
        action="store_true",
        help="build the CUDA kernels now, for the GPU that is here or for sm_80 and sm_90",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the findings; exit code 1 if any is a problem."""
    settings = settings_from(args)
    code = EXIT_DONE
    for finding in _build_kernels(settings) if args.build else examine(settings):
        mark = {"ok": "ok", "note": "note", "problem": "PROBLEM"}[finding.status]
        emit(
            args,
            f"{finding.topic:<10} {mark:<8} {finding.text}",
            *([f"{'':<20}-> {finding.remedy}"] if finding.remedy else []),
            topic=finding.topic,
            status=finding.status,
            text=finding.text,
            remedy=finding.remedy,
        )
        if finding.status == "problem":
            code = EXIT_CHECK_FAILED
    return code


def examine(settings: Settings) -> Iterator[Finding]:
    """All findings, the quick ones first."""
    yield _check_versions()
    yield from _check_terminal(settings)
    yield _check_folder("library", settings.library, "--library in `tuiface library`, or `library` in the settings")
    yield _check_folder(
        "cache", settings.cache, "`cache` in the settings; without one each start parses the checkpoint again"
    )
    yield _check_allocator()
    yield _check_resident_engine(settings)
    yield from _check_engine(settings)


def _check_versions() -> Finding:
    from importlib.metadata import PackageNotFoundError, version

    found = [f"python {platform.python_version()}"]
    for package in ("tuiface", "torch", "textual", "rich", "numpy", "pillow", "term-image"):
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            return Finding("versions", "problem", f"package {package} is missing", f"pip install {package}")
    return Finding("versions", "ok", ", ".join(found))


def _check_terminal(settings: Settings) -> Iterator[Finding]:
    from tuiface.terminal.capabilities import detect_capabilities, parse_tmux_line
    from tuiface.terminal.probe import Probe, drop_coerced_locale

    if not sys.stdout.isatty():
        yield Finding(
            "terminal", "note", "the output is not a terminal, so it cannot be examined", "run it in a terminal"
        )
        return
    environment = drop_coerced_locale()
    probe = Probe.start(environment)
    answers, tmux = probe.answers(), parse_tmux_line(probe.wait_for_tmux_line())
    found = detect_capabilities(environment, settings.graphics, cells=settings.cells, answers=answers, tmux=tmux)
    size = shutil.get_terminal_size()
    colours = "24-bit colour" if found.colours == "truecolor" else f"{found.colours} colours"
    pictures = {"kitty": "kitty's placeholders", "sixel": "sixel", "block": "coloured cells", "none": "numbers"}
    name = found.name or "no name"
    text = f"{name}, {size.columns}x{size.lines} cells, {colours}, pictures by {pictures[found.graphics]}"
    if answers.round_trip_ms is not None:
        text += f", answers in {answers.round_trip_ms:.0f} ms"
    if not found.has_pictures:
        yield Finding("terminal", "note", f"{text}; faces are not drawn (graphics {settings.graphics})", _MORE_PICTURES)
    elif os.environ.get("NO_COLOR"):
        yield Finding("terminal", "note", f"{text}; NO_COLOR is set, so faces are grey", "unset NO_COLOR")
    elif found.colours != "truecolor":
        remedy = "if it can do more: export COLORTERM=truecolor (SSH drops it)"
        yield Finding("terminal", "note", text, remedy)
    else:
        yield Finding("terminal", "ok", text)
    if (size.columns, size.lines) < (80, 24):
        yield Finding("terminal", "note", "smaller than 80x24 cells", "enlarge the window, or use a smaller font")
    if not found.unicode:
        remedy = "export LANG=C.UTF-8, if the terminal can show UTF-8"
        yield Finding("terminal", "note", "the locale is not UTF-8: faces are drawn at half the detail", remedy)


def _check_folder(topic: str, folder: Path, setting: str) -> Finding:
    try:
        folder.stat()
    except OSError as error:
        if not isinstance(error, FileNotFoundError) or folder.is_symlink():
            return Finding(topic, "problem", f"{folder}: {error.strerror}", f"choose another: {setting}")
    existing = next(p for p in (folder, *folder.absolute().parents) if is_there(p))
    if not is_folder(existing) or not os.access(existing, os.W_OK):
        return Finding(topic, "problem", f"{folder} cannot be written", f"choose another: {setting}")
    free_mb = shutil.disk_usage(existing).free // 2**20
    if free_mb < LOW_SPACE_MB:
        return Finding(topic, "problem", f"{folder}: {free_mb} MB left", "free some space")
    made = "" if is_there(folder) else ", made when first needed"
    return Finding(topic, "ok", f"{folder}{made}; {free_mb // 1024} GB left")


def _check_allocator() -> Finding:
    if platform.libc_ver()[0] == "glibc":
        return Finding("memory", "ok", "glibc's allocator can be told to keep freed memory (twice the speed on a CPU)")
    return Finding("memory", "note", "not glibc: large pictures take about twice as long", "run on a glibc system")


def _check_resident_engine(settings: Settings) -> Finding:
    from tuiface.commands.engine import status_text
    from tuiface.service.daemon import query_status
    from tuiface.service.discovery import find_engine

    try:
        found = query_status(settings)
        if found is None:
            return Finding("resident", "ok", "no resident engine runs; `tuiface engine start` begins one")
        find_engine(settings)
    except TuifaceError as error:
        return Finding("resident", "note", error.message, error.hint)
    return Finding("resident", "ok", status_text(found))


def _check_engine(settings: Settings) -> Iterator[Finding]:
    """Device, kernels and model: loads torch and the network."""
    import torch

    from tuiface.engine.device import choose_device, device_name
    from tuiface.engine.loading import open_engine
    from tuiface.engine_api.protocol import RenderRequest
    from tuiface.faces.studio import Studio

    try:
        device = choose_device(settings.device)
    except TuifaceError as error:
        yield Finding("device", "problem", error.message, error.hint or "use --device auto")
        return
    if device.type == "cuda" or settings.device == "cpu":
        yield Finding("device", "ok", f"{device} ({device_name(device)})")
    elif torch.version.cuda is None:
        remedy = "for a GPU, install a CUDA build of PyTorch"
        yield Finding("device", "note", f"cpu ({device_name(device)}); this PyTorch has no CUDA", remedy)
    else:
        yield Finding(
            "device", "note", f"cpu ({device_name(device)}); no CUDA device is visible", "nvidia-smi shows why"
        )
    try:
        engine = open_engine(settings)
        info = engine.info()
        result = engine.render(RenderRequest(Studio(engine, settings).current.recipe))
    except TuifaceError as error:
        yield Finding("model", "problem", error.message, error.hint or "tuiface model inspect FILE says more")
        return
    slow = device.type == "cuda" and info.kernels == "torch"
    yield Finding(
        "kernels",
        "problem" if slow else "ok",
        "PyTorch's own operators" if info.kernels == "torch" else f"our own ({info.kernels})",
        _BUILD if slow else "",
    )
    text = f"{info.model.name}, {info.resolution} px, network {info.model.sha256[:10]}, licence {info.licence}"
    yield Finding("model", "ok", f"{text}; a face in {result.elapsed_ms:.0f} ms")
    for notice in info.notices:
        yield Finding("model", "note", notice)


def _build_kernels(settings: Settings) -> Iterator[Finding]:
    """Whether the CUDA kernels can be built here; those of the GPU at hand are, into the cache."""
    import torch

    from tuiface.engine.cuda.build import load_or_build
    from tuiface.engine.cuda.loaded import load_kernels

    if torch.cuda.is_available():
        device = torch.device("cuda:0")
        try:
            build = load_kernels(device, settings.cache)
        except TuifaceError as error:
            yield Finding("kernels", "problem", error.message, error.hint)
        else:
            yield Finding("kernels", "ok", f"built by {build.compiler} for {build.architecture}, and loaded")
            yield from (Finding("kernels", "note", notice) for notice in build.notices)
        return
    for architecture in ("sm_80", "sm_90"):
        try:
            build = load_or_build(architecture, settings.cache)
        except TuifaceError as error:
            yield Finding("kernels", "problem", error.message, error.hint)
            return
        yield Finding("kernels", "ok", f"built by {build.compiler} for {architecture}; no GPU is here to load them")
