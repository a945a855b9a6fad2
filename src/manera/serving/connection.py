"""One client's connection: uvicorn's own, with bounds on what it may hold up.

uvicorn bounds the time between requests and nothing else: a client that sends a byte a minute, endless headers, or
reads nothing of its answer, would keep its connection and what was received for it.
"""

import asyncio
from asyncio.events import TimerHandle

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from manera.serving.faults import refusal_text

MAX_CONNECTIONS = 512
MAX_HEAD_BYTES = 64 << 10
SECONDS_TO_SEND = 30.0
"""How long a whole request may take to arrive, headers and body; an upload, each part of it."""

SECONDS_TO_READ = 60.0
"""How long a client may leave what was sent to it lying."""

UPLOADS = "/v1/uploads"

_PHRASES = {400: "Bad Request", 408: "Request Timeout", 431: "Request Header Fields Too Large", 503: "Overloaded"}


def is_upload(method: str, path: str) -> bool:
    """Tell whether a request brings a file, which may be large and slow."""
    return (method, path) == ("POST", UPLOADS)


class Connection(HttpToolsProtocol):
    """HTTP/1.1 with a clock: see ``uvicorn.protocols.http.httptools_impl``."""

    _sending: TimerHandle | None = None
    _reading: TimerHandle | None = None
    _is_in_head = True
    _head_bytes = 0
    _is_upload = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            self._refuse(503, "too many connections")
        else:
            self._sending = self.loop.call_later(SECONDS_TO_SEND, self._too_slow)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        began_in_head = self._is_in_head
        super().data_received(data)
        if self._is_upload and self._sending is not None:
            self._sending.cancel()
            self._sending = self.loop.call_later(SECONDS_TO_SEND, self._too_slow)
        if began_in_head and self._is_in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(431, f"the headers may have {MAX_HEAD_BYTES} bytes")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_in_head, self._head_bytes, self._is_upload = True, 0, False
        if self._sending is None:
            self._sending = self.loop.call_later(SECONDS_TO_SEND, self._too_slow)

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._is_in_head = False
        self._is_upload = is_upload(self.scope["method"], self.scope["path"])

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._sending = _cancelled(self._sending)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._reading = self.loop.call_later(SECONDS_TO_READ, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._reading = _cancelled(self._reading)

    def connection_lost(self, exc: Exception | None) -> None:
        self._sending, self._reading = _cancelled(self._sending), _cancelled(self._reading)
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "this is not HTTP")

    def _too_slow(self) -> None:
        self._sending = None
        if self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body:
            # the next request waits, cut by its client in two, until this one is answered
            self._sending = self.loop.call_later(SECONDS_TO_SEND, self._too_slow)
        else:
            self._refuse(408, f"a request may take {SECONDS_TO_SEND:g} s to arrive")

    def _refuse(self, status: int, message: str) -> None:
        """Answer without the application, unless it has begun to, and close."""
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            body = refusal_text(status, message)
            head = f"HTTP/1.1 {status} {_PHRASES[status]}\r\ncontent-type: application/json\r\n"
            head += f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
            self.transport.write(head.encode() + body)
        self.transport.close()


def _cancelled(timer: TimerHandle | None) -> TimerHandle | None:
    if timer is not None:
        timer.cancel()
    return None
