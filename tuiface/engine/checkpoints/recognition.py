"""What the outermost value of a file is: which format, and under which names its networks lie.

NVIDIA's pickles hold G_ema, TensorFlow's Gs, rosinality's files g_ema. Where a file has no averaged generator, the one
that was trained is taken, with a notice; `params_ema` and the `module.` that DataParallel puts before each name are
looked through.
"""

from __future__ import annotations

from collections.abc import Mapping

from tuiface.core.errors import ModelError, describe_value
from tuiface.engine.checkpoints import nvidia, state_dicts, tensorflow
from tuiface.engine.checkpoints.accounting import Inventory, Meter
from tuiface.engine.checkpoints.contents import GeneratorSource
from tuiface.engine.checkpoints.description import CheckpointDescription
from tuiface.engine.checkpoints.storages import TorchTensor
from tuiface.engine.checkpoints.stubs import PersistentModule

PARALLEL_PREFIX = "module."
NOT_AVERAGED = "the file has no averaged generator: the one that was trained is used, whose pictures are coarser"

Entries = Mapping[object, object]


def describe_checkpoint(value: object, meter: Meter, inventory: Inventory) -> CheckpointDescription:
    """The networks in a value of any of the formats; ModelError names what was found instead."""
    if isinstance(value, PersistentModule):
        value = {"G_ema": value}
    if networks := tensorflow.find_networks(value):
        inventory.networks = tuple(networks)
        return tensorflow.describe_networks(networks, meter, inventory)
    if not isinstance(value, dict):
        raise ModelError(f"not a StyleGAN2 checkpoint: it holds {describe_value(value)} instead of networks")
    meter.visit(len(value))
    named = ((key, entry) for key, entry in value.items() if isinstance(key, str))
    inventory.networks = tuple(key for key, entry in named if _is_network(entry, meter))[:16]
    described = (
        _describe_nvidia_modules(value, meter)
        or _describe_nvidia_state(value, meter)
        or _describe_rosinality(value, meter)
    )
    if described is None:
        raise _unknown_format_error(value)
    return described


def _describe_nvidia_modules(value: Entries, meter: Meter) -> CheckpointDescription | None:
    keys: tuple[tuple[GeneratorSource, tuple[str, ...]], ...] = (("G_ema", ()), ("G", (NOT_AVERAGED,)))
    for key, notices in keys:
        generator = value.get(key)
        if isinstance(generator, PersistentModule):
            return nvidia.describe_networks(key, generator, value, meter, notices)
    return None


def _describe_nvidia_state(value: Entries, meter: Meter) -> CheckpointDescription | None:
    discriminator = _state_of(value.get("D"), meter)
    for key, notices in (("G_ema", ()), ("params_ema", ()), (None, ()), ("G", (NOT_AVERAGED,))):
        entries = _state_of(value if key is None else value.get(key), meter)
        if entries is not None and state_dicts.is_nvidia_generator(entries):
            return state_dicts.describe_nvidia_networks(entries, None if key is None else discriminator, meter, notices)
    return None


def _describe_rosinality(value: Entries, meter: Meter) -> CheckpointDescription | None:
    discriminator = _state_of(value.get("d"), meter)
    for key, prefix, notices in (
        ("g_ema", "", ()),
        ("params_ema", "", ()),
        ("state_dict", "decoder.", ()),
        (None, "", ()),
        (None, "decoder.", ()),
        ("g", "", (NOT_AVERAGED,)),
    ):
        entries = _state_of(value if key is None else value.get(key), meter)
        if entries is not None and state_dicts.is_rosinality_generator(entries, prefix):
            return state_dicts.describe_rosinality_networks(
                entries,
                meter,
                prefix=prefix,
                latent_avg=None if key is None else value.get("latent_avg"),
                discriminator=discriminator if key is not None else None,
                notices=notices,
            )
    return None


def _state_of(value: object, meter: Meter) -> Entries | None:
    """A dict that may be a state dict, without DataParallel's prefix."""
    if not isinstance(value, dict):
        return None
    meter.visit(len(value))
    if not value or not all(isinstance(key, str) and key.startswith(PARALLEL_PREFIX) for key in value):
        return value
    return {key.removeprefix(PARALLEL_PREFIX): entry for key, entry in value.items()}


def _is_network(entry: object, meter: Meter) -> bool:
    if isinstance(entry, PersistentModule):
        return True
    if not isinstance(entry, dict):
        return False
    for tensor in entry.values():
        meter.visit()
        if isinstance(tensor, TorchTensor):
            return True
    return False


def _unknown_format_error(value: Mapping[object, object]) -> ModelError:
    keys = [describe_value(key, 24) for key in list(value)[:6]]
    if isinstance(inner := value.get("params_ema"), dict):
        return _unknown_format_error(inner)
    names = [key for key in value if isinstance(key, str)]
    if any("progression." in name for name in names):
        return ModelError("a StyleGAN1 state dict: accepted is StyleGAN2")
    if any(name.startswith(("constant_input.", "style_mlp.")) for name in names):
        return ModelError(
            "a state dict under BasicSR's names (constant_input, style_mlp); accepted are NVIDIA's and rosinality's",
            "convert it to rosinality's names first",
        )
    more = ", ..." if len(value) > len(keys) else ""
    return ModelError(
        f"no StyleGAN2 generator found: a dict with {', '.join(keys) or 'no keys'}{more}; accepted are G_ema (NVIDIA), "
        "(G, D, Gs) (TensorFlow), g_ema (rosinality) and plain state dicts of these"
    )
