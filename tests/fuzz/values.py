"""Ways to damage what a pickle holds, not its bytes: sound to the machine, and nonsense to who reads the values."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import numpy as np

from tests.checkpoints.pickles import Call, Named, Raw, numpy_array, numpy_dtype, numpy_scalar, tensor
from tests.checkpoints.writers import persistent

NUMBERS = [
    *(None, True, False, 0, 1, -1, 2, 3, 255, 1 << 31, 1 << 47, -(1 << 63), 1 << 120, 0.0, -0.0, 1.0, 1e308, -1e308),
    *(float("nan"), float("inf"), 1e-320),
]
TEXTS = ["", "x", "x" * 5000, "\u202e\x1b[2J", "weight", b"", b"1234"]
CONTAINERS = [(), [], {}, [1, 2, 3], (4, 4), {"a": 1}, {1: 2}, {None: None}]
ARRAYS = [
    numpy_array(np.zeros((2, 2), np.float32)),
    numpy_array(np.array(1.5)),
    numpy_scalar(float("nan")),
    tensor(np.zeros((2, 2), np.float32)),
    tensor(np.zeros(0, np.float32)),
    tensor(np.array([np.nan, np.inf], np.float32)),
    tensor(np.zeros(3, np.int64), "LongStorage"),
]
OBJECTS = [
    Call(Named("collections", "OrderedDict")),
    Call(Named("builtins", "set"), ([1],)),
    Call(Named("argparse", "Namespace"), (), {"x": 1}),
    Call(Named("torch", "Size"), ((1, 2),)),
    Call(Named("dnnlib.tflib.network", "Network"), new=True, state={}),
    Named("torch", "FloatStorage"),
    Named("numpy", "dtype"),
    numpy_dtype("f4"),
    persistent("Generator", {}),
    persistent("X", {"_modules": {}}),
    Raw(b"]q\x63h\x63a"),  # a list that holds itself
    Raw(b"}q\x62X\x01\0\0\0xh\x62s"),  # a dict that does
]
EXTREMES: list[Any] = [*NUMBERS, *TEXTS, *CONTAINERS, *ARRAYS, *OBJECTS]
KEYS: list[Any] = ["x", "weight", "b16", "conv0", "_modules", "synthesis", 0, 1, None]


def mutated_value(value: Any, random: Random) -> Any:
    """A value of tests/checkpoints/pickles.py with few or many of its parts replaced, left out, renamed or added."""
    return _mutate(value, random, random.choice((0.001, 0.004, 0.02)))


def _mutate(value: Any, random: Random, share: float) -> Any:
    if random.random() < share:
        return random.choice(EXTREMES)
    match value:
        case dict():
            kept = ((key, part) for key, part in value.items() if random.random() > share / 2)
            changed = {_mutate_key(key, random, share): _mutate(part, random, share) for key, part in kept}
            added = {random.choice(KEYS): random.choice(EXTREMES)} if random.random() < share else {}
            return changed | added
        case list() | tuple():
            return type(value)(_mutate(part, random, share) for part in value if random.random() > share / 2)
        case Call():
            return replace(
                value,
                arguments=tuple(_mutate(part, random, share) for part in value.arguments),
                state=None if value.state is None else _mutate(value.state, random, share),
                items={key: _mutate(part, random, share) for key, part in value.items.items()},
            )
    return value


def _mutate_key(key: Any, random: Random, share: float) -> Any:
    return random.choice(KEYS) if random.random() < share / 3 else key
