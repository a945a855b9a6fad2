"""The routes of uploads."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from manera.jobs import uploads
from manera.jobs.uploads import Upload
from manera.serving.connection import UPLOADS
from manera.serving.faults import REFUSALS
from manera.serving.schema import answers, json_answer
from manera.serving.service import service_of
from manera.serving.tenants import UserName, require_manager, tenant_of

router = APIRouter(tags=["uploads"], responses=REFUSALS)

_WRITTEN_AT_ONCE = 1 << 20
_FILE = {"requestBody": {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}}


@router.post(
    UPLOADS, status_code=201, response_class=Response, responses=answers(Upload, status=201), openapi_extra=_FILE
)
async def create_upload(
    http: Request,
    filename: Annotated[str, Query(min_length=1, max_length=1024, description="What the file is called.")],
    user: UserName = "",
) -> Response:
    """Take a file in, and begin to import it: an export, a text, or a zip archive of several.

    The file itself is deleted when it has been imported, and what was read of it a day later.
    """
    require_manager(http)
    await asyncio.to_thread(uploads.sweep, service_of(http).jobs)
    tenant = tenant_of(http, user)
    with uploads.arriving(tenant, filename) as arriving:
        waiting = bytearray()
        async for chunk in http.stream():
            waiting += chunk
            if len(waiting) >= _WRITTEN_AT_ONCE:
                await asyncio.to_thread(arriving.write, bytes(waiting))
                waiting.clear()
        arriving.write(bytes(waiting))
    return json_answer(uploads.read_upload(arriving.id, tenant), 201)


@router.get(UPLOADS + "/{id}", response_class=Response, responses=answers(Upload))
async def read_upload(id: str, http: Request, user: UserName = "") -> Response:
    """Tell how far the import is, and who speaks in it."""
    require_manager(http)
    return json_answer(uploads.read_upload(id, tenant_of(http, user)))


@router.delete(UPLOADS + "/{id}", status_code=204)
async def delete_upload(id: str, http: Request, user: UserName = "") -> None:
    """Delete everything that was read of an upload; a training that has begun goes on."""
    require_manager(http)
    await asyncio.to_thread(uploads.delete_upload, id, tenant_of(http, user))
