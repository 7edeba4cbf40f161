"""`tuiface verify`: rebuild saved faces from their provenance and compare."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tuiface.commands.arguments import Commands, settings_from
from tuiface.commands.engine_access import open_engine_for
from tuiface.commands.output import emit, note
from tuiface.core.argument_types import parse_path
from tuiface.core.errors import (
    EXIT_CHECK_FAILED,
    EXIT_DONE,
    InputFileError,
    ModelError,
    TuifaceError,
    UsageError,
    quote,
)

if TYPE_CHECKING:
    from tuiface.core.settings import Settings
    from tuiface.engine_api.protocol import Engine
    from tuiface.faces.provenance import SavedFace
    from tuiface.faces.verification import Verdict
    from tuiface.service.audit_log import AuditReport

EXAMPLE = """\
examples:
  tuiface verify out/*.png        from the text inside each PNG
  tuiface verify out/*.json       from the JSON files
  tuiface verify --exact a.png    one level of 255 off is a failure too
  tuiface verify --audit          the shared engine's record of what it made, entry by entry

Exit code 0: every picture is exact or within tolerance (2 levels of 255). 1: something differs, and is named.
Without --model the network is found by its digest among those opened before. Measures are taken again, and the licence,
parents that lie beside the face or in the library, and directions are compared; operator and time are the record's own
words, which nothing in a picture shows (--audit, where a shared engine made it).
"""


def add_parser(commands: Commands[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "verify",
        parents=[common],
        help="rebuild saved faces and compare",
        description="Rebuild faces from their provenance alone, compare pixel by pixel, and name what differs.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "files", type=parse_path, metavar="FILE", nargs="*", help="a PNG or JSON that tuiface wrote; or an audit log"
    )
    parser.add_argument("--exact", action="store_true", help="accept exact pictures alone, none within tolerance")
    parser.add_argument(
        "--audit", action="store_true", help="check the chain of audit logs; without FILE, of all in the state folder"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Verify each file; a file that cannot be read or rebuilt is reported and the others go on."""
    if args.audit:
        return _check_audit(args)
    if not args.files:
        raise UsageError("no FILE given; accepted: PNGs or JSONs that tuiface wrote, or --audit")
    from tuiface.faces.provenance import read_saved_face
    from tuiface.faces.verification import find_saved_recipe, verify

    settings = settings_from(args)
    engines = Engines(settings, explicit=getattr(args, "model", None) is not None)
    code = EXIT_DONE
    for name in args.files:
        try:
            saved = read_saved_face(Path(name))
            folders = (Path(name).parent, settings.library)
            verdict = verify(saved, engines.for_face(saved), partial(find_saved_recipe, folders))
        except TuifaceError as error:
            if len(args.files) == 1:
                raise
            emit(args, f"{name}: cannot be verified: {error}", file=name, status="error", error=str(error))
            code = max(code, error.exit_code)
            continue
        _report(args, name, verdict)
        if verdict.status == "differs" or (args.exact and verdict.status != "exact"):
            code = max(code, EXIT_CHECK_FAILED)
    return code


def _check_audit(args: argparse.Namespace) -> int:
    """Follow the chain of each file by itself, or of all files of the state folder together."""
    from tuiface.service.audit_log import audit_files, check_files

    if args.exact:
        raise UsageError("--exact is of pictures; an audit log holds or does not")
    chains = [[Path(name)] for name in args.files]
    if not chains:
        folder = settings_from(args).state
        chains = [audit_files(folder)]
        if not chains[0]:
            raise InputFileError(f"no audit log in {quote(folder)}", "a shared engine writes it: tuiface engine start")
    code = EXIT_DONE
    for paths in chains:
        report = check_files(paths)
        _report_chain(args, paths, report)
        if report.problem:
            code = EXIT_CHECK_FAILED
    return code


def _report_chain(args: argparse.Namespace, paths: list[Path], report: AuditReport) -> None:
    name = str(paths[-1])
    if report.problem:
        line = f"{name}: does not hold: {report.problem}"
    elif not report.num_entries:
        line = f"{name}: no entry yet"
    else:
        line = f"{name}: holds, entries {report.first} to {report.last}; the last one's digest is {report.last_sha256}"
    emit(
        args,
        line,
        files=[str(path) for path in paths],
        status="differs" if report.problem else "holds",
        entries=report.num_entries,
        first=report.first,
        last=report.last,
        last_sha256=report.last_sha256,
        damages=report.damages,
        problem=report.problem,
    )
    for sequence in report.damages:
        note(f"  entry {sequence} tells of bytes before it that are no entry, as a power cut leaves them")
    if report.first > 1:
        note(f"  it begins with entry {report.first}: those before lie in earlier files")
    note("  entries cut off behind the last one do not show: compare its digest with one that was written down before")


class Engines:
    """Engines by network, opened when first needed."""

    def __init__(self, settings: Settings, *, explicit: bool) -> None:
        self._settings = settings
        self._explicit = explicit
        """Whether the user named the model: then no other one is looked for."""
        self._opened: dict[str, Engine] = {}

    def for_face(self, saved: SavedFace) -> Engine:
        """The engine for the face's network. Raises ModelError if that network is not at hand.

        A resident engine that holds another network is an EngineError.
        """
        wanted = saved.provenance.recipe.model
        key = "" if self._explicit else wanted.sha256
        if key not in self._opened:
            settings = self._settings
            if not self._explicit:
                settings = settings.model_copy(update={"model": self._find(wanted.sha256, wanted.name)})
            self._opened[key] = open_engine_for(settings)
        return self._opened[key]

    def _find(self, sha256: str, name: str) -> Path:
        from tuiface.engine.checkpoint import ModelStore, shipped_networks

        if sha256 in (shipped := shipped_networks()):
            return shipped[sha256]
        found = ModelStore(self._settings.cache).find_network(sha256) or self._settings.model
        if found is None:
            raise ModelError(
                f"the network '{name}' ({sha256[:10]}) was never opened here",
                "name its file: tuiface verify --model FILE",
            )
        return found


def _report(args: argparse.Namespace, name: str, verdict: Verdict) -> None:
    amount = f", at most {verdict.max_difference} of 255 levels apart" if verdict.status == "within tolerance" else ""
    emit(
        args,
        f"{name}: {verdict.status}{amount}",
        file=name,
        status=verdict.status,
        differences=verdict.differences,
        context=verdict.context,
        max_difference=verdict.max_difference,
    )
    for text in verdict.differences:
        note(f"  {text}")
    if verdict.status != "exact":
        for text in verdict.context:
            note(f"  not as recorded: {text}")
