"""A bot that runs in a test: against the local Bot API server, the real API, and a clock that does not wait."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from bot_api_server import TOKEN, BotApi, bot_api
from fake_clock import FakeClock
from pydantic import SecretStr

from manera.faces.api import Api
from manera.faces.telegram.running import run
from manera.faces.telegram.settings import BotConfig


@asynccontextmanager
async def talking(
    api_url: str, home: Path, server: BotApi, clock: FakeClock | None = None, voice: str = "anna", **settings: Any
) -> AsyncIterator[asyncio.Task[None]]:
    """Run a bot against a Bot API server that runs already; yield its task."""
    config = BotConfig(token=SecretStr(TOKEN), api_url=server.url, **{"pace": "none"} | settings)
    async with Api(api_url) as api:
        task = asyncio.create_task(run(voice, api, config, home, lambda name: None, clock or FakeClock()))
        try:
            yield task
        finally:
            if not task.done():  # an error that ended it is for the test to see
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task


@asynccontextmanager
async def conversing(
    api_url: str, home: Path, clock: FakeClock | None = None, voice: str = "anna", **settings: Any
) -> AsyncIterator[BotApi]:
    """Run a bot and the Bot API server; yield the latter."""
    async with bot_api() as server, talking(api_url, home, server, clock, voice, **settings):
        yield server
