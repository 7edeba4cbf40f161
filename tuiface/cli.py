"""The command line: parse, run one command, turn every user error into one line and an exit code.

This module and the parsers in `tuiface/commands/` import nothing heavy: `tuiface --help` must answer at once, and the
interface must paint before torch is loaded. Commands import what they need when they run.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterator, Sequence
from typing import NoReturn

from tuiface.core.argument_types import parse_account, parse_path, to_usage, whole_number
from tuiface.core.console import forget_odd_sizes, print_json, print_line, show_bugs_and_warnings
from tuiface.core.errors import (
    EXIT_DONE,
    EXIT_INTERRUPTED,
    EngineError,
    TuifaceError,
    UsageError,
    quote,
    suggest_nearest,
)
from tuiface.core.limits import MAX_THREADS
from tuiface.core.processes import leave_out_working_folder, limit_spinning
from tuiface.core.reading import explain
from tuiface.core.version import __version__

DESCRIPTION = """\
Make and edit faces for memory research: StyleGAN2, offline, by keyboard in the terminal.
Without a command, tuiface opens its interface.
"""

EXAMPLES = """\
examples:
  tuiface                                  open the interface
  tuiface render 42 --psi 0.7 --out out/   a face by its seed number, with its provenance
  tuiface verify out/*.png                 rebuild each picture and compare
  tuiface doctor                           what works here, and what to do about the rest

A face is a seed number, the id of a face in the library, or a PNG or JSON that tuiface wrote.
"""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line and end as UsageError."""

    def error(self, message: str) -> NoReturn:
        """Raise UsageError; argparse would print the usage and exit."""
        match = re.search(r"invalid choice: '([^']*)' \(choose from (.*)\)", message)
        if match:
            accepted = [name.strip("' ") for name in match[2].split(",")]
            what = message[: match.start()].removeprefix("argument ").strip(": ")
            raise UsageError(
                f"{what} {quote(match[1])}; accepted: {', '.join(accepted)}", suggest_nearest(match[1], accepted)
            )
        if message.startswith("unrecognized arguments:"):
            raise _unknown_flag_error(message.split()[2], self)
        raise UsageError(to_usage(message), f"{self.prog} --help")


#: What the field's other programs call ours.
FLAGS_ELSEWHERE = {
    **dict.fromkeys(("--trunc", "--truncation", "--truncation-psi", "--truncation_psi"), "--psi"),
    **dict.fromkeys(("--network", "--network-pkl", "--pkl", "--ckpt", "--checkpoint", "--weights"), "--model"),
    **dict.fromkeys(("--outdir", "--out-dir", "--output", "--save-dir"), "--out"),
    **dict.fromkeys(("--noise-mode", "--noise_mode"), "--noise"),
    **dict.fromkeys(("--seed", "--seeds"), "a word of its own, without a flag, as in: tuiface render 3 0-7"),
    **dict.fromkeys(("--styles", "--col-styles", "--style-mixing"), "--mix FACE@ROWS"),
    **dict.fromkeys(("--resolution", "--res"), "--size"),
}


def _unknown_flag_error(word: str, parser: argparse.ArgumentParser) -> UsageError:
    """The refusal of a word that no command knows, with the flag that was meant."""
    flag = word.partition("=")[0]
    known = sorted({name for p in _all_parsers(parser) for name in p._option_string_actions if name.startswith("--")})
    meant = FLAGS_ELSEWHERE.get(flag)
    hint = f"here it is {meant}" if meant else suggest_nearest(flag, known) if flag.startswith("--") else ""
    if flag.startswith("--") and not meant:
        hint = _setting_hint(flag.removeprefix("--")) or hint
    return UsageError(f"unrecognized argument {quote(word)}", hint or f"{parser.prog} --help")


def _setting_hint(name: str) -> str:
    """How a setting is given that is no flag; empty for what is no setting."""
    from tuiface.core.settings import ENVIRONMENT_PREFIX, Settings, settings_path

    if name not in Settings.model_fields:
        return ""
    return f"it is a setting: {ENVIRONMENT_PREFIX}{name.upper()}=..., or {name} = ... in {settings_path()}"


def refuse_unknown_flags_in_front(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> None:
    """Raise UsageError for a flag in front of the command that nobody knows: argparse would blame the word after it."""
    words = iter(arguments)
    for word in words:
        if not word.startswith("--"):
            return
        flag, is_joined, _ = word.partition("=")
        actions = [action for name, action in parser._option_string_actions.items() if name.startswith(flag)]
        if not actions:
            raise _unknown_flag_error(word, parser)
        if actions[0].nargs != 0 and not is_joined:
            next(words, None)


def _all_parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _all_parsers(command)


def build_parser() -> Parser:
    """The parser of all commands, with light imports only."""
    from tuiface.commands import (
        bench,
        dataset,
        directions,
        doctor,
        engine,
        fairness,
        import_faces,
        library,
        model,
        morph,
        population,
        render,
        sets,
        settings,
        show,
        swap,
        train,
        verify,
    )

    parser = Parser(
        prog="tuiface", description=DESCRIPTION, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"tuiface {__version__}")
    common = common_flags()
    # With the defaults left out here, a flag in front of the command and one behind it fill the same places.
    for action in common_flags()._actions:
        parser._add_action(action)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands", parser_class=Parser)
    for module in (
        render,
        show,
        verify,
        morph,
        swap,
        import_faces,
        sets,
        fairness,
        directions,
        population,
        model,
        library,
        dataset,
        train,
        engine,
        settings,
        doctor,
        bench,
    ):
        module.add_parser(commands, common)
    return parser


def common_flags() -> argparse.ArgumentParser:
    """Flags that every command takes, in front of its name or behind it."""
    common = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument(
        "--model",
        type=parse_path,
        metavar="FILE",
        help="checkpoint to use instead of the settings' or the embedded one",
    )
    common.add_argument("--device", choices=("auto", "cpu", "cuda"), help="where the engine runs (default: auto)")
    common.add_argument(
        "--threads", type=whole_number(0, MAX_THREADS), metavar="N", help="CPU threads of the engine (default: all)"
    )
    common.add_argument(
        "--graphics",
        choices=("auto", "kitty", "sixel", "block", "none"),
        help="how the interface shows pictures (default: auto)",
    )
    common.add_argument(
        "--engine",
        type=parse_account,
        metavar="WHICH",
        help="auto, private, resident (commands take yours too), or the user who shares one (docs/settings.md)",
    )
    common.add_argument("--json", action="store_true", help="print one JSON object a line on stdout")
    return common


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    if argv is None:
        show_bugs_and_warnings()
    forget_odd_sizes(os.environ)
    leave_out_working_folder()
    limit_spinning()
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # to look for some takes 10 ms, and runs foreign code
    as_json = "--json" in arguments
    try:
        return _run(arguments)
    except TuifaceError as error:
        return _report_error(error, as_json=as_json)
    except BrokenPipeError:  # the reader of a pipe went away, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_DONE
    except OSError as error:
        if (explained := explain(error)) is None:
            raise
        return _report_error(explained, as_json=as_json)
    except MemoryError:
        return _report_error(EngineError("out of memory", "close other programs"), as_json=as_json)
    except KeyboardInterrupt:
        print_line("tuiface: interrupted", to_stderr=True)
        return EXIT_INTERRUPTED


def _run(arguments: list[str]) -> int:
    if not arguments:  # to describe all commands takes a tenth of the time to the first paint
        return _open_interface(argparse.Namespace())
    parser = build_parser()
    refuse_unknown_flags_in_front(parser, arguments)
    args = parser.parse_args(arguments)
    if args.command is None:
        return _open_interface(args)
    code = args.run(args)
    sys.stdout.flush()
    assert isinstance(code, int)
    return code


def _open_interface(args: argparse.Namespace) -> int:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("the interface needs a terminal", "without one, use a command: tuiface render --help")
    from tuiface.commands.arguments import settings_from
    from tuiface.screens.garbage import pause_collection
    from tuiface.terminal.probe import Probe, drop_coerced_locale

    pause_collection()
    settings = settings_from(args)
    probe = Probe.start(drop_coerced_locale())  # answers arrive while the interface is imported
    try:
        from tuiface.app import run_app
    finally:
        probe.answers()  # the terminal is as it was before anything else uses it
    return run_app(settings, probe)


def _report_error(error: TuifaceError, *, as_json: bool) -> int:
    if as_json:
        print_json({"error": error.message, "hint": error.hint, "exit_code": error.exit_code})
    print_line(f"tuiface: {error}", to_stderr=True)
    return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
