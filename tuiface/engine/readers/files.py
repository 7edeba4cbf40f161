"""The file of a reader: a safetensors file with the metadata `format` "tuiface.reader/1" and `card`, a ReaderCard.

It is checked like a checkpoint: size, header, card, names, shapes, types and places of all tensors, finite values.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from tuiface.engine.checkpoints.census import printable
from tuiface.engine.checkpoints.container import check_tensors, encoded_header, float32_tensors, split_header
from tuiface.engine.checkpoints.source_file import read_source
from tuiface.engine.readers.card import Kind, ReaderCard
from tuiface.engine.readers.networks import AttributeNetwork, SegmenterNetwork
from tuiface.errors import InputFileError, ModelError
from tuiface.files import write_file
from tuiface.validation import parse_json

FORMAT: Final = "tuiface.reader/1"
_MADE_BY: Final = "tuiface train segmenter and tuiface train attributes make such files"


def build_network(card: ReaderCard, *, normalise: bool = False) -> SegmenterNetwork | AttributeNetwork:
    """The network that `card` describes, with initial values."""
    if card.kind == "segmenter":
        return SegmenterNetwork(card.widths, len(card.regions), normalise=normalise)
    return AttributeNetwork(card.resolution, card.widths, card.feature_width, len(card.attributes), normalise=normalise)


def write_reader(path: Path, card: ReaderCard, network: nn.Module) -> None:
    """Write a folded network in half precision, replacing `path`; equal readers give equal bytes.

    Raises OutputError where it cannot be written.
    """
    tensors = {
        name: np.asarray(tensor.detach().float().cpu().numpy(), "<f2", order="C")
        for name, tensor in sorted(network.state_dict().items())
    }
    metadata = {"format": FORMAT, "card": card.canonical_json().decode()}
    places = ((name, "F16", tensor.shape, tensor.nbytes) for name, tensor in tensors.items())
    header = encoded_header(metadata, places)
    write_file(path, header + b"".join(tensor.tobytes() for tensor in tensors.values()), force=True)


def read_reader(path: Path, kind: Kind) -> tuple[ReaderCard, nn.Module]:
    """The card and the network of the reader at `path`, evaluation mode, no gradients of parameters.

    Raises ModelError, one line, for a file that is missing, damaged, or no reader of this kind.
    """
    try:
        return _read(path, kind)
    except (ModelError, InputFileError) as error:
        raise ModelError(f"{printable(path.name)}: {error.message}", error.hint) from None


def _read(path: Path, kind: Kind) -> tuple[ReaderCard, nn.Module]:
    data = read_source(path).data
    header = split_header(data, len(data), FORMAT, "a reader of faces", _MADE_BY)
    if "card" not in header.metadata:
        raise ModelError("metadata 'card' is missing", _MADE_BY)
    card = parse_json(ReaderCard, header.metadata["card"], "card")
    if card.kind != kind:
        raise ModelError(f"a reader of kind '{card.kind}'; accepted here is '{kind}'", _MADE_BY)
    with torch.device("meta"):
        network = build_network(card)
    check_tensors(header, {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()})
    tensors: dict[str, Tensor] = {name: torch.from_numpy(array) for name, array in float32_tensors(data).items()}
    network.load_state_dict(tensors, assign=True)
    return card, network.eval().requires_grad_(requires_grad=False)
