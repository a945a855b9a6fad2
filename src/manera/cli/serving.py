"""``manera serve``: voices over HTTP; ``manera keys``: who may ask for them."""

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from manera import logs
from manera.cli import console
from manera.cli.web import beside, web_settings
from manera.errors import ManeraError, ServingError
from manera.faces.web.settings import WebConfig
from manera.generation.opening import EngineChoice
from manera.serving.app import create_app_on, require_keys
from manera.serving.catalogue import Catalogue
from manera.serving.keys import add_key, keys_file, read_keys, revoke_key
from manera.serving.limits import Limits
from manera.serving.listening import HOST, PORT
from manera.serving.listening import serve as serve_app
from manera.serving.opening import open_catalogue, open_merged_catalogue
from manera.serving.service import Bounds


class ServeOptions(NamedTuple):
    """How voices are served; limits: where the use of keys is counted. merge: fold the one voice into its base."""

    host: str = HOST
    port: int = PORT
    bounds: Bounds = Bounds()
    limits: str = "memory://"
    engine: EngineChoice = EngineChoice()
    merge: bool = False
    web: bool = False
    web_port: int | None = None


def serve(names: Sequence[str], options: ServeOptions) -> None:
    """Serve voices until SIGTERM or Ctrl-C; none named is all of the newest base, those to come included."""
    host, port, bounds, limits, engine, merge, with_page, web_port = options
    require_keys(host)
    settings = web_settings({"port": web_port}) if with_page else None
    if merge and (len(names) != 1 or engine.urls or engine.name == "transformers"):
        raise ServingError("--merge folds one voice into its base, for llama.cpp", "manera serve VOICE --merge")
    if merge:
        opened = open_merged_catalogue(names[0], bounds.slots, console.say)
    else:
        opened = open_catalogue(names, bounds.slots, console.say, engine)
    with opened as catalogue, logs.kept("api"):  # what opening has to say goes to whoever waits for it
        tell(catalogue, host, port)
        with _page(settings, host, port):
            serve_app(create_app_on(host, catalogue, bounds=bounds, limits=Limits(limits)), host, port)


@contextmanager
def _page(settings: WebConfig | None, host: str, port: int) -> Iterator[None]:
    """Serve the page beside the API, where it is wanted."""
    if settings is None:
        yield
        return
    with beside(address(host, port), settings) as page:
        console.say(f"the page: {page}")
        yield


def tell(catalogue: Catalogue, host: str, port: int) -> None:
    """Say what is served, what is not and why, and where."""
    for name, entry in catalogue.entries().items():
        if isinstance(entry.writer, ManeraError):
            console.say(f"not served: {name}: {entry.writer.message}")
    served = [name for name, entry in catalogue.entries().items() if not isinstance(entry.writer, ManeraError)]
    console.say(f"serving {', '.join(served)} on {address(host, port)}/v1   docs: {address(host, port)}/docs")


def address(host: str, port: int) -> str:
    """Return where a server on a host and port is asked."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def add(name: str, requests_per_minute: int | None, tokens_per_minute: int | None, voices: str | None) -> None:
    """Make a key and print it on stdout, this once."""
    allowed = None if voices is None else [voice.strip() for voice in voices.split(",") if voice.strip()]
    text = add_key(
        keys_file(), name, requests_per_minute=requests_per_minute, tokens_per_minute=tokens_per_minute, voices=allowed
    )
    console.say(f"the key {name!r}, shown this once:")
    console.show(text)


def show_keys(show_all: bool, as_json: bool) -> None:
    """List the keys: what they may do, never what they are."""
    keys = read_keys(keys_file())
    if as_json:
        listed = [
            {
                "name": key.name,
                "created_at": key.created_at,
                "requests_per_minute": key.requests_per_minute,
                "tokens_per_minute": key.tokens_per_minute,
                "voices": key.voices,
            }
            for key in keys
        ]
        console.result({"keys": listed})
        return
    rows = [
        (
            key.name,
            key.created_at,
            key.requests_per_minute or "any",
            key.tokens_per_minute or "any",
            "all" if key.voices is None else ", ".join(key.voices),
        )
        for key in keys
    ]
    limit = None if show_all else console.FIRST_ROWS
    console.show_table(("key", "made", "requests a minute", "tokens a minute", "models"), rows, limit)


def revoke(name: str) -> None:
    """Take a key away; running servers refuse it from the next request on."""
    revoke_key(keys_file(), name)
    console.show(f"revoked {name!r}")
    if not read_keys(keys_file()):
        console.say(f"no key is left: on loopback anyone may ask now; make one: manera keys add {shlex.quote(name)}")
