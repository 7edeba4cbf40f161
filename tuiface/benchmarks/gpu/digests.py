"""The same bytes in five processes: alone, two at once, beside a holder of 90 % of the memory, after other requests.

Each process draws pictures of a network of FFHQ's shape in float32, alone and in a batch, through the kernels; a face
and a locked face through the engine; and the same pictures in float16, whose digest is only told. Run as a module it is
such a process, given what it is to do as JSON: `python -m tuiface.benchmarks.gpu.digests ORDER`.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from tuiface.benchmarks.gpu.bench import Bench
from tuiface.benchmarks.gpu.rows import Case, Figures
from tuiface.benchmarks.gpu.workload import WORKLOADS
from tuiface.benchmarks.networks import drawing, sample_steps, sample_ws
from tuiface.core.console import print_json
from tuiface.core.errors import EngineError
from tuiface.core.processes import PIPE, python_command, start
from tuiface.core.settings import Settings
from tuiface.core.strict_json import parse_strict_json
from tuiface.engine.networks.inference import step_styles
from tuiface.engine.renderer import exact_convolutions

if TYPE_CHECKING:
    from tuiface.engine.local_engine import LocalEngine
    from tuiface.engine.networks.generator import Generator

_HELD = 0.9
_NUM_PICTURES = 8
_HALF_SHARE = 0.3
_LONGEST_RUN = 20
"""Requests of one shape that come one after the other."""
_OUT_OF_TIME_S = 5.0


@dataclass(frozen=True, slots=True)
class Order:
    """What a process is to do."""

    device: str
    workload: str
    cache: str
    seconds: float
    """How long it may take."""
    requests: int = 0
    """Others, of random shapes, before the digests are taken once more."""
    held: float = 0.0
    """Take this share of the device's free memory instead, and hold it until standard input ends."""


@dataclass(frozen=True, slots=True)
class Digests:
    """What a process drew."""

    exact: tuple[str, ...]
    """Each time the same pictures, one by one or in a batch, early or late: one digest, if all is well."""
    faces: tuple[str, ...]
    """The same of faces of the engine."""
    half: tuple[str, ...]
    """The same of float16, one by one."""
    requests: int
    """Others that were answered between."""


def cases(bench: Bench) -> Iterator[Case]:
    """What is compared; the processes run once."""
    run = lru_cache(maxsize=1)(partial(_run_processes, bench))
    one = {"different": 1.0}
    yield Case("processes that answered", lambda: _count(run()), 40.0)
    yield Case("float32, five processes", lambda: _compare([d for r in run().reports for d in r.exact]), 0, one)
    faces = "faces and locked faces, five processes"
    yield Case(faces, lambda: _compare([d for r in run().reports for d in r.faces]), 0, one)
    yield Case("float16, five processes", lambda: _compare([d for r in run().reports for d in r.half]), 0)
    yield Case("other requests between", lambda: {"requests": max(float(r.requests) for r in run().reports)}, 0)


@dataclass(frozen=True, slots=True)
class _Answers:
    """Of all processes."""

    reports: list[Digests]
    failures: list[str]
    """Of those that gave none."""


def _count(found: _Answers) -> Figures:
    """Raises EngineError where one gave no answer; the others are compared all the same."""
    if found.failures:
        raise EngineError(f"{len(found.reports)} answered: {'; '.join(found.failures)}")
    return {"processes": float(len(found.reports))}


def _compare(digests: list[str]) -> Figures:
    if not digests:
        raise EngineError("no process answered")
    return {"different": float(len(set(digests))), "taken": float(len(digests)), "digest": digests[0][:16]}


def _run_processes(bench: Bench) -> _Answers:
    """One alone, two at once, one beside a holder of memory, one that answers a thousand other requests."""
    ends = time.monotonic() + min(bench.workload.digest_s, bench.left_s())
    found = _Answers([], [])

    def order(*, requests: int = 0, held: float = 0.0) -> Order:
        return _order(bench, ends - time.monotonic(), requests=requests, held=held)

    def run(how: str, *orders: Order) -> None:
        """At once."""
        for wait in [_begin(one) for one in orders]:
            try:
                found.reports.append(wait())
            except EngineError as error:
                found.failures.append(f"{how}: {error.message}")

    run("alone", order())
    run("two at once", order(), order())
    try:
        with _hold_memory(order(held=_HELD)):
            run("with 90 % of the memory taken", order())
    except EngineError as error:
        found.failures.append(error.message)
    run("after other requests", order(requests=bench.workload.num_requests))
    return found


def _order(bench: Bench, seconds: float, *, requests: int = 0, held: float = 0.0) -> Order:
    name = next(name for name, workload in WORKLOADS.items() if workload is bench.workload)
    return Order(bench.device.type, name, str(bench.settings.cache), seconds, requests, held)


def _start(order: Order) -> subprocess.Popen[bytes]:
    command = python_command(__name__, json.dumps({name: getattr(order, name) for name in Order.__slots__}))
    return start(command, stdin=PIPE, stdout=PIPE, stderr=PIPE)


def _begin(order: Order) -> Callable[[], Digests]:
    """Start a process; the function waits for what it found."""
    process = _start(order)

    def wait() -> Digests:
        try:
            out, said = process.communicate(timeout=max(order.seconds, 0.0))
        except subprocess.TimeoutExpired:
            raise EngineError(f"a process that draws digests took longer than {order.seconds:.0f} s") from None
        finally:
            process.kill()
        if process.returncode:
            lines = said.decode(errors="replace").strip().splitlines() or ["nothing was said"]
            raise EngineError(f"a process that draws digests ended with exit code {process.returncode}: {lines[-1]}")
        values: dict[str, Any] = parse_strict_json(out.splitlines()[-1])
        return Digests(tuple(values["exact"]), tuple(values["faces"]), tuple(values["half"]), int(values["requests"]))

    return wait


@contextmanager
def _hold_memory(order: Order) -> Iterator[None]:
    """A process that has taken its share when the block begins, and gives it back at the end."""
    process = _start(order)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        if not process.stdout.readline():
            raise EngineError("the process that holds memory ended before it held any")
        yield
    finally:
        process.kill()
        process.communicate()


# ---- in such a process


def take_digests(order: Order) -> Digests:
    """Draw everything, answer the other requests, and draw everything again."""
    bench = _open(order)
    generator = bench.network(bench.workload.resolution)
    engine = _open_engine(bench)
    exact = [_digest_alone(generator, torch.float32), _digest_batch(generator)]
    half, faces = [_digest_alone(generator, torch.float16)], [_digest_faces(engine)]
    answered = 0
    if order.requests:
        answered = answer_requests(bench, generator, order.requests)
        exact += [_digest_batch(generator), _digest_alone(generator, torch.float32)]
        half.append(_digest_alone(generator, torch.float16))
        faces.append(_digest_faces(engine))
    return Digests(tuple(exact), tuple(faces), tuple(half), answered)


def answer_requests(bench: Bench, generator: Generator, count: int) -> int:
    """Pictures of random sizes, batches, modes, noise and edits; how many there was time for."""
    rng, answered = np.random.RandomState(0), 0
    while answered < count and bench.left_s() > _OUT_OF_TIME_S:
        request = _sample_request(rng, generator)
        for _ in range(min(rng.randint(1, _LONGEST_RUN + 1), count - answered)):
            request(rng.randint(1000))
            answered += 1
    return answered


def _sample_request(rng: np.random.RandomState, generator: Generator) -> Callable[[int], object]:
    """A shape of work; the function does it for a seed."""
    until = int(rng.choice(generator.config.block_resolutions))
    batch = int(rng.choice((1, 1, 1, 2, 3, 8)))
    plan = generator.plan(torch.float16 if rng.rand() < _HALF_SHARE else torch.float32)
    noise = generator.noise_maps("none" if rng.rand() < _HALF_SHARE else "const", until)
    kind = rng.choice(("draw", "draw", "synthesize", "blend"))
    ws = sample_ws(generator, batch)

    def answer(seed: int) -> object:
        steps = sample_steps(generator, seed)
        latents = torch.lerp(ws, ws.roll(1, dims=0), seed / 1000)
        with torch.no_grad(), exact_convolutions():
            if kind == "draw":
                return plan.draw(latents, steps, noise, until)
            styles = step_styles(generator.synthesis.styles(latents, until), _within(steps, until))
            if kind == "synthesize":
                return plan.synthesize(styles, noise, until)
            return plan.synthesize(styles, noise, until, lambda x, _: torch.lerp(x, x.flip(3), 0.5))

    return answer


def _within(steps: Any, until: int) -> dict[str, torch.Tensor]:
    return {name: step for name, step in steps.items() if int(name[1:].partition(".")[0]) <= until}


def _digest_alone(generator: Generator, dtype: torch.dtype) -> str:
    plan, until = generator.plan(dtype), generator.config.img_resolution
    ws = sample_ws(generator, _NUM_PICTURES)
    with torch.no_grad(), exact_convolutions():
        return _digest(np.concatenate([drawing(plan, ws[i : i + 1], generator, until)() for i in range(len(ws))]))


def _digest_batch(generator: Generator) -> str:
    plan, until = generator.plan(torch.float32), generator.config.img_resolution
    with torch.no_grad(), exact_convolutions():
        return _digest(drawing(plan, sample_ws(generator, _NUM_PICTURES), generator, until)())


def _digest_faces(engine: LocalEngine) -> str:
    """Of a face, an edited one, and a locked one; what the engine found out about them before is forgotten."""
    from tuiface.faces.studio import Studio

    engine.faces.forget()
    face = Studio(engine, Settings()).face(3)
    edited = face.edit("smile", 1.5)
    return _digest(np.stack([one.render().pixels for one in (face, edited, edited.lock("frame"))]))


def _digest(pixels: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()


def _open(order: Order) -> Bench:
    from tuiface.engine.cuda.loaded import choose_operators
    from tuiface.engine.device import choose_device

    device = choose_device(order.device)
    choose_operators(device, Path(order.cache))
    settings = Settings(device="cuda" if device.type == "cuda" else "cpu", cache=Path(order.cache))
    return Bench(settings, device, WORKLOADS[order.workload], order.seconds)


def _open_engine(bench: Bench) -> LocalEngine:
    from tuiface.engine.loading import open_engine

    return open_engine(bench.settings)


def _hold(order: Order) -> None:
    """Take memory, say so, and wait."""
    device = torch.device(order.device)
    free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else 0
    held = torch.empty(int(free * order.held), dtype=torch.uint8, device=device)
    print_json({"held": held.numel()})
    sys.stdin.read()


def _main(order: Order) -> None:
    if order.held:
        _hold(order)
        return
    found = take_digests(order)
    print_json({"exact": found.exact, "faces": found.faces, "half": found.half, "requests": found.requests})


if __name__ == "__main__":
    _main(Order(**parse_strict_json(sys.argv[1])))
