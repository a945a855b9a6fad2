"""Talk with a bot in private, over the real API with a tiny voice."""

import asyncio
import json
from pathlib import Path

import httpx2
from bot_api_server import BotApi
from conversing import conversing
from fake_clock import FakeClock


def turns(url: str, user: int = 7, chat: int = 7) -> list[tuple[str, str]]:
    parameters = {"user": f"telegram:{user}", "chat": f"telegram:{chat}"}
    listed = httpx2.get(f"{url}/v1/memory/turns", params=parameters).json()["data"]
    return [(turn["role"], turn["text"]) for turn in listed]


async def told(server: BotApi, command: str, language: str = "ru") -> str:
    """Send a command; return what was said to it."""
    before = len(server.sent())
    await server.say(command, language=language)
    await server.until(lambda: len(server.sent()) > before)
    return server.sent()[-1]


async def hears(server: BotApi, text: str, words: str) -> None:
    """Say something, and wait for a message with these words: those of an earlier reply may still come before."""
    before = len(server.sent())
    await server.say(text)
    await server.until(lambda: any(words in message for message in server.sent()[before:]))


def test_a_message_is_answered_and_remembered(url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with conversing(url, tmp_path) as server:
            await server.say("Привет")
            await server.called("sendMessage")
            assert server.of("sendChatAction")[0].fields == {"chat_id": "7", "action": "typing"}
            await server.say("Как дела?", "Что делаешь?")
            await server.until(lambda: len(turns(url)) == 5)

    asyncio.run(scenario())
    assert [text for role, text in turns(url) if role == "user"] == ["Привет", "Как дела?", "Что делаешь?"]


def test_start_says_what_it_is_in_the_persons_language(url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with conversing(url, tmp_path) as server:
            assert "программа, которая подражает" in await told(server, "/start")
            english = await told(server, "/start", "en")
            assert "It is a program that imitates the manner of anna" in english
            assert "/forget" in english
            assert "/privacy" in await told(server, "/help")
            assert "/export" in await told(server, "/privacy")
            assert "anna" in await told(server, "/voice")
            assert "/post" in await told(server, "/post")
            assert "/post" in await told(server, "/unknown")

    asyncio.run(scenario())


def test_talk_is_forgotten_and_exported(url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with conversing(url, tmp_path) as server:
            await server.say("Привет")
            await server.called("sendMessage")
            await server.say("/export")
            (sent,) = await server.called("sendDocument")
            (file,) = [text for text in sent.fields.values() if text.startswith("{")]
            assert "Привет" in json.dumps(json.loads(file), ensure_ascii=False)
            await hears(server, "/reset", "забыт")
            assert turns(url) == []
            await server.say("Как дела?")
            await server.until(lambda: len(turns(url)) == 2)
            await hears(server, "/forget", "сообщений 2")
            assert turns(url) == []

    asyncio.run(scenario())


def test_a_post_is_written_without_memory(url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with conversing(url, tmp_path) as server:
            await server.say("/post дача")
            await server.called("sendMessage")
            assert turns(url) == []

    asyncio.run(scenario())


def test_strangers_are_turned_away(url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with conversing(url, tmp_path, allowed_users=(8,)) as server:
            assert "7" in await told(server, "Привет")
            assert turns(url) == []
            await server.say("Привет", user=8)
            await server.until(lambda: bool(server.sent(8)))

    asyncio.run(scenario())


def test_a_day_has_its_budget(url: str, tmp_path: Path) -> None:
    clock = FakeClock()

    async def scenario() -> None:
        async with conversing(url, tmp_path, clock, daily_messages=1) as server:
            await server.say("Привет")
            await server.called("sendMessage")
            await hears(server, "Как дела?", "больше 1")
            await server.say("Эй")
            await hears(server, "/stop", "молчу")
            assert sum("больше 1" in text for text in server.sent()) == 1
            await clock.sleep(86_400)
            await server.say("Доброе утро")
            await server.until(lambda: len(turns(url)) == 4)

    asyncio.run(scenario())
