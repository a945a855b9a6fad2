"""Who is let in: nobody without the password, on any route; what browsers are told to load: only what is ours."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, Mount
from starlette.routing import Route

from manera.errors import FaceError
from manera.faces.api import Api
from manera.faces.web.app import create_studio
from manera.faces.web.gate import COOKIE, WRONG_PER_MINUTE, Gate
from manera.faces.web.settings import WebConfig
from running import running

PASSWORD = "пароль из слов"
NOBODY = "http://127.0.0.1:9"
"""An API that does not answer: nothing here comes as far as asking it."""


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MANERA_HOME", str(tmp_path_factory.mktemp("home")))
        studio = create_studio(Api(NOBODY), WebConfig(host="0.0.0.0", password=PASSWORD))
        assert isinstance(studio, Gate)
        yield studio


@pytest.fixture(scope="module")
def http(gate: Gate) -> Iterator[httpx2.Client]:
    with running(gate) as url, httpx2.Client(base_url=url, timeout=30) as client:
        yield client


@pytest.fixture(autouse=True)
def nobody_guessed(gate: Gate) -> None:
    gate._wrong.clear()


def paths_of(gate: Gate) -> Iterator[tuple[str, str]]:
    """Yield every method and path that the application answers, gradio's own included."""
    assert isinstance(gate.app, FastAPI)
    for route in gate.app.routes:
        if isinstance(route, APIRoute):
            yield "GET", route.path
            continue
        assert isinstance(route, Mount)
        for one in route.routes:
            included = one.original_router.routes if hasattr(one, "original_router") else [one]
            for inner in (one for one in included if isinstance(one, Route)):
                for method in inner.methods or ():
                    yield method, f"{route.path}{inner.path}".replace("{", "").replace("}", "")


def test_every_route_is_closed_to_who_has_no_password(gate: Gate, http: httpx2.Client) -> None:
    paths = list(paths_of(gate))
    assert len(paths) > 60
    assert {"/", "/ru/gradio_api/upload", "/en/config"} <= {path for _, path in paths}
    for method, path in [*paths, ("GET", "/nowhere"), ("POST", "/login/"), ("GET", "//ru/config")]:
        answer = http.request(method, path)
        assert answer.status_code == 401, (method, path)
        assert "gradio" not in answer.text


def test_password_opens_the_page_and_a_made_up_session_does_not(http: httpx2.Client) -> None:
    wrong = http.post("/login", data={"password": "nothing"})
    assert (wrong.status_code, "That is not the password" in wrong.text) == (401, True)
    right = http.post("/login", data={"password": PASSWORD})
    assert (right.status_code, right.headers["location"]) == (303, "/")
    flags = right.headers["set-cookie"].lower()
    assert "httponly" in flags
    assert "samesite=lax" in flags
    session = right.cookies[COOKIE]
    http.cookies.clear()
    assert http.get("/ru/config", headers={"cookie": f"{COOKIE}={session}"}).status_code == 200
    until, _, signature = session.partition(".")
    for forged in (f"{int(until) + 1}.{signature}", f"{until}.", "", f"1.{signature}"):
        assert http.get("/ru/config", headers={"cookie": f"{COOKIE}={forged}"}).status_code == 401


def test_guessing_is_slowed_down(http: httpx2.Client) -> None:
    for number in range(WRONG_PER_MINUTE):
        assert http.post("/login", data={"password": f"guess {number}"}).status_code == 401
    refused = http.post("/login", data={"password": PASSWORD})
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")


@pytest.mark.parametrize("settings", [WebConfig(host="0.0.0.0"), WebConfig(host="192.168.0.2"), WebConfig(share=True)])
def test_page_that_others_reach_needs_a_password(settings: WebConfig) -> None:
    with pytest.raises(FaceError, match="no password"):
        create_studio(Api(NOBODY), settings)


def test_page_on_loopback_answers_to_its_own_names_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANERA_HOME", str(tmp_path))
    with running(create_studio(Api(NOBODY), WebConfig())) as url, httpx2.Client(base_url=url) as http:
        for accepted, path in (("ru-RU,ru;q=0.9,en;q=0.8", "/ru/"), ("de,en;q=0.5", "/en/"), ("", "/en/")):
            answer = http.get("/", headers={"accept-language": accepted})
            assert (answer.status_code, answer.headers["location"]) == (307, path)
        assert "default-src 'self'" in http.get("/ru/").headers["content-security-policy"]
        assert http.get("/ru/", headers={"host": "elsewhere.example"}).status_code == 400
        told = http.get("/files/voices/anna/export", params={"to": "gguf"})
        assert (told.status_code, "cannot be reached" in told.text) == (502, True)
        assert http.get("/files/voices/anna/adapter").status_code == 404
