"""Telegram, obeyed: what is sent waits where it has to, and is sent once."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramAPIError,
    TelegramBadRequest,
    TelegramEntityTooLarge,
    TelegramForbiddenError,
    TelegramMigrateToChat,
    TelegramNetworkError,
    TelegramNotFound,
    TelegramRetryAfter,
    TelegramServerError,
)
from aiogram.types import BufferedInputFile, Message

from manera.clock import Clock
from manera.faces.telegram.state import State

TYPING_SECONDS = 4.5
"""Telegram shows it for five."""

PASSING = (TelegramNetworkError, TelegramServerError, ClientDecodeError)
"""Worth another try."""

_MAX_PAUSE = 30.0
_log = logging.getLogger(__name__)


class ChatGoneError(Exception):
    """Nothing can be said in a chat any more: the bot was blocked or thrown out, or the chat is no more."""


def telegram(token: str, url: str) -> Bot:
    """Return a client of the Bot API at an address."""
    return Bot(token, AiohttpSession(api=TelegramAPIServer.from_base(url)))


def pause_after(failures: int) -> float:
    """Return how many seconds to wait after so many failures in a row."""
    return min(2.0 ** (failures - 1), _MAX_PAUSE)


class Sender:
    """Sends into chats; inside a cooldown of Telegram's nothing is sent there, not even typing."""

    def __init__(self, bot: Bot, state: State, clock: Clock) -> None:
        self._bot = bot
        self._state = state
        self._clock = clock
        self._cool_at: dict[int, float] = {}

    async def send(self, chat: int, text: str) -> int:
        """Send a text as it is, however long that takes; return its number. Raises ChatGoneError."""
        message = await self._insistently(chat, text, None)
        return message.message_id

    async def send_file(self, chat: int, content: bytes, name: str, caption: str) -> int:
        """Send a file; raise ChatGoneError."""
        message = await self._insistently(chat, caption, BufferedInputFile(content, name))
        return message.message_id

    async def _insistently(self, chat: int, text: str, file: BufferedInputFile | None) -> Message:
        failures = 0
        while True:
            await self._cool(chat)
            try:
                if file:
                    return await self._bot.send_document(chat, file, caption=text)
                return await self._bot.send_message(chat, text)
            except TelegramRetryAfter as error:
                self._hold(chat, error)
            except TelegramMigrateToChat as error:
                self._state.migrate(chat, error.migrate_to_chat_id)
                chat = error.migrate_to_chat_id
            except TelegramEntityTooLarge as error:
                raise ChatGoneError from error
            except PASSING:
                failures += 1
                await self._clock.sleep(pause_after(failures))
            except (TelegramForbiddenError, TelegramBadRequest, TelegramNotFound) as error:
                _log.warning("chat %d takes nothing: %s", chat, type(error).__name__)
                raise ChatGoneError from error

    async def show_typing(self, chat: int) -> None:
        """Show that something is being written, if Telegram likes to."""
        if self._is_cooling(chat):
            return
        try:
            await self._bot.send_chat_action(chat, "typing")
        except TelegramRetryAfter as error:
            self._hold(chat, error)
        except (TelegramAPIError, ClientDecodeError):
            _log.debug("typing is not shown in chat %d", chat)

    @asynccontextmanager
    async def typing(self, chat: int) -> AsyncIterator[None]:
        """Show typing for the length of the block; it is an engine that is waited for, whose time is real."""

        async def keep_typing() -> None:
            while True:
                await self.show_typing(chat)
                await asyncio.sleep(TYPING_SECONDS)

        task = asyncio.create_task(keep_typing())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def draft(self, chat: int, number: int, text: str) -> None:
        """Show what is written so far; where Telegram refuses that once, never again."""
        if self._is_cooling(chat) or not self._state.takes_drafts(chat):
            return
        try:
            await self._bot.send_message_draft(chat_id=chat, draft_id=number, text=text)
        except TelegramRetryAfter as error:
            self._hold(chat, error)
        except TelegramBadRequest:
            self._state.refuse_drafts(chat)
        except (TelegramAPIError, ClientDecodeError):
            _log.debug("a draft is not shown in chat %d", chat)

    def _hold(self, chat: int, refused: TelegramRetryAfter) -> None:
        _log.warning("chat %d: Telegram asks to wait for %d s", chat, refused.retry_after)
        self._cool_at[chat] = self._clock.now() + refused.retry_after

    def _is_cooling(self, chat: int) -> bool:
        return self._cool_at.get(chat, 0.0) > self._clock.now()

    async def _cool(self, chat: int) -> None:
        while self._is_cooling(chat):
            await self._clock.sleep(self._cool_at[chat] - self._clock.now())
        self._cool_at.pop(chat, None)
