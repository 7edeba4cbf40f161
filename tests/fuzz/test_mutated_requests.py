"""A short run of the fuzzer of requests, against the server in this process (tests/fuzz/fuzz_requests.py)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fake_engine import FakeEngine
from tests.fuzz.fuzz_requests import RequestFuzzer
from tests.service.in_process import serve
from tuiface.engine_api import codec


def test_no_changed_request_is_answered_without_a_reason(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    engine = FakeEngine()
    with serve(engine, tmp_path, shared=True) as path:
        fuzzer = RequestFuzzer(path, engine.info(), seed=1)
        fuzzer.run(120)
    assert fuzzer.unnamed == []
    logged = [record for record in caplog.records if record.name != "websockets.client"]  # which is the fuzzer's own
    assert [record.getMessage() for record in logged if record.exc_info] == []
    assert fuzzer.outcomes[f"{codec.RENDER_PATH} 400"]
    assert fuzzer.outcomes[f"{codec.RENDER_PATH} 200"], "some changes leave a request what it is"
