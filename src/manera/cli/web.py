"""``manera web``: the studio, a page that asks the API."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from dotenv import load_dotenv

from manera import config, logs
from manera.cli import console
from manera.errors import FaceError
from manera.faces.api import Api
from manera.faces.web.settings import WebConfig, require_password
from manera.serving.listening import serve as serve_app
from manera.serving.listening import serve_in_thread

if TYPE_CHECKING:
    from starlette.types import ASGIApp

DEFAULT_API = "http://127.0.0.1:8000"


def web(api: str | None, flags: Mapping[str, object]) -> None:
    """Serve the page until SIGTERM or Ctrl-C."""
    settings = web_settings(flags)
    studio = _studio(api or os.environ.get("MANERA_API_URL") or DEFAULT_API, settings)
    if settings.share:
        console.say(f"the page, for everybody who has the password: {_tunnel(settings)}")
    console.say(f"the page: {address(settings)}")
    with logs.kept("studio"):
        serve_app(studio, settings.host, settings.port)


def web_settings(flags: Mapping[str, object]) -> WebConfig:
    """Read the page's settings, those of ``.env`` included; raise SettingsError, and FaceError without gradio."""
    load_dotenv()
    if find_spec("gradio") is None:
        raise FaceError("the page wants gradio, which is not installed", "pip install gradio")
    settings = config.resolve(WebConfig, "web", flags)
    require_password(settings)
    return settings


@contextmanager
def beside(api: str, settings: WebConfig) -> Iterator[str]:
    """Serve the page in a thread beside the API, and lend its address."""
    with logs.kept("studio", on_console=False), serve_in_thread(_studio(api, settings), settings.host, settings.port):
        yield address(settings)


def address(settings: WebConfig) -> str:
    """Return where the page is."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port}/"


def _studio(api: str, settings: WebConfig) -> "ASGIApp":
    from manera.faces.web.app import create_studio  # takes seconds

    return create_studio(Api(api, os.environ.get("MANERA_API_KEY")), settings)


def _tunnel(settings: WebConfig) -> str:
    """Open gradio's tunnel to the page; raise FaceError where that cannot be had."""
    import secrets

    from gradio import networking

    try:
        return str(networking.setup_tunnel(settings.host, settings.port, secrets.token_urlsafe(32), None, None))
    except Exception as error:  # whatever its download, its server and its program may raise
        raise FaceError(f"the page cannot be shared: {error}", "leave out --share") from error
