"""No command and no screen goes around the two doors to the terminal: read from the sources themselves."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.test_layering import SOURCES, imports_of

CONSOLE, TEXT = "tuiface.core.console", "tuiface.screens.widgets.text"
PICTURES = ("halfblock", "mosaic", "kitty", "image_view", "private_api")
"""Modules of `terminal/` whose segments hold no words."""
INTERFACE = {
    module: path
    for module, path in SOURCES.items()
    if module.startswith(("tuiface.screens", "tuiface.app", "tuiface.terminal"))
}


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


def test_no_text_is_drawn_but_through_the_module_of_texts() -> None:
    """Textual's own classes read markup and take any character; a literal of ours may be a content by itself."""
    drawing = (
        "Content.styled",
        "Content.assemble",
        "Content.from_markup",
        "Content.from_rich_text",
        "Text",
        "RichText",
    )
    around = {
        f"{module}:{call.lineno} {ast.unparse(call)[:60]}"
        for module, path in INTERFACE.items()
        if module != TEXT
        for call in calls_in(path)
        if ast.unparse(call.func) in (*drawing, "Text.from_markup", "widgets.Static", "widgets.Label")
        or (ast.unparse(call.func) == "Content" and not all(isinstance(word, ast.Constant) for word in call.args))
        or any(keyword.arg in ("markup", "tooltip") and not is_ours(module) for keyword in call.keywords)
    }
    assert not around


def is_ours(module: str) -> bool:
    """The app turns markup off for all toasts; the help of keys is our own."""
    return module in ("tuiface.app", "tuiface.screens.bindings")


UNWRITTEN = ("textual.widgets.Input", "textual.widgets._toast")
"""What is typed, and toasts, whose words the app has escaped."""


def test_no_screen_takes_its_texts_from_textual() -> None:
    around = {
        f"{module}: {name}"
        for module, path in INTERFACE.items()
        if module != TEXT
        for name in imports_of(path, for_types=True)
        if name in ("rich.text", "rich.markup", "textual.markup")
        or (name.startswith("textual.widgets.") and not name.startswith(UNWRITTEN))
    }
    assert not around


def test_segments_of_words_are_made_visible_by_hand() -> None:
    """A widget that paints cells itself measures them itself."""
    for module, path in INTERFACE.items():
        if module == TEXT or module.rpartition(".")[2] in PICTURES or "Segment(" not in path.read_text("utf-8"):
            continue
        assert "to_visible(" in path.read_text("utf-8"), module


def test_titles_of_widgets_are_not_used() -> None:
    """They are read as markup."""
    titles = ("border_title", "border_subtitle", "tooltip", "sub_title")
    around = {
        f"{module}:{node.lineno}"
        for module, path in INTERFACE.items()
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in titles
    }
    assert not around
