"""A small server of OpenAI's chat, over real HTTP, that fails in every way that a test asks for."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, NamedTuple

from manera.generation.server import Server


class Reply(NamedTuple):
    """What is sent; a status of 0 lets the connection break off."""

    body: str
    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)


Asked = dict[str, Any]
Respond = Callable[[Asked, int], Reply]
"""Answers a document, which is the so-many-th, from 0."""


def completion(text: str, finish_reason: str = "stop", prompt: int = 10, written: int = 5) -> Reply:
    choice = {"message": {"role": "assistant", "content": text}, "finish_reason": finish_reason}
    usage = {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written}
    return Reply(json.dumps({"choices": [choice], "usage": usage}))


def fault(status: int, message: str = "no", headers: tuple[tuple[str, str], ...] = (), **error: str) -> Reply:
    return Reply(json.dumps({"error": {"message": message, **error}}), status, headers)


@dataclass
class Faulty:
    """The server's address, and everything it was asked."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)
    authorizations: list[str | None] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    lock: Lock = field(default_factory=Lock)

    @property
    def server(self) -> Server:
        return Server(self.url, "a-key", "OPENAI_API_KEY", "a-model")


@contextmanager
def faulty(respond: Respond, models: tuple[str, ...] = ("a-model",)) -> Iterator[Faulty]:
    """Serve on a free port; what is asked is noted."""
    found = Faulty()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            self._send(Reply(json.dumps({"data": [{"id": name} for name in models]})))

        def do_POST(self) -> None:
            document = json.loads(self.rfile.read(int(self.headers["content-length"])))
            with found.lock:
                number = len(found.asked)
                found.asked.append(document)
                found.authorizations.append(self.headers.get("authorization"))
                found.at_once += 1
                found.most_at_once = max(found.most_at_once, found.at_once)
            try:
                reply = respond(document, number)
            finally:
                with found.lock:
                    found.at_once -= 1
            if reply.status:
                self._send(reply)
            else:
                self.close_connection = True

        def _send(self, reply: Reply) -> None:
            body = reply.body.encode()
            self.send_response(reply.status)
            for name, value in (*reply.headers, ("content-length", str(len(body)))):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    thread = Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    found.url = f"http://127.0.0.1:{httpd.server_address[1]}/v1"
    try:
        yield found
    finally:
        httpd.shutdown()
        thread.join()
        httpd.server_close()


class Waiting:
    """A clock whose time passes when somebody waits, and at once."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.time = now
        self.waits: list[float] = []

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.time += seconds
