"""A hostile checkpoint costs little: it is refused before torch is loaded, whichever command opens it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import DATA

CODE = """
import sys
from tuiface.cli import main
code = main(sys.argv[1:])
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(code, "torch" in sys.modules, int(peak.split()[1]) // 1024)
"""
LIMIT_MB = 200  # the strictest that the manifest asks of any file


@pytest.mark.parametrize(
    "name",
    ["05_memo_laughs.pkl", "05b_sparse_memo_index.pkl", "05c_stride0_tensor.pkl", "06_torch_zip_os_system.pt",
     "07_safetensors_header_len_2e62.safetensors"],
)  # fmt: skip
@pytest.mark.parametrize("command", [["render", "0", "--out", "out"], ["model", "inspect"]])
def test_refused_before_torch_is_loaded(name: str, command: list[str], tmp_path: Path) -> None:
    hostile = str(DATA / "malicious" / name)
    argv = [*command, "--model", hostile] if command[0] == "render" else [*command, hostile]
    done = subprocess.run([sys.executable, "-c", CODE, *argv], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    code, has_torch, peak_mb = done.stdout.split()[-3:]
    assert (code, has_torch) == ("4", "False")
    assert int(peak_mb) < LIMIT_MB
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
