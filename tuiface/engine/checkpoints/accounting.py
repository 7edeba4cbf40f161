"""What is kept of a file while it is read: what it has cost so far, within hard limits, and what it has named.

One meter goes through the whole reading, from the first opcode to the last walk over the values, because each step can
multiply what the one before has made. Both are apart from the file's meaning: every reader of the file shares them, and
a refused file can be explained too. Honest files stay far below the limits: FFHQ at 1024 px is 380 MB, some 60,000
opcodes and 100 kB of text.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final

from tuiface.core.errors import ModelError
from tuiface.core.visible import to_visible


@dataclass(frozen=True, slots=True)
class Limits:
    """Upper bounds for one file, nested streams included."""

    file_bytes: int = 4 << 30
    """Size of the file."""
    opcodes: int = 500_000
    """Pickle operations; also bounds how many objects can exist, at most some 150 bytes each."""
    memo_entries: int = 200_000
    """Objects that a stream may remember."""
    stack_values: int = 20_000
    """Values that may wait between two marks."""
    marks: int = 1_000
    """Open marks, that is containers being filled at once."""
    integer_bytes: int = 16
    """Width of one integer; torch's own magic number needs 10."""
    name_characters: int = 256
    """Module and name of one global."""
    text_bytes: int = 4 << 20
    """One string; the longest honest one is a module's source text."""
    total_text_bytes: int = 16 << 20
    """All strings: they are decoded, and a single wide character quadruples one."""
    zip_members: int = 50_000
    """Members of a torch zip container; a training file holds a few thousand."""
    copied_bytes: int = 32 << 20
    """What constructors copy of values that the pickle may name again and again: sets of lists, bytes of texts."""
    places: int = 100_000
    """Entries of containers that are looked at once the pickle is read. Containers may be shared, so that what is small
    in the file can be endless for a walk; FFHQ at 1024 px with all its networks has some 12,000."""
    widening: int = 2
    """Tensors may take this many times the file's size in memory: half precision doubles as float32."""


LIMITS: Final = Limits()


@dataclass(slots=True)
class Meter:
    """What the file has used of its `Limits` so far."""

    limits: Limits = LIMITS
    file_bytes: int = 0
    opcodes: int = field(default=0, init=False)
    text_bytes: int = field(default=0, init=False)
    copied_bytes: int = field(default=0, init=False)
    places: int = field(default=0, init=False)
    tensor_bytes: int = field(default=0, init=False)

    def use_opcode(self) -> None:
        """Count one pickle operation."""
        self.opcodes += 1
        if self.opcodes > self.limits.opcodes:
            raise over_budget_error("pickle operations", self.limits.opcodes)

    def use_text(self, num_bytes: int) -> None:
        """Count a string before it is decoded."""
        if num_bytes > self.limits.text_bytes:
            raise over_budget_error(f"bytes in one string ({num_bytes} claimed)", self.limits.text_bytes)
        self.text_bytes += num_bytes
        if self.text_bytes > self.limits.total_text_bytes:
            raise over_budget_error("bytes of text", self.limits.total_text_bytes)

    def use_copy(self, num_bytes: int) -> None:
        """Count a copy of a value before it is made."""
        self.copied_bytes += num_bytes
        if self.copied_bytes > self.limits.copied_bytes:
            raise over_budget_error("bytes in copies of its values", self.limits.copied_bytes)

    def visit(self, num_places: int = 1) -> None:
        """Count entries of a container before a walk looks at them."""
        self.places += num_places
        if self.places > self.limits.places:
            raise over_budget_error(
                "entries in its lists, dicts and modules, shared ones counted again", self.limits.places
            )

    def use_tensors(self, num_bytes: int) -> None:
        """Count float32 tensors before they are allocated; views of one storage add up."""
        self.tensor_bytes += num_bytes
        allowed = self.limits.widening * self.file_bytes
        if self.tensor_bytes > allowed:
            raise ModelError(
                f"its tensors would take {self.tensor_bytes} bytes, more than a file of {self.file_bytes} can hold",
                "several tensors share one storage; no stock StyleGAN2 checkpoint does",
            )


def over_budget_error(what: str, limit: int) -> ModelError:
    """The refusal of a file that asks for more than any honest checkpoint."""
    return ModelError(f"more than {limit} {what}, which no StyleGAN2 checkpoint needs; refused unread")


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
    _names: set[tuple[str, str]] = field(default_factory=set)
    _digest_of: dict[int, tuple[str, str]] = field(default_factory=dict)

    def note_global(self, module: str, name: str) -> None:
        """Record a global; one that the file names half a million times is made printable once."""
        if (module, name) not in self._names:
            self._names.add((module, name))
            self.globals.add(f"{to_visible(module)}.{to_visible(name)}")

    def note_source(self, text: str) -> None:
        """Record an embedded source text; a text that thousands of objects share is hashed once."""
        # The text is kept beside its digest: an id is only unique while its object lives.
        if id(text) not in self._digest_of:
            digest = hashlib.sha256(text.encode()).hexdigest()
            self._digest_of[id(text)] = (text, digest)
            self.source_digests.add(digest)
