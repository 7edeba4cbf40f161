"""Random commands, killed at random moments: `python -m tests.chaos.long_run [--rounds N] [--seed N]`, or `make chaos`.

Each round runs one command of the real command line, or two at once, in processes that are forked from this one (torch
is imported once). One is ended by SIGKILL: at a random moment of the time that it takes, or within milliseconds of one
of the first changes that it makes to the library. Some rounds let the disk fill up instead: a small tmpfs, where this
may be mounted (as root). Afterwards nothing that was acknowledged may be missing, no face may disagree with itself, the
same command must succeed, and nothing hidden may be left. A finding ends the run, which keeps its folder.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from tests.chaos.kills import FileOperations
from tests.conftest import MODEL
from tuiface import cli
from tuiface.core.errors import EXIT_DONE
from tuiface.engine.checkpoints import read_checkpoint
from tuiface.faces.library import Library, read_tags
from tuiface.faces.provenance import pixels_digest, read_saved_face

SEEDS = range(6)
DISK_BYTES = 400_000
PATIENCE_S = 120.0
PAUSE_S = 0.004
"""Before each file operation of a command: a kill from outside would else seldom fall between two."""


class Finding(AssertionError):
    """Something was lost, half-written or refused."""


@dataclass
class Place:
    """A library with what was acknowledged to its user."""

    root: Path
    library: Path
    saved: set[str] = field(default_factory=set)
    """Pictures that a command said it had written, and that no command was asked to remove."""
    tagged: dict[str, set[str]] = field(default_factory=dict)

    def open(self) -> Library:
        return Library(self.library, self.root / "cache")

    def pictures(self) -> list[Path]:
        return sorted(self.library.glob("*.png"))


@dataclass(frozen=True)
class Command:
    """What is run, and what it promises once it has returned without an error."""

    words: tuple[str, ...]
    name: str
    is_repeatable: bool = True
    """Whether it succeeds when it was through already."""
    promise: Callable[[Place], None] = lambda place: None
    before: Callable[[Place], None] = lambda place: None
    """What is no longer promised once it has begun."""


def choose_command(place: Place, chance: random.Random) -> Command:
    """A command that can succeed in `place` as it is."""
    pictures = [path for path in place.pictures() if path.stem.startswith("seed")]
    kinds = ["render", *["render --force"] * 3, "morph --force", "morph --force", "convert", "repair"]
    if pictures:
        kinds += ["tag", "tag", "remove", "remove"]
    kind = chance.choice(kinds)
    seed, name = chance.choice(SEEDS), chance.choice(pictures).name if pictures else ""
    if kind in ("render", "render --force"):
        force = ("--force",) if kind.endswith("--force") else ()
        return Command(("render", str(seed), *force), kind, bool(force), promise_seed(seed))
    if kind == "morph --force":
        words = ("morph", "1", str(seed + 7), "--frames", "3", "--gif", "--force", "--name", "walk")
        return Command(words, kind)
    if kind == "convert":
        return Command(("model", "convert", str(MODEL), str(place.root / "copy.safetensors"), "--force"), kind)
    if kind == "repair":
        return Command(("library", "repair"), kind)
    if kind == "tag":
        tag = f"tag{chance.randrange(1000)}"
        return Command(
            ("library", "tag", name, tag), kind, promise=lambda place: place.tagged.setdefault(name, set()).add(tag)
        )

    def forget(place: Place) -> None:
        place.saved.discard(name)
        place.tagged.pop(name, None)

    return Command(("library", "remove", name, "--yes"), kind, is_repeatable=False, before=forget)


def promise_seed(seed: int) -> Callable[[Place], None]:
    def promise(place: Place) -> None:
        place.saved |= {path.name for path in place.pictures() if path.name.startswith(f"seed{seed}-")}

    return promise


# --- processes -----------------------------------------------------------------------------------------------------


def start(place: Place, words: Sequence[str]) -> tuple[int, Path]:
    """A child that runs the command line; its process id, and the file that it writes to."""
    log = place.root / f"log-{time.monotonic_ns()}"
    child = os.fork()
    if not child:
        code = 70
        try:
            output = os.open(log, os.O_WRONLY | os.O_CREAT, 0o600)
            os.dup2(output, 1)
            os.dup2(output, 2)
            sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
            os.environ["TUIFACE_LIBRARY"] = str(place.library)
            with FileOperations(lambda *operation: time.sleep(PAUSE_S)).watched():
                code = cli.main(list(words))
            sys.stdout.flush()
            sys.stderr.flush()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        finally:
            os._exit(code)
    return child, log


def end(child: int, log: Path) -> int:
    """Its exit code. Raises Finding for a traceback, or one that takes too long."""
    deadline = time.monotonic() + PATIENCE_S
    while not (waited := os.waitpid(child, os.WNOHANG))[0]:
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            raise Finding(f"a command takes longer than {PATIENCE_S:.0f} s")
        time.sleep(0.002)
    text = log.read_text(errors="replace") if log.exists() else ""
    code = os.waitstatus_to_exitcode(waited[1])
    if "Traceback" in text or code == 70:
        raise Finding(f"traceback:\n{text}")
    log.unlink(missing_ok=True)
    return code


def run_through(place: Place, command: Command) -> float:
    """Let it succeed; the seconds that it takes. Raises Finding where it does not."""
    before = time.monotonic()
    child, log = start(place, command.words)
    if code := end(child, log):
        raise Finding(f"{' '.join(command.words)}: exit code {code}")
    command.promise(place)
    return time.monotonic() - before


def wait_for_moment(place: Place, usual_s: float, chance: random.Random) -> None:
    """Until the child is to die."""
    if chance.random() < 0.4:
        time.sleep(chance.uniform(0, 1.1) * usual_s)
        return
    deadline = time.monotonic() + 3 * usual_s
    for _ in range(chance.randint(1, 5)):
        last = list_names(place.library)
        while list_names(place.library) == last and time.monotonic() < deadline:
            pass  # what is written within the next millisecond is what matters
    time.sleep(chance.uniform(0, 2 * PAUSE_S))


def list_names(folder: Path) -> set[tuple[str, int]]:
    """With what they name: the folder's own time is that of the kernel's last tick."""
    with os.scandir(folder) as entries:
        return {(entry.name, entry.inode()) for entry in entries}


# --- what must hold ------------------------------------------------------------------------------------------------


def check(place: Place, seen: Counter[str]) -> None:
    """Raises Finding for anything lost or half-written."""
    hidden = [path.name for path in place.library.iterdir() if path.name.endswith((".tmp", ".old"))]
    seen["hidden file left"] += bool(hidden)
    trash = place.library / ".trash"
    seen["removal to be finished"] += trash.is_dir() and any(p.name.startswith(".") for p in trash.iterdir())
    listing = place.open().look()
    pictures = place.pictures()
    if sorted(face.path for face in listing.faces) != pictures or listing.problems:
        raise Finding(f"the list is not that of the folder: {[str(problem) for problem in listing.problems]}")
    for png in pictures:
        saved = read_saved_face(png)
        if saved.sidecar != "agrees" or saved.pixels is None:
            raise Finding(f"{png.name}: its JSON is {saved.sidecar}")
        if pixels_digest(saved.pixels) != saved.provenance.picture.pixels_sha256:
            raise Finding(f"{png.name}: not the pixels that were recorded")
        seen["picture without its JSON"] += not png.with_suffix(".json").exists()
        missing = place.tagged.get(png.name, set()) - set(read_tags(png).tags)
        if missing:
            raise Finding(f"{png.name}: lost the tags {missing}")
    if lost := place.saved - {png.name for png in pictures}:
        raise Finding(f"lost: {lost}")
    for gif in place.library.glob("*.gif"):
        with Image.open(gif) as film:
            film.seek(film.n_frames - 1)
            film.load()
    copy = place.root / "copy.safetensors"
    if copy.exists():
        read_checkpoint(copy)


def check_after_repair(place: Place) -> None:
    """Nothing hidden is left, and each picture has its JSON."""
    place.open().repair()
    unfinished = (".tmp", ".old", ".removing", ".restoring")
    left = [path for path in place.library.rglob("*") if path.name.endswith(unfinished)]
    bare = [png for png in place.pictures() if not png.with_suffix(".json").exists()]
    if left or bare:
        raise Finding(f"left after repair: {left}, without JSON: {bare}")


def finish_command(place: Place, command: Command, seen: Counter[str]) -> None:
    """The same command again succeeds, or says that it was through."""
    if command.is_repeatable:
        run_through(place, command)
        return
    command.before(place)  # what a second writer promised meanwhile, this one may take away
    child, log = start(place, command.words)
    code = end(child, log)
    seen["tried again: was through already" if code else "tried again: succeeded"] += 1
    if not code:
        command.promise(place)
    elif command.name == "render":
        (png,) = place.library.glob(f"seed{command.words[1]}-*.png")
        if not png.with_suffix(".json").exists():
            raise Finding(f"{png.name} is half-written, and rendering it again is refused")
    elif (place.library / command.words[2]).exists():
        raise Finding(f"{' '.join(command.words)}: exit code {code}")


# --- rounds --------------------------------------------------------------------------------------------------------


class LongRun:
    """Rounds over one library."""

    def __init__(self, root: Path, chance: random.Random) -> None:
        self.place = Place(root, root / "library")
        self.place.library.mkdir()
        self._chance = chance
        self._usual_s: dict[str, float] = {}
        self.seen: Counter[str] = Counter()

    def round(self) -> None:
        place, chance = self.place, self._chance
        command = choose_command(place, chance)
        if command.name not in self._usual_s:
            if command.name == "remove":
                self._usual_s["remove"] = self._usual_s.get("tag", 0.2)
            elif command.name == "render":
                self._usual_s["render"] = self._usual_s.get("render --force", 0.5)
            else:
                self._usual_s[command.name] = run_through(place, command)
        others = [choose_command(place, chance)] if chance.random() < 0.25 else []
        others = [other for other in others if other.is_repeatable]
        for one in (command, *others):
            one.before(place)
        child, log = start(place, command.words)
        running = [(other, *start(place, other.words)) for other in others]
        wait_for_moment(place, self._usual_s[command.name], chance)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        code = end(child, log)
        self.seen["killed" if code == -signal.SIGKILL else "through before the kill"] += 1
        self.seen[f"  {command.name}"] += code == -signal.SIGKILL
        if code == EXIT_DONE:
            command.promise(place)
        for other, other_child, other_log in running:
            self.seen["beside a second writer"] += 1
            if end(other_child, other_log) == EXIT_DONE:
                other.promise(place)
        check(place, self.seen)
        finish_command(place, command, self.seen)
        check(place, Counter())
        check_after_repair(place)
        names = {png.name for png in place.pictures()}
        place.tagged = {name: tags for name, tags in place.tagged.items() if name in names}

    def full_disk_round(self, disk: Path) -> None:
        """A command on a disk with little room, and again with more."""
        place = Place(self.place.root, disk / "library")
        place.library.mkdir()
        again = Command(("render", "1", "--force"), "render --force", promise=promise_seed(1))
        run_through(place, again)
        command = choose_command(place, self._chance)
        if command.name == "convert":  # it writes elsewhere
            command = again
        command.before(place)
        ballast = disk / "ballast"
        free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
        ballast.write_bytes(bytes(max(0, free - self._chance.randrange(0, 24_000))))
        child, log = start(place, command.words)
        code = end(child, log)
        self.seen["refused by a full disk" if code else "fitted on a nearly full disk"] += 1
        check(place, self.seen)
        ballast.unlink()
        finish_command(place, command, self.seen)
        check(place, Counter())
        check_after_repair(place)
        shutil.rmtree(place.library)


@contextlib.contextmanager
def small_disk(root: Path) -> Iterator[Path | None]:
    """A tmpfs of `DISK_BYTES`; None where none can be mounted."""
    disk = root / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", disk], capture_output=True)
    try:
        yield None if mounted.returncode else disk
    finally:
        if not mounted.returncode:
            subprocess.run(["umount", disk], check=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="tuiface-chaos-"))
    places = {"CACHE": "cache", "STATE": "state", "DIRECTIONS": "directions", "RUNTIME": "runtime"}
    os.environ |= {f"TUIFACE_{name}": str(root / folder) for name, folder in places.items()}
    os.environ |= {"TUIFACE_MODEL": str(MODEL), "TUIFACE_DEVICE": "cpu", "TUIFACE_THREADS": "1", "HOME": str(root)}
    import tuiface.engine.local_engine  # noqa: F401 - with torch, once for all children

    chance = random.Random(args.seed)
    run, began = LongRun(root, chance), time.monotonic()
    with small_disk(root) as disk:
        if disk is None:
            print("no small disk can be mounted here: no rounds with a full one")
        for number in range(1, args.rounds + 1):
            try:
                if disk is not None and chance.random() < 0.1:
                    run.full_disk_round(disk)
                else:
                    run.round()
            except Exception as finding:
                print(f"round {number} of seed {args.seed}: {finding}\nits folder stays: {root}")
                raise
            if number % 50 == 0:
                print(f"{number} rounds, {time.monotonic() - began:.0f} s", flush=True)
    pictures = [str(path) for path in run.place.pictures()]
    child, log = start(run.place, ["verify", "--exact", *pictures])
    if code := end(child, log):
        raise Finding(f"verify at the end: exit code {code}")
    print(f"\n{args.rounds} rounds of seed {args.seed}, {time.monotonic() - began:.0f} s; no finding")
    print(f"{len(pictures)} pictures at the end, all verified exact")
    for what, number in run.seen.items():
        print(f"{number:6}  {what}")
    shutil.rmtree(root)
    return 0


if __name__ == "__main__":
    sys.exit(main())
