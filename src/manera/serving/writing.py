"""From the threads in which replies are written to the event loop."""

import asyncio
import contextvars
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import aclosing
from threading import Event
from typing import Any, TypeVar

import msgspec
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest

from manera.errors import ServingError
from manera.generation.drafting import with_drafts
from manera.generation.engine import Engine, Finished, Request, Token
from manera.generation.reply import Writer, shown, writing
from manera.serving.metrics import Metrics

Item = tuple[int, Token | Finished]
Result = TypeVar("Result")


class OverloadedError(ServingError):
    """As many requests wait as may."""


class DeadlineError(ServingError):
    """A request has taken as long as it may."""


class WritingThreads:
    """The threads in which replies are written, as many as the engine has slots, and the queue before them.

    deadline: seconds that a request may wait and be written.
    """

    def __init__(self, engine: Engine, slots: int, queue: int, deadline: float) -> None:
        self.metrics = Metrics(lambda: min(self._taken, slots), lambda: max(0, self._taken - slots))
        self._engine = engine
        self._threads = ThreadPoolExecutor(slots, "manera-reply")
        self._places = slots + queue
        self._taken = 0
        self._deadline = deadline

    async def write(
        self, requests: Sequence[Request], writer: Writer, finished: Callable[[Finished], None]
    ) -> AsyncGenerator[list[Item]]:
        """Yield, each time with everything made since the last, the index of a request and what was made for it.

        finished: told how each reply ended, also when nobody waits for it any more.
        Closing it cancels what is unfinished. Raises OverloadedError before, DeadlineError before and while writing,
        GenerationError while writing.
        """
        if len(requests) > self._places - self._taken:
            raise OverloadedError("too many requests are waiting", "try again a little later")
        drafts = self._engine.drafts if not self._taken and len(requests) == 1 else 1
        self._taken += len(requests)
        loop = asyncio.get_running_loop()
        box = _Box(loop)
        asked_at = loop.time()
        expiry = loop.call_at(asked_at + self._deadline, box.expire, self._deadline)
        engine = writing(self._engine, writer)
        running = [
            self._threads.submit(contextvars.copy_context().run, box.fill, engine, index, _drafted(request, drafts))
            for index, request in enumerate(requests)  # with its id
        ]
        for reply in running:
            reply.add_done_callback(lambda done: loop.call_soon_threadsafe(self._ended, done, finished))
        try:
            has_begun = False
            async for items in box.empty(len(requests)):
                if not has_begun:
                    has_begun = True
                    self.metrics.first_token(loop.time() - asked_at)
                yield items
        finally:
            expiry.cancel()
            box.cancelled.set()
            for reply in running:
                reply.cancel()  # what waits for a slot leaves the queue; what is being written ends by itself

    def _ended(self, reply: "Future[Finished | None]", finished: Callable[[Finished], None]) -> None:
        self._taken -= 1
        if not reply.cancelled() and (ended := reply.result()) is not None:
            self.metrics.finished(ended)
            finished(ended)

    def close(self) -> None:
        """Wait for the threads to end."""
        self._threads.shutdown()


def _drafted(request: Request, drafts: int) -> Request:
    return msgspec.structs.replace(request, sampling=with_drafts(request.sampling, drafts))


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

    def fill(self, engine: Engine, index: int, request: Request) -> Finished | None:
        """Write one reply in the calling thread; return how it ended, None when it failed."""
        try:
            finished = engine.generate(request, lambda token: self._put((index, shown(token))), self.cancelled.is_set)
        except Exception as error:  # raised again in the coroutine
            self._put((index, error))
            return None
        self._put((index, finished))
        return finished

    def expire(self, seconds: float) -> None:
        """Tell the coroutine, in its own thread, that it has no more time."""
        self._made.append((0, DeadlineError(f"the request took more than {seconds:g} s", "ask for fewer tokens")))
        self._woken.set()

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
