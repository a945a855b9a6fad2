"""``manera bot``: a voice in Telegram."""

import asyncio
import os
import signal

from manera import config, logs
from manera.cli import console
from manera.errors import FaceError
from manera.faces.api import Api
from manera.faces.telegram import settings

API = "http://127.0.0.1:8000"


def run_bot(voice: str, url: str | None, pace: str | None) -> None:
    """Run the bot until SIGTERM or Ctrl-C; raise FaceError and SettingsError."""
    try:
        from manera.faces.telegram.running import run
    except ModuleNotFoundError as error:
        raise FaceError(f"the bot needs {error.name}", "pip install aiogram") from error
    settings.load_environment()
    resolved = settings.resolve(pace)

    async def until_ended() -> None:
        async with Api(url or os.environ.get("MANERA_API_URL") or API, os.environ.get("MANERA_API_KEY")) as api:
            await run(voice, api, resolved, config.home(), lambda name: console.say(f"{voice} is {name} in Telegram"))

    async def ended_by_signals() -> None:
        task = asyncio.create_task(until_ended())
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        try:
            await task
        except asyncio.CancelledError:
            console.say("the bot has ended")

    with logs.kept("bot"):
        asyncio.run(ended_by_signals())
