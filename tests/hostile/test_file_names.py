"""Names of files need not be UTF-8: the bytes are kept where they name a file, and shown as such elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import MODEL
from tests.hostile.terminal_text import BYTES
from tuiface.core.limits import MAX_NAME
from tuiface.core.settings import Settings
from tuiface.core.strict_json import JsonError, parse_strict_json
from tuiface.engine.checkpoint import ModelStore, prepare_checkpoint
from tuiface.service.messages import Offer


def test_settings_cross_to_the_engine_with_any_path(tmp_path: Path) -> None:
    path = tmp_path / BYTES
    settings = Settings(library=path, model=path, directions=path, keys={"quit": ("q", "x")}, threads=2, psi=0.5)
    text = settings.to_json()
    assert text.isascii()
    assert Settings.model_validate(parse_strict_json(text, file_names=True)) == settings
    with pytest.raises(JsonError, match="half a character"):
        parse_strict_json(text)


def test_engines_of_such_models_fit_or_do_not(tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.pkl" for name in (BYTES, BYTES[0])]
    for path in paths:
        path.write_bytes(b"")
    one, other = (Offer.of(Settings(model=path, directions=path)) for path in paths)
    assert one == Offer.of(Settings(model=paths[0], directions=paths[0]))
    assert one.model.endswith("\\xff\\x80.pkl")
    assert one.misfit(other, same_user=True)


@pytest.mark.parametrize("name", [BYTES, "line\nbreak ", "n" * 240])
def test_a_network_is_found_again_under_any_name(name: str, tmp_path: Path, shared_cache: Path) -> None:
    path = tmp_path / f"{name}{MODEL.suffix}"
    path.symlink_to(MODEL)
    info = prepare_checkpoint(path, shared_cache).info
    info.name.encode()
    assert 0 < len(info.name) <= MAX_NAME
    store = ModelStore(tmp_path / "cache")
    store.note_network(info.network_sha256, path)
    assert store.find_network(info.network_sha256) == path
