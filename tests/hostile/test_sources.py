"""No command and no screen goes around the two doors to the terminal: read from the sources themselves."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.test_layering import SOURCES

CONSOLE = "tuiface.core.console"


def calls_in(path: Path) -> Iterator[ast.Call]:
    tree = ast.parse(path.read_text("utf-8"))
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def test_nothing_is_printed_or_asked_but_through_the_console() -> None:
    around = {
        f"{module}:{call.lineno} {ast.unparse(call.func)}"
        for module, path in SOURCES.items()
        if module != CONSOLE
        for call in calls_in(path)
        if ast.unparse(call.func)
        in ("print", "input", "sys.stdout.write", "sys.stderr.write", "warnings.warn", "pprint", "traceback.print_exc")
    }
    assert not around
