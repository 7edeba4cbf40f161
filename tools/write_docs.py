"""Write what documents can take from the code (`make docs`): docs/commands.md, docs/keys.md,
and the key table in README.md."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from tuiface.actions import SCREENS, Action, ActionScope, NoCommand, Registry
from tuiface.cli import build_parser, common_flags
from tuiface.screens.widgets.bars import TAB_WORDS

ROOT = Path(__file__).parent.parent
COMMANDS = ROOT / "docs" / "commands.md"
README = ROOT / "README.md"
KEYS = ROOT / "docs" / "keys.md"
BEGIN, END = "<!-- keys: written by `make docs` -->", "<!-- end of keys -->"

INTRODUCTION = """\
# Commands

Written by `make docs` from the parsers. A face is a seed number, the id of a face in the library, or a PNG or JSON that
tuiface wrote. Rows `A-B` are rows A up to and without B. Exit codes: 0 done, 1 the check failed, 2 wrong use, 3 a file
that cannot be read or written, 4 the model, 5 the engine or its device, 130 interrupted. With `--json` every command
prints one JSON object a line on stdout; progress and remarks go to stderr.
"""


KEYS_INTRODUCTION = """\
# Keys

Written by `make docs` from the registry of actions. `?` shows those of a screen, `Ctrl+P` finds an action by its name.
In the settings, a table `[keys]` gives actions other keys by their ids, in Textual's names:

    [keys]
    next_seed = ["n", "ctrl+n"]
"""


def commands_text() -> str:
    """docs/commands.md."""
    common = common_flags()
    shared = {option for action in common._actions for option in action.option_strings}
    parts = [INTRODUCTION, "## Flags of every command\n", _table(common._actions, set())]
    for parser in _walk_parsers(build_parser()):
        parts += [f"## {parser.prog}\n", f"{_sentence(parser)}\n", _table(parser._actions, {*shared, "-h"})]
    return "\n".join(part for part in parts if part)


def key_table(actions: Sequence[Action], *, ids: bool = False) -> str:
    """A row an action; with `ids` its id as well, by which the settings give it other keys."""
    head = "| key | action | the same without the interface |" + (" id |" if ids else "")
    rows = [head, "|---|---|---|" + ("---|" if ids else "")]
    for action in actions:
        keys = " ".join(f"`{_cell(key)}`" for key in action.key_labels)
        command = action.command.reason if isinstance(action.command, NoCommand) else f"`{_cell(action.command)}`"
        rows.append(
            f"| {keys} | **{action.label}.** {action.help} | {command} |" + (f" `{action.id}` |" if ids else "")
        )
    return "\n".join(rows)


def keys_text() -> str:
    """docs/keys.md: all screens."""
    parts = [KEYS_INTRODUCTION]
    titles: dict[ActionScope, str] = {place: TAB_WORDS[place] for place in SCREENS}
    titles["answering"] = "Answering, from Concepts"
    for place, title in {**titles, "everywhere": "Everywhere"}.items():
        parts.append(f"## {title}\n\n{key_table(Registry().in_scope(place), ids=True)}\n")
    return "\n".join(parts)


def update_key_table(readme: str) -> str:
    """The README with its key table brought up to date."""
    before, rest = readme.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n{key_table(Registry().on_screen('face'))}\n{END}{after}"


def _walk_parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """Every parser below `parser`, in order."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                yield child
                yield from _walk_parsers(child)


def _sentence(parser: argparse.ArgumentParser) -> str:
    example = next((line.strip() for line in _lines(parser.epilog) if line.strip().startswith("tuiface")), "")
    about = parser.description or ""
    return f"{about}\n\n    {example}" if about else f"    {example}"


def _lines(epilog: str | None) -> list[str]:
    return (epilog or "").removeprefix("example: ").splitlines()


def _table(actions: list[argparse.Action], leave_out: set[str]) -> str:
    rows = []
    for action in actions:
        if isinstance(action, argparse._SubParsersAction) or leave_out & set(action.option_strings):
            continue
        if action.help == argparse.SUPPRESS:  # another name of a flag, still accepted
            continue
        choices = "|".join(map(str, action.choices)) if action.choices else ""
        value = "" if action.nargs == 0 else str(choices or action.metavar or action.dest.upper())
        name = " ".join(filter(None, (", ".join(action.option_strings), value)))
        rows.append(f"| `{_cell(name)}` | {_cell(action.help or '')} |")
    return "\n".join(["| | |", "|---|---|", *rows, ""]) if rows else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> None:
    """Write all."""
    COMMANDS.write_text(commands_text(), "utf-8")
    KEYS.write_text(keys_text(), "utf-8")
    README.write_text(update_key_table(README.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
