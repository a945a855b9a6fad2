"""From the threads in which replies are written to the event loop."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from threading import Event
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest

from manera.errors import ServingError
from manera.generation.engine import Engine, Finished, Request, Token
from manera.generation.reply import shown

Item = tuple[int, Token | Finished]
Result = TypeVar("Result")


class OverloadedError(ServingError):
    """As many requests wait as may."""


class WritingThreads:
    """The threads in which replies are written: one each, as many as may run or wait."""

    def __init__(self, engine: Engine, at_once: int) -> None:
        self._engine = engine
        self._threads = ThreadPoolExecutor(at_once, "manera-reply")
        self._free = at_once

    async def write(self, requests: Sequence[Request]) -> AsyncGenerator[list[Item]]:
        """Yield, each time with everything made since the last, the index of a request and what was made for it.

        Closing it cancels what is unfinished. Raises OverloadedError before, GenerationError while writing.
        """
        if len(requests) > self._free:
            raise OverloadedError("too many requests are waiting", "try again a little later")
        self._free -= len(requests)
        loop = asyncio.get_running_loop()
        box = _Box(loop)
        running = [
            loop.run_in_executor(self._threads, box.fill, self._engine, index, request)
            for index, request in enumerate(requests)
        ]
        try:
            async for items in box.empty(len(requests)):
                yield items
        finally:
            box.cancelled.set()
            for done in running:
                done.add_done_callback(self._release)

    def _release(self, done: "asyncio.Future[None]") -> None:
        self._free += 1

    def close(self) -> None:
        """Wait for the threads to end."""
        self._threads.shutdown()


class _Box:
    """What several threads have made and one coroutine has not yet taken.

    The loop is woken once for everything that comes before it looks: at eight streams most tokens come together.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.cancelled = Event()
        self._loop = loop
        self._made: deque[tuple[int, Token | Finished | Exception]] = deque()
        self._woken = asyncio.Event()
        self._is_waking = False

    def fill(self, engine: Engine, index: int, request: Request) -> None:
        """Write one reply, in a thread of its own."""
        try:
            last: Finished | Exception = engine.generate(
                request, lambda token: self._put((index, shown(token))), self.cancelled
            )
        except Exception as error:  # raised again in the coroutine
            last = error
        self._put((index, last))

    def _put(self, item: tuple[int, Token | Finished | Exception]) -> None:
        self._made.append(item)
        if not self._is_waking:
            self._is_waking = True
            self._loop.call_soon_threadsafe(self._woken.set)

    async def empty(self, unfinished: int) -> AsyncIterator[list[Item]]:
        """Yield what was made until every reply is finished."""
        while unfinished:
            await self._woken.wait()
            self._woken.clear()
            self._is_waking = False  # before looking: what comes later wakes again
            items: list[Item] = []
            while self._made:
                index, item = self._made.popleft()
                if isinstance(item, Exception):
                    raise item
                unfinished -= isinstance(item, Finished)
                items.append((index, item))
            yield items


async def while_connected(http: HttpRequest, work: Coroutine[Any, Any, Result]) -> Result:
    """Finish the work unless the client leaves: then cancel it and raise ClientDisconnect."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(http.receive())  # the body has been read: only a disconnect can come
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientDisconnect
    finally:
        for task in (working, leaving):
            task.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def resumed(first: list[Item], rest: AsyncGenerator[list[Item]]) -> AsyncGenerator[list[Item]]:
    """Yield what was already taken, then the rest; closing it closes the rest."""
    async with aclosing(rest):
        yield first
        async for items in rest:
            yield items


async def collect(made: AsyncGenerator[list[Item]], choices: int) -> tuple[list[list[Token]], list[Finished]]:
    """Return the tokens of every choice, and how each ended."""
    tokens: list[list[Token]] = [[] for _ in range(choices)]
    finished: dict[int, Finished] = {}
    async with aclosing(made):
        async for items in made:
            for index, item in items:
                if isinstance(item, Token):
                    tokens[index].append(item)
                else:
                    finished[index] = item
    return tokens, [finished[index] for index in range(choices)]
