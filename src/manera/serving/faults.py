"""Every error that a client can see, in OpenAI's shape."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from manera import logs
from manera.errors import DatasetError, GenerationError, JobError, ManeraError, StoreError
from manera.generation.engine import PromptTooLongError
from manera.jobs.folder import UnknownJobError
from manera.jobs.trainings import TakenError
from manera.jobs.uploads import NoRoomError
from manera.serving.catalogue import UnavailableModelError, UnknownModelError
from manera.serving.keys import KeysError
from manera.serving.limits import LimitsError, RateLimitedError
from manera.serving.protocol import BadRequestError
from manera.serving.writing import DeadlineError, OverloadedError

_log = logging.getLogger(__name__)


class Fault(NamedTuple):
    """How one class of errors is answered; is_clients errors are told in full, ours are not."""

    status: int
    type: str
    code: str | None
    param: str | None = None


FAULTS: dict[type[Exception], Fault] = {
    UnknownModelError: Fault(404, "invalid_request_error", "model_not_found", "model"),
    UnavailableModelError: Fault(503, "server_error", "model_unavailable", "model"),
    BadRequestError: Fault(400, "invalid_request_error", "invalid_value"),
    PromptTooLongError: Fault(400, "invalid_request_error", "context_length_exceeded", "messages"),
    OverloadedError: Fault(429, "rate_limit_error", "overloaded"),
    RateLimitedError: Fault(429, "rate_limit_error", "rate_limit_exceeded"),
    DeadlineError: Fault(504, "server_error", "deadline_exceeded"),
    KeysError: Fault(503, "server_error", "keys_unreadable"),
    LimitsError: Fault(503, "server_error", "limits_unavailable"),
    UnknownJobError: Fault(404, "invalid_request_error", "not_found"),
    NoRoomError: Fault(507, "server_error", "no_room"),
    TakenError: Fault(409, "invalid_request_error", "taken"),
    JobError: Fault(400, "invalid_request_error", "job_refused"),
    StoreError: Fault(503, "server_error", "memory_unavailable", "memory"),
    DatasetError: Fault(400, "invalid_request_error", None, "messages"),
    GenerationError: Fault(500, "server_error", None),
    ManeraError: Fault(500, "server_error", None),
    Exception: Fault(500, "server_error", None),
}
"""The nearest class of an error decides."""

_INVALID = "invalid_request_error"
_JSON = "application/json"
_MAX_OF_A_NAME = 100

_BY_STATUS = {
    401: Fault(401, "authentication_error", "invalid_api_key"),
    403: Fault(403, "permission_error", "forbidden"),
    405: Fault(405, "method_not_allowed", None),
    413: Fault(413, "request_too_large", None),
    503: Fault(503, "server_error", "shutting_down"),
}
"""How refusals that are no error of ours are told."""


class ErrorBody(BaseModel):
    """What went wrong; param is the field to change, code a word for programs."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorAnswer(BaseModel):
    """OpenAI's shape of an error."""

    error: ErrorBody


REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer, "description": description}
    for status, description in {
        400: "The request is not valid",
        401: "A key is asked for, and this is none",
        403: "The key may not do this",
        404: "There is no such model, job or path",
        409: "The name is taken, or in work",
        413: "The request is too large",
        421: "This server is not asked under that name",
        429: "The key's limit is reached, or too many requests are waiting",
        500: "The server failed",
        503: "The voice or the memory cannot be used, or the server is shutting down",
        504: "The request took longer than it may",
        507: "The server's disk is full",
    }.items()
}
"""How every route may refuse, for the schema."""


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


def refusal_text(status: int, message: str) -> bytes:
    """Write what is answered without a route."""
    return _body(message, _fault_of(status))


def refusal(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """Answer what does not even reach a route."""
    return Response(refusal_text(status, message), status, headers, _JSON)


def answered(error: ManeraError) -> Response:
    """Answer an error that a client may be told of."""
    fault = _fault(error)
    return Response(_body(_message(error), fault), fault.status, _retry_after(error, fault), _JSON)


def reason(error: Exception) -> str:
    """Name why a request is refused, in one of few words."""
    fault = _fault(error)
    return fault.code or fault.type


def _fault_of(status: int) -> Fault:
    return _BY_STATUS.get(status, Fault(status, _INVALID, None))


def _retry_after(error: Exception, fault: Fault) -> dict[str, str] | None:
    seconds = error.seconds if isinstance(error, RateLimitedError) else 1
    return {"retry-after": str(seconds)} if fault.status == 429 else None


async def _known(http: Request, error: Exception) -> Response:
    fault = _fault(error)
    with logs.request(http.scope.get("manera.request_id")) as request_id:  # an unforeseen error has left the border
        if fault.status == 500:
            _log.error("a request failed: %s", type(error).__name__)
    http.app.state.service.metrics.refused(reason(error))
    headers = {logs.REQUEST_ID: request_id, **(_retry_after(error, fault) or {})}
    return Response(_body(_message(error), fault), fault.status, headers, _JSON)


async def _invalid(http: Request, error: Exception) -> Response:
    faults: Sequence[Any] = error.errors() if isinstance(error, RequestValidationError) else ()
    where, message = _first(faults)
    http.app.state.service.metrics.refused(_INVALID)
    return Response(_body(message, Fault(400, _INVALID, None, where)), 400, None, _JSON)


def _first(faults: Sequence[Any]) -> tuple[str | None, str]:
    """Say what is wrong with a body, without what was in it."""
    if not faults:
        return None, "the request is not valid"
    if faults[0]["type"] == "json_invalid":
        return None, "the body is not valid JSON"
    where = ".".join(_printable(str(part)) for part in faults[0]["loc"][1:]) or None
    return where, f"{where}: {faults[0]['msg']}" if where else str(faults[0]["msg"])


def _printable(name: str) -> str:
    """Shorten a field's name, which a client may have made up, and mend halves of surrogate pairs in it."""
    return name[:_MAX_OF_A_NAME].encode("utf-8", "replace").decode()


async def _http(http: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    fault = _fault_of(error.status_code)
    http.app.state.service.metrics.refused(fault.code or fault.type)
    return refusal(error.status_code, error.detail, error.headers)


async def _left(_: Request, __: Exception) -> Response:
    return Response(status_code=499)  # nobody reads it


def _fault(error: Exception) -> Fault:
    fault = next(FAULTS[kind] for kind in type(error).__mro__ if kind in FAULTS)
    return fault._replace(param=error.param) if isinstance(error, BadRequestError) else fault


def _message(error: Exception) -> str:
    if isinstance(error, ManeraError):
        return f"{error.message}; {error.hint}" if error.hint else error.message
    return "the server failed"


def _body(message: str, fault: Fault) -> bytes:
    told = {"message": message, "type": fault.type, "param": fault.param, "code": fault.code}
    return msgspec.json.encode({"error": told})
