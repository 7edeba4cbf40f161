"""Published channels: named as the checkpoint names them, and for the original network's shape alone."""

from __future__ import annotations

from tuiface.core.limits import NAME_PATTERN
from tuiface.directions.importing import is_config_f, layer_name, single_channels


def config_f() -> dict[str, int]:
    """9088 style channels in 26 layers (Wu et al. 2021)."""
    channels = {4: 512, 8: 512, 16: 512, 32: 512, 64: 512, 128: 256, 256: 128, 512: 64, 1024: 32}
    layers = {"b4.conv1": 512, "b4.torgb": 512}
    for resolution in list(channels)[1:]:
        layers[f"b{resolution}.conv0"] = channels[resolution // 2]
        layers[f"b{resolution}.conv1"] = layers[f"b{resolution}.torgb"] = channels[resolution]
    return layers


def test_layers_by_number() -> None:
    assert [layer_name(i) for i in (0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 25)] == [
        "b4.conv1", "b4.torgb", "b8.conv0", "b8.conv1", "b16.conv0", "b16.conv1", "b32.conv0", "b32.conv1",
        "b64.conv0", "b64.conv1", "b128.conv0", "b128.conv1", "b1024.torgb",
    ]  # fmt: skip


def test_shape_of_the_original_network_alone_is_accepted() -> None:
    layers = config_f()
    assert (len(layers), sum(layers.values())) == (26, 9088)
    assert is_config_f(layers)
    assert not is_config_f({**layers, "b64.conv1": 256})
    assert not is_config_f({name: n for name, n in layers.items() if "1024" not in name})


def test_each_channel_exists_and_has_a_name() -> None:
    import re

    layers = config_f()
    channels = single_channels()
    assert channels["ffhq_smile"] == ("b16.conv1", 501)
    assert len(channels) == 31
    for name, (layer, channel) in channels.items():
        assert re.fullmatch(NAME_PATTERN, name)
        assert channel < layers[layer]
