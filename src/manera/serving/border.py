"""What stands before every route: who may ask, how much, and what browsers may do with the answer."""

import logging
from collections.abc import Collection
from time import perf_counter
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from manera import logs
from manera.errors import ManeraError
from manera.serving.connection import is_upload
from manera.serving.faults import answered, reason, refusal
from manera.serving.keys import Key, Keys
from manera.serving.page import PAGE_POLICY
from manera.serving.service import Service

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "[::1]"})
KEYLESS = frozenset({"/healthz", "/readyz", "/docs", "/openapi.json"})
"""Paths that tell nothing of anyone's voices: no key is asked for."""

PROBED = frozenset({"/healthz", "/readyz", "/metrics"})
"""Paths that programs ask every few seconds: not worth a line each."""

_log = logging.getLogger(__name__)

_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class Border:
    """Refuse foreign host names, unknown keys, large bodies, and everything while the server ends; log each request.

    hosts: the names under which the server may be asked, None for any. A web page that points its own name at this
    machine would otherwise be let in by the browser.
    """

    def __init__(
        self,
        app: ASGIApp,
        service: Service,
        keys: Keys,
        hosts: Collection[str] | None,
        most_bytes: int,
        most_bytes_of_upload: int,
    ) -> None:
        self.app = app
        self.service = service
        self.keys = keys
        self.hosts = hosts
        self.most_bytes = most_bytes
        self.most_bytes_of_upload = most_bytes_of_upload

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        with logs.request(headers.get(logs.REQUEST_ID)) as request_id:
            scope["manera.request_id"] = request_id
            await self._answer(scope, receive, send, headers)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, headers: Headers) -> None:
        began, status = perf_counter(), 500  # of an error that nobody foresaw, which is answered further out

        async def send_guarded(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _add_headers(MutableHeaders(scope=message), scope)
                self.service.metrics.answered(_route(scope), status)
            await send(message)

        try:
            refused = await self._refusal(scope, headers)
            if refused is None:
                await self.app(scope, _counted(receive, self._most_bytes(scope)), send_guarded)
            else:
                await refused(scope, receive, send_guarded)
        finally:
            _log_answer(scope, status, perf_counter() - began)

    async def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        if self.hosts is not None and _name(headers.get("host", "")) not in self.hosts:
            return self._refuse("foreign_host", 421, "this server is not asked under that name")
        if self.service.is_draining and scope["path"] != "/healthz":
            return self._refuse("shutting_down", 503, "the server is shutting down", {"connection": "close"})
        if int(headers.get("content-length", 0)) > self._most_bytes(scope):
            return self._refuse("too_large", 413, _too_large(self._most_bytes(scope)), {"connection": "close"})
        if scope["path"] in KEYLESS:
            return None
        try:
            if self.keys.are_asked_for:
                key = _presented(headers, self.keys)
                if key is None:
                    told = "a key is asked for, and this is none: send it as `Authorization: Bearer KEY`"
                    return self._refuse("invalid_api_key", 401, told, {"www-authenticate": "Bearer"})
                await self.service.limits.admit(key)
                scope["manera.key"] = key
        except ManeraError as error:
            self.service.metrics.refused(reason(error))
            return answered(error)
        return None

    def _refuse(self, why: str, status: int, message: str, headers: dict[str, str] | None = None) -> Response:
        self.service.metrics.refused(why)
        return refusal(status, message, headers)

    def _most_bytes(self, scope: Scope) -> int:
        return self.most_bytes_of_upload if is_upload(scope["method"], scope["path"]) else self.most_bytes


def _too_large(most_bytes: int) -> str:
    return f"a request may have {most_bytes} bytes"


def _counted(receive: Receive, most_bytes: int) -> Receive:
    """Count what comes in chunks, without a content-length."""
    received = 0

    async def receive_counted() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > most_bytes:
            raise HTTPException(413, _too_large(most_bytes), {"connection": "close"})
        return message

    return receive_counted


def _presented(headers: Headers, keys: Keys) -> Key | None:
    scheme, _, text = headers.get("authorization", "").partition(" ")
    return keys.find(text.strip()) if scheme.lower() == "bearer" else None


def _name(host: str) -> str:
    """Leave out the port."""
    return host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]


def _route(scope: Scope) -> str:
    """Name the route as the application declares it: what a client made up is no label."""
    route: Any = scope.get("route")
    return getattr(route, "path", "none")


def _log_answer(scope: Scope, status: int, seconds: float) -> None:
    key: Key | None = scope.get("manera.key")
    level = logging.DEBUG if scope["path"] in PROBED and status < 400 else logging.INFO
    whose = "no key" if key is None else f"key {key.name!r}"
    _log.log(level, "%s %s: %d in %.0f ms, %s", scope["method"], _route(scope), status, 1000 * seconds, whose)


def _add_headers(headers: MutableHeaders, scope: Scope) -> None:
    headers[logs.REQUEST_ID] = scope["manera.request_id"]
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)
    if scope["path"] == "/docs":
        headers["content-security-policy"] = PAGE_POLICY
