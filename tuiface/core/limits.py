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
"""Largest amount of a single style channel without asking: one channel alone moves little."""

W_AVG = "w_avg"
"""The network's own mean latent, as `truncation.center`."""
