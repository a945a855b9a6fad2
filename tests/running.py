"""A real server on a free port, in a thread."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import uvicorn
from fastapi import FastAPI
from starlette.types import ASGIApp

from manera.serving.listening import listen, server


@contextmanager
def running(app: ASGIApp) -> Iterator[str]:
    """Serve an application, ours or another one; yield its address."""
    with listen("127.0.0.1", 0) as listener:
        is_ours = isinstance(app, FastAPI) and hasattr(app.state, "service")
        uvicorn_server = server(app) if is_ours else uvicorn.Server(uvicorn.Config(app, log_config=None))
        thread = Thread(target=uvicorn_server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            # the socket listens already: a request waits until the server accepts it
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            uvicorn_server.should_exit = True
            thread.join()
