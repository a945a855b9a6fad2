"""The application: routes, errors and guards put together."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from manera.serving.catalogue import Catalogue
from manera.serving.chat.router import router as chat
from manera.serving.completions.router import router as completions
from manera.serving.faults import answer_errors
from manera.serving.guard import LOOPBACK_NAMES, Guard
from manera.serving.models.router import router as models
from manera.serving.service import Service

AT_ONCE = 64
"""Replies that may be written or wait; the engine writes as many together as it has slots."""


def create_app(
    catalogue: Catalogue, *, at_once: int = AT_ONCE, hosts: Collection[str] | None = LOOPBACK_NAMES
) -> FastAPI:
    """Serve a catalogue with OpenAI's API.

    hosts: names under which the server may be asked, None for any. The engine stays the caller's to close.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.service = Service(catalogue, at_once)
        yield
        app.state.service.threads.close()

    app = FastAPI(
        title="manera",
        summary="Voices, over OpenAI's API",
        version=version("manera"),
        redoc_url=None,
        lifespan=lifespan,
    )
    answer_errors(app)
    app.add_middleware(Guard, hosts=hosts)
    for router in (chat, completions, models):
        app.include_router(router)

    @app.get("/healthz", tags=["health"])
    async def healthz() -> dict[str, str]:
        """Tell that the server answers."""
        return {"status": "ok"}

    return app
