"""`tuiface verify`: rebuild saved faces from their provenance and compare."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tuiface.commands.arguments import Commands, settings_from
from tuiface.commands.engine_access import open_engine_for
from tuiface.commands.output import emit, note
from tuiface.core.errors import EXIT_CHECK_FAILED, EXIT_DONE, ModelError, TuifaceError

if TYPE_CHECKING:
    from tuiface.core.settings import Settings
    from tuiface.engine_api.protocol import Engine
    from tuiface.faces.provenance import SavedFace
    from tuiface.faces.verification import Verdict

EXAMPLE = """\
examples:
  tuiface verify out/*.png        from the text inside each PNG
  tuiface verify out/*.json       from the JSON files
  tuiface verify --exact a.png    one level of 255 off is a failure too

Exit code 0: every picture is exact or within tolerance (2 levels of 255). 1: something differs, and is named.
Without --model the network is found by its digest among those opened before.
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
    parser.add_argument("files", metavar="FILE", nargs="+", help="a PNG or JSON that tuiface wrote")
    parser.add_argument("--exact", action="store_true", help="accept exact pictures alone, none within tolerance")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Verify each file; a file that cannot be read or rebuilt is reported and the others go on."""
    from tuiface.faces.provenance import read_saved_face
    from tuiface.faces.verification import verify

    engines = Engines(settings_from(args), explicit=getattr(args, "model", None) is not None)
    code = EXIT_DONE
    for name in args.files:
        try:
            saved = read_saved_face(Path(name))
            verdict = verify(saved, engines.for_face(saved))
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
        from tuiface.core.assets import embedded_model_path
        from tuiface.engine.checkpoint import ModelStore
        from tuiface.engine.checkpoints import read_native_header

        embedded = embedded_model_path()
        if embedded.exists() and read_native_header(embedded).network_sha256 == sha256:
            return embedded
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
