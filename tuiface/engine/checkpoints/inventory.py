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
