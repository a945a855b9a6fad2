"""Waiting for what another process or thread is about to do."""

import time
from collections.abc import Callable


def until(holds: Callable[[], object], seconds: float = 60.0) -> None:
    """Return as soon as something holds; fail when it does not in time."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)
