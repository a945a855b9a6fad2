"""The bot from its settings to its end."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random
from typing import TypeVar

from aiogram import Bot as Telegram
from aiogram.exceptions import TelegramAPIError, TelegramNotFound, TelegramUnauthorizedError
from aiogram.types import BotCommand, User

from manera.clock import Clock, RealClock
from manera.errors import FaceError
from manera.faces.api import Api, ApiError
from manera.faces.telegram.arriving import listen, poll, wrong_token
from manera.faces.telegram.bot import Bot
from manera.faces.telegram.conversation import Parts
from manera.faces.telegram.sending import PASSING, Sender, pause_after, telegram
from manera.faces.telegram.settings import BotConfig
from manera.faces.telegram.state import State
from manera.faces.telegram.voice import Voice
from manera.faces.telegram.words import COMMANDS, say
from manera.text.languages import Language

LANGUAGES: tuple[Language, ...] = ("en", "ru")
_REFUSED = (401, 403)
T = TypeVar("T")
_log = logging.getLogger(__name__)


async def run(
    name: str, api: Api, config: BotConfig, home: Path, started: Callable[[str], None], clock: Clock | None = None
) -> None:
    """Be a voice in Telegram until cancelled; raise FaceError where that cannot go on.

    home: under which the bot's file lies. started: is told the bot's name in Telegram.
    """
    clock = clock or RealClock()
    async with bot_of(name, api, config, home, clock) as (client, bot, me):
        started(f"@{me.username}")
        if config.webhook_url:
            await listen(client, bot, config, clock)
        else:
            await poll(client, bot, clock)


@asynccontextmanager
async def bot_of(
    name: str, api: Api, config: BotConfig, home: Path, clock: Clock
) -> AsyncIterator[tuple[Telegram, Bot, User]]:
    """Lend a bot that has met its voice and Telegram; what it has not done at the end waits for the next."""
    voice = Voice(api, name)
    await _met(voice, clock)
    state = State(home / "bot" / str(config.bot_id) / "state.sqlite")
    try:
        async with telegram(config.token.get_secret_value(), config.api_url) as client:
            me = await _presented(client, clock)
            bot = Bot(client, me, Parts(state, Sender(client, state, clock), voice, config, clock, Random()))
            try:
                await bot.go_on()
                yield client, bot, me
            finally:
                await bot.close()
    finally:
        state.close()


async def _met(voice: Voice, clock: Clock) -> None:
    """Ask the API for the voice, however long it takes to come up."""
    try:
        await _insistently(
            voice.meet, lambda error: isinstance(error, ApiError) and error.status not in _REFUSED, clock
        )
    except ApiError as error:
        raise FaceError(error.message, "set MANERA_API_KEY; manera keys add makes one") from error


async def _presented(client: Telegram, clock: Clock) -> User:
    """Learn who the bot is in Telegram, and put its commands into the menu."""

    async def present() -> User:
        me = await client.get_me()
        await client.delete_webhook()
        return me

    try:
        me = await _insistently(present, lambda error: isinstance(error, PASSING), clock)
    except (TelegramUnauthorizedError, TelegramNotFound) as error:
        raise wrong_token() from error
    for language in LANGUAGES:
        menu = [BotCommand(command=one, description=say(language, f"command_{one}")) for one in COMMANDS]
        with suppress(TelegramAPIError):  # a menu is not worth a start
            await client.set_my_commands(menu, language_code=language if language != "en" else None)
    return me


async def _insistently(ask: Callable[[], Awaitable[T]], is_passing: Callable[[Exception], bool], clock: Clock) -> T:
    """Ask until there is an answer; the first failure is logged, and one that does not pass is raised."""
    failures = 0
    while True:
        try:
            return await ask()
        except Exception as error:
            if not is_passing(error):
                raise
            failures += 1
            if failures == 1:
                _log.warning("%s: waiting for it", type(error).__name__)
            await clock.sleep(pause_after(failures))
