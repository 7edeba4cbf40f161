"""Coverage-guided fuzzing, where atheris is installed: `python -m tests.fuzz.fuzz_checkpoints [CORPUS] [OPTIONS]`.

Without a corpus folder the seeds are written to a temporary one. Any exception other than ModelError is a finding.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path


def main() -> None:
    import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore]

    with atheris.instrument_imports():
        from tests.fuzz.oracle import check_any_file
        from tests.fuzz.seeds import seeds

    folder = Path(tempfile.mkdtemp(prefix="tuiface-fuzz-"))
    corpus = folder / "corpus"
    corpus.mkdir()
    for name, data in seeds().items():
        (corpus / name).write_bytes(data)

    def read(data: bytes) -> None:
        suffix = ".safetensors" if data[4:8] == bytes(4) else ".pkl"
        path = folder / f"input{suffix}"
        path.write_bytes(data)
        check_any_file(path)

    arguments = sys.argv if any(not argument.startswith("-") for argument in sys.argv[1:]) else [*sys.argv, str(corpus)]
    atheris.Setup(arguments, read)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
