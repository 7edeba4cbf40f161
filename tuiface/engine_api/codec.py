"""How the engine's values cross the socket: strict JSON for the small parts, raw bytes for pixels.

    info, render        JSON text
    map, ws, array      JSON text, with arrays as float32 little-endian base64
    features            JSON text: seeds
    work, face          JSON text: what is asked for
    error               JSON text: its class, message and hint
    parts               each N and M as 4 bytes big-endian | N bytes of JSON (PartMessage) | M bytes of payload: how far
                        long work is, each result as soon as there is one, and its end or its error
    result              N as 4 bytes big-endian | N bytes of JSON (RenderHeader) | height * width * 3 bytes of RGB

Both ends speak through this file alone. Sizes are bounded before anything is parsed, and whatever does not fit is
refused in one line: InputFileError for a request, EngineError for an answer.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from tuiface.core import errors
from tuiface.core.bounds import ClassLabel, Count, Figures, LargeCount, Notices, Side
from tuiface.core.errors import EngineError, InputFileError, TuifaceError
from tuiface.core.limits import MAX_DIRECTIONS, MAX_FACES, MAX_SIDE_PX, MAX_WIDTH
from tuiface.core.strict_json import MAX_JSON_BYTES
from tuiface.core.values import Value, ValueType, parse_json
from tuiface.directions.direction import MAX_FILE_BYTES, decode_direction, encode_direction
from tuiface.engine_api.packed import ArrayMessage
from tuiface.engine_api.protocol import Dtype, EngineInfo, RenderRequest, RenderResult
from tuiface.engine_api.requests import (
    AttributesRequest,
    ConditionalMean,
    FaceRequest,
    LearnedRegions,
    LongRequest,
    LongResult,
    MadeDirection,
    OptimisedFace,
    PublishedChannelsRequest,
    SearchRequest,
    StripRequest,
)
from tuiface.faces.recipe import Recipe, Seed

HEALTH_PATH = "/health"
INFO_PATH = "/info"
RENDER_PATH = "/render"
PREVIEW_PATH = "/preview"
MAP_PATH = "/map"
WS_PATH = "/ws"
FEATURES_PATH = "/features"
WORK_PATH = "/work"
FACES_PATH = "/faces"
RENDER_RESULT_TYPE = "application/x-tuiface-frame"
PARTS_TYPE = "application/x-tuiface-parts"


def max_render_result_bytes(side: int) -> int:
    """Of the result for a network whose full picture has that side."""
    return 4 + MAX_JSON_BYTES + 3 * side**2


MAX_RENDER_RESULT_BYTES = max_render_result_bytes(MAX_SIDE_PX)

MAX_MESSAGE_VALUES = 100_000
"""Of one message: ten thousand seeds with a score each are the most that are sent."""
MAX_PAYLOAD_BYTES = 1 << 30
"""Of a part of long work: a strip of MAX_STRIP_ROWS is the largest."""
MAX_STRIP_ROW_BYTES = 2 << 20
"""Of a strip, for each face: five pictures of 256 px, with gaps and a label, take 1.2 MB."""
MAX_REGIONS_BYTES = 64 << 20
"""Of a segmenter's file."""
MAX_PARTS = 1_000_000
"""Of one answer: with five steps a second, two days."""

_LENGTH = struct.Struct(">I")
_PART_SIZES = struct.Struct(">II")
_MAX_ERROR_CHARACTERS = 4000

_ERRORS: dict[str, type[TuifaceError]] = {
    name: value for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, TuifaceError)
}

ErrorText = Annotated[str, Field(max_length=_MAX_ERROR_CHARACTERS)]


class InfoMessage(Value):
    """The answer to `GET /info`."""

    info: EngineInfo


class RenderMessage(Value):
    """The body of `POST /render`, and each text message of a preview client."""

    job: RenderRequest


class MapMessage(Value):
    """The body of `POST /map`."""

    z: ArrayMessage
    label: ClassLabel | None = None


class WsMessage(Value):
    """The body of `POST /ws`."""

    recipe: Recipe


class FeaturesMessage(Value):
    """The body of `POST /features`."""

    seeds: tuple[Seed, ...] = Field(min_length=1, max_length=MAX_FACES)


class FaceRequestMessage(Value):
    """The body of `POST /faces`."""

    request: FaceRequest


class OptimisedFaceMessage(Value):
    """The answer to `POST /faces`."""

    ws: ArrayMessage
    measures: Figures


class ErrorMessage(Value):
    """A TuifaceError in place of a result."""

    error: str = Field(pattern=r"^[A-Za-z]{1,64}$")
    """Class name in tuiface.core.errors."""
    message: ErrorText
    hint: ErrorText
    sequence: LargeCount | None = None
    """Of the preview that failed; null where no request could be read."""


class WorkMessage(Value):
    """The body of `POST /work`."""

    request: LongRequest


class StepPart(Value):
    """Long work goes on; `text` is for people, where there is something to say."""

    kind: Literal["step"] = "step"
    text: ErrorText = ""


class DirectionPart(Value):
    """A direction, whose file is the payload."""

    kind: Literal["direction"] = "direction"
    holds: bool
    figures: Figures


class PicturePart(Value):
    """A picture, whose RGB bytes are the payload."""

    kind: Literal["picture"] = "picture"
    height: int = Field(ge=1, le=MAX_PAYLOAD_BYTES)
    width: int = Field(ge=1, le=MAX_PAYLOAD_BYTES)


class MeanPart(Value):
    """A conditional mean, whose float32 numbers are the payload."""

    kind: Literal["mean"] = "mean"
    num_faces: Count


class RegionsPart(Value):
    """A segmenter, whose file is the payload."""

    kind: Literal["regions"] = "regions"
    figures: Figures


class ErrorPart(Value):
    """The work ended with an error."""

    kind: Literal["error"] = "error"
    error: ErrorMessage


class EndPart(Value):
    """The work is done."""

    kind: Literal["end"] = "end"


WorkPart = Annotated[
    StepPart | DirectionPart | PicturePart | MeanPart | RegionsPart | ErrorPart | EndPart, Field(discriminator="kind")
]


class PartMessage(Value):
    """The JSON of a part of the answer to `POST /work`."""

    part: WorkPart


class Report(Value):
    """What a new engine process says once on its ready pipe: no error means that its socket listens."""

    error: ErrorMessage | None = None


class RenderHeader(Value):
    """A RenderResult without its pixels."""

    height: Side
    width: Side
    recipe: Recipe
    sequence: LargeCount
    dtype: Dtype
    elapsed_ms: float
    measures: Figures
    notices: Notices


def encode(message: Value) -> bytes:
    """JSON bytes of a message."""
    return message.model_dump_json().encode()


def decode_render_request(text: str | bytes) -> RenderRequest:
    """The request in a client's message; raises InputFileError."""
    return parse_request(RenderMessage, text, "render job").job


def decode_map(text: bytes) -> MapMessage:
    """A client's z; raises InputFileError."""
    return parse_request(MapMessage, text, "map job")


def decode_ws(text: bytes) -> Recipe:
    """A client's recipe; raises InputFileError."""
    return parse_request(WsMessage, text, "ws job").recipe


def decode_seeds(text: bytes) -> tuple[int, ...]:
    """The faces that a client asks about; raises InputFileError."""
    return parse_request(FeaturesMessage, text, "features job").seeds


def decode_face_request(text: bytes) -> FaceRequest:
    """What a client wants a face found for; raises InputFileError."""
    return parse_request(FaceRequestMessage, text, "face request").request


def encode_optimised_face(face: OptimisedFace) -> bytes:
    """JSON bytes of a face's rows and measures."""
    return encode(OptimisedFaceMessage(ws=ArrayMessage.of(face.ws), measures=face.measures))


def decode_optimised_face(text: bytes) -> OptimisedFace:
    """The engine's answer to /faces; raises EngineError."""
    message = parse_answer(OptimisedFaceMessage, text, "found face")
    return OptimisedFace(message.ws.array(), message.measures)


def decode_array(text: bytes) -> np.ndarray:
    """The engine's answer to /map, /ws or /features; raises EngineError."""
    return parse_answer(ArrayMessage, text, "array").array()


def decode_info(text: bytes) -> EngineInfo:
    """The engine's answer to /info; raises EngineError."""
    return parse_answer(InfoMessage, text, "info").info


def decode_report(text: bytes) -> Report:
    """What came through the ready pipe; raises EngineError."""
    return parse_answer(Report, text, "ready report")


def encode_render_result(result: RenderResult) -> bytes:
    """One binary message. The pixels must be uint8 [H, W, 3] and the measures finite: anything else is our own bug."""
    pixels = result.pixels
    assert pixels.dtype == np.uint8, pixels.dtype
    assert pixels.shape[2:] == (3,), pixels.shape
    header = RenderHeader(
        height=pixels.shape[0],
        width=pixels.shape[1],
        recipe=result.recipe,
        sequence=result.sequence,
        dtype=result.dtype,
        elapsed_ms=result.elapsed_ms,
        measures=result.measures,
        notices=result.notices,
    )
    text = encode(header)
    return b"".join((_LENGTH.pack(len(text)), text, np.ascontiguousarray(pixels).data))


def decode_render_result(data: bytes) -> RenderResult:
    """The result in a binary message; raises EngineError. The pixels are a read-only view of `data`."""
    if not _LENGTH.size <= len(data) <= MAX_RENDER_RESULT_BYTES:
        raise EngineError(
            f"frame: a message of {len(data)} bytes; accepted are {_LENGTH.size} to {MAX_RENDER_RESULT_BYTES}"
        )
    start = _LENGTH.size + _LENGTH.unpack_from(data)[0]
    if start > len(data):
        raise EngineError(f"frame: a header of {start - _LENGTH.size} bytes in a message of {len(data)}")
    header = parse_answer(RenderHeader, data[_LENGTH.size : start], "frame header")
    expected = header.height * header.width * 3
    if len(data) - start != expected:
        raise EngineError(
            f"frame: {len(data) - start} bytes of pixels, {header.width} x {header.height} px need {expected}"
        )
    return RenderResult(
        pixels=np.frombuffer(data, np.uint8, offset=start).reshape(header.height, header.width, 3),
        recipe=header.recipe,
        sequence=header.sequence,
        dtype=header.dtype,
        elapsed_ms=header.elapsed_ms,
        measures=header.measures,
        notices=header.notices,
    )


def decode_work(text: bytes) -> LongRequest:
    """What a client wants done; raises InputFileError."""
    return parse_request(WorkMessage, text, "work").request


def encode_part(part: WorkPart, payload: bytes = b"") -> bytes:
    """One message of the answer to /work."""
    text = encode(PartMessage(part=part))
    return b"".join((_PART_SIZES.pack(len(text), len(payload)), text, payload))


def encode_result(result: LongResult) -> bytes:
    """What long work came to, as one message. Pictures must be uint8 [H, W, 3]: anything else is our own bug."""
    if isinstance(result, MadeDirection):
        return encode_part(
            DirectionPart(holds=result.holds, figures=result.figures), encode_direction(result.direction)
        )
    if isinstance(result, ConditionalMean):
        return encode_part(MeanPart(num_faces=result.num_faces), np.ascontiguousarray(result.centre, "<f4").tobytes())
    if isinstance(result, LearnedRegions):
        return encode_part(RegionsPart(figures=result.figures), result.file)
    assert result.dtype == np.uint8, result.dtype
    assert result.shape[2:] == (3,), result.shape
    return encode_part(PicturePart(height=result.shape[0], width=result.shape[1]), result.tobytes())


def read_parts(
    read: Callable[[int], bytes], request: LongRequest, expect_part: Callable[[], object] = lambda: None
) -> Iterator[tuple[WorkPart, bytes]]:
    """The parts of an answer to /work with their payloads, up to its end; `read` gives as many bytes as are asked for.

    `expect_part` is called before each part, which may take long to begin. Raises EngineError for what is none, or more
    than `request` can have asked for, EOFError where the answer breaks off.
    """
    num_results = 0
    for _ in range(MAX_PARTS):
        expect_part()
        text_size, payload_size = _PART_SIZES.unpack(_read_exactly(read, _PART_SIZES.size))
        if text_size > MAX_JSON_BYTES:
            raise EngineError(f"the engine's answer is not understood: a part of {text_size} bytes")
        part = parse_answer(PartMessage, _read_exactly(read, text_size), "part").part
        if payload_size > max_payload_bytes(part, request):
            raise EngineError(f"the engine's answer is not understood: {payload_size} bytes in a part '{part.kind}'")
        num_results += not isinstance(part, StepPart | EndPart | ErrorPart)
        if num_results > max_results(request):
            raise EngineError(f"the engine's answer is not understood: more than {max_results(request)} results")
        yield part, _read_exactly(read, payload_size)
        if isinstance(part, EndPart | ErrorPart):
            return
    raise EngineError(f"the engine's answer is not understood: more than {MAX_PARTS} parts")


def max_results(request: LongRequest) -> int:
    """The most that can come of a request."""
    if isinstance(request, SearchRequest):
        return request.count
    return MAX_DIRECTIONS if isinstance(request, AttributesRequest | PublishedChannelsRequest) else 1


def max_payload_bytes(part: WorkPart, request: LongRequest) -> int:
    """What may come with a part, in answer to `request`."""
    if isinstance(part, DirectionPart):
        return MAX_FILE_BYTES
    if isinstance(part, MeanPart):
        return 4 * MAX_WIDTH
    if isinstance(part, RegionsPart):
        return MAX_REGIONS_BYTES
    if not isinstance(part, PicturePart):
        return 0
    asked = MAX_PAYLOAD_BYTES
    if isinstance(request, StripRequest):
        asked = (1 + len(request.directions) * len(request.seeds)) * MAX_STRIP_ROW_BYTES
    return min(part.height * part.width * 3, asked, MAX_PAYLOAD_BYTES)


def decode_result(part: WorkPart, payload: bytes) -> LongResult:
    """What a part holds; raises EngineError for one that holds no result, or a payload that does not fit."""
    try:
        if isinstance(part, DirectionPart):
            return MadeDirection(decode_direction(payload, "direction"), part.holds, part.figures)
        if isinstance(part, MeanPart):
            return ConditionalMean(np.frombuffer(payload, "<f4").astype(np.float32), part.num_faces)
        if isinstance(part, RegionsPart):
            return LearnedRegions(payload, part.figures)
        if isinstance(part, PicturePart):
            return np.frombuffer(payload, np.uint8).reshape(part.height, part.width, 3)
    except (ValueError, InputFileError) as error:
        raise EngineError(f"the engine's answer is not understood: {error}") from None
    raise EngineError(f"the engine's answer is not understood: a part '{part.kind}' where a result belongs")


def _read_exactly(read: Callable[[int], bytes], size: int) -> bytes:
    data = read(size)
    if len(data) != size:
        raise EOFError
    return data


def to_error_message(error: TuifaceError, sequence: int | None = None) -> ErrorMessage:
    """`error` as a message; a subclass that is not in tuiface.core.errors crosses as its nearest base there."""
    name = next(cls.__name__ for cls in type(error).__mro__ if _ERRORS.get(cls.__name__) is cls)
    return ErrorMessage(
        error=name,
        message=error.message[:_MAX_ERROR_CHARACTERS],
        hint=error.hint[:_MAX_ERROR_CHARACTERS],
        sequence=sequence,
    )


def decode_error(text: str | bytes) -> TuifaceError:
    """The error in an answer, of the class that was raised there; an answer that is none is an EngineError."""
    try:
        return to_error(parse_answer(ErrorMessage, text, "error"))
    except EngineError as refused:
        return refused


def to_error(message: ErrorMessage) -> TuifaceError:
    """The exception that `message` stands for."""
    return _ERRORS.get(message.error, EngineError)(message.message, message.hint)


def parse_request(model: type[ValueType], text: str | bytes, where: str) -> ValueType:
    """What a client sent; raises InputFileError. Messages have no digest, so sequences and times may be large."""
    # At once, before anything is looked at closely: nothing that a message holds has many commas but its values.
    if (text.count(b",") if isinstance(text, bytes) else text.count(",")) > MAX_MESSAGE_VALUES:
        raise InputFileError(f"{where}: more than {MAX_MESSAGE_VALUES} values, the most that a message may hold")
    return parse_json(model, text, where, max_values=MAX_MESSAGE_VALUES, max_integer=None)


def parse_answer(model: type[ValueType], text: str | bytes, where: str) -> ValueType:
    """What the engine sent; its mistakes are the engine's, not those of a user's file."""
    try:
        return parse_request(model, text, where)
    except InputFileError as error:
        raise EngineError(f"the engine's answer is not understood: {error.message}", error.hint) from None
