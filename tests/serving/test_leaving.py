"""Clients that leave, clients that are too many, and a server that is told to end."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

import httpx2
import pytest

from manera.generation.engine import Deliver, Engine, Finished, IsCancelled, Request
from manera.generation.llama_cpp import open_engine
from manera.generation.reply import Writer
from manera.serving import listening
from manera.serving.app import create_app
from manera.serving.catalogue import Catalogue
from manera.serving.listening import listen
from manera.serving.service import Bounds
from running import running

LONG = 100_000
CHAT = "/v1/chat/completions"


class Recorded:
    """An engine that also tells how its replies end."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.context_length = engine.context_length
        self.drafts = 1
        self.finished: SimpleQueue[Finished] = SimpleQueue()

    def generate(self, request: Request, deliver: Deliver, is_cancelled: IsCancelled) -> Finished:
        finished = self.engine.generate(request, deliver, is_cancelled)
        self.finished.put(finished)
        return finished

    def close(self) -> None:
        self.engine.close()


@pytest.fixture(scope="module")
def engine(tiny_base: Path) -> Iterator[Recorded]:
    """One slot with room for a reply that takes far longer than any test."""
    with open_engine(tiny_base / "base.gguf", slots=1, context_length=2 * LONG, threads=1) as opened:
        yield Recorded(opened)


@pytest.fixture(scope="module")
def client(engine: Recorded, tiny_writers: dict[str, Writer]) -> Iterator[httpx2.Client]:
    catalogue = Catalogue(engine, "tiny-gemma3", {"tiny-gemma3": tiny_writers["tiny-gemma3"]}, created=0)
    with (
        running(create_app(catalogue, bounds=Bounds(slots=1, queue=1))) as url,
        httpx2.Client(base_url=url, timeout=60) as opened,
    ):
        yield opened


def asked(tokens: int, **fields: Any) -> dict[str, Any]:
    """Ask for a reply that does not end by itself."""
    message = {"role": "user", "content": "Привет"}
    plain = {"temperature": 0, "repetition_penalty": 1, "max_tokens": tokens}
    return {"model": "tiny-gemma3", "messages": [message]} | plain | fields


def test_leaving_a_stream_frees_the_slot(client: httpx2.Client, engine: Recorded) -> None:
    with client.stream("POST", CHAT, json=asked(LONG, stream=True)) as answer:
        lines = answer.iter_lines()
        next(lines)
    left = engine.finished.get(timeout=60)
    assert (left.reason, left.new_tokens < LONG) == ("cancelled", True)
    assert client.post(CHAT, json=asked(4)).json()["usage"]["completion_tokens"] == 4
    assert engine.finished.get(timeout=60).reason == "length"


def test_leaving_while_waiting_for_the_whole_frees_the_slot(client: httpx2.Client, engine: Recorded) -> None:
    with pytest.raises(httpx2.ReadTimeout):
        client.post(CHAT, json=asked(LONG), timeout=0.5)
    left = engine.finished.get(timeout=60)
    assert (left.reason, 0 < left.new_tokens < LONG) == ("cancelled", True)


def test_leaving_the_queue_leaves_nothing_to_do(client: httpx2.Client, engine: Recorded) -> None:
    with client.stream("POST", CHAT, json=asked(LONG, stream=True)) as answer:
        lines = answer.iter_lines()
        next(lines)
        with pytest.raises(httpx2.ReadTimeout):
            client.post(CHAT, json=asked(LONG), timeout=0.5)
    assert engine.finished.get(timeout=60).reason == "cancelled"
    assert client.post(CHAT, json=asked(4)).status_code == 200
    assert engine.finished.get(timeout=60).new_tokens == 4  # what had waited never came to the engine


def test_too_many_requests_are_told_to_come_again(client: httpx2.Client, engine: Recorded) -> None:
    with client.stream("POST", CHAT, json=asked(LONG, stream=True)) as answer:
        lines = answer.iter_lines()
        next(lines)
        refused = client.post(CHAT, json=asked(4, n=2))
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert refused.json()["error"]["code"] == "overloaded"
    assert engine.finished.get(timeout=60).reason == "cancelled"


def test_ending_server_waits_for_endless_replies_within_its_bound(
    engine: Recorded, tiny_writers: dict[str, Writer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "SECONDS_TO_FINISH", 0.2)
    monkeypatch.setattr(listening, "SECONDS_TO_CANCEL", 1)
    catalogue = Catalogue(engine, "tiny-gemma3", {"tiny-gemma3": tiny_writers["tiny-gemma3"]}, created=0)
    with listen("127.0.0.1", 0) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = listening.server(create_app(catalogue, bounds=Bounds(slots=1)))
        thread = Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        with (
            httpx2.Client(base_url=url, timeout=60) as client,
            client.stream("POST", CHAT, json=asked(LONG, stream=True)) as answer,
        ):
            next(answer.iter_lines())
            server.should_exit = True
            thread.join(timeout=60)
    assert not thread.is_alive()
    assert engine.finished.get(timeout=60).reason == "cancelled"


SERVE = """
import sys
from pathlib import Path
from manera.generation.llama_cpp import open_engine
from manera.generation.reply import base_writer
from manera.bases import base_model
from manera.serving.app import create_app
from manera.serving.catalogue import Catalogue
from manera.serving.listening import serve

folder = Path(sys.argv[1])
writer = base_writer(base_model.read(folder), base_model.load_tokenizer(folder))
with open_engine(folder / "base.gguf", threads=1, context_length=8192) as engine:
    serve(create_app(Catalogue(engine, writer.model, {writer.model: writer}, 0)), port=int(sys.argv[2]))
print("closed")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_server_told_to_end_finishes_its_replies(tiny_base: Path, number: signal.Signals) -> None:
    with listen("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-c", SERVE, str(tiny_base), str(port)]
    transport = httpx2.HTTPTransport(retries=12)  # until it listens
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as served,
        httpx2.Client(base_url=f"http://127.0.0.1:{port}", transport=transport, timeout=60) as client,
    ):
        with client.stream("POST", CHAT, json=asked(4000, stream=True)) as answer:
            lines = answer.iter_lines()
            next(lines)
            os.kill(served.pid, number)
            events = [line for line in lines if line]
        printed = served.communicate(timeout=60)
    assert events[-1] == "data: [DONE]"
    assert len(events) > 1000
    assert (served.returncode, *printed) == (0, "closed\n", "")
