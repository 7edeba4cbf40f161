"""The layers hold and no modules import each other in a circle: by every import read, and in fresh interpreters."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "tuiface"

TORCH, TEXTUAL = "torch", "textual"
VALUES = ("core", "faces.recipe", "faces.provenance", "engine_api")
HEADLESS = ("faces", "directions", "stimuli", "actions")
INTERFACE = ("app", "screens", "terminal")


def modules(*names: str) -> tuple[str, ...]:
    return tuple(f"tuiface.{name}" for name in names)


#: For each part of the package, the most specific that fits: what it may never import, at any depth of a function.
FORBIDDEN: dict[str, tuple[str, ...]] = {
    "core": (
        TORCH,
        TEXTUAL,
        *modules("faces", "directions", "stimuli", "actions", "engine_api", "engine", "heads", "service", "commands"),
        *modules(*INTERFACE),
    ),
    **dict.fromkeys(
        ("faces.recipe", "faces.provenance", "engine_api"),
        (
            TORCH,
            TEXTUAL,
            *modules("faces.studio", "faces.library", "stimuli", "actions", "engine", "heads", "service", "commands"),
            *modules(*INTERFACE),
        ),
    ),
    "directions.importing": (
        TORCH,
        TEXTUAL,
        *modules(*INTERFACE, "heads", "service", "commands"),
        # Arrays that users share are read as safely as networks, and by the same reader, which is numpy alone.
        *(f"tuiface.engine.{path.stem}" for path in (PACKAGE / "engine").iterdir() if path.stem != "checkpoints"),
    ),
    **dict.fromkeys(HEADLESS, (TORCH, TEXTUAL, *modules(*INTERFACE, "engine", "heads", "service", "commands"))),
    "engine": (TEXTUAL, *modules("faces.studio", "stimuli", *INTERFACE, "service", "commands")),
    "heads": (TEXTUAL, *modules("faces", "directions", "engine_api", *INTERFACE, "engine", "service", "commands")),
    "service": (TEXTUAL, *modules(*INTERFACE, "faces.studio", "commands")),
    **dict.fromkeys(INTERFACE, (TORCH, *modules("engine", "heads", "commands"))),
}

#: Numpy alone: hostile files are refused before torch is loaded.
NO_TORCH = (
    "engine.checkpoints",
    "engine.networks.config",
    "engine.__init__",
    "engine.checkpoint",
    "engine.loading",
)


def module_name(path: Path) -> str:
    """`tuiface.engine.loading` of a file; a package has the name of its folder."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imports_of(path: Path, *, for_types: bool = False) -> set[str]:
    """Names that a file imports, also inside functions; with `for_types` those for type checking alone too."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if not for_types and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, ast.expr):  # no expression holds an import
                visit(child)

    visit(ast.parse(path.read_text("utf-8")))
    return found


def imported_modules(module: str) -> set[str]:
    """Modules of ours that a module imports anywhere; a name from a package is a module of its own if there is one."""
    names = imports_of(SOURCES[module], for_types=True)
    longer = {name.rpartition(".")[0] for name in names if name in SOURCES}
    return {name for name in names if name in SOURCES and name not in longer} - {module}


def begins_with(module: str, prefix: str) -> bool:
    return module == prefix or module.startswith(prefix + ".")


def part_of(module: str) -> str | None:
    """The most specific key of FORBIDDEN that a module lies in."""
    inside = module.removeprefix("tuiface.")
    return max((part for part in FORBIDDEN if begins_with(inside, part)), key=len, default=None)


@pytest.mark.parametrize("module", SOURCES)
def test_imports_respect_the_layers(module: str) -> None:
    part = part_of(module)
    forbidden = FORBIDDEN[part] if part else ()
    if any(begins_with(module, f"tuiface.{name}") for name in NO_TORCH) or module == "tuiface.engine":
        forbidden = (*forbidden, TORCH)
    wrong = {name for name in imports_of(SOURCES[module]) for prefix in forbidden if begins_with(name, prefix)}
    assert not wrong


def test_every_part_has_a_layer() -> None:
    free = ("tuiface", "tuiface.__main__", "tuiface.cli", "tuiface.commands", "tuiface.benchmarks")
    loose = [name for name in SOURCES if part_of(name) is None and name not in free]
    assert [name for name in loose if not any(begins_with(name, part) for part in free[1:])] == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Imports inside functions and for types count as well: who reads one module can read what it stands on first."""
    try:
        TopologicalSorter({module: imported_modules(module) for module in SOURCES}).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("tuiface", ("torch", "textual", "numpy")),
        ("tuiface.app", ("torch", "httpx", "term_image", "numpy", "pydantic")),
        ("tuiface.cli", ("torch", "textual", "numpy", "pydantic")),
        ("tuiface.engine", ("torch", "textual")),
        ("tuiface.engine.loading", ("torch", "textual")),
        ("tuiface.engine.local_engine, tuiface.engine.edits.masks", ("textual", "tuiface.heads")),
        ("tuiface.engine.checkpoints", ("torch", "textual")),
        ("tuiface.service.client", ("torch", "textual")),
        ("tuiface.faces.studio", ("torch", "textual")),
        ("tuiface.directions.catalogue", ("torch", "textual")),
        ("tuiface.faces.library", ("torch", "textual")),
    ],
)
def test_importing_loads_nothing_of_another_layer(module: str, absent: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print(*[m for m in {absent!r} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert out.stdout.split() == []
    assert out.stderr == ""


def test_help_loads_nothing_heavy() -> None:
    heavy = ("torch", "textual", "numpy", "pydantic", "platformdirs")
    code = f"import sys, tuiface.cli as c; c.build_parser(); print(*[m for m in {heavy!r} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split() == []
