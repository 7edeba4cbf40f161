"""What a file names on its way in: kept apart from its meaning, so that a refused file can be explained too."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field


@dataclass(slots=True)
class Inventory:
    """Globals, classes and embedded source texts, in the order in which they were met."""

    globals: set[str] = field(default_factory=set)
    """`module.name` of every global, refused ones included."""
    class_names: set[str] = field(default_factory=set)
    """Class names inside persistent module objects."""
    source_digests: set[str] = field(default_factory=set)
    """SHA-256 of every embedded source text (UTF-8). The texts are never run."""
    networks: tuple[str, ...] = ()
    """Top-level entries that hold a network: `G`, `D`, `G_ema`, `Gs`, `augment_pipe` ..."""
    notices: list[str] = field(default_factory=list)
    """What the container itself gives reason to say."""
    _digest_of: dict[int, tuple[str, str]] = field(default_factory=dict)

    def note_source(self, text: str) -> None:
        """Record an embedded source text; a text that thousands of objects share is hashed once."""
        # The text is kept beside its digest: an id is only unique while its object lives.
        if id(text) not in self._digest_of:
            digest = hashlib.sha256(text.encode()).hexdigest()
            self._digest_of[id(text)] = (text, digest)
            self.source_digests.add(digest)


def describe_value(value: object, limit: int = 60) -> str:
    """A value from the file for an error line: scalars by value, everything else by kind only.

    Never formats a container: 40 nested lists of 10 references print as 10^40 leaves.
    """
    if isinstance(value, str):
        return repr(value if len(value) <= limit else value[: limit - 3] + "...")
    if value is None or isinstance(value, bool | float | int):
        return repr(value)
    if isinstance(value, list | tuple | dict):
        return f"a {type(value).__name__} of {len(value)}"
    return f"a {type(value).__name__}"


def to_printable(text: str, limit: int = 120) -> str:
    """Text from the file, fit for a terminal line."""
    cut = text if len(text) <= limit else text[: limit - 3] + "..."
    return "".join(c if c.isprintable() else "?" for c in cut)
