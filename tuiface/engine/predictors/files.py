"""What a predictor's file says about itself: JSON in its metadata, strict, with bounds that no honest file reaches.

The file of a predictor: a safetensors file with the metadata `format` "tuiface.reader/1" and `card`, a PredictorCard.

It is checked like a checkpoint: size, header, card, names, shapes, types and places of all tensors, finite values.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from tuiface.core.bounds import Count, Figures, SettingValues, Word
from tuiface.core.errors import InputFileError, ModelError
from tuiface.core.files import write_file
from tuiface.core.safetensors_header import (
    ContainerHeader,
    check_tensors,
    encode_header,
    refuse_other_format,
    split_header,
)
from tuiface.core.tensor_file import to_float32, view_tensor
from tuiface.core.values import Value, parse_json
from tuiface.core.visible import to_visible
from tuiface.engine.checkpoints.source_file import read_source
from tuiface.engine.predictors.networks import AttributeNetwork, SegmenterNetwork

Kind = Literal["segmenter", "attributes"]

VISIBLE_R2 = 0.8
"""Held-out share of explained variance from which a continuous attribute counts as visible."""

_SEGMENTER_STAGES = 4
_STAGES_STRIDE = 32
"""Of the last stage of a reader of scale 1."""


class Attribute(Value):
    """One number that is read from a picture."""

    name: str = Field(min_length=1, max_length=60)
    """Stable, user-facing name."""
    meaning: str = Field(max_length=200)
    """What grows with the value."""
    unit: str = Field(max_length=40)
    """Unit of the value; "probability" for a reading of yes or no."""
    shown_where: str = Field(max_length=80)
    """Where the attribute can be seen at all, and was trained and measured; empty for every picture."""
    centre: float
    """Mean over the training data."""
    spread: float = Field(gt=0)
    """Standard deviation over the training data."""
    held_out_r2: float
    """Explained variance on held-out heads where it is shown."""

    @property
    def is_visible(self) -> bool:
        """Whether readings may be taken for the attribute itself."""
        return self.held_out_r2 >= VISIBLE_R2


class PredictorCard(Value):
    """Everything in a predictor's file but its tensors."""

    kind: Kind
    resolution: int = Field(ge=32, le=512, multiple_of=32)
    """Side that pictures are brought to before they are read, pixels."""
    scale: int = Field(1, ge=1, le=4)
    """How many pixels a side count as one in the stages: 2 for readers of 256 px, whose stages are those of 128."""
    widths: tuple[Count, ...] = Field(min_length=4, max_length=5)
    """Channels of the stages: four, or five for attributes, which then begin at half the side instead of a quarter."""
    feature_width: int = Field(0, ge=0, le=1024)
    """Attributes: length of the pooled features."""
    regions: tuple[Word, ...] = Field((), max_length=64)
    """Segmenter: names of the classes, in the order of their ids."""
    attributes: tuple[Attribute, ...] = Field((), max_length=256)
    """Attributes: what is read, in the order of the outputs."""
    unreadable: Figures = Field({}, max_length=256)
    """Attributes that were tried and left out, with their held-out R2."""
    figures: Figures = Field({}, max_length=64)
    """Held-out measures."""
    training: SettingValues = Field({}, max_length=64)
    """Settings and course of the training."""
    licence: str = Field(max_length=100)
    name: str = Field(max_length=100)

    @model_validator(mode="after")
    def _check(self) -> PredictorCard:
        if not all(1 <= width <= 512 for width in self.widths):
            raise ValueError(f"widths {list(self.widths)}; accepted are 1 to 512 channels")
        if self.kind == "segmenter" and len(self.widths) != _SEGMENTER_STAGES:
            raise ValueError(f"{len(self.widths)} widths; accepted are {_SEGMENTER_STAGES} for a segmenter")
        if self.resolution % (_STAGES_STRIDE * self.scale):
            raise ValueError(f"scale {self.scale} at {self.resolution} px; accepted are sides in steps of 32 x scale")
        wanted = {"segmenter": len(self.regions) > 1, "attributes": bool(self.attributes and self.feature_width)}
        if not wanted[self.kind]:
            raise ValueError(f"a reader of kind '{self.kind}' that reads nothing")
        names = [attribute.name for attribute in self.attributes]
        if len(set(names)) != len(names):
            raise ValueError("an attribute stands twice")
        return self


FORMAT: Final = "tuiface.reader/1"
_KIND: Final = "a reader of faces"
_MADE_BY: Final = "tuiface train segmenter and tuiface train attributes make such files"


def build_network(card: PredictorCard, *, normalise: bool = False) -> SegmenterNetwork | AttributeNetwork:
    """The network that `card` describes, with initial values."""
    if card.kind == "segmenter":
        return SegmenterNetwork(card.widths, len(card.regions), scale=card.scale, normalise=normalise)
    shape = card.resolution, card.widths, card.feature_width, len(card.attributes)
    return AttributeNetwork(*shape, scale=card.scale, normalise=normalise)


def write_predictor(path: Path, card: PredictorCard, network: nn.Module) -> None:
    """Write a folded network, replacing `path`. Raises OutputError where it cannot be written."""
    write_file(path, encode_predictor(card, network), force=True)


def encode_predictor(card: PredictorCard, network: nn.Module) -> bytes:
    """The bytes of a folded network's file, in half precision; equal readers give equal bytes."""
    tensors = {
        name: np.asarray(tensor.detach().float().cpu().numpy(), "<f2", order="C")
        for name, tensor in sorted(network.state_dict().items())
    }
    metadata = {"format": FORMAT, "card": card.canonical_json().decode()}
    places = ((name, "F16", tensor.shape, tensor.nbytes) for name, tensor in tensors.items())
    header = encode_header(metadata, places)
    return header + b"".join(tensor.tobytes() for tensor in tensors.values())


def load_predictor(path: Path, kind: Kind) -> tuple[PredictorCard, nn.Module]:
    """The card and the network of the predictor at `path`, evaluation mode, no gradients of parameters.

    Raises ModelError, one line, for a file that is missing, damaged, or no predictor of this kind.
    """
    try:
        return _read(path, kind)
    except (ModelError, InputFileError) as error:
        raise ModelError(f"{to_visible(path.name)}: {error.message}", error.hint) from None


def read_predictor_card(path: Path) -> PredictorCard:
    """What the predictor at `path` reads, without opening it. Raises ModelError, one line."""
    try:
        return _read_header(read_source(path).data)[1]
    except (ModelError, InputFileError) as error:
        raise ModelError(f"{to_visible(path.name)}: {error.message}", error.hint) from None


def _read_header(data: bytes | memoryview) -> tuple[ContainerHeader, PredictorCard]:
    header = split_header(data, len(data), _KIND)
    refuse_other_format(header, FORMAT, _KIND, _MADE_BY)
    if "card" not in header.metadata:
        raise ModelError("metadata 'card' is missing", _MADE_BY)
    return header, parse_json(PredictorCard, header.metadata["card"], "card")


def _read(path: Path, kind: Kind) -> tuple[PredictorCard, nn.Module]:
    data = read_source(path).data
    header, card = _read_header(data)
    if card.kind != kind:
        raise ModelError(f"a reader of kind '{card.kind}'; accepted here is '{kind}'", _MADE_BY)
    with torch.device("meta"):
        network = build_network(card)
    check_tensors(header, {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()})
    tensors: dict[str, Tensor] = {
        name: torch.from_numpy(to_float32(name, place.dtype, view_tensor(data, header, place).copy()))
        for name, place in header.places.items()
    }
    network.load_state_dict(tensors, assign=True)
    return card, network.eval().requires_grad_(requires_grad=False)
