"""``manera import telegram:@channel``: a chat is fetched into a file, which is then imported."""

import asyncio
import getpass
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from dotenv import dotenv_values

from manera import config
from manera.cli import console
from manera.errors import SettingsError, SourceError

PREFIX = "telegram:"
_EVERY = 1000


def fetched(paths: Sequence[Path]) -> list[Path]:
    """Return the paths to read: of a chat of Telegram, the file that it was fetched into."""
    return [_fetch(str(path).removeprefix(PREFIX)) if str(path).startswith(PREFIX) else path for path in paths]


def _fetch(chat: str) -> Path:
    given = {**dotenv_values(Path(".env")), **os.environ}
    api_id, api_hash = given.get("API_ID") or "", given.get("API_HASH") or ""
    if not (api_id.isdigit() and api_hash):
        raise SettingsError(
            "API_ID and API_HASH are not set" if not api_id else "API_ID is not a number or API_HASH is missing",
            "get both at https://my.telegram.org, and write API_ID=... and API_HASH=... into .env",
        )
    chat = chat or given.get("CHAT_ID") or ""
    if not chat:
        raise SettingsError("telegram: names no chat", "write telegram:@name, or CHAT_ID=... into .env")
    try:
        from manera.sources import telegram_account
    except ModuleNotFoundError as error:
        raise SettingsError(f"chats of Telegram need {error.name}", "pip install telethon cryptg") from error

    async def fetch() -> Path:
        folder = config.home() / "telegram"
        client = await telegram_account.open_client(folder, int(api_id), api_hash, _ask, _ask_secret)
        try:
            with console.notes.status(f"fetching {chat}") as status:
                async for step in telegram_account.fetch(client, chat, folder):
                    match step:
                        case telegram_account.Fetched(messages, total):
                            of = f" of {total:,}" if total else ""
                            status.update(f"fetching {chat}: {messages:,} new{of}")
                            if messages % _EVERY < telegram_account.PAGE and not console.notes.is_terminal:
                                console.say(f"{chat}: {messages:,} new messages")
                        case telegram_account.Waiting(seconds, reason):
                            status.update(f"{reason}: {seconds} s")
                        case telegram_account.Kept(path):
                            return path
        finally:
            await client.disconnect()
        raise SourceError(f"nothing came of {chat}", "run the same command again")

    return asyncio.run(fetch())


def _ask(question: str) -> str:
    _need_terminal()
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline().strip()


def _ask_secret(question: str) -> str:
    _need_terminal()
    return getpass.getpass(question)


def _need_terminal() -> None:
    if not sys.stdin.isatty():
        raise SourceError("Telegram wants to know who you are", "run the command in a terminal once; it is remembered")
