"""How updates come: the bot asks for them, or Telegram calls."""

import logging
from hmac import compare_digest

from aiogram import Bot as Telegram
from aiogram.exceptions import TelegramConflictError, TelegramRetryAfter, TelegramUnauthorizedError
from aiogram.types import Update
from aiohttp import web
from pydantic import ValidationError

from manera.clock import Clock
from manera.errors import FaceError
from manera.faces.telegram.bot import UPDATES, Bot
from manera.faces.telegram.sending import PASSING, pause_after
from manera.faces.telegram.settings import BotConfig

POLL_SECONDS = 25
CONFLICTS = 3
"""In a row mean that a second copy runs; one may be what is left of a copy that has just ended."""

SECRET = "X-Telegram-Bot-Api-Secret-Token"
_WAIT_AFTER_CONFLICT = 5.0
_log = logging.getLogger(__name__)


async def poll(telegram: Telegram, bot: Bot, clock: Clock) -> None:
    """Ask for updates for ever; raise FaceError where that cannot help any more."""
    offset, failures, conflicts = 0, 0, 0
    while True:
        try:
            updates = await telegram.get_updates(
                offset=offset, timeout=POLL_SECONDS, allowed_updates=UPDATES, request_timeout=POLL_SECONDS + 10
            )
        except TelegramUnauthorizedError as error:
            raise wrong_token() from error
        except TelegramConflictError as error:
            conflicts += 1
            if conflicts == CONFLICTS:
                raise FaceError(
                    "a second copy of this bot is running", "end the other one, or this one stays"
                ) from error
            await clock.sleep(_WAIT_AFTER_CONFLICT)
        except TelegramRetryAfter as error:
            await clock.sleep(error.retry_after)
        except PASSING as error:
            failures += 1
            if failures == 1:
                _log.warning("Telegram cannot be reached: %s", type(error).__name__)
            await clock.sleep(pause_after(failures))
        else:
            if failures:
                _log.info("Telegram can be reached again")
            failures = conflicts = 0
            for update in updates:
                await bot.handle(update)
                offset = update.update_id + 1


def wrong_token() -> FaceError:
    """Say that Telegram knows no such bot."""
    return FaceError("Telegram does not take BOT_TOKEN", "get it again from @BotFather: /mybots, API Token")


def webhook_app(telegram: Telegram, bot: Bot, secret: str) -> web.Application:
    """Take updates that Telegram brings; whoever has not the secret gets 401."""

    async def take(request: web.Request) -> web.Response:
        if not compare_digest(request.headers.get(SECRET, "").encode(), secret.encode()):
            return web.Response(status=401)
        try:
            update = Update.model_validate_json(await request.read(), context={"bot": telegram})
        except ValidationError:
            return web.Response(status=400)
        await bot.handle(update)
        return web.Response()

    app = web.Application(client_max_size=1 << 20)
    app.router.add_post("/", take)
    return app


async def listen(telegram: Telegram, bot: Bot, config: BotConfig, clock: Clock) -> None:
    """Let Telegram call at the public address, until cancelled; raise FaceError."""
    secret = config.webhook_secret.get_secret_value()
    runner = web.AppRunner(webhook_app(telegram, bot, secret), access_log=None, shutdown_timeout=5)
    await runner.setup()
    try:
        await web.TCPSite(runner, config.webhook_host, config.webhook_port).start()
        await telegram.set_webhook(config.webhook_url or "", secret_token=secret, allowed_updates=UPDATES)
        while True:
            await clock.sleep(3600)
    except OSError as error:
        raise FaceError(
            f"{config.webhook_host}:{config.webhook_port} cannot be listened on: {error.strerror}",
            "choose another BOT_WEBHOOK_PORT",
        ) from error
    finally:
        await runner.cleanup()
