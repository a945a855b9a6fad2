"""What the routes share: who writes, with what, and how a request becomes an answer."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import msgspec
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from manera.generation.engine import Request
from manera.generation.reply import Prompt, Writer
from manera.jobs.settings import JobsConfig
from manera.memory.memory import Memory
from manera.serving.catalogue import Catalogue, writer_of
from manera.serving.events import event_response
from manera.serving.keys import Key
from manera.serving.limits import Limits, LimitsError
from manera.serving.protocol import GenerationFields
from manera.serving.writing import DeadlineError, Item, OverloadedError, WritingThreads, resumed, while_connected

_log = logging.getLogger(__name__)

Encoded = TypeVar("Encoded")
Made = AsyncGenerator[list[Item]]


class Bounds(NamedTuple):
    """What one server takes on.

    slots: replies written together, as many as the engine has; queue: replies that may wait for one.
    deadline: seconds that a request may wait and be written. body: bytes of a request.
    """

    slots: int = 4
    queue: int = 64
    deadline: float = 600.0
    body: int = 1 << 20


class Service:
    """A catalogue, the threads in which its writers write, what they remember, and what clients have used."""

    def __init__(self, catalogue: Catalogue, bounds: Bounds, limits: Limits, memory: Memory, jobs: JobsConfig) -> None:
        self.catalogue = catalogue
        self.limits = limits
        self.memory = memory
        self.jobs = jobs
        self.threads = WritingThreads(catalogue.engine, bounds.slots, bounds.queue, bounds.deadline)
        self.metrics = self.threads.metrics
        self.is_draining = False
        self._bounds = bounds
        self._embedder = ThreadPoolExecutor(1, "manera-embedding")
        self._embedding = 0
        self._counting: set[asyncio.Task[None]] = set()

    def writer(self, http: HttpRequest, asked: GenerationFields) -> Writer:
        """Return who writes, with every adapter weighed and the guard kept or let go as asked.

        Raises UnknownModelError, UnavailableModelError.
        """
        allowed = allowed_models(http)
        writer = writer_of(self.catalogue, asked.model, allowed)
        adapters = asked.adapters(writer, lambda model: writer_of(self.catalogue, model, allowed))
        return writer._replace(adapters=adapters, guard=writer.guard if asked.guard else None)

    async def encode(self, encode: Callable[[], Encoded]) -> Encoded:
        """Make token ids beside the event loop, which a long prompt would hold up."""
        return await asyncio.to_thread(encode)

    async def embed(self, embed: Callable[[], Encoded]) -> Encoded:
        """Make embeddings, one request after another, so that replies go on; raise OverloadedError, DeadlineError."""
        if self._embedding > self._bounds.queue:
            raise OverloadedError("too many requests are waiting", "try again a little later")
        self._embedding += 1
        try:
            async with asyncio.timeout(self._bounds.deadline):
                return await asyncio.get_running_loop().run_in_executor(self._embedder, embed)
        except TimeoutError as error:
            raise DeadlineError(
                f"the request took more than {self._bounds.deadline:g} s", "send fewer texts"
            ) from error
        finally:
            self._embedding -= 1

    def write(self, http: HttpRequest, writer: Writer, requests: Sequence[Request]) -> Made:
        """Write replies under the writer's guard; the key that asked for them pays for their tokens."""
        key = key_of(http)
        return self.threads.write(
            requests, writer, lambda reply: self.spend(key, reply.prompt_tokens + reply.new_tokens)
        )

    def spend(self, key: Key | None, tokens: int) -> None:
        """Count tokens against a key's limit, without waiting for it."""
        if key is not None:
            counting = asyncio.ensure_future(self._spent(key, tokens))
            self._counting.add(counting)
            counting.add_done_callback(self._counting.discard)

    async def _spent(self, key: Key, tokens: int) -> None:
        try:
            await self.limits.spend(key, tokens)
        except LimitsError:
            _log.warning("%d tokens of a key could not be counted", tokens)

    def close(self) -> None:
        """Wait for the threads to end, and close the memory."""
        self.threads.close()
        self._embedder.shutdown()
        self.memory.close()


def service_of(http: HttpRequest) -> Service:
    """Return the service that an application was made with."""
    service: Service = http.app.state.service
    return service


def key_of(http: HttpRequest) -> Key | None:
    """Return the key that a request came with, where keys are asked for."""
    key: Key | None = http.scope.get("manera.key")
    return key


def client_of(http: HttpRequest) -> str:
    """Return whose memory a request may ask for: that of its key's name, empty where no key is asked for."""
    key = key_of(http)
    return "" if key is None else key.name


def allowed_models(http: HttpRequest) -> Collection[str] | None:
    """Return the models that a request may use; None is all."""
    key = key_of(http)
    return None if key is None else key.voices


async def answer(
    http: HttpRequest,
    made: Made,
    prompts: Sequence[Prompt],
    events: Callable[[Made], AsyncIterator[bytes]] | None,
    whole: Callable[[Made], Coroutine[Any, Any, msgspec.Struct]],
) -> Response:
    """Answer with events where the client wants them, else with the whole; stop writing when the client leaves.

    An error before the first token still has a status of its own.
    """
    dropped = sum(prompt.dropped_tokens for prompt in prompts)
    headers = {"x-manera-dropped-tokens": str(dropped)} if dropped else {}
    if events is not None:
        first = await while_connected(http, anext(made))
        return event_response(events(resumed(first, made)), headers)
    body = msgspec.json.encode(await while_connected(http, whole(made)))
    return Response(body, headers=headers, media_type="application/json")
