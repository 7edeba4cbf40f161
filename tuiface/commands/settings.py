"""`tuiface settings`: what holds now and where it comes from; set one, or give it back its default."""

from __future__ import annotations

import argparse

from tuiface.commands.arguments import Commands, flags_from
from tuiface.commands.output import emit
from tuiface.core.argument_types import parse_text
from tuiface.core.errors import EXIT_DONE

EXAMPLE = """\
examples:
  tuiface settings                       all of them, and where each comes from
  tuiface settings set psi 0.5
  tuiface settings set language es
  tuiface settings unset psi             the default again
"""


def add_parser(commands: Commands[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Describe the command and its actions."""
    parser = commands.add_parser(
        "settings",
        parents=[common],
        help="show and change what is set once",
        description="Defaults, then the settings file, then the environment, then flags (docs/settings.md).",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run_list)
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    listing = actions.add_parser("list", parents=[common], help="all of them", epilog="example: tuiface settings list")
    listing.set_defaults(run=run_list)
    setting = actions.add_parser(
        "set", parents=[common], help="write one into the settings file", epilog="example: tuiface settings set psi 0.5"
    )
    setting.add_argument("name", type=parse_text, metavar="NAME", help="see tuiface settings")
    setting.add_argument("value", type=parse_text, metavar="VALUE", help="as the environment would say it")
    setting.set_defaults(run=run_set)
    unset = actions.add_parser(
        "unset", parents=[common], help="take one out of the file", epilog="example: tuiface settings unset psi"
    )
    unset.add_argument("name", type=parse_text, metavar="NAME")
    unset.set_defaults(run=run_unset)


def run_list(args: argparse.Namespace) -> int:
    """One line a setting."""
    from tuiface.core.settings_file import format_value, list_settings

    for row in list_settings(flags_from(args)):
        value = format_value(row.value)
        emit(args, f"{row.name:<11}{value:<40} {row.source}".rstrip(), name=row.name, value=value, source=row.source)
    return EXIT_DONE


def run_set(args: argparse.Namespace) -> int:
    """Write one; comments and order of the file stay."""
    return _write(args, args.value)


def run_unset(args: argparse.Namespace) -> int:
    """The default again."""
    return _write(args, None)


def _write(args: argparse.Namespace, value: str | None) -> int:
    from tuiface.core.settings_file import format_value, list_settings, write_setting

    path = write_setting(args.name, value)
    row = next(row for row in list_settings(flags_from(args)) if row.name == args.name)
    line = f"{row.name} = {format_value(row.value)}  ({row.source}; {path})"
    emit(args, line, name=row.name, value=format_value(row.value), source=row.source, file=str(path))
    return EXIT_DONE
