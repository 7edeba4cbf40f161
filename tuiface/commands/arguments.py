"""What commands share of their flags: the settings, and how lists of faces are taken."""

from __future__ import annotations

import argparse
from itertools import chain
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tuiface.core.settings import Settings

Commands = argparse._SubParsersAction  # the type that add_subparsers returns has no public name


class JoinLists(argparse.Action):
    """Of an argument of several words, whose type makes a list of each word: all, in one list."""

    def __call__(self, parser: Any, namespace: argparse.Namespace, values: Any, option_string: Any = None) -> None:
        """Put them there."""
        setattr(namespace, self.dest, list(chain.from_iterable(values)))


def settings_from(args: argparse.Namespace) -> Settings:
    """Settings with the flags of this call on top. Raises UsageError or InputFileError."""
    from tuiface.core.settings import load_settings

    return load_settings(flags_from(args))


def flags_from(args: argparse.Namespace) -> dict[str, object]:
    """What this call says of settings; None for what it does not."""
    return {name: getattr(args, name, None) for name in ("model", "device", "threads", "psi", "graphics", "engine")}
