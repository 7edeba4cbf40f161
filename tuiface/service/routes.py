"""How many bytes each route takes and gives: what is longer is left unread, by the engine and by its clients alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tuiface.core.strict_json import MAX_JSON_BYTES
from tuiface.engine_api import codec
from tuiface.service import messages

_SMALL: Final = 4096
_KILO: Final = 1024
_MEGA: Final = 1024 * 1024

MAX_BODY_BYTES: Final[Mapping[str, int]] = {
    codec.RENDER_PATH: MAX_JSON_BYTES,
    codec.PREVIEW_PATH: MAX_JSON_BYTES,
    codec.MAP_PATH: MAX_JSON_BYTES,
    codec.WS_PATH: MAX_JSON_BYTES,
    codec.FACES_PATH: MAX_JSON_BYTES,
    codec.WORK_PATH: MAX_JSON_BYTES,
    codec.FEATURES_PATH: 256 * _KILO,
    messages.JOB_PATH: 64 * _KILO,
}
"""Of a body, or of each message of a WebSocket; what is not here takes a few words. Latents, masks and the steps of
directions are the large ones."""

MAX_ANSWER_BYTES: Final[Mapping[str, int]] = {
    codec.RENDER_PATH: codec.MAX_RENDER_RESULT_BYTES,
    codec.MAP_PATH: MAX_JSON_BYTES,
    codec.WS_PATH: MAX_JSON_BYTES,
    codec.FEATURES_PATH: MAX_JSON_BYTES,
    codec.FACES_PATH: MAX_JSON_BYTES,
    messages.STATUS_PATH: 8 * _MEGA,
    messages.STOP_PATH: 8 * _MEGA,
    messages.JOBS_PATH: 8 * _MEGA,
}
"""Of an answer, or of each message. The parts of /work have bounds of their own (`codec.read_parts`), and previews go
by the network's size (`codec.max_render_result_bytes`)."""
_OTHER_ANSWER: Final = _MEGA


def max_body_bytes(path: str) -> int:
    """What a client may send there at once."""
    return MAX_BODY_BYTES.get(path, _SMALL)


def max_answer_bytes(path: str) -> int:
    """What an engine may answer there at once."""
    return MAX_ANSWER_BYTES.get(path, _OTHER_ANSWER)
