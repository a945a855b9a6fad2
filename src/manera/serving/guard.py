"""What stands before every route: who may ask, how much, and what browsers may do with the answer."""

from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from manera.serving.faults import refusal

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
MOST_BYTES = 1 << 20

_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
_DOCS_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' https://cdn.jsdelivr.net; "
    "style-src 'self' 'unsafe-inline' https://cdn.jsdelivr.net; "
    "img-src 'self' data: https://fastapi.tiangolo.com; frame-ancestors 'none'"
)


class Guard:
    """Refuse foreign host names and large bodies; put security headers on every answer.

    hosts: the names under which the server may be asked, None for any. A web page that points its own name at this
    machine would otherwise be let in by the browser.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str] | None, most_bytes: int = MOST_BYTES) -> None:
        self.app = app
        self.hosts = hosts
        self.most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add_headers(MutableHeaders(scope=message), scope["path"])
            await send(message)

        headers = Headers(scope=scope)
        if self.hosts is not None and _name(headers.get("host", "")) not in self.hosts:
            await refusal(421, "this server is not asked under that name")(scope, receive, send_guarded)
        elif int(headers.get("content-length", 0)) > self.most_bytes:
            await refusal(413, self._too_large)(scope, receive, send_guarded)
        else:
            await self.app(scope, self._counted(receive), send_guarded)

    @property
    def _too_large(self) -> str:
        return f"a request may have {self.most_bytes} bytes"

    def _counted(self, receive: Receive) -> Receive:
        """Count what comes in chunks, without a content-length."""
        received = 0

        async def receive_counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.most_bytes:
                raise HTTPException(413, self._too_large)
            return message

        return receive_counted


def _name(host: str) -> str:
    """Leave out the port."""
    return host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]


def _add_headers(headers: MutableHeaders, path: str) -> None:
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)
    if path == "/docs":
        headers["content-security-policy"] = _DOCS_POLICY
