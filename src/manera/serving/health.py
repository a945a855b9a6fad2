"""The routes for those who run the server: is it alive, is it ready, how does it do, what can it do."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST

from manera.serving.faults import ErrorAnswer
from manera.serving.page import page
from manera.serving.service import service_of

router = APIRouter(tags=["health"])

_FAULT = {"model": ErrorAnswer}


@router.get("/healthz", responses={421: _FAULT})
async def healthz() -> dict[str, str]:
    """Tell that the process answers."""
    return {"status": "ok"}


@router.get("/readyz", responses={421: _FAULT, 503: _FAULT})
async def readyz() -> dict[str, str]:
    """Tell that requests are taken; 503 when the server is shutting down."""
    return {"status": "ready"}


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}}, **dict.fromkeys((401, 421, 429, 503), _FAULT)},
)
async def metrics(http: Request) -> Response:
    """Tell Prometheus how the server does."""
    return Response(service_of(http).metrics.exposition(), headers={"content-type": CONTENT_TYPE_LATEST})


@router.get("/docs", include_in_schema=False)
async def docs(http: Request) -> HTMLResponse:
    """Show what can be asked."""
    return HTMLResponse(page(http.app.openapi()))
