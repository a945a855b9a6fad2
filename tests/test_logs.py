"""Logs: a file per role, new each midnight, one request followed from a face to the engine, nobody's words."""

import asyncio
import logging
import os
import re
import stat
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import httpx2
import pytest

import completions_server
from manera import logs
from manera.errors import SettingsError
from manera.faces.api import Api, ApiError
from manera.generation import remote
from manera.generation.engine import Request, stream
from manera.generation.llama_cpp import LlamaCpp
from manera.generation.reply import Writer
from manera.serving.app import create_app
from manera.serving.catalogue import Catalogue
from manera.voice.manifest import Sampling
from running import running
from waiting import until

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d,\d{3}[+-]\d{4} (?:api|studio|bot) [A-Z]+ (?P<id>\S+) (?P<told>.+)")
SECONDS_A_DAY = 24 * 3600
SECRET = "незабудковый-Zanzibar"
HELLO = {"model": "anna", "messages": [{"role": "user", "content": SECRET}], "max_tokens": 4, "temperature": 0}
log = logging.getLogger("manera.tests")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MANERA_LOGS", str(tmp_path / "logs"))
    return tmp_path / "logs"


@pytest.fixture
def api_with_logs(tiny_engine: LlamaCpp, tiny_writers: dict[str, Writer]) -> Iterator[str]:
    app = create_app(Catalogue(tiny_engine, "tiny-gemma3", tiny_writers, created=0))

    @app.get("/fails")
    def fails() -> None:
        raise LookupError(SECRET)

    with logs.kept("api"), running(app) as url:
        yield url


def read(folder: Path, role: str) -> list[re.Match[str]]:
    lines = (folder / f"{role}.log").read_text("utf-8").splitlines()
    found = [LINE.fullmatch(line) for line in lines]
    assert all(found), lines
    return [line for line in found if line]


async def say(url: str, request_id: str | None = None) -> list[dict[str, Any]]:
    async with Api(url) as api:
        return [chunk async for chunk in api.chat(HELLO, request_id)]


async def ask_for_nothing(url: str) -> None:
    async with Api(url) as api:
        await api.get("/v1/models/none", q=SECRET)


def test_a_request_is_followed_from_a_face_to_the_engine(api_with_logs: str, folder: Path) -> None:
    async def converse() -> None:
        with logs.kept("bot"), logs.request("bot-update-00017") as request_id:
            await say(api_with_logs)
        assert request_id == "bot-update-00017"

    asyncio.run(converse())
    assert [line["id"] for line in read(folder, "bot")] == ["bot-update-00017"]

    def told() -> list[str]:
        return [line["told"] for line in read(folder, "api") if line["id"] == "bot-update-00017"]

    until(lambda: len(told()) == 3)  # the last is written when the client has its answer already
    begun, ended, answered = told()
    assert re.fullmatch(r"a reply begins: \d+ tokens of prompt", begun)
    assert re.fullmatch(r"a reply ended, (stop|length): \d+ tokens read, \d+ written in [\d.]+ s", ended)
    assert re.fullmatch(r"POST /v1/chat/completions: 200 in \d+ ms, no key", answered)


def test_nobodys_words_are_logged(api_with_logs: str, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with httpx2.Client(base_url=api_with_logs, timeout=30) as http:
        assert http.post("/v1/chat/completions", json=HELLO).status_code == 200
        assert (
            http.post("/v1/completions", json={"model": "anna", "prompt": SECRET, "max_tokens": 4}).status_code == 200
        )
        assert http.post("/v1/embeddings", json={"model": "x", "input": SECRET}).status_code in (200, 404)
        assert http.post("/v1/chat/completions", json=HELLO | {"model": SECRET}).status_code == 404
        assert http.post("/v1/chat/completions", json=HELLO | {SECRET: 1}).status_code in (200, 400)
        assert http.post("/v1/chat/completions", content=SECRET.encode()).status_code == 400
        assert http.get(f"/{SECRET}", params={"q": SECRET}).status_code == 404
        assert http.request("PROPFIND", "/v1/models", params={"q": SECRET}).status_code == 405
        assert http.get("/fails").status_code == 500
    with pytest.raises(ApiError):
        asyncio.run(ask_for_nothing(api_with_logs))
    told = "".join(path.read_text("utf-8") for path in folder.iterdir()) + "".join(capfd.readouterr())
    assert "LookupError" in told
    assert SECRET not in told
    assert not {"незабудковый", "Zanzibar"} & set(re.findall(r"\w+", told))


def test_only_valid_ids_are_taken_and_every_answer_has_one(api_with_logs: str, folder: Path) -> None:
    with httpx2.Client(base_url=api_with_logs, timeout=30) as http:

        def echoed(given: str | None, path: str = "/v1/models") -> str:
            return str(http.get(path, headers={} if given is None else {"x-request-id": given}).headers["x-request-id"])

        for valid in ("a" * 8, "A-9" * 21, "00000000-0000-4000-8000-000000000000"):
            assert echoed(valid) == valid
        for invalid in (
            None,
            "",
            "short",
            "a" * 65,
            "with space",
            "with_underscore",
            "привет-привет".encode("latin1", "ignore").decode(),
        ):
            assert re.fullmatch("[0-9a-f]{32}", echoed(invalid))
        assert echoed("of-a-refusal", "/v1/models/none") == "of-a-refusal"
        assert echoed("of-a-probe-1", "/healthz") == "of-a-probe-1"
        assert echoed("of-a-failure", "/fails") == "of-a-failure"
    told = [(line["id"], line["told"].partition(" in ")[0]) for line in read(folder, "api")]
    assert ("of-a-refusal", "GET /v1/models/{model}: 404") in told
    assert ("of-a-failure", "GET /fails: 500") in told
    assert ("of-a-failure", "a request failed: LookupError") in told
    assert "of-a-probe-1" not in dict(told)


def test_an_engine_elsewhere_is_told_the_id(
    tiny_engine: LlamaCpp, tiny_writers: dict[str, Writer], folder: Path
) -> None:
    seen: list[str | None] = []
    app = completions_server.application(tiny_engine, ("anna",))

    @app.middleware("http")
    async def see(http: Any, call_next: Any) -> Any:
        seen.append(http.headers.get("x-request-id"))
        return await call_next(http)

    encode = tiny_writers["anna"].encoder.tokenizer.encode
    asked = Request([1, 5, 6], Sampling(temperature=0.0, max_new_tokens=2))
    with (
        running(app) as url,
        remote.open_engine([url], completions_server.BASE, lambda text: encode(text).ids) as engine,
    ):
        with logs.request("from-the-bot"):
            engine.generate(asked, lambda _: None, lambda: False)
        list(stream(engine, asked))
    assert seen == ["from-the-bot", None]


def test_a_file_is_new_each_midnight_and_thirty_days_are_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = began = time.time()
    monkeypatch.setattr("time.time", lambda: now)
    with logs.kept("studio", on_console=False):
        for day in range(40):
            now = began + day * SECONDS_A_DAY
            logging.getLogger("manera.faces.web").info("day %d", day)
    current, *put_away = sorted(path.name for path in folder.iterdir())
    assert current == "studio.log"
    assert put_away == [f"studio.log.{date.fromtimestamp(began + day * SECONDS_A_DAY)}" for day in range(9, 39)]
    assert (folder / put_away[-1]).read_text("utf-8").rstrip().endswith("day 38")
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_day_is_put_away_once_when_two_processes_write(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now)
    folder.mkdir()
    first, second = logs.DailyFile(folder / "api.log"), logs.DailyFile(folder / "api.log")
    for handler, told in ((first, "first"), (second, "second")):
        handler.handle(logging.makeLogRecord({"msg": told}))
    yesterday, now = date.fromtimestamp(now), now + SECONDS_A_DAY
    for handler, told in ((first, "third"), (second, "fourth"), (second, "fifth")):
        handler.handle(logging.makeLogRecord({"msg": told}))
    first.close()
    second.close()
    assert (folder / f"api.log.{yesterday}").read_text("utf-8").split() == ["first", "second"]
    assert (folder / "api.log").read_text("utf-8").split() == ["third", "fourth", "fifth"]


def test_two_roles_of_one_process_keep_a_file_each(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with logs.kept("api", on_console=False), logs.kept("studio"):
        logging.getLogger("manera.serving.border").info("of the API")
        logging.getLogger("manera.faces.web.page").info("of the page")
    assert [line["told"] for line in read(folder, "api")] == ["of the API"]
    assert [line["told"] for line in read(folder, "studio")] == ["of the page"]
    assert capsys.readouterr().err.rstrip().endswith("of the page")
    logging.getLogger("manera.faces.web.page").info("after the end")
    assert len(read(folder, "studio")) == 1


def test_a_failure_is_one_line_with_its_places(folder: Path) -> None:
    with logs.kept("api", on_console=False):
        try:
            raise KeyError(SECRET)
        except KeyError:
            log.exception("could not")
            logging.getLogger("uvicorn.error").warning("of %s", SECRET)
    ours, foreign = (line["told"] for line in read(folder, "api"))
    assert re.fullmatch(r"could not \| KeyError at test_logs\.py:\d+ test_a_failure_is_one_line_with_its_places", ours)
    assert foreign == "uvicorn.error: of %s"


@pytest.mark.skipif(os.name == "nt", reason="needs a path that cannot be a folder")
def test_a_log_that_cannot_be_written_is_said(folder: Path) -> None:
    folder.touch()
    with pytest.raises(SettingsError, match=r"api\.log"), logs.kept("api"):
        pass
