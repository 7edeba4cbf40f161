"""Hostile files are refused before torch is even loaded, and the reader has no way to run what they name."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import tuiface.engine.checkpoints

PACKAGE = Path(tuiface.engine.checkpoints.__file__).parent
FORBIDDEN_MODULES = {"torch", "pickle", "_pickle", "importlib", "marshal", "shelve", "subprocess", "ctypes", "zipfile"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "setattr", "globals", "getattr"}


def test_reading_a_checkpoint_never_loads_torch() -> None:
    script = (
        "import sys; import tuiface.engine.checkpoints; sys.exit('torch' in sys.modules or 'textual' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_no_module_can_run_or_import_by_name() -> None:
    for path in PACKAGE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                names = {(node.module or "").partition(".")[0]}
            else:
                names = set()
            assert not names & FORBIDDEN_MODULES, path.name
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in FORBIDDEN_CALLS or _has_fixed_name(node), f"{path.name}:{node.lineno}"


def test_files_and_functions_stay_short() -> None:
    for path in PACKAGE.glob("*.py"):
        text = path.read_text()
        assert len(text.splitlines()) < 800, path.name
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                assert (node.end_lineno or 0) - node.lineno < 60, f"{path.name}: {node.name}"


def _has_fixed_name(call: ast.Call) -> bool:
    """`getattr(x, "constant", default)` is as fixed as an attribute."""
    return isinstance(call.func, ast.Name) and call.func.id == "getattr" and isinstance(call.args[1], ast.Constant)
