"""What every command reads from its flags: the settings."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tuiface.core.settings import Settings

Commands = argparse._SubParsersAction  # the type that add_subparsers returns has no public name


def settings_from(args: argparse.Namespace) -> Settings:
    """Settings with the flags of this call on top. Raises UsageError or InputFileError."""
    from tuiface.core.settings import load_settings

    names = ("model", "device", "threads", "psi", "graphics", "engine")
    return load_settings({name: getattr(args, name, None) for name in names})
