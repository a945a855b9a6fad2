"""Clients that send slowly, wait long or come too late, and what operators see of it."""

import json
import re
import socket
from collections.abc import Iterator
from threading import Thread
from typing import Any

import httpx2
import pytest

from manera.generation.llama_cpp import LlamaCpp
from manera.generation.reply import Writer
from manera.serving import connection
from manera.serving.app import create_app
from manera.serving.catalogue import Catalogue
from manera.serving.listening import listen, server
from manera.serving.service import Bounds
from running import running

CHAT = "/v1/chat/completions"


def asked(tokens: int = 8, **fields: Any) -> dict[str, Any]:
    message = {"role": "user", "content": "Привет"}
    return {"model": "anna", "messages": [message], "temperature": 0, "max_tokens": tokens} | fields


@pytest.fixture
def catalogue(tiny_engine: LlamaCpp, tiny_writers: dict[str, Writer]) -> Catalogue:
    return Catalogue(tiny_engine, "tiny-gemma3", tiny_writers, created=0)


@pytest.fixture
def address(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """A server that has little patience."""
    monkeypatch.setattr(connection, "SECONDS_TO_SEND", 0.3)
    monkeypatch.setattr(connection, "MAX_CONNECTIONS", 4)
    with running(create_app(catalogue)) as url:
        yield "127.0.0.1", int(url.rpartition(":")[2])


def answer_to(address: tuple[str, int], *parts: bytes) -> tuple[int, Any]:
    """Send parts and wait until the server closes."""
    with socket.create_connection(address, timeout=20) as opened:
        for part in parts:
            opened.sendall(part)
        received = b""
        while data := opened.recv(65536):
            received += data
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"\r\nconnection: close" in head
    return int(head.split()[1]), json.loads(body)["error"]["message"]


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        b'content-length: 100\r\n\r\n{"model": ',
    ],
    ids=["nothing", "headers", "body"],
)
def test_slow_senders_are_cut_off(address: tuple[str, int], begun: bytes) -> None:
    assert answer_to(address, begun)[0] == 408


def test_endless_headers_and_nonsense_are_refused(address: tuple[str, int]) -> None:
    assert answer_to(address, b"\x00\x01 nonsense\r\n\r\n")[0] == 400
    with socket.create_connection(address, timeout=20) as opened:
        opened.sendall(b"GET / HTTP/1.1\r\nx: ")
        with pytest.raises(ConnectionError):
            opened.sendall(b"x" * 100_000_000)


def test_connections_are_bounded(address: tuple[str, int]) -> None:
    idle = [socket.create_connection(address, timeout=20) for _ in range(4)]
    assert answer_to(address)[0] in {408, 503}
    for one in idle:
        one.close()


def test_deadline_ends_what_takes_too_long(tiny_engine: LlamaCpp, catalogue: Catalogue) -> None:
    app = create_app(catalogue, bounds=Bounds(deadline=0.02))
    long = asked(200, repetition_penalty=1)
    with running(app) as url, httpx2.Client(base_url=url, timeout=30) as http:
        late = http.post(CHAT, json=long | {"n": 8})
        assert (late.status_code, late.json()["error"]["code"]) == (504, "deadline_exceeded")
        with http.stream("POST", CHAT, json=long | {"n": 8, "stream": True}) as answer:
            last = [line for line in answer.iter_lines() if line][-1]
        if answer.status_code == 200:
            assert json.loads(last.removeprefix("data: "))["error"]["code"] == "deadline_exceeded"
        else:
            assert answer.status_code == 504
        assert "manera_replies_waiting 0.0" in http.get("/metrics").text


def test_ending_server_says_so_until_its_replies_are_written(catalogue: Catalogue) -> None:
    app = create_app(catalogue)
    with listen("127.0.0.1", 0) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        uvicorn_server = server(app)
        thread = Thread(target=uvicorn_server.run, kwargs={"sockets": [listener]})
        thread.start()
        with httpx2.Client(base_url=url, timeout=30) as http:
            assert http.get("/readyz").status_code == 200
            with http.stream("POST", CHAT, json=asked(240, repetition_penalty=1, stream=True)) as answer:
                lines = answer.iter_lines()
                next(lines)
                app.state.service.is_draining = True
                refused = httpx2.post(f"{url}{CHAT}", json=asked())
                ready = httpx2.get(f"{url}/readyz")
                alive = httpx2.get(f"{url}/healthz")
                uvicorn_server.should_exit = True
                written = [line for line in lines if line]
        thread.join()
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "shutting_down")
    assert refused.headers["connection"] == "close"
    assert (ready.status_code, alive.status_code) == (503, 200)
    assert written[-1] == "data: [DONE]"


def test_metrics_count_and_hold_no_text(catalogue: Catalogue) -> None:
    with running(create_app(catalogue)) as url, httpx2.Client(base_url=url, timeout=30) as http:
        usage = http.post(CHAT, json=asked()).json()["usage"]
        http.post(CHAT, json=asked(model="a-name-made-up"))
        http.post(CHAT, content=b"{", headers={"content-type": "application/json"})
        http.get("/a-path-made-up")
        http.get("/v1/models/another-name")
        figures = http.get("/metrics").text
    told = dict(re.findall(r"^(\S+(?:\{.*\})?) (\S+)$", figures, re.MULTILINE))
    assert float(told["manera_prompt_tokens_total"]) == usage["prompt_tokens"]
    assert float(told["manera_completion_tokens_total"]) == usage["completion_tokens"]
    assert float(told["manera_time_to_first_token_seconds_count"]) == 1
    assert told['manera_requests_total{route="/v1/chat/completions",status="200"}'] == "1.0"
    assert told['manera_requests_total{route="/v1/models/{model}",status="404"}'] == "1.0"
    assert told['manera_refusals_total{reason="model_not_found"}'] == "2.0"
    assert told["manera_replies_running"] == told["manera_replies_waiting"] == "0.0"
    for made_up in ("a-name", "a-path", "another"):
        assert made_up not in figures


def test_two_applications_count_apart(catalogue: Catalogue) -> None:
    first, second = create_app(catalogue), create_app(catalogue)
    assert first.state.service.metrics.registry is not second.state.service.metrics.registry


def test_docs_need_nothing_from_elsewhere(api_url: str) -> None:
    answer = httpx2.get(f"{api_url}/docs")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
    assert "<script" not in answer.text
    assert "http" not in answer.text.replace("https://", "http://").replace("HTTP", "")
    for told in ("/v1/chat/completions", "voice_scale", "logit_bias", "persona_note", "≤ 2"):
        assert told in answer.text
