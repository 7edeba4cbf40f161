"""The layers hold: once by reading every import, once by importing in a fresh interpreter."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "tuiface"

TORCH, TEXTUAL = "torch", "textual"
VALUES = ("errors", "validation", "recipe", "face_orders", "provenance", "protocol", "files", "assets", "limits")
HEADLESS = ("directions", "face", "studio", "library", "settings", "actions", "verification", "stimuli", "language")
INTERFACE = ("app", "screens", "terminal")

#: For each part of the package: what it may never import, directly, at any depth of a function.
FORBIDDEN: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        VALUES,
        (TORCH, TEXTUAL, *(f"tuiface.{m}" for m in (*HEADLESS, *INTERFACE, "engine", "resident", "heads", "commands"))),
    ),
    **dict.fromkeys(
        HEADLESS, (TORCH, TEXTUAL, *(f"tuiface.{m}" for m in (*INTERFACE, "engine", "resident", "commands")))
    ),
    "engine": (TEXTUAL, *(f"tuiface.{m}" for m in ("face", "studio", *INTERFACE, "resident", "commands"))),
    "heads": (TEXTUAL, *(f"tuiface.{m}" for m in ("face", "studio", *INTERFACE, "resident", "commands", "engine"))),
    "resident": (TEXTUAL, *(f"tuiface.{m}" for m in (*INTERFACE, "face", "studio", "commands"))),
    **dict.fromkeys(INTERFACE, (TORCH, "tuiface.engine", "tuiface.heads", "tuiface.commands")),
}

#: Numpy alone: hostile files are refused before torch is loaded.
NO_TORCH = (
    "engine/checkpoints",
    "engine/config.py",
    "engine/__init__.py",
    "engine/model_store.py",
    "engine/loading.py",
)


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imports_of(path: Path) -> set[str]:
    """Modules that a file imports at run time, also inside functions; imports for type checking alone do not count."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text("utf-8")))
    return found


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def begins_with(module: str, prefix: str) -> bool:
    return module == prefix or module.startswith(prefix + ".")


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_respect_the_layers(path: Path) -> None:
    forbidden = FORBIDDEN.get(part_of(path), ())
    if str(path.relative_to(PACKAGE)).startswith(NO_TORCH):
        forbidden = (*forbidden, TORCH)
    wrong = {module for module in imports_of(path) for prefix in forbidden if begins_with(module, prefix)}
    assert not wrong


def test_every_part_has_a_layer() -> None:
    known = {*FORBIDDEN, "cli", "commands", "benchmarks", "__init__"}
    assert {part_of(path) for path in sources()} <= known


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("tuiface", ("torch", "textual", "numpy")),
        ("tuiface.app", ("torch", "httpx", "term_image")),
        ("tuiface.engine", ("torch", "textual")),
        ("tuiface.engine.loading", ("torch", "textual")),
        ("tuiface.engine.local", ("textual",)),
        ("tuiface.engine.checkpoints", ("torch", "textual")),
        ("tuiface.resident.client", ("torch", "textual")),
        ("tuiface.studio", ("torch", "textual")),
        ("tuiface.directions.catalogue", ("torch", "textual")),
        ("tuiface.library", ("torch", "textual")),
    ],
)
def test_importing_loads_nothing_of_another_layer(module: str, absent: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print(*[m for m in {absent!r} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert out.stdout.split() == []
    assert out.stderr == ""
