"""What goes wrong around the bot, and what it does then."""

import asyncio
import logging
from pathlib import Path

import httpx2
import pytest
from bot_api_server import Fault, bot_api, flood
from conversing import conversing, talking
from fake_clock import FakeClock

from manera.errors import FaceError

CONFLICT = Fault(409, "Conflict: terminated by other getUpdates request")
NOWHERE = Fault(None)


def test_a_second_copy_ends_with_a_clear_error(url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with bot_api() as server:
            server.fail("getUpdates", *[CONFLICT] * 3)
            async with talking(url, tmp_path, server) as bot:
                with pytest.raises(FaceError, match="a second copy"):
                    await bot

    asyncio.run(scenario())


def test_a_wrong_token_is_said_to_be(url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with bot_api("43:another") as server, talking(url, tmp_path, server) as bot:
            with pytest.raises(FaceError, match="does not take BOT_TOKEN"):
                await bot

    asyncio.run(scenario())


def test_ten_minutes_without_network_are_lived_through(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = FakeClock()

    async def scenario() -> None:
        async with bot_api() as server:
            server.fail("getUpdates", *[NOWHERE] * 24)
            async with talking(url, tmp_path, server, clock):
                await server.say("/help")
                await server.called("sendMessage")

    with caplog.at_level(logging.INFO, "manera"):
        asyncio.run(scenario())
    assert sum(clock.slept) >= 600
    assert sum("cannot be reached" in line for line in caplog.messages) == 1


def test_a_flood_gets_one_answer_and_no_word_is_logged(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        async with conversing(url, tmp_path) as server:
            server.fail("sendMessage", flood(30))
            await server.say(*["тайна"] * 100, user=77)
            await server.until(lambda: bool(server.sent(77)))

    with caplog.at_level(logging.INFO, "manera"):
        asyncio.run(scenario())
    assert "тайна" not in caplog.text
    assert len([line for line in caplog.messages if "request" in line]) == 1


def test_an_unknown_voice_is_named(url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with bot_api() as server, talking(url, tmp_path, server, voice="nobody") as bot:
            with pytest.raises(FaceError, match="does not serve 'nobody'"):
                await bot

    asyncio.run(scenario())
    assert httpx2.get(f"{url}/v1/models").status_code == 200
