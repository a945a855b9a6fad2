"""How much memory this process took at its peak, how much this machine has left, and when it had too little."""

import ctypes
import gc
import sys
from contextlib import suppress
from pathlib import Path

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
"""Of glibc's malloc.h."""


def peak_memory_bytes() -> int:
    """Return the largest resident size of this process so far."""
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def memory_bytes() -> int:
    """Return the resident size of this process now."""
    import psutil

    return int(psutil.Process().memory_info().rss)


def available_memory_bytes() -> int | None:
    """Return how much memory programs may still take; None where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return None
    told = dict(line.split(":", 1) for line in lines if ":" in line)
    return int(told["MemAvailable"].split()[0]) * 1024 if "MemAvailable" in told else None


_OUT_OF_MEMORY = ("can't allocate memory", "out of memory", "not enough memory", "Cannot allocate memory")
"""What torch's allocators say: of the CPU, of CUDA and MPS, of Windows."""


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error says that memory ran out."""
    told = isinstance(error, RuntimeError) and any(words in str(error) for words in _OUT_OF_MEMORY)
    return told or isinstance(error, MemoryError)


def keep_freed_memory() -> None:
    """Let this process keep what it frees, for the next step: the kernel zeroes each large tensor anew otherwise.

    That is half the page faults of a step on a CPU, and some 8 % of its time. Does nothing without glibc.
    """
    with suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def free_memory() -> None:
    """Give back what nothing refers to any more, a GPU's too."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
