"""The address, the server on it, and its end."""

import asyncio
import ipaddress
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from manera.errors import ServingError
from manera.serving.connection import Connection

HOST = "127.0.0.1"
PORT = 8000
SECONDS_TO_FINISH = 30
"""How long replies may go on after the server is told to end."""

SECONDS_TO_CANCEL = 5


def serve(app: ASGIApp, host: str = HOST, port: int = PORT) -> None:
    """Serve until SIGTERM, Ctrl-C or the terminal's end, let the running replies finish, and return.

    Raises ServingError when it cannot listen there.
    """
    with listen(host, port) as listener, _returning():
        server(app).run(sockets=[listener])


@contextmanager
def serve_in_thread(app: ASGIApp, host: str = HOST, port: int = PORT) -> Iterator[None]:
    """Serve from a thread for the length of the block; raise ServingError when it cannot listen there."""
    with listen(host, port) as listener:
        running = server(app)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]}, name="manera-api")
        thread.start()
        try:
            yield  # the socket listens already: a request waits until the server accepts it
        finally:
            running.should_exit = True
            thread.join()


def listen(host: str, port: int) -> socket.socket:
    """Open the listening socket; port 0 takes a free one."""
    if not 0 <= port < 65536:
        raise ServingError(f"{port} is no port", f"manera serve --port {PORT}")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        raise ServingError(f"cannot listen on {host}:{port}: {error.strerror}", "manera serve --port 8001") from error


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach an address; a name but localhost may mean any."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Server(uvicorn.Server):
    """Uvicorn, which at its end goes on listening, to tell who comes that it is ending."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._service = app.state.service

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take nothing new, let what runs finish within a bound, and close."""
        self._service.is_draining = True
        end = asyncio.get_running_loop().time() + SECONDS_TO_FINISH
        while self.server_state.tasks and not self.force_exit and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.02)
        await super().shutdown(sockets)


def server(app: ASGIApp) -> uvicorn.Server:
    """Return uvicorn set up for the API or another application: silent, because its log is not ours to fill."""
    is_api = isinstance(app, FastAPI) and hasattr(app.state, "service")
    config = uvicorn.Config(
        app,
        http=Connection if is_api else "auto",
        log_config=None,
        access_log=False,
        server_header=False,
        ws="none",
        lifespan="on",
        timeout_graceful_shutdown=SECONDS_TO_CANCEL,
    )
    return Server(config, app) if is_api and isinstance(app, FastAPI) else uvicorn.Server(config)


@contextmanager
def _returning() -> Iterator[None]:
    """Let uvicorn return: it raises the signal that ended it once more, for whoever had handled it before.

    A closed terminal, of which uvicorn knows nothing, ends it as SIGTERM does.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup has it ignored
        handlers[signal.SIGHUP] = signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
