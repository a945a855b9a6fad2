"""What the routes share: who writes, with what, and how a request becomes an answer."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Sequence
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from manera.generation.engine import Request
from manera.generation.reply import Prompt
from manera.serving.catalogue import Catalogue
from manera.serving.events import event_response
from manera.serving.writing import Item, WritingThreads, resumed, while_connected

Encoded = TypeVar("Encoded")
Made = AsyncGenerator[list[Item]]


class Service:
    """A catalogue, and the threads in which its writers write."""

    def __init__(self, catalogue: Catalogue, at_once: int) -> None:
        self.catalogue = catalogue
        self.threads = WritingThreads(catalogue.engine, at_once)

    async def encode(self, encode: Callable[[], Encoded]) -> Encoded:
        """Make token ids beside the event loop, which a long prompt would hold up."""
        return await asyncio.to_thread(encode)


def service_of(http: HttpRequest) -> Service:
    """Return the service that an application was made with."""
    service: Service = http.app.state.service
    return service


async def answer(
    http: HttpRequest,
    requests: Sequence[Request],
    prompts: Sequence[Prompt],
    events: Callable[[Made], AsyncIterator[bytes]] | None,
    whole: Callable[[Made], Coroutine[Any, Any, msgspec.Struct]],
) -> Response:
    """Answer with events where the client wants them, else with the whole; stop writing when the client leaves.

    An error before the first token still has a status of its own.
    """
    made = service_of(http).threads.write(requests)
    dropped = sum(prompt.dropped_tokens for prompt in prompts)
    headers = {"x-manera-dropped-tokens": str(dropped)} if dropped else {}
    if events is not None:
        first = await while_connected(http, anext(made))
        return event_response(events(resumed(first, made)), headers)
    body = msgspec.json.encode(await while_connected(http, whole(made)))
    return Response(body, headers=headers, media_type="application/json")
