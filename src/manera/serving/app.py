"""The application: routes, errors and the border put together."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from manera import config
from manera.errors import ServingError
from manera.jobs.settings import JobsConfig
from manera.memory import settings
from manera.memory.memory import Memory
from manera.serving.border import LOOPBACK_NAMES, Border
from manera.serving.catalogue import Catalogue
from manera.serving.chat.router import router as chat
from manera.serving.completions.router import router as completions
from manera.serving.embeddings.router import router as embeddings
from manera.serving.faults import answer_errors
from manera.serving.games.router import router as games
from manera.serving.health import router as health
from manera.serving.keys import Keys, key_of_environment, keys_file, read_keys
from manera.serving.library.router import router as library
from manera.serving.limits import Limits
from manera.serving.listening import is_loopback
from manera.serving.memory.router import router as memory_routes
from manera.serving.models.router import router as models
from manera.serving.service import Bounds, Service
from manera.serving.trainings.router import router as trainings
from manera.serving.uploads.router import router as uploads


def create_app(
    catalogue: Catalogue,
    *,
    bounds: Bounds | None = None,
    keys: Keys | None = None,
    limits: Limits | None = None,
    memory: Memory | None = None,
    hosts: Collection[str] | None = LOOPBACK_NAMES,
) -> FastAPI:
    """Serve a catalogue with OpenAI's API.

    keys: by default those in MANERA_HOME, where there are any. memory: by default where the settings say, opened when
    it is first asked for. hosts: names under which the server may be asked, None for any. The engine stays the
    caller's to close.
    """
    bounds = bounds or Bounds()
    jobs = config.resolve(JobsConfig, "jobs", {})
    service = Service(catalogue, bounds, limits or Limits(), memory or Memory(settings.resolve()), jobs)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        service.close()
        await service.limits.close()

    app = FastAPI(
        title="manera",
        summary="Voices, over OpenAI's API",
        version=version("manera"),
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.service = service
    answer_errors(app)
    app.add_middleware(
        Border,
        service=service,
        keys=keys or Keys(keys_file(), are_required=False),
        hosts=hosts,
        most_bytes=bounds.body,
        most_bytes_of_upload=jobs.max_upload_bytes,
    )
    for router in (chat, completions, embeddings, memory_routes, models, uploads, trainings, library, games, health):
        app.include_router(router)
    return app


def create_app_on(
    host: str, catalogue: Catalogue, *, bounds: Bounds | None = None, limits: Limits | None = None
) -> FastAPI:
    """Serve a catalogue on an address: a loopback one answers to that name only, any other to keys only."""
    local = is_loopback(host)
    return create_app(
        catalogue,
        bounds=bounds,
        keys=Keys(keys_file(), are_required=not local, unstored=key_of_environment()),
        limits=limits,
        hosts=LOOPBACK_NAMES | {host} if local else None,
    )


def require_keys(host: str) -> None:
    """Raise ServingError when others could reach the server and no key would keep them out."""
    if not is_loopback(host) and not read_keys(keys_file()) and not key_of_environment():
        raise ServingError(
            f"on {host} anyone who reaches this machine could ask, and there is no key", "manera keys add NAME"
        )
