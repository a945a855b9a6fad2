"""Time that is waited for: who waits is handed a clock, and a test hands in one that does not wait."""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Unix seconds, and waiting for them to pass."""

    def now(self) -> float: ...

    async def sleep(self, seconds: float) -> None: ...


class RealClock:
    """The clock on the wall."""

    def now(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
