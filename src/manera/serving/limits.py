"""How much a key may ask for in a minute; counted in memory, or in a Redis that several servers share."""

import time
from typing import Any

from limits import RateLimitItemPerMinute
from limits.aio.strategies import FixedWindowRateLimiter
from limits.errors import ConfigurationError, StorageError
from limits.storage import storage_from_string

from manera.errors import ServingError
from manera.serving.keys import Key

MEMORY = "memory://"
REDIS = ("redis://", "rediss://")


class RateLimitedError(ServingError):
    """A key has used up its minute; seconds: until the next."""

    def __init__(self, what: str, amount: int, seconds: int) -> None:
        super().__init__(f"this key may use {amount} {what} a minute", f"try again in {seconds} s")
        self.seconds = seconds


class LimitsError(ServingError):
    """What was used cannot be counted."""


class Limits:
    """Requests and tokens of each key, in windows of a minute."""

    def __init__(self, uri: str = MEMORY) -> None:
        """Raise ServingError when nothing can be counted there."""
        self._connections: Any = None
        options: dict[str, Any] = {"wrap_exceptions": True}
        try:
            if uri.startswith(REDIS):
                from redis.asyncio import ConnectionPool

                self._connections = ConnectionPool.from_url(uri)
                options |= {"implementation": "redispy", "connection_pool": self._connections}
            storage = storage_from_string(f"async+{uri}", **options)
        except (ConfigurationError, ImportError, ValueError) as error:
            raise ServingError(
                f"cannot count limits in {uri}: {error}", "use memory:// or redis://host:port"
            ) from error
        self._windows = FixedWindowRateLimiter(storage)

    async def close(self) -> None:
        """Leave the Redis; a connection that stays open would keep the event loop from closing."""
        if self._connections is not None:
            await self._connections.aclose()

    async def admit(self, key: Key) -> None:
        """Count one request; raise RateLimitedError, LimitsError.

        Tokens are counted when they are written: the request that goes over the limit is the last to be admitted.
        """
        try:
            if key.requests_per_minute is not None:
                requests = RateLimitItemPerMinute(key.requests_per_minute)
                if not await self._windows.hit(requests, key.sha256, "requests"):
                    raise await self._limited(requests, key, "requests")
            if key.tokens_per_minute is not None:
                tokens = RateLimitItemPerMinute(key.tokens_per_minute)
                if not await self._windows.test(tokens, key.sha256, "tokens"):
                    raise await self._limited(tokens, key, "tokens")
        except StorageError as error:
            raise LimitsError("the limits cannot be counted now", "try again a little later") from error

    async def spend(self, key: Key, tokens: int) -> None:
        """Count tokens that were read and written; raise LimitsError."""
        if key.tokens_per_minute is None:
            return
        try:
            await self._windows.hit(RateLimitItemPerMinute(key.tokens_per_minute), key.sha256, "tokens", cost=tokens)
        except StorageError as error:
            raise LimitsError("the limits cannot be counted now") from error

    async def _limited(self, item: RateLimitItemPerMinute, key: Key, what: str) -> RateLimitedError:
        reset, _ = await self._windows.get_window_stats(item, key.sha256, what)
        return RateLimitedError(what, item.amount, max(1, round(reset - time.time() + 0.5)))
