"""A clock that does not wait."""

import asyncio


class FakeClock:
    """Passes the seconds at once, and keeps how many they were."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.slept: list[float] = []
        self._now = now

    def now(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self._now += seconds
        await asyncio.sleep(0)
