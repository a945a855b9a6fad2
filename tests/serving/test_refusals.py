"""What the API refuses: always OpenAI's error shape, never a 500 for what a client did."""

import json
import logging
import socket
from collections.abc import Iterator
from typing import Any

import httpx2
import openai
import pytest

from manera.errors import ServingError
from manera.serving.listening import listen
from manera.serving.service import Bounds

HELLO = [{"role": "user", "content": "Привет"}]
CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"


@pytest.fixture
def http(api_url: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=api_url, timeout=30) as opened:
        yield opened


def chat(**fields: Any) -> bytes:
    return json.dumps({"model": "anna", "messages": HELLO} | fields).encode()


def completion(**fields: Any) -> bytes:
    return json.dumps({"model": "anna", "prompt": "Мой"} | fields).encode()


REFUSED: dict[str, tuple[str, bytes, int, str | None]] = {
    "no JSON": (CHAT, b"{", 400, None),
    "empty": (CHAT, b"", 400, None),
    "a list": (CHAT, b"[]", 400, None),
    "a null": (CHAT, b"null", 400, None),
    "invalid UTF-8": (CHAT, b'{"model": "\xff\xfe"}', 400, None),
    "deep nesting": (CHAT, b"[" * 100_000, 400, None),
    "a lone surrogate": (CHAT, chat(messages=[{"role": "user", "content": "\ud800"}]), 400, "messages.0.content"),
    "a number of 5,000 digits": (CHAT, b'{"seed": ' + b"9" * 5000 + b"}", 400, None),
    "NaN": (CHAT, chat(temperature=float("nan")), 400, "temperature"),
    "infinity": (CHAT, chat(temperature=float("inf")), 400, "temperature"),
    "negative temperature": (CHAT, chat(temperature=-1), 400, "temperature"),
    "text for a number": (CHAT, chat(temperature="1"), 400, "temperature"),
    "0 for false": (CHAT, chat(stream=0), 400, "stream"),
    "true for a number": (CHAT, chat(max_tokens=True), 400, "max_tokens"),
    "no tokens": (CHAT, chat(max_tokens=0), 400, "max_tokens"),
    "negative tokens": (CHAT, chat(max_tokens=-5), 400, "max_tokens"),
    "top_p of 0": (CHAT, chat(top_p=0), 400, "top_p"),
    "no choices": (CHAT, chat(n=0), 400, "n"),
    "a million choices": (CHAT, chat(n=1_000_000), 400, "n"),
    "a seed beyond 64 bits": (CHAT, chat(seed=2**64), 400, "seed"),
    "an empty stop": (CHAT, chat(stop=""), 400, "stop"),
    "too many stops": (CHAT, chat(stop=["a"] * 17), 400, "stop"),
    "a thousand stops": (CHAT, chat(stop=[f"stop {number}" for number in range(1000)]), 400, "stop"),
    "a stop of a megabyte": (CHAT, chat(stop="a" * 1_000_000), 400, "stop"),
    "negative top_k": (CHAT, chat(top_k=-1), 400, "top_k"),
    "NaN in a mix": (CHAT, chat(voice_mix={"anna": float("nan")}), 400, "voice_mix"),
    "a field called __proto__": (CHAT, chat(__proto__={"model": "boris"}), 400, "__proto__"),
    "a field name of 100,000 letters": (CHAT, chat(**{"a" * 100_000: 1}), 400, "a"),
    "alternatives without logprobs": (CHAT, chat(top_logprobs=3), 400, "top_logprobs"),
    "an unknown field": (CHAT, chat(temprature=1), 400, "temprature"),
    "tools": (CHAT, chat(tools=[{"type": "function"}]), 400, "tools"),
    "JSON mode": (CHAT, chat(response_format={"type": "json_object"}), 400, "response_format.type"),
    "an unknown role": (CHAT, chat(messages=[{"role": "tool", "content": ""}]), 400, "messages.0.role"),
    "an image": (CHAT, chat(messages=[{"role": "user", "content": [{"type": "image_url"}]}]), 400, "messages.0"),
    "no messages": (CHAT, chat(messages=[]), 400, "messages"),
    "too many messages": (CHAT, chat(messages=HELLO * 2000), 400, "messages"),
    "no model": (CHAT, b'{"messages": []}', 400, "model"),
    "an unknown model": (CHAT, chat(model="clara"), 404, "model"),
    "a path as a model": (CHAT, chat(model="../../etc/passwd"), 404, "model"),
    "a message beyond the context": (CHAT, chat(messages=[HELLO[0] | {"content": "x " * 999}]), 400, "messages"),
    "no prompt": (COMPLETIONS, b'{"model": "anna"}', 400, "prompt"),
    "a token beyond the vocabulary": (COMPLETIONS, completion(prompt=[1, 9999]), 400, "prompt"),
    "too many prompts": (COMPLETIONS, completion(prompt=["a"] * 99), 400, "prompt"),
    "too many alternatives": (COMPLETIONS, completion(logprobs=99), 400, "logprobs"),
    "an unknown path": ("/v1/images", b"{}", 404, None),
    "10 MB": (CHAT, b"x" * 10_000_000, 413, None),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_in_openais_shape(http: httpx2.Client, name: str, caplog: pytest.LogCaptureFixture) -> None:
    path, body, status, param = REFUSED[name]
    with caplog.at_level(logging.DEBUG, "manera"):
        answer = http.post(path, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == status
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"]
    assert (error["param"] or "").startswith(param or "")
    assert {record.name for record in caplog.records} <= {"manera.serving.border"}  # one line, without what was sent
    assert http.get("/healthz").status_code == 200


def test_body_without_a_length_is_bounded(http: httpx2.Client) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(Bounds().body // 65536 + 2):
            yield b" " * 65536

    answer = http.post(CHAT, content=endless(), headers={"content-type": "application/json"})
    assert answer.status_code == 413
    assert answer.json()["error"]["type"] == "request_too_large"


def test_other_content_types_are_refused(http: httpx2.Client) -> None:
    answer = http.post(CHAT, content=chat(), headers={"content-type": "text/plain"})  # what a web page may send
    assert answer.status_code == 400


def test_other_methods_are_refused(http: httpx2.Client) -> None:
    answer = http.get(CHAT)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json()["error"]["type"] == "method_not_allowed"


@pytest.mark.parametrize("host", ["evil.example", "", "127.0.0.1.evil.example:8000"])
def test_foreign_host_names_are_refused(http: httpx2.Client, host: str) -> None:
    answer = http.get("/v1/models", headers={"host": host})
    assert answer.status_code == 421
    assert "error" in answer.json()


def test_openai_client_sees_its_own_errors(api_url: str) -> None:
    with openai.OpenAI(base_url=f"{api_url}/v1", api_key="any", max_retries=0) as client:
        with pytest.raises(openai.NotFoundError) as unknown:
            client.models.retrieve("clara")
        assert unknown.value.code == "model_not_found"
        with pytest.raises(openai.BadRequestError) as refused:
            client.completions.create(model="anna", prompt="x", temperature=9)
        assert refused.value.param == "temperature"


def test_port_in_use_is_an_error_with_a_hint() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ServingError, match=str(port)) as raised:
            listen("127.0.0.1", port)
    assert raised.value.hint
    with pytest.raises(ServingError):
        listen("no.such.host.invalid", 80)
    with pytest.raises(ServingError):
        listen("127.0.0.1", 99_999)
