"""The API as its faces ask it: one client, its errors in words."""

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from time import perf_counter
from types import TracebackType
from typing import Any, Self

import httpx2
import msgspec

from manera import logs
from manera.errors import FaceError

_log = logging.getLogger(__name__)

HANDED_ON = ("content-type", "content-length", "content-disposition", "content-security-policy")
"""Headers of a file that go with it."""

_CONNECT_SECONDS = 5.0
_READ_SECONDS = 660.0
"""A little longer than the API's own deadline, which is told better than a time-out."""


class ApiError(FaceError):
    """The API refused; status is its HTTP status, None where it could not be reached. retry_after is in seconds."""

    def __init__(self, message: str, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, None if status else "is it running? manera serve")
        self.status = status
        self.retry_after = retry_after


class Api:
    """A client of the API at an address; close it in the end, or use it as a context."""

    def __init__(self, url: str, key: str | None = None) -> None:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        timeout = httpx2.Timeout(_READ_SECONDS, connect=_CONNECT_SECONDS)
        self.url = url.rstrip("/")
        self._client = httpx2.AsyncClient(base_url=self.url, headers=headers, timeout=timeout, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Let the connections go."""
        await self._client.aclose()

    async def get(self, path: str, request_id: str | None = None, **parameters: Any) -> Any:
        """Return the JSON at a path; parameters that are None are left out. Raises ApiError."""
        return msgspec.json.decode(await self.download(path, request_id, **parameters))

    async def download(self, path: str, request_id: str | None = None, **parameters: Any) -> bytes:
        """Return what lies at a path as it is. Raises ApiError."""
        given = {name: value for name, value in parameters.items() if value is not None}
        return await self._ask("GET", path, request_id, params=given)

    async def stream(self, path: str, **parameters: str) -> tuple[dict[str, str], AsyncIterator[bytes]]:
        """Return a file's headers and its bytes as they come. Raises ApiError."""
        response = await self._send("GET", path, None, params=parameters)
        if response.is_error:
            await response.aread()
            raise _refused(response)
        headers = {name: response.headers[name] for name in HANDED_ON if name in response.headers}
        return headers, _closing(response)

    async def post(
        self, path: str, body: Mapping[str, Any] | None = None, request_id: str | None = None, **parameters: Any
    ) -> Any:
        """Send JSON and return JSON. Raises ApiError."""
        answered = await self._ask("POST", path, request_id, json=dict(body or {}), params=parameters)
        return msgspec.json.decode(answered) if answered else None

    async def upload(self, path: str, content: AsyncIterator[bytes], **parameters: Any) -> Any:
        """Send bytes as they come and return JSON. Raises ApiError."""
        return msgspec.json.decode(await self._ask("POST", path, None, content=content, params=parameters))

    async def delete(self, path: str, **parameters: Any) -> Any:
        """Delete and return the JSON that says what, None where nothing is said. Raises ApiError."""
        given = {name: value for name, value in parameters.items() if value is not None}
        answered = await self._ask("DELETE", path, None, params=given)
        return msgspec.json.decode(answered) if answered else None

    async def chat(self, body: Mapping[str, Any], request_id: str | None = None) -> AsyncGenerator[dict[str, Any]]:
        """Yield the chunks of a reply as they are written; closing it frees the engine. Raises ApiError."""
        response = await self._send("POST", "/v1/chat/completions", request_id, json={**body, "stream": True})
        try:
            if response.is_error:
                await response.aread()
                raise _refused(response)
            async for line in response.aiter_lines():
                if line.startswith("data: ") and line != "data: [DONE]":
                    yield _chunk(line.removeprefix("data: "))
        except httpx2.TransportError as error:
            raise _unreachable(self.url, error) from error
        finally:
            await response.aclose()

    async def _ask(self, method: str, path: str, request_id: str | None, **sent: Any) -> bytes:
        response = await self._send(method, path, request_id, **sent)
        try:
            content = await response.aread()
        except httpx2.TransportError as error:
            raise _unreachable(self.url, error) from error
        finally:
            await response.aclose()
        if response.is_error:
            raise _refused(response)
        return content

    async def _send(self, method: str, path: str, request_id: str | None, **sent: Any) -> httpx2.Response:
        """Return how an answer begins; the request's id goes along, and into the log here and there."""
        with logs.request(request_id) as given:
            request = self._client.build_request(method, path, headers={logs.REQUEST_ID: given}, **sent)
            began = perf_counter()
            try:
                response = await self._client.send(request, stream=True)
            except httpx2.TransportError as error:
                _log.warning("%s %s: not reached, %s", method, path, type(error).__name__)
                raise _unreachable(self.url, error) from error
            level = logging.WARNING if response.is_error else logging.DEBUG if method == "GET" else logging.INFO
            _log.log(
                level, "%s %s: %d after %.0f ms", method, path, response.status_code, 1000 * (perf_counter() - began)
            )
            return response


async def _closing(response: httpx2.Response) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.aiter_bytes():
            yield chunk
    finally:
        await response.aclose()


def _chunk(data: str) -> dict[str, Any]:
    chunk: dict[str, Any] = msgspec.json.decode(data)
    if "error" in chunk:  # it came when the stream had begun
        raise ApiError(str(chunk["error"].get("message", "the reply broke off")), 500)
    return chunk


def _refused(response: httpx2.Response) -> ApiError:
    try:
        message = str(msgspec.json.decode(response.content)["error"]["message"])
    except (msgspec.DecodeError, KeyError, TypeError):
        message = f"the API answered {response.status_code}"
    given = response.headers.get("retry-after", "")
    return ApiError(message, response.status_code, float(given) if given.isdecimal() else None)


def _unreachable(url: str, error: Exception) -> ApiError:
    return ApiError(f"the API at {url} cannot be reached: {error or type(error).__name__}")
