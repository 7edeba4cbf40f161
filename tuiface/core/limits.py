"""Numbers that recipes, settings and the interface must agree on, importable in no time.

They stand apart from tuiface.faces.recipe because that module needs numpy, for which the interface's first paint
cannot wait.
"""

from __future__ import annotations

MAX_SEED = 2**32 - 1
"""numpy's RandomState takes no larger one."""
DEFAULT_PSI = 0.7
"""Truncation of new faces, and of those that are measured: figures are to hold where people work."""
PSI_RANGE = (-3, 3)
"""Beyond these a face is a blot of colour in any network."""

CHANNEL_LIMIT = 30.0
"""Largest amount of style channels without asking, of one alone or of a direction made of one: it moves little."""

MAX_WIDTH = 65_536
"""Numbers in a row of latents, channels of a layer, classes: far beyond any network."""

MAX_FACES = 10_000
"""Faces of one request to an engine, and so of what a direction is learned from."""

MAX_THREADS = 1024
"""CPU threads that a picture may be asked for: the largest machines have half of them."""

W_AVG = "w_avg"
"""The network's own mean latent, as `truncation.center`."""
