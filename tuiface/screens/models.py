"""Models: the networks at hand, what a file holds, and which one is used.

A checkpoint is looked into by the command line in a process of its own: this process never reads one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content

from tuiface.actions import quote_words
from tuiface.core import processes
from tuiface.core.errors import ModelError
from tuiface.core.i18n import tr
from tuiface.core.reading import expand_user, is_file
from tuiface.core.strict_json import parse_strict_json
from tuiface.core.visible import to_visible
from tuiface.screens.changes import Drawn
from tuiface.screens.face.words import home_relative
from tuiface.screens.jobs.resident import JobCommand
from tuiface.screens.widgets.text import Static, assemble, styled
from tuiface.screens.work_screen import WorkScreen

if TYPE_CHECKING:
    from tuiface.screens.jobs.runner import ProgressCallback
    from tuiface.screens.state import InterfaceState

COMMAND = processes.python_command("tuiface.cli")


class ModelsScreen(WorkScreen):
    """A list on the left; on the right what the chosen file holds."""

    SCREEN_NAME = "models"

    models: Drawn[tuple[Mapping[str, object], ...]] = Drawn(())
    chosen: Drawn[int] = Drawn(0)
    """Index of the chosen network."""
    reports: Drawn[Mapping[str, Mapping[str, object]]] = Drawn(MappingProxyType({}))
    """What files hold, by path; empty while they are looked into."""
    is_listed: Drawn[bool] = Drawn(default=False)

    def __init__(self, state: InterfaceState) -> None:
        super().__init__(state)
        self._others: list[Path] = []
        """Files that were named here."""

    def compose_body(self) -> ComposeResult:
        """The list and the report."""
        with Horizontal(id="body"):
            yield Static("", id="list")
            yield Static("", id="report")

    def on_screen_resume(self) -> None:
        """Networks may have come."""
        super().on_screen_resume()
        self._read_list()

    # --- what there is -------------------------------------------------------------------------------------------

    def _read_list(self) -> None:
        def work() -> Callable[[], None]:
            lines = run_command(["model", "list", "--json"]).splitlines()
            models = tuple(parse_strict_json(line, file_names=True) for line in lines)
            return lambda: self._take_list(models)

        self.state.link.run(tr("The networks were not listed"), work)

    def _take_list(self, models: tuple[Mapping[str, object], ...]) -> None:
        known = {str(model["path"]) for model in models}
        others: list[Mapping[str, object]] = [
            {"path": str(path), "kind": None}
            for path in self._others
            if str(path) not in known and is_file(path)  # it may be gone meanwhile
        ]
        self.models, self.is_listed = (*models, *others), True

    def _inspect(self, path: str) -> None:
        if path in self.reports:
            return
        self._take_report(path, {})

        def work() -> Callable[[], None]:
            lines = run_command(["model", "inspect", "--json", path], accepted=(0, 4)).splitlines()
            report = parse_strict_json(lines[0], file_names=True)
            if "error" in report:  # it could not even be read
                report = {"refused": f"{report['error']} {report.get('hint') or ''}".rstrip()}
            return lambda: self._take_report(path, report)

        self.state.link.run(tr("The file was not read"), work)

    def _take_report(self, path: str, report: Mapping[str, object]) -> None:
        self.reports = {**self.reports, path: report}

    @property
    def _path(self) -> str:
        """Of the chosen network; empty while none is listed."""
        return str(self.models[self.chosen]["path"]) if self.chosen < len(self.models) else ""

    @property
    def _is_embedded(self) -> bool:
        return self.chosen < len(self.models) and self.models[self.chosen].get("kind") == "embedded"

    @property
    def is_settled(self) -> bool:
        """Whether everything that the screen asked for is known."""
        return self.is_listed and all(self.reports.values())

    # --- drawing -------------------------------------------------------------------------------------------------

    def show_body(self) -> None:
        """The list, and the report of the chosen file."""
        self.query_one("#list", Static).update(self._list())
        if self._path:
            self._inspect(self._path)
        self.query_one("#report", Static).update(self._report())

    def _list(self) -> Content:
        if not self.is_listed:
            return styled(tr("looking for networks"))
        studio = self.state.studio
        in_use = None if studio is None else studio.info.path
        lines = [styled(tr("Networks"), "bold $text-primary")]
        for number, model in enumerate(self.models):
            path = str(model["path"])
            name = tr("embedded") if model.get("kind") == "embedded" else Path(path).name
            if model.get("kind") == "edition":
                name = f"{tr('embedded')}: {Path(path).parent.name}"
            mark = ("● " if self.state.capabilities.unicode else "* ") if path == in_use else "  "
            style = "reverse" if number == self.chosen else "$foreground 85%"
            lines.append(assemble((mark, "$text-success"), (f" {to_visible(name)} ", style)))
        lines += [
            Content(""),
            styled(tr("● is in use. Nothing in a file is ever executed."), "$foreground 55%"),
        ]
        return Content("\n").join(lines)

    def _report(self) -> Content:
        report = self.reports.get(self._path)
        if report is None:
            return Content("")
        title = tr("The model that ships with tuiface") if self._is_embedded else home_relative(Path(self._path))
        lines = [styled(title, "bold $text-primary")]
        if not report:
            return Content("\n").join([*lines, styled(tr("looking into it"))])
        known = {key: value for key, value in report.items() if value not in (None, [], "") and key != "file"}
        width = max(map(len, known)) + 2
        for key, value in known.items():
            shown = " ".join(map(str, value)) if isinstance(value, list) else str(value)
            shown = f"{shown[:16]}…" if key.endswith("sha256") else shown
            style = "$text-error" if key == "refused" else "$foreground 85%"
            lines.append(assemble((f"{key.replace('_', ' '):<{width}}", "$foreground 55%"), (shown, style)))
        return Content("\n").join(lines)

    def command_line(self) -> str:
        """What inspects the chosen file."""
        if not self._path or self._is_embedded:
            return "tuiface model list"
        return quote_words(["tuiface", "model", "inspect", self._path])

    # --- actions -------------------------------------------------------------------------------------------------

    def action_models_up(self) -> None:
        """The network above."""
        self._choose(self.chosen - 1)

    def action_models_down(self) -> None:
        """The network below."""
        self._choose(self.chosen + 1)

    def action_models_choose(self) -> None:
        """Open it: the engine starts again with it."""
        report = self.reports.get(self._path, {})
        if not self._path or report.get("refused"):
            return
        self.state.open_model(None if self._is_embedded else Path(self._path))
        self.notify(tr("Opening {name}", name=Path(self._path).name), timeout=3)

    def action_models_file(self) -> None:
        """Ask for a path."""
        from tuiface.screens.dialogs.prompts import PathPrompt

        def add(text: str | None) -> None:
            if text:
                path = expand_user(text).absolute()
                if path not in self._others:
                    self._others.append(path)
                self._take_list(self.models)
                self._choose([str(model["path"]) for model in self.models].index(str(path)))

        self.app.push_screen(PathPrompt(tr("File"), tr("path of a checkpoint; Enter looks into it, Esc closes")), add)

    def action_models_convert(self) -> None:
        """Ask for a name, then convert as a job."""
        from tuiface.screens.dialogs.prompts import LinePrompt

        source = self._path
        if not source:
            return

        def convert(text: str | None) -> None:
            if text:
                self._convert(source, expand_user(text).absolute())

        name = Path(source).with_suffix(".safetensors").name
        self.app.push_screen(LinePrompt(tr("Into"), tr("a file that ends in .safetensors"), value=name), convert)

    def _convert(self, source: str, target: Path) -> None:
        def work(report: ProgressCallback) -> str:
            report(0, 1)
            run_command(["model", "convert", source, str(target), "--json"])
            report(1, 1)
            return home_relative(target)

        words = ["model", "convert", str(Path(source).absolute()), str(target)]
        command = JobCommand(lambda: words, home_relative(target))
        self.state.jobs.submit_resident(tr("Convert {name}", name=Path(source).name), command, work, 1)
        self.notify(tr("It is being converted; 7 shows how far it is."), timeout=3)

    def _choose(self, number: int) -> None:
        self.chosen = max(0, min(number, len(self.models) - 1))


def run_command(arguments: list[str], accepted: tuple[int, ...] = (0,)) -> str:
    """What a command of tuiface prints; raises ModelError with its own line where it fails."""
    done = processes.run([*COMMAND, *arguments])
    if done.returncode in accepted:
        return done.stdout.decode()
    lines = done.stderr.decode(errors="replace").strip().splitlines()
    raise ModelError((lines[-1] if lines else str(done.returncode)).removeprefix("tuiface: "))
