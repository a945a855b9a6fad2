"""The application: a page in each language, files handed on from the API, and the gate before all of it."""

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # before gradio is imported, which asks other hosts else

import gradio as gr
from fastapi import FastAPI, Request
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.types import ASGIApp

from manera import config
from manera.faces.api import Api, ApiError
from manera.faces.web.gate import Gate
from manera.faces.web.page import CSS, THEME, build
from manera.faces.web.settings import LOOPBACK, WebConfig, require_password
from manera.faces.web.words import LANGUAGES, preferred_language
from manera.files import replacing

SECRET = "studio.secret"
HANDED_ON = ("report.html", "export")
"""What of a voice a browser may have from the API as it is."""


def create_studio(api: Api, settings: WebConfig) -> ASGIApp:
    """Make the page's application. Raises FaceError where others could reach it and no password keeps them out."""
    require_password(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await api.close()

    app = FastAPI(title="manera studio", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)

    @app.get("/")
    async def choose_language(http: Request) -> Response:
        return RedirectResponse(f"/{preferred_language(http.headers.get('accept-language', ''))}/")

    @app.get("/files/voices/{name}/{what}")
    async def hand_on(name: str, what: str, http: Request) -> Response:
        return await _handed_on(api, name, what, http)

    secret = _secret()
    for language in LANGUAGES:
        gr.mount_gradio_app(
            app,
            build(language, api, settings.max_upload, secret),
            f"/{language}",
            theme=THEME,
            css=CSS.read_text("utf-8"),
            footer_links=[],
            run_history=False,
            ssr_mode=False,
            max_file_size=settings.max_upload,
            show_error=False,
        )
    guarded: ASGIApp = Gate(app, settings.password)
    if settings.is_local:  # another page's name that points here is not let in
        guarded = TrustedHostMiddleware(guarded, sorted(LOOPBACK), www_redirect=False)
    return guarded


async def _handed_on(api: Api, name: str, what: str, http: Request) -> Response:
    if what not in HANDED_ON:
        return PlainTextResponse("there is no such file", 404)
    try:
        headers, content = await api.stream(f"/v1/voices/{name}/{what}", **http.query_params)
    except ApiError as error:
        return PlainTextResponse(error.message, error.status or 502)
    return StreamingResponse(content, headers=headers)


def _secret() -> str:
    """Return what seals the state that browsers keep; it stays the same, so that they are known again."""
    path: Path = config.home() / SECRET
    try:
        return path.read_text("ascii")
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with replacing(path) as unfinished:
            unfinished.write_text(secrets.token_urlsafe(32), "ascii")
        return path.read_text("ascii")
