"""`tuiface bench synthesis --against`: another implementation beside ours."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import MODEL
from tuiface.cli import main
from tuiface.core.errors import EXIT_DONE, EXIT_INPUT

TEXTBOOK = """
from tuiface.benchmarks.textbook import textbook_synthesis
from tuiface.engine import load_checkpoint

def open_network(checkpoint, device):
    generator = load_checkpoint(checkpoint, device).generator
    noise = generator.noise_maps("const", generator.config.img_resolution)
    return lambda ws: textbook_synthesis(generator, generator.synthesis.styles(ws), noise) + OFFSET
"""


@pytest.fixture
def adapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared_cache: Path) -> Path:
    for name, value in {"MODEL": MODEL, "CACHE": shared_cache, "DEVICE": "cpu", "THREADS": "1"}.items():
        monkeypatch.setenv(f"TUIFACE_{name}", str(value))
    return tmp_path / "adapter.py"


@pytest.mark.parametrize(("offset", "apart"), [(0.0, range(2)), (0.5, range(60, 70))])
def test_times_and_difference_are_reported(
    adapter: Path, capsys: pytest.CaptureFixture[str], offset: float, apart: range
) -> None:
    adapter.write_text(TEXTBOOK.replace("OFFSET", str(offset)))
    assert main(["bench", "synthesis", "--against", str(adapter), "--rounds", "1", "--json"]) == EXIT_DONE
    found = json.loads(capsys.readouterr().out)
    assert found["max_levels"] in apart
    assert (found["differing_percent"] > 20) == bool(offset)
    assert found["ours_ms"] > 0
    assert found["ratio"] > 0
    assert found["kernels"] == "torch"


def test_each_computes_convolutions_as_it_wants_to(
    adapter: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ours deterministically, theirs as the adapter has set."""
    import torch

    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)
    check = "    torch.backends.cudnn.benchmark = True\n    return lambda ws: check() or draw(ws)\n"
    text = TEXTBOOK.replace("OFFSET", "0").replace("    return lambda", "    draw = lambda") + check
    text += "def check():\n    assert torch.backends.cudnn.benchmark and not torch.backends.cudnn.deterministic\n"
    adapter.write_text("import torch\n" + text)
    assert main(["bench", "synthesis", "--against", str(adapter), "--rounds", "1", "--json"]) == EXIT_DONE
    assert json.loads(capsys.readouterr().out)["max_levels"] <= 1


def test_the_adapter_of_the_document_runs(adapter: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (Path(__file__).parents[1] / "docs" / "performance.md").read_text("utf-8")
    [example] = [code for code in text.split("```") if "import textbook_synthesis" in code]
    adapter.write_text(example.removeprefix("python\n"))
    assert main(["bench", "synthesis", "--against", str(adapter), "--rounds", "1"]) == EXIT_DONE
    assert "pictures differ by at most" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "accepted: a Python file"),
        ("", "AttributeError"),
        ("def open_network(checkpoint, device):\n    return lambda ws: ws", "accepted: [1, 3, 32, 32]"),
        ("raise ValueError('not today')", "ValueError: not today"),
    ],
)
def test_what_is_no_adapter_is_one_line(
    adapter: Path, capsys: pytest.CaptureFixture[str], text: str | None, message: str
) -> None:
    if text is not None:
        adapter.write_text(text)
    assert main(["bench", "synthesis", "--against", str(adapter)]) == EXIT_INPUT
    [line] = capsys.readouterr().err.strip().splitlines()
    assert message in line
