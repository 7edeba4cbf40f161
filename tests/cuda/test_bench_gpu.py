"""`tuiface bench gpu` where there is no card: its sections on emulated kernels, its processes, its report."""

from __future__ import annotations

import io
import itertools
import json
import sys
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from PIL import Image
from torch import Tensor

from tests.conftest import MODEL
from tuiface.benchmarks.gpu import digests, pictures, report, runner, work
from tuiface.benchmarks.gpu.bench import Bench, Ceilings
from tuiface.benchmarks.gpu.ceilings import ceilings_of
from tuiface.benchmarks.gpu.costs import picture_work
from tuiface.benchmarks.gpu.roofline import HEIGHT, WIDTH, draw_roofline
from tuiface.benchmarks.gpu.rows import Case, Row, Section, run_section
from tuiface.benchmarks.gpu.sections import SECTION_NAMES, SECTIONS, Order
from tuiface.benchmarks.gpu.targets import TARGETS, judge
from tuiface.benchmarks.gpu.timing import Times
from tuiface.benchmarks.gpu.workload import FULL, MODES, SMALL, Workload
from tuiface.benchmarks.networks import CONFIG_F
from tuiface.benchmarks.synthesis import gflop_per_picture
from tuiface.cli import main
from tuiface.core.errors import EXIT_CHECK_FAILED, EXIT_DONE, EXIT_ENGINE, EXIT_USAGE, EngineError
from tuiface.core.settings import Settings
from tuiface.engine.cuda.kernels import Kernels

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")
BY_NAME = {section.name: section for section in SECTIONS}


def make_bench(
    tmp_path: Path, workload: Workload = SMALL, *, seconds: float = 1000.0, ceilings: Ceilings | None = None
) -> Bench:
    return Bench(Settings(device="cpu", cache=tmp_path), CPU, workload, seconds, ceilings)


def measure(name: str, bench: Bench, only: Container[str] | None = None) -> list[Row]:
    """Rows of a section, or of some of its cases."""
    section = BY_NAME[name]
    chosen = [case for case in section.cases(bench) if only is None or case.name in only]
    return list(run_section(replace(section, cases=lambda bench: chosen), bench))


@pytest.fixture(autouse=True)
def small_embedded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The network that ships takes eight seconds by emulation."""
    monkeypatch.setattr("tuiface.core.assets.embedded_model_path", lambda: MODEL)


# --- sections


@pytest.mark.usefixtures("on_kernels")
def test_kernels_are_compared(tmp_path: Path) -> None:
    rows = measure("parity", make_bench(tmp_path))
    assert report.is_sound(rows)
    figures = {row.name: row.figures for row in rows}
    assert float(figures["textbook, float32"]["relative_error"]) < 1e-5
    assert 1e-5 < float(figures["textbook, float16"]["relative_error"]) < 1e-2
    for name in ("blended by a mask", "noise of each sample's own", "gradients of both networks, float32"):
        assert 0 < float(figures[name]["relative_error"]) < 1e-3


@pytest.mark.parametrize(
    ("broken", "rows", "figure"),
    [
        ("upsample", {"textbook, float32", "edited styles", "bytes"}, "relative_error"),
        ("dense", {"textbook, float32", "bytes", "embedded network, bytes"}, "styles_error"),
        ("filter", {"filter and its gradients, float32", "gradients of both networks, float32"}, "second_error"),
    ],
)
@pytest.mark.usefixtures("on_kernels")
def test_a_wrong_kernel_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str, rows: set[str], figure: str
) -> None:
    """Also one by which the network's own operators go."""
    right = getattr(Kernels, broken)

    def wrong(*arguments: object, **options: object) -> Tensor:
        result: Tensor = right(*arguments, **options)
        return result * 1.05

    monkeypatch.setattr(Kernels, broken, wrong)
    errors = {row.name: row.error for row in measure("parity", make_bench(tmp_path), rows)}
    assert all(errors.values())
    assert set(errors) == rows
    assert any(figure in error for error in errors.values())


@pytest.mark.usefixtures("on_kernels")
def test_pictures_and_kernels_are_timed_beside_the_ceilings(tmp_path: Path) -> None:
    small = replace(SMALL, resolution=8, sizes=((8, 1), (4, 2)))
    bench = make_bench(tmp_path, small)
    found = ceilings_of(measure("ceilings", bench))
    assert found.copy_gb_per_s > 0
    assert set(found.tflops) == set(MODES)
    bench = make_bench(tmp_path, small, ceilings=found)
    rows = measure("synthesis", bench)
    names = [f"{mode} {until} px x {batch}" for mode, (until, batch) in itertools.product(MODES, small.sizes)]
    assert [row.name for row in rows][: len(names)] == names
    assert all(float(row.figures["ms"]) > 0 for row in rows)
    assert float(rows[0].figures["share_of_ceilings_percent"]) > 0
    kernels = measure("kernels", bench)
    assert {row.figures["kernel"] for row in kernels} == {
        *("styles", "convolution", "up-convolution", "upsample", "finish", "filter")
    }
    for row in kernels:
        assert not row.error
        assert float(row.figures["share_of_copy_percent"]) > 0
        assert ("share_of_product_percent" in row.figures) == ("convolution" in row.name)


@pytest.mark.parametrize("name", ["card", "heads", "training"])
def test_the_rest_works(tmp_path: Path, name: str) -> None:
    rows = measure(name, make_bench(tmp_path))
    assert not [row.error for row in rows if row.error]
    assert any(row.figures for row in rows)


def test_a_step_of_training_counts_as_often_as_it_comes() -> None:
    """Of sixteen steps one has R1 and path length, three path length alone."""
    settings = work._training_settings(FULL.training[0])
    assert work._step_kinds(settings) == {0: 1 / 16, 4: 3 / 16, 1: 12 / 16}
    assert settings.network.channels(128) == (192, 192, 192, 128, 64, 32)


def test_faces_are_rendered_and_previewed(tmp_path: Path) -> None:
    rows = measure("faces", make_bench(tmp_path, replace(SMALL, num_locks=0)))
    assert [bool(row.error) for row in rows] == [False, False, False, False, True], "no lock is a failed row"
    assert all(float(row.figures["ms"]) > 0 for row in rows[:-1])


class FakeFace:
    """Writes down what is asked of it; a locked one takes a while."""

    def __init__(self, said: list[str], name: str) -> None:
        self.said, self.name = said, name

    def edit(self, name: str, amount: float) -> FakeFace:
        return FakeFace(self.said, f"{self.name} {name} {amount}")

    def lock(self, region: str) -> FakeFace:
        return FakeFace(self.said, f"{self.name} {region}")

    def render(self) -> None:
        self.said.append(self.name)


def test_locks_are_those_of_new_faces_and_of_the_same_ones_again(tmp_path: Path) -> None:
    said: list[str] = []
    studio = SimpleNamespace(face=lambda seed: FakeFace(said, str(seed - pictures._NO_SUCH_FACE)))
    figures = pictures._time_locks(make_bench(tmp_path), lambda _: studio)  # type: ignore[arg-type,return-value]
    wanted = [(f"{n}", f"{n} smile 1.0 frame", f"{n} smile 1.1 frame") for n in range(SMALL.num_locks)]
    assert said == [name for names in wanted for name in names]
    assert figures["faces"] == SMALL.num_locks


# --- digests


@pytest.fixture
def few_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """A locked face takes ten seconds on a CPU."""
    monkeypatch.setattr(digests, "_open_engine", lambda bench: None)
    monkeypatch.setattr(digests, "_digest_faces", lambda engine: "face")
    monkeypatch.setattr(digests, "_NUM_PICTURES", 2)


def make_order(tmp_path: Path, requests: int = 0) -> digests.Order:
    return digests.Order("cpu", "small", str(tmp_path), 1000.0, requests)


@pytest.mark.usefixtures("on_kernels", "few_pictures")
def test_pictures_have_one_digest_alone_in_a_batch_and_after_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kernels: Kernels
) -> None:
    found = digests.take_digests(make_order(tmp_path, requests=6))
    assert len(found.exact) == 4
    assert len(set(found.exact)) == len(set(found.half)) == 1
    assert found.requests == 6
    right = Kernels.convolve

    def depends_on_batch(self: Kernels, x: Tensor, weight: Tensor, *, up: bool) -> Tensor:
        return right(self, x, weight, up=up) * (1 if len(x) == 1 else 1.02)

    monkeypatch.setattr(Kernels, "convolve", depends_on_batch)
    assert len(set(digests.take_digests(make_order(tmp_path)).exact)) == 2


def test_requests_stop_when_time_is_over(tmp_path: Path) -> None:
    bench = make_bench(tmp_path, seconds=0.0)
    assert digests.answer_requests(bench, bench.network(8), 100) == 0


def test_five_processes_are_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[digests.Order] = []

    def begin(order: digests.Order) -> Callable[[], digests.Digests]:
        begun.append(order)
        number = len(begun)
        exact = ("aa", "aa") if number < 5 else ("aa", "bb")
        return lambda: digests.Digests(exact, ("cc",), (f"half {number}",), order.requests)

    held: list[float] = []

    def hold(order: digests.Order) -> FakeHolder:
        held.append(order.held)
        return FakeHolder()

    monkeypatch.setattr(digests, "_begin", begin)
    monkeypatch.setattr(digests, "_start", hold)
    rows = measure("digests", make_bench(tmp_path))
    assert held == [0.9]
    assert [order.requests for order in begun] == [0, 0, 0, 0, SMALL.num_requests]
    assert [row.figures.get("different") for row in rows] == [None, 2.0, 1.0, 5.0, None]
    assert [bool(row.error) for row in rows] == [False, True, False, False, False], "float16 is told alone"


def test_a_process_without_an_answer_is_told_and_the_others_are_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = itertools.count()

    def wait() -> digests.Digests:
        if next(waits) == 1:
            raise EngineError("a process ended")
        return digests.Digests(("aa",), ("cc",), ("dd",), 7)

    monkeypatch.setattr(digests, "_begin", lambda order: wait)
    monkeypatch.setattr(digests, "_start", lambda order: FakeHolder())
    answered, exact, *_, requests = measure("digests", make_bench(tmp_path))
    assert answered.error.endswith("4 answered: two at once: a process ended")
    assert (exact.figures["taken"], exact.error) == (4.0, "")
    assert requests.figures == {"requests": 7.0}


class FakeHolder:
    """A process that holds memory."""

    stdin = io.BytesIO()

    def __init__(self) -> None:
        self.stdout = io.BytesIO(b'{"held": 1}\n')

    def kill(self) -> None:
        pass

    def communicate(self) -> None:
        pass


def run_instead(monkeypatch: pytest.MonkeyPatch, module: object, code: str) -> None:
    monkeypatch.setattr(module, "python_command", lambda *arguments: (sys.executable, "-c", code))


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import sys; sys.exit('no memory left')", "exit code 1: no memory left"),
        ("import time; time.sleep(60)", "longer"),
    ],
)
def test_a_process_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, message: str) -> None:
    run_instead(monkeypatch, digests, code)
    seconds = 0.2 if "sleep" in code else 60.0
    with pytest.raises(EngineError, match=message):
        digests._begin(replace(make_order(tmp_path), seconds=seconds))()


# --- cases and time


def make_section(cases: Sequence[Case], *, is_check: bool = False) -> Section:
    return Section("parity" if is_check else "heads", lambda bench: cases, 10, 1, is_check)


def fail() -> dict[str, float]:
    raise ValueError("a reason")


def test_a_case_that_fails_costs_no_other(tmp_path: Path) -> None:
    cases = [
        Case("fails", fail),
        Case("is wrong", lambda: {"error": 2.0}, limits={"error": 1.0}),
        Case("is no number", lambda: {"error": float("nan")}, limits={"error": 1.0}),
        Case("is right", lambda: {"error": 1.0}, limits={"error": 1.0}),
        Case("takes too long", fail, needs_s=5000.0),
        Case("has no place here", fail, unfit="no card"),
    ]
    rows = list(run_section(make_section(cases), make_bench(tmp_path)))
    assert [row.error for row in rows] == [
        "ValueError: a reason",
        "error 2, accepted: 1",
        "error nan, accepted: 1",
        *([""] * 3),
    ]
    assert rows[2].figures == {"error": "nan"}
    assert rows[4].skipped.endswith("it needs 5000")
    assert rows[5].skipped == "no card"


def test_a_report_is_sound_where_every_check_was_made_and_nothing_failed() -> None:
    measured, late = Row("parity", "a", {"error": 0.0}), Row("heads", "b", skipped="0 s left")
    assert report.is_sound([measured, late])
    assert not report.is_sound([measured, replace(late, section="parity")])
    assert not report.is_sound([measured, replace(late, error="failed")])


def test_figures_are_measured_shorter_where_time_is_short(tmp_path: Path) -> None:
    workload = replace(SMALL, figure_s=0.5)
    assert make_bench(tmp_path, workload).figure_s == 0.5
    assert 0 < make_bench(tmp_path, workload, seconds=2.0).figure_s < 0.11
    assert make_bench(tmp_path, workload, seconds=-1.0).figure_s == 0.0


def test_times_are_told_by_median_and_spread() -> None:
    times = Times.of([3.0, 1.0, 2.0, 100.0, 4.0])
    assert (times.ms, times.spread_ms, times.p95_ms) == (3.0, 2.0, 100.0)


# --- processes


def run_cpu(settings: Settings, **options: object) -> Iterator[Row]:
    return runner.measure(settings, device="cpu", workload="small", **options)  # type: ignore[arg-type]


def test_a_section_runs_in_its_own_process(settings: Settings) -> None:
    rows = list(run_cpu(settings, only=("ceilings",)))
    assert rows[0].name == "copy"
    assert report.is_sound(rows)


HANGS = "import sys, time; print('{}', flush=True); time.sleep(60)"
BREAKS = "import sys; print('a word of a library'); print('{}', flush=True); sys.exit('illegal memory access')"


@pytest.mark.parametrize(
    ("code", "error"), [(HANGS, "ended after 1 s"), (BREAKS, "exit code 1: illegal memory access")]
)
def test_a_process_that_hangs_or_breaks_costs_no_other_section(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, code: str, error: str
) -> None:
    row = Row("heads", "a", {"ms": 1.0})
    run_instead(monkeypatch, runner, code.replace("{}", json.dumps(row.to_json())))
    monkeypatch.setattr(runner, "SECTIONS", [replace(BY_NAME["heads"], limit_s=1.0, least_s=0.1)] * 2)
    rows = list(run_cpu(settings, only=("heads",)))
    assert rows[::2] == [row, row], "what was measured before is kept"
    assert all(other.error.endswith(error) for other in rows[1::2])


def test_a_section_without_time_is_left_out_and_later_ones_keep_theirs(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[str, float]] = []

    def take_note(section: Section, order: Order, seconds: float) -> Iterator[Row]:
        given.append((section.name, seconds))
        return iter(())

    monkeypatch.setattr(runner, "_run_in_process", take_note)
    assert list(run_cpu(settings)) == []
    assert [name for name, _ in given] == list(SECTION_NAMES)
    given.clear()
    rows = list(run_cpu(settings, only=("parity", "heads"), total_s=BY_NAME["heads"].least_s + 1))
    assert [name for name, _ in given] == ["heads"]
    assert [(row.section, bool(row.skipped)) for row in rows] == [("parity", True)]
    assert not report.is_sound(rows)


def test_five_minutes_have_room_for_the_least_of_every_section() -> None:
    assert sum(section.least_s for section in SECTIONS) < runner.TOTAL_S
    assert all(section.least_s <= section.limit_s for section in SECTIONS)


# --- the report


def test_a_picture_is_counted_as_its_convolutions_say() -> None:
    """By two that count: here with what lies between, and for the floor of `tuiface bench synthesis`."""
    work = picture_work(CONFIG_F.config(1024), 1024, 1, "float32")
    assert sum(one.flops for one in work if one.is_product) / 1e9 == pytest.approx(gflop_per_picture(1024))
    assert work[-1].bytes == 4 * 32 * 1024**2 + 12 * 1024**2 + 12 * 512**2 + 3 * 1024**2 + 4 * 1024**2
    assert len(work) == 1 + 9 * 2 + 8 * 2


def test_the_least_time_is_that_of_the_tighter_ceiling() -> None:
    ceilings = Ceilings(1000.0, {"float32": 10.0})
    [*_, finish] = picture_work(CONFIG_F.config(64), 64, 1, "float32")
    convolution = picture_work(CONFIG_F.config(64), 64, 1, "float32")[-2]
    assert finish.floor_ms(ceilings) == pytest.approx(finish.bytes / 1e9)
    assert convolution.floor_ms(ceilings) == pytest.approx(convolution.flops / 1e10)
    assert convolution.floor_ms(Ceilings()) == 0


@pytest.mark.usefixtures("on_kernels")
def test_every_target_is_of_a_row_that_is_measured_on_a_card(tmp_path: Path) -> None:
    """Listing the cases of the whole workload computes nothing."""
    bench = make_bench(tmp_path, FULL)
    names = {(section.name, case.name) for section in SECTIONS for case in section.cases(bench)}
    assert {(one.section, one.row) for one in TARGETS} <= names


def test_a_row_is_judged_by_what_is_wanted_of_it() -> None:
    fast, slow = (Row("synthesis", "float16 1024 px x 1", {"ms": ms}) for ms in (1.05, 1.2))
    assert [[verdict.met for verdict in judge(row)] for row in (fast, slow)] == [[True], [False]]
    assert "wanted ms at most 1.1: no" in report.row_line(slow)
    assert judge(Row("synthesis", "float16 1024 px x 1", error="failed")) == []
    assert judge(Row("heads", "heads 128 px", {"heads_per_s": 1000.0}))[0].met


def sample_rows() -> list[Row]:
    """Figures of no device."""
    rows = [Row("ceilings", "copy", {"gb_per_s": 2900.0})]
    rows += [Row("ceilings", f"product of matrices, {mode}", {"tflops": 50.0}) for mode in MODES]
    for mode, one in itertools.product(MODES, picture_work(CONFIG_F.config(256), 256, 1, "float32")):
        ms = 2 * one.floor_ms(ceilings_of(rows))
        name = f"{one.kernel} {mode} {one.resolution} px, {one.num_out} channels"
        figures: dict[str, float | str] = {"kernel": one.kernel, "mode": mode, "resolution_px": float(one.resolution)}
        figures |= {"tflops": one.flops / ms / 1e9, "flop_per_byte": one.flops / one.bytes}
        rows.append(Row("kernels", name, {**figures, "share_of_copy_percent": 50.0}))
    return [*rows, Row("heads", "heads 128 px", error="failed | badly")]


def test_a_report_is_three_files(tmp_path: Path) -> None:
    paths = report.write_report(tmp_path / "out", sample_rows(), 12.34)
    assert [path.name for path in paths] == ["gpu.json", "gpu.md", "roofline.png"]
    values = json.loads(paths[0].read_text())
    assert (values["sound"], values["seconds"]) == (False, 12.3)
    table = paths[1].read_text()
    assert "| kernels: finish float16 256 px, 128 channels |" in table
    assert "share_of_copy_percent at least 70 | **no** |" in table
    assert "finish float16 128 px" not in table, "small ones are in the JSON"
    assert "| heads: heads 256 px | not measured | heads_per_s at least 300 | |" in table
    assert all(line.count(" |") == 4 for line in table.splitlines()[2:])
    with Image.open(paths[2]) as picture:
        assert picture.size == (WIDTH, HEIGHT)
        assert len(picture.getcolors(WIDTH * HEIGHT) or ()) > 20


def test_there_is_no_roofline_without_ceilings_or_kernels() -> None:
    rows = sample_rows()
    assert draw_roofline(rows[1:]) is None
    assert draw_roofline([row for row in rows if row.section != "kernels"]) is None
    assert draw_roofline(rows) is not None


def test_the_document_has_a_line_for_everything_that_is_wanted() -> None:
    text = (Path(__file__).parents[2] / "docs" / "performance.md").read_text("utf-8")
    assert {f"| {one.section}: {one.row} |" in text for one in TARGETS} == {True}


# --- the command


def test_without_a_card_it_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(["bench", "gpu"]) == EXIT_ENGINE
    [line] = capsys.readouterr().err.strip().splitlines()
    assert "device 'cuda'" in line


def test_a_section_that_is_none_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "gpu", "--only", "parity,speed"]) == EXIT_USAGE
    assert f"accepted: {', '.join(SECTION_NAMES)}" in capsys.readouterr().err


def test_the_help_names_every_section(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["bench", "gpu", "--help"])
    assert ", ".join(SECTION_NAMES) in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(("error", "code"), [("", EXIT_DONE), ("relative_error 1, accepted: 0.1", EXIT_CHECK_FAILED)])
def test_the_exit_code_says_whether_the_checks_passed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: str, code: int
) -> None:
    """And not whether what is wanted was reached."""
    rows = [Row("parity", "a", {"relative_error": 1.0}, error), Row("heads", "heads 128 px", {"heads_per_s": 1.0})]
    monkeypatch.setattr(runner, "measure", lambda settings, only: iter(rows))
    assert main(["bench", "gpu", "--json", "--out", str(tmp_path / "out")]) == code
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["error"] == error
    assert second["targets"] == [
        {"figure": "heads_per_s", "at": "least", "wanted": 1000.0, "measured": 1.0, "met": False}
    ]
    assert (tmp_path / "out" / "gpu.json").is_file()
