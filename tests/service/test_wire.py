from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import struct
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from tests.service.fake_child import INFO, MODEL, direction, frame, recipe
from tuiface.core.errors import EngineError, InputFileError, ModelError, TuifaceError
from tuiface.core.limits import MAX_SEED, MAX_SIDE_PX
from tuiface.core.strict_json import MAX_JSON_BYTES
from tuiface.directions import report
from tuiface.directions.direction import DirectionOrigin, Labels
from tuiface.engine_api import codec
from tuiface.engine_api.protocol import Quality, RenderRequest, RenderResult
from tuiface.engine_api.requests import (
    MAX_STRIP_ROWS,
    ConditionalMean,
    LearnedRegions,
    LongResult,
    MadeDirection,
    ScoresRequest,
    SearchRequest,
)
from tuiface.faces.recipe import ChannelEdit, LatentSource, Recipe

FRAME = codec.encode_render_result(frame(RenderRequest(recipe(1), resolution=4, sequence=3)))


def test_info_comes_out_as_it_went_in() -> None:
    assert codec.decode_info(codec.encode(codec.InfoMessage(info=INFO))) == INFO


@given(
    w=npst.arrays(np.float32, (2, 8), elements=st.floats(-(2.0**100), 2.0**100, width=32)),
    amount=st.floats(allow_nan=False, allow_infinity=False),
    sequence=st.integers(0, 2**63),
    resolution=st.sampled_from([None, 4, 1024]),
    quality=st.sampled_from(get_args(Quality)),
)
def test_a_job_keeps_its_recipe_digest(
    w: np.ndarray, amount: float, sequence: int, resolution: int | None, quality: Quality
) -> None:
    edit = ChannelEdit(channel=("b16.conv1", 5), amount=amount)
    job = RenderRequest(
        Recipe(model=MODEL, source=LatentSource.from_array(w), edits=(edit,)), resolution, quality, sequence=sequence
    )
    received = codec.decode_render_request(codec.encode(codec.RenderMessage(job=job)))
    assert received == job
    assert received.recipe.digest == job.recipe.digest


@given(npst.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3))))
def test_a_frame_keeps_every_pixel_and_measure(pixels: np.ndarray) -> None:
    sent = dataclasses.replace(frame(RenderRequest(recipe(1), sequence=7)), pixels=pixels)
    received = codec.decode_render_result(codec.encode_render_result(sent))
    assert np.array_equal(received.pixels, pixels)
    for field in dataclasses.fields(RenderResult):
        assert field.name == "pixels" or getattr(received, field.name) == getattr(sent, field.name)


def test_pixels_that_do_not_lie_in_one_piece_cross_too() -> None:
    pixels = np.arange(4 * 4 * 3, dtype=np.uint8).reshape(4, 4, 3)[::2, ::-1]
    received = codec.decode_render_result(codec.encode_render_result(RenderResult(pixels, recipe(1))))
    assert np.array_equal(received.pixels, pixels)


def test_a_frame_header_holds_all_of_a_frame_but_the_pixels() -> None:
    in_frame = {field.name for field in dataclasses.fields(RenderResult)} - {"pixels"}
    assert set(codec.RenderHeader.model_fields) == in_frame | {"height", "width"}


@pytest.mark.parametrize("kind", [TuifaceError, *TuifaceError.__subclasses__()])
def test_an_error_keeps_class_message_and_hint(kind: type[TuifaceError]) -> None:
    error = kind("seed 'ä': accepted are numbers", "try 42")
    received = codec.decode_error(codec.encode(codec.to_error_message(error, 9)))
    assert type(received) is kind
    assert (received.message, received.hint) == (error.message, error.hint)


def test_an_error_of_an_unknown_subclass_crosses_as_its_base() -> None:
    class ShapeError(ModelError):
        pass

    assert type(codec.decode_error(codec.encode(codec.to_error_message(ShapeError("x"))))) is ModelError


def test_an_endless_error_message_is_cut() -> None:
    assert len(codec.decode_error(codec.encode(codec.to_error_message(TuifaceError("x" * 10**6)))).message) == 4000


@pytest.mark.parametrize(
    "change",
    [
        {"sequence": "1"},
        {"sequence": 1.5},
        {"quality": 1},
        {"quality": "best"},
        {"resolution": "256"},
        {"unknown": 1},
        {"recipe": None},
    ],
)
def test_a_job_that_does_not_fit_exactly_is_refused(change: dict[str, object]) -> None:
    message = json.loads(codec.encode(codec.RenderMessage(job=RenderRequest(recipe(1)))))
    message["job"] |= change
    with pytest.raises(InputFileError, match=r"^render job: job\."):
        codec.decode_render_request(json.dumps(message))


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", "[" * 100_000, '{"job": NaN}', "\ud800", b"\xff"])
def test_text_that_is_no_job_is_refused_in_one_line(text: str | bytes) -> None:
    with pytest.raises(InputFileError, match=r"^render job: ") as refusal:
        codec.decode_render_request(text)
    assert "\n" not in str(refusal.value)


def test_a_job_of_more_than_the_limit_is_refused() -> None:
    with pytest.raises(InputFileError, match="accepted are at most"):
        codec.decode_render_request(" " * (MAX_JSON_BYTES + 1))


@given(st.integers(0, len(FRAME) - 1))
def test_a_frame_that_was_cut_is_refused(length: int) -> None:
    with pytest.raises(EngineError):
        codec.decode_render_result(FRAME[:length])


@given(st.integers(0, len(FRAME) - 1), st.integers(1, 255))
def test_a_damaged_frame_is_refused_or_has_its_own_size(position: int, change: int) -> None:
    damaged = bytearray(FRAME)
    damaged[position] ^= change
    with contextlib.suppress(EngineError):
        assert codec.decode_render_result(bytes(damaged)).pixels.shape == (4, 4, 3)


@pytest.mark.parametrize("side", [0, -4, MAX_SIDE_PX + 1, 10**30])
def test_a_frame_of_an_absurd_size_is_refused_before_any_pixel_is_touched(side: int) -> None:
    length = struct.unpack_from(">I", FRAME)[0]
    header = json.loads(FRAME[4 : 4 + length]) | {"width": side}
    text = json.dumps(header).encode()
    with pytest.raises(EngineError, match="width"):
        codec.decode_render_result(struct.pack(">I", len(text)) + text + bytes(48))


@pytest.mark.parametrize(
    "text", [b"", b"Internal Server Error", b"{}", b'{"error": "exec()", "message": "", "hint": ""}']
)
def test_an_answer_that_is_no_error_message_is_an_engine_error(text: bytes) -> None:
    assert "not understood" in codec.decode_error(text).message


def test_an_error_class_that_does_not_exist_here_is_an_engine_error() -> None:
    error = codec.decode_error(b'{"error": "SystemExit", "message": "m", "hint": "h"}')
    assert (type(error), error.message) == (EngineError, "m")


SEARCH = SearchRequest(method="regional", region="mouth", rows=(2, 6), count=3)
SCORES = ScoresRequest(
    name="kind",
    labels=Labels(en=("cold", "warm"), es=("frío", "cálido")),
    seeds=(0, 2**32 - 1),
    scores=(-0.1, 1e300),
    origin=DirectionOrigin(method="answers", data="kind.answers.json"),
)


@pytest.mark.parametrize("order", [SEARCH, SCORES])
def test_an_order_comes_out_as_it_went_in(order: SearchRequest | ScoresRequest) -> None:
    assert codec.decode_work(codec.encode(codec.WorkMessage(request=order))) == order


@pytest.mark.parametrize(
    ("order", "change"),
    [
        (SEARCH, {"kind": "pickle"}),
        (SEARCH, {"method": "gans"}),
        (SEARCH, {"region": None}),
        (SEARCH, {"count": 10**6}),
        (SEARCH, {"path": "/etc/passwd"}),
        (SCORES, {"scores": [1.0]}),
        (SCORES, {"name": "../../kind"}),
        (SCORES, {"seeds": [-1, 2]}),
    ],
)
def test_an_order_that_does_not_fit_is_refused(order: SearchRequest | ScoresRequest, change: dict[str, object]) -> None:
    message = json.loads(codec.encode(codec.WorkMessage(request=order)))
    message["request"] |= change
    with pytest.raises(InputFileError, match=r"^work: ") as refusal:
        codec.decode_work(json.dumps(message).encode())
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("text", [b"", b"{}", b'{"seeds": []}', b'{"seeds": ["1"]}', b'{"seeds": [4294967296]}'])
def test_seeds_that_are_none_are_refused(text: bytes) -> None:
    with pytest.raises(InputFileError, match=r"^features job: "):
        codec.decode_seeds(text)


def parts_of(*messages: bytes) -> list[tuple[codec.WorkPart, bytes]]:
    """The parts of an answer to a request that may have several results."""
    return list(codec.read_parts(io.BytesIO(b"".join(messages)).read, SearchRequest(method="sefa", count=10)))


END = codec.encode_part(codec.EndPart())


def test_results_come_out_as_they_went_in() -> None:
    sent = [MadeDirection(direction(0)), MadeDirection(direction(1), holds=False, figures={"weight": 1 / 3})]
    picture = np.random.RandomState(0).randint(0, 256, (3, 5, 3), np.uint8)
    mean = ConditionalMean(np.array([0.1, -3e38], np.float32), 20)
    regions = LearnedRegions(bytes(range(256)), {"accuracy": 0.9})
    results: list[LongResult] = [*sent, picture, mean, regions]
    *parts, end = parts_of(*(codec.encode_result(result) for result in results), END)
    received = [codec.decode_result(part, payload) for part, payload in parts]
    assert isinstance(end[0], codec.EndPart)
    for before, after in zip(sent, received, strict=False):
        assert isinstance(after, MadeDirection)
        assert (after.direction.header, after.direction.sha256) == (before.direction.header, before.direction.sha256)
        assert (after.holds, after.figures) == (before.holds, before.figures)
    np.testing.assert_array_equal(received[2], picture)
    assert isinstance(received[3], ConditionalMean)
    assert (received[3].centre.tobytes(), received[3].num_faces) == (mean.centre.tobytes(), 20)
    assert isinstance(received[4], LearnedRegions)
    assert (received[4].file, received[4].figures) == (regions.file, regions.figures)


@pytest.mark.parametrize("file", [b"!", b"AAAA", bytes(64)])
def test_a_direction_that_is_none_is_an_engine_error(file: bytes) -> None:
    ((part, payload), _) = parts_of(codec.encode_part(codec.DirectionPart(holds=True, figures={}), file), END)
    with pytest.raises(EngineError, match="not understood"):
        codec.decode_result(part, payload)


def test_the_longest_strip_fits_into_an_answer() -> None:
    side = report.MAX_SIDE_PX
    row = [np.zeros((side, side, 3), np.uint8) for _ in report.STRIP_AMOUNTS]
    amounts = [f"{amount:+g}" for amount in report.STRIP_AMOUNTS]
    strip = report.draw_contact_strip([row], amounts, [f"{MAX_STRIP_ROWS} {MAX_SEED}"])
    assert strip.nbytes <= codec.MAX_STRIP_ROW_BYTES
    assert strip.nbytes * MAX_STRIP_ROWS <= codec.MAX_PAYLOAD_BYTES


@pytest.mark.parametrize("part", [codec.PicturePart(height=2, width=2), codec.MeanPart(num_faces=3), codec.EndPart()])
def test_a_payload_that_does_not_fit_is_an_engine_error(part: codec.WorkPart) -> None:
    with pytest.raises(EngineError, match="not understood"):
        codec.decode_result(part, b"12345")


def test_an_answer_that_breaks_off_or_is_none_is_told() -> None:
    whole = codec.encode_part(codec.StepPart(text="reading"))
    for cut in (0, 3, len(whole) - 1, len(whole)):
        with pytest.raises(EOFError):
            parts_of(whole[:cut])
    for wrong in (b"\xff" * 64, whole.replace(b"step", b"stop"), b"\0\0\0\2\0\0\0\0{}"):
        with pytest.raises(EngineError, match="not understood"):
            parts_of(wrong, END)
