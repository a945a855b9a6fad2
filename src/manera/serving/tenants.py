"""Who asks: whose uploads, trainings and memory a request means, and who may manage at all."""

from typing import Annotated

from fastapi import HTTPException, Query
from starlette.requests import Request as HttpRequest

from manera.jobs.folder import Tenant
from manera.serving.service import key_of

UserName = Annotated[str, Query(max_length=256, description="For whom the client asks, where it has several people.")]


def tenant_of(http: HttpRequest, user: str = "") -> Tenant:
    """Return whose things a request means."""
    key = key_of(http)
    return Tenant(key.name if key else "", user)


def require_manager(http: HttpRequest) -> None:
    """Raise HTTPException for a key that is bound to some voices: it may use them, and make or remove none."""
    key = key_of(http)
    if key is not None and key.voices is not None:
        raise HTTPException(403, "this key is bound to its voices: it may use them, and manage nothing")
