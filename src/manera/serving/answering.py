"""A job that is done while the client waits, and leaves nothing."""

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import msgspec
from starlette.requests import Request as HttpRequest

from manera.errors import JobError
from manera.jobs.folder import STATE, Failure, read_record
from manera.jobs.running import place, send, start
from manera.serving.writing import while_connected

Result = TypeVar("Result", bound=msgspec.Struct)


@asynccontextmanager
async def done(
    http: HttpRequest, kind: str, order: msgspec.Struct, result: type[Result]
) -> AsyncIterator[tuple[Path, Result]]:
    """Have an order carried out in a process; lend its folder and what it says. Raises JobError where it died.

    It is killed when the client leaves. The folder is removed after the block.
    """
    await http.body()  # what is received after it can only tell that the client has left
    folder, lock = await asyncio.to_thread(place, kind, order)
    try:
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        await asyncio.to_thread(start, folder, lock, lambda: loop.call_soon_threadsafe(ended.set))
        await while_connected(http, ended.wait())
        found = read_record(folder / STATE, result)
        if found is None:
            raise JobError("it broke off: the machine had no memory left for it", "close other programs, and try again")
        yield folder, found
    finally:
        send(folder, signal.SIGKILL)
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def raise_failure(error: Failure | None) -> None:
    """Raise JobError where a job said why it failed."""
    if error is not None:
        raise JobError(error.message, error.hint)
