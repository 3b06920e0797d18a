"""Memory that a step frees is kept for the next one: getting it anew from the system takes a tenth of a CPU step."""

import ctypes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Names of glibc's malloc.h."""
KEPT_BYTES = 2**31 - 1
"""The most that glibc's `mallopt` takes, an int."""


def keep_freed_memory() -> None:
    """Tells glibc to hand large blocks out again instead of mapping fresh pages; does nothing without glibc."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return
    for name in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD):
        mallopt(name, KEPT_BYTES)
