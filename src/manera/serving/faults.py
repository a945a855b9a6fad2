"""Every error that a client can see, in OpenAI's shape."""

import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from manera.errors import DatasetError, GenerationError, ManeraError
from manera.generation.engine import PromptTooLongError
from manera.serving.catalogue import UnknownModelError
from manera.serving.writing import OverloadedError

_log = logging.getLogger(__name__)


class Fault(NamedTuple):
    """How one class of errors is answered; is_clients errors are told in full, ours are not."""

    status: int
    type: str
    code: str | None
    param: str | None = None


FAULTS: dict[type[Exception], Fault] = {
    UnknownModelError: Fault(404, "invalid_request_error", "model_not_found", "model"),
    PromptTooLongError: Fault(400, "invalid_request_error", "context_length_exceeded", "messages"),
    OverloadedError: Fault(429, "rate_limit_error", "overloaded"),
    DatasetError: Fault(400, "invalid_request_error", None, "messages"),
    GenerationError: Fault(500, "server_error", None),
    ManeraError: Fault(500, "server_error", None),
    Exception: Fault(500, "server_error", None),
}
"""The nearest class of an error decides."""

_HTTP_TYPES = {405: "method_not_allowed", 413: "request_too_large"}
_INVALID = "invalid_request_error"
_JSON = "application/json"


def answer_errors(app: FastAPI) -> None:
    """Let an application answer every error from the table."""
    for kind in FAULTS:
        app.add_exception_handler(kind, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(ClientDisconnect, _left)


def error_body(error: Exception) -> bytes:
    """Write an error that comes when a stream has begun."""
    return _body(_message(error), _fault(error))


def refusal(status: int, message: str) -> Response:
    """Answer what does not even reach a route."""
    return Response(_body(message, Fault(status, _HTTP_TYPES.get(status, _INVALID), None)), status, None, _JSON)


async def _known(_: Request, error: Exception) -> Response:
    fault = _fault(error)
    if fault.status >= 500:
        _log.error("a request failed: %s", type(error).__name__)
    headers = {"retry-after": "1"} if fault.status == 429 else None
    return Response(_body(_message(error), fault), fault.status, headers, _JSON)


async def _invalid(_: Request, error: Exception) -> Response:
    faults: Sequence[Any] = error.errors() if isinstance(error, RequestValidationError) else ()
    where, message = _first(faults)
    return Response(_body(message, Fault(400, _INVALID, None, where)), 400, None, _JSON)


def _first(faults: Sequence[Any]) -> tuple[str | None, str]:
    """Say what is wrong with a body, without what was in it."""
    if not faults:
        return None, "the request is not valid"
    if faults[0]["type"] == "json_invalid":
        return None, "the body is not valid JSON"
    where = ".".join(str(part) for part in faults[0]["loc"][1:]) or None
    return where, f"{where}: {faults[0]['msg']}" if where else str(faults[0]["msg"])


async def _http(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    answered = refusal(error.status_code, error.detail)
    answered.headers.update(error.headers or {})
    return answered


async def _left(_: Request, __: Exception) -> Response:
    return Response(status_code=499)  # nobody reads it


def _fault(error: Exception) -> Fault:
    return next(FAULTS[kind] for kind in type(error).__mro__ if kind in FAULTS)


def _message(error: Exception) -> str:
    if isinstance(error, ManeraError):
        return f"{error.message}; {error.hint}" if error.hint else error.message
    return "the server failed"


def _body(message: str, fault: Fault) -> bytes:
    told = {"message": message, "type": fault.type, "param": fault.param, "code": fault.code}
    return msgspec.json.encode({"error": told})
