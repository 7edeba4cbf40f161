"""glibc's allocator, told to keep what it has: large activations otherwise cost more in page faults than in arithmetic.

By default glibc serves every block above 32 MB at most from mmap and returns it at once, so each layer of each picture
touches fresh zero pages. Measured at 1024 px: over half of the time of a naive forward pass (docs/performance.md).
"""

from __future__ import annotations

import ctypes
import platform

_M_TRIM_THRESHOLD = -1  # malloc.h
_M_MMAP_MAX = -4
_NEVER_TRIM = 2**31 - 1


def keep_freed_memory() -> bool:
    """Serve large blocks from the heap and never trim it; call before the first large allocation.

    Returns whether the C library took the settings (glibc only; elsewhere nothing changes).
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL("libc.so.6")
    return bool(libc.mallopt(_M_MMAP_MAX, 0)) and bool(libc.mallopt(_M_TRIM_THRESHOLD, _NEVER_TRIM))
