"""The local Bot API server, asked by aiogram."""

import asyncio

import pytest
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import TelegramNetworkError, TelegramRetryAfter, TelegramUnauthorizedError
from bot_api_server import TOKEN, Fault, bot_api, flood


def bot_at(url: str, token: str = TOKEN) -> Bot:
    return Bot(token, AiohttpSession(api=TelegramAPIServer.from_base(url)))


def test_updates_wait_until_they_are_confirmed() -> None:
    async def scenario() -> None:
        async with bot_api() as api, bot_at(api.url) as bot:
            await api.say("раз", "два")
            first, second = await bot.get_updates(timeout=5)
            assert first.message is not None
            assert first.message.text == "раз"
            assert [update.update_id for update in await bot.get_updates(timeout=5)] == [1000, 1001]
            assert await bot.get_updates(offset=second.update_id + 1, timeout=0) == []

    asyncio.run(scenario())


def test_it_fails_as_it_is_told() -> None:
    async def scenario() -> None:
        async with bot_api() as api, bot_at(api.url) as bot, bot_at(api.url, "43:other") as stranger:
            api.fail("sendMessage", flood(9), Fault(None))
            with pytest.raises(TelegramRetryAfter) as refused:
                await bot.send_message(7, "а")
            assert refused.value.retry_after == 9
            with pytest.raises(TelegramNetworkError):
                await bot.send_message(7, "б")
            await bot.send_message(7, "в")
            with pytest.raises(TelegramUnauthorizedError):
                await stranger.get_me()
            assert [call.text for call in api.of("sendMessage")] == ["а", "б", "в"]
            assert api.sent() == ["в"]

    asyncio.run(scenario())
