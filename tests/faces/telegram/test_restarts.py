"""A bot that is killed and started again, and an API that is not there."""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from aiohttp import web
from bot_api_server import TOKEN, BotApi, bot_api
from conversing import conversing
from fake_clock import FakeClock

from manera.faces.api import Api
from manera.faces.telegram.arriving import SECRET, webhook_app
from manera.faces.telegram.running import bot_of
from manera.faces.telegram.settings import BotConfig

PROGRAM = "from manera.cli.main import main; main()"


def said(url: str) -> list[tuple[str, str]]:
    listed = httpx2.get(f"{url}/v1/memory/turns", params={"user": "telegram:7"}).json()["data"]
    return [(turn["role"], turn["text"]) for turn in listed]


async def started(url: str, home: Path, server: BotApi) -> Process:
    """Start ``manera bot`` in a process of its own."""
    settings = {"MANERA_HOME": str(home), "MANERA_API_URL": url, "BOT_TOKEN": TOKEN, "BOT_API_URL": server.url}
    settings |= {"BOT_PACE": "none", "BOT_QUIET": "0"}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM, "bot", "anna"), env=os.environ | settings, cwd=home, stderr=DEVNULL
    )


@pytest.mark.slow
def test_killed_in_the_middle_it_neither_loses_nor_repeats(url: str, tmp_path: Path) -> None:
    async def scenario() -> list[str]:
        async with bot_api() as server:
            first = await started(url, tmp_path, server)
            await server.say("Привет")
            await server.until(lambda: bool(server.of("sendChatAction")), 60)
            first.kill()  # while the API writes
            await first.wait()
            await server.say("Как дела?")
            second = await started(url, tmp_path, server)
            await server.until(lambda: len([turn for turn in said(url) if turn[0] == "user"]) == 2, 60)
            await server.until(lambda: bool(server.sent()), 60)
            await server.say("/help")
            await server.until(lambda: server.sent()[-1].startswith("Пишите"))
            second.terminate()
            assert await second.wait() == 0
            return server.sent()

    asyncio.run(scenario())
    assert [text for role, text in said(url) if role == "user"] == ["Привет", "Как дела?"]


@asynccontextmanager
async def broken(url: str, times: int) -> AsyncIterator[tuple[str, list[int]]]:
    """Stand before the API, and refuse the first requests for a reply; yield the address and what was refused."""
    refused: list[int] = []

    async def passed_on(request: web.Request) -> web.Response:
        if request.path == "/v1/chat/completions" and len(refused) < times:
            refused.append(503)
            return web.json_response({"error": {"message": "not now"}}, status=503)
        async with httpx2.AsyncClient(base_url=url, timeout=60) as http:
            kind = {"content-type": request.content_type}
            answer = await http.request(request.method, request.raw_path, content=await request.read(), headers=kind)
        return web.Response(body=answer.content, status=answer.status_code)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", passed_on)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", refused
    finally:
        await runner.cleanup()


def test_without_the_api_it_says_so_once_and_answers_later(url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with broken(url, 3) as (front, refused), conversing(front, tmp_path) as server:
            await server.say("Привет")
            await server.until(lambda: len(server.sent()) > 1)
            assert "Отвечу, как только починится" in server.sent()[0]
            assert sum("починится" in text for text in server.sent()) == 1
            assert refused == [503] * 3

    asyncio.run(scenario())
    assert [role for role, _ in said(url)] == ["user", "assistant"]


def test_after_ten_minutes_it_asks_to_repeat(url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with broken(url, 10_000) as (front, _), conversing(front, tmp_path) as server:
            await server.say("Привет")
            await server.until(lambda: len(server.sent()) == 2)
            assert "Повторите" in server.sent()[1]

    asyncio.run(scenario())
    assert said(url) == []


def test_only_telegram_may_call(url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with bot_api() as server, Api(url) as api:
            config = BotConfig(token=TOKEN, api_url=server.url, pace="none")
            async with bot_of("anna", api, config, tmp_path, FakeClock()) as (telegram, bot, _):
                runner = web.AppRunner(webhook_app(telegram, bot, "the-secret"))
                await runner.setup()
                await web.TCPSite(runner, "127.0.0.1", 0).start()
                update = {"update_id": 1} | server.message("/help")
                async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{runner.addresses[0][1]}") as http:
                    for headers in ({}, {SECRET: "another"}):
                        assert (await http.post("/", json=update, headers=headers)).status_code == 401
                    right = {SECRET: "the-secret"}
                    assert (await http.post("/", content=b"{", headers=right)).status_code == 400
                    for _ in range(2):
                        assert (await http.post("/", json=update, headers=right)).status_code == 200
                await server.called("sendMessage")
                await runner.cleanup()
            assert len(server.sent()) == 1

    asyncio.run(scenario())
