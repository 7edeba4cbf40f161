"""When Python looks for garbage: not while the interface starts.

What is imported until the first face stays, and looking through it again and again takes 60 ms of half a second.
"""

from __future__ import annotations

import gc


def pause_collection() -> None:
    """Look for none until `resume_collection`."""
    gc.disable()


def resume_collection() -> None:
    """From here on; what was made until now is taken to stay. Calling it again changes nothing."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
