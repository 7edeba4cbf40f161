"""What the server says in answer: arrays, values and errors."""

from __future__ import annotations

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from tuiface.core.errors import EngineError, TuifaceError
from tuiface.core.values import Value
from tuiface.engine_api import codec
from tuiface.engine_api.packed import ArrayMessage


def json_response(message: Value) -> Response:
    """A value."""
    return Response(codec.encode(message), media_type="application/json")


def array_response(array: np.ndarray) -> Response:
    """float [N, M]."""
    return json_response(ArrayMessage.of(array))


async def error_response(_: Request, error: Exception) -> Response:
    """Any failure: the client's mistakes with 400, the engine's with 500."""
    explained = to_tuiface_error(error)
    status = 500 if isinstance(explained, EngineError) else 400
    return Response(codec.encode(codec.to_error_message(explained)), status, media_type="application/json")


def to_tuiface_error(error: Exception) -> TuifaceError:
    """What a client is told; of a failure that nobody foresaw the traceback is in the log."""
    if isinstance(error, TuifaceError):
        return error
    return EngineError(f"the engine failed: {type(error).__name__}: {error}", "the engine's log has the details")
