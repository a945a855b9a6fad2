"""Replies as server-sent events."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import msgspec
from starlette.responses import StreamingResponse

from manera.generation.engine import Finished, Token
from manera.serving.faults import error_body
from manera.serving.writing import Item

_encode = msgspec.json.Encoder().encode


def event(data: Any) -> bytes:
    """Write one event."""
    return b"data: " + _encode(data) + b"\n\n"


DONE = b"data: [DONE]\n\n"


async def as_events(
    made: AsyncIterator[list[Item]],
    opening: bytes,
    write: Callable[[int, Token | Finished], bytes],
    close: Callable[[list[Finished]], bytes],
) -> AsyncIterator[bytes]:
    """Yield what is made as events: an item for everything that came at once."""
    finished: list[Finished] = []
    yield opening
    try:
        async for items in made:
            yield b"".join([write(index, item) for index, item in items])
            finished += [item for _, item in items if isinstance(item, Finished)]
    except Exception as error:  # the status is sent: only an event can tell
        yield b"data: " + error_body(error) + b"\n\n"
        return
    yield close(finished) + DONE


def event_response(events: AsyncIterator[bytes], headers: Mapping[str, str]) -> StreamingResponse:
    """Answer with events.

    Not sse-starlette's EventSourceResponse: it logs every chunk, which is what people wrote, at debug level, and on
    SIGTERM it breaks off the streams that uvicorn lets finish.
    """
    return StreamingResponse(events, headers=headers, media_type="text/event-stream")
