"""`tuiface engine`: one model in memory for several interfaces, and for work that outlives a connection."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from tuiface.commands.arguments import Commands, settings_from
from tuiface.commands.output import emit, note
from tuiface.core.argument_types import parse_account, real_number
from tuiface.core.errors import EXIT_CHECK_FAILED, EXIT_DONE
from tuiface.core.visible import to_visible

if TYPE_CHECKING:
    from tuiface.service.messages import JobLine, Status

DEFAULT_IDLE_MINUTES = 60.0
EXAMPLE = """\
examples:
  tuiface engine start                               stays when you log out; ends after an hour without use
  tuiface --model ffhq.pkl engine start --group lab  the Unix group `lab` may use it: tuiface --engine YOU
  tuiface engine status
  tuiface engine stop                                after the saves that wait; --force cancels jobs
"""


def add_parser(commands: Commands[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Describe the command and its actions."""
    parser = commands.add_parser(
        "engine",
        parents=[common],
        help="start, show and stop a resident engine",
        description=(
            "A resident engine keeps one model in memory. Interfaces take it where it fits, so that the first face is "
            "there at once, and long work started in them goes on when they or their SSH connection end."
        ),
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, text: str, example: str) -> argparse.ArgumentParser:
        return actions.add_parser(name, parents=[common], help=text, epilog=f"example: tuiface engine {example}")

    start = action("start", "start it, detached from this login", "start --idle-minutes 600")
    start.add_argument(
        "--idle-minutes",
        type=real_number(0, 999_999, accepted="0 (never) to 999999"),
        default=DEFAULT_IDLE_MINUTES,
        metavar="N",
        help=f"end after N minutes without interfaces and work; 0: never (default: {DEFAULT_IDLE_MINUTES:g})",
    )
    start.add_argument(
        "--group", type=parse_account, metavar="G", help="Unix group whose users may use it too; default: you alone"
    )
    start.set_defaults(run=run_start)
    status = action("status", "show it, its clients and its jobs; exit code 1 if none runs", "status --json")
    status.set_defaults(run=run_status)
    stop = action("stop", "stop it after the saves that wait; exit code 1 if jobs keep it", "stop --force")
    stop.add_argument("--force", action="store_true", help="cancel the jobs that run")
    stop.set_defaults(run=run_stop)


def run_start(args: argparse.Namespace) -> int:
    """Start it and say what it holds."""
    from tuiface.service.daemon import start

    _emit_status(args, start(settings_from(args), idle_minutes=args.idle_minutes, group=args.group))
    return EXIT_DONE


def run_status(args: argparse.Namespace) -> int:
    """Show it; exit code 1 where none runs."""
    from tuiface.service.daemon import query_status

    found = query_status(settings_from(args))
    if found is None:
        return _report_none_running(args)
    _emit_status(args, found)
    return EXIT_DONE


def run_stop(args: argparse.Namespace) -> int:
    """Stop it; exit code 1 where jobs keep it, or none runs."""
    from tuiface.service.daemon import stop

    answer = stop(settings_from(args), force=args.force)
    if answer is None:
        return _report_none_running(args)
    for line in answer.jobs:
        note(f"{'cancelled' if answer.stops else 'runs'}: {_job_text(line)}")
    stopped = "stopped" if answer.stops else "not stopped: jobs run (--force cancels them)"
    emit(args, stopped, stopped=answer.stops, jobs=[line.model_dump(mode="json") for line in answer.jobs])
    return EXIT_DONE if answer.stops else EXIT_CHECK_FAILED


def status_text(found: Status) -> str:
    """One line: what it holds and where."""
    text = f"{found.model} on {found.device} ({found.device_name})"
    return f"{text}, process {found.pid} of {found.user}, up {_format_duration(found.uptime_s)}"


def _emit_status(args: argparse.Namespace, found: Status) -> None:
    memory = f"{found.memory_mb:.0f} MB"
    if found.device_memory_mb is not None:
        memory += f", {found.device_memory_mb:.0f} MB on the device"
    idle = f"ends after {found.idle_minutes:g} min without use" if found.idle_minutes else "never ends by itself"
    shared = f"shared with the group {found.group}" if found.group else f"for {found.user} alone"
    clients = ", ".join(f"{line.user} ({line.interfaces})" for line in found.clients) or "none"
    lines = [
        status_text(found),
        f"  memory      {memory}",
        f"  use         {shared}; {idle}",
        f"  interfaces  {clients}",
        f"  audit       {found.audit} (tuiface verify --audit)",
    ]
    lines += [f"  job         {_job_text(line)}" for line in found.jobs]
    emit(args, *lines, running=True, **found.model_dump(mode="json"))


def _job_text(line: JobLine) -> str:
    job = line.job
    steps = f" {job.done} of {job.total}" if job.total else ""
    return f"{line.user}: {to_visible(job.label)}: {job.state}{steps}"


def _report_none_running(args: argparse.Namespace) -> int:
    emit(args, "no resident engine runs", running=False)
    return EXIT_CHECK_FAILED


def _format_duration(seconds: float) -> str:
    minutes = int(seconds) // 60
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
