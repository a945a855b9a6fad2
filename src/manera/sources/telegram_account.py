"""A chat read from Telegram itself, and kept in a file that grows with it."""

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from telethon import TelegramClient, errors, utils
from telethon.tl import functions, types

from manera.errors import SourceError
from manera.sources.telegram_objects import as_exported, header_of, people_of

PAGE = 100
_MAX_FAILURES = 6
_LINK = re.compile(r"(?:https?:/{1,2})?(?:t|telegram)\.me/(?:s/)?(?P<name>\w+)/?", re.IGNORECASE)
Sleep = Callable[[float], Awaitable[None]]


class Fetched(NamedTuple):
    """So many messages were fetched by this run; total: how many the chat has, where Telegram says so."""

    messages: int
    total: int | None


class Waiting(NamedTuple):
    """So many seconds are left before Telegram is asked again."""

    seconds: int
    reason: str


class Kept(NamedTuple):
    """The file that holds the chat now."""

    path: Path


Step = Fetched | Waiting | Kept


async def open_client(
    folder: Path,
    api_id: int,
    api_hash: str,
    ask: Callable[[str], str],
    ask_secret: Callable[[str], str],
    client_of: Callable[..., TelegramClient] = TelegramClient,
) -> TelegramClient:
    """Return a client that is logged in; whose account it is is asked for once, and kept in a file that only they read.

    Raises SourceError where Telegram refuses.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    session = folder / "account.session"
    os.close(os.open(session, os.O_CREAT | os.O_WRONLY, 0o600))
    session.chmod(0o600)
    client = client_of(str(session), api_id, api_hash, flood_sleep_threshold=0, receive_updates=False)
    try:
        await client.connect()
        if not await client.is_user_authorized():
            phone = ask("phone number of the account, with its country: ")
            await client.send_code_request(phone)
            try:
                await client.sign_in(phone, ask("code that Telegram has sent you: "))
            except errors.SessionPasswordNeededError:
                await client.sign_in(password=ask_secret("password of two-step verification: "))
    except (errors.RPCError, ConnectionError, OSError, ValueError) as error:
        await client.disconnect()
        raise _refused("to log in", error) from error
    return client


async def fetch(client: TelegramClient, chat: str, folder: Path, sleep: Sleep = asyncio.sleep) -> AsyncIterator[Step]:
    """Fetch what is new in a chat, from the oldest message on, and yield how far it is; last the file that holds it.

    chat: ``@name``, a link, or a number. What was fetched stays when a run is broken off, and the next goes on there.
    Telegram says how long to wait between questions; it is obeyed. Raises SourceError when there is no such chat, or
    the connection does not come back.
    """
    entity = await _entity(client, chat)
    me = (await client.get_me()).id
    path = folder / f"{utils.get_peer_id(entity)}.jsonl"
    file, last = _open(path, header_of(entity, me))
    reader = _Reader(client, utils.get_input_peer(entity))
    count = 0
    with file:
        if last == 0:
            await reader.begin_takeout()
        while True:
            page = None
            async for step in reader.page_after(last, sleep):
                if isinstance(step, Waiting):
                    yield step
                else:
                    page = step
            messages = [one for one in reversed(page.messages) if one.id > last] if page else []
            if page is None or not messages:
                break
            people = people_of(page)
            exported = [as_exported(one, people, me) for one in messages if not isinstance(one, types.MessageEmpty)]
            file.write(b"".join(json.dumps(one, ensure_ascii=False).encode() + b"\n" for one in exported))
            file.flush()
            last = messages[-1].id
            count += len(exported)
            yield Fetched(count, getattr(page, "count", None))
        await reader.end_takeout()
    yield Kept(path)


class _Reader:
    """Asks for pages of a chat, as a takeout where Telegram allows one: it then lets more be read at once."""

    def __init__(self, client: TelegramClient, peer: Any) -> None:
        self._client = client
        self._peer = peer
        self._takeout: int | None = None

    async def begin_takeout(self) -> None:
        try:
            request = functions.account.InitTakeoutSessionRequest(
                message_users=True, message_chats=True, message_megagroups=True, message_channels=True
            )
            self._takeout = (await self._client(request)).id
        except (errors.RPCError, ConnectionError):
            self._takeout = None  # a new login has to wait a day for one; pages come without, only slower

    async def end_takeout(self) -> None:
        if self._takeout is not None:
            request = functions.account.FinishTakeoutSessionRequest(success=True)
            await self._client(functions.InvokeWithTakeoutRequest(self._takeout, request))

    async def page_after(self, last: int, sleep: Sleep) -> AsyncIterator[Any]:
        """Yield Waiting as often as it takes, then the messages that follow one, the newest of them first."""
        request: Any = functions.messages.GetHistoryRequest(
            self._peer, offset_id=last + 1, offset_date=None, add_offset=-PAGE, limit=PAGE, max_id=0, min_id=0, hash=0
        )
        if self._takeout is not None:
            request = functions.InvokeWithTakeoutRequest(self._takeout, request)
        failures = 0
        while True:
            try:
                yield await self._client(request)
                return
            except errors.FloodWaitError as error:
                seconds, reason = int(error.seconds), "Telegram asks to wait"
            except (ConnectionError, TimeoutError, errors.ServerError) as error:
                failures += 1
                if failures == _MAX_FAILURES:
                    raise _refused("to go on", error) from error
                seconds, reason = 2**failures, "the connection broke off"
            except errors.RPCError as error:
                raise _refused("to show the chat", error) from error
            for left in range(seconds, 0, -1):
                yield Waiting(left, reason)
                await sleep(1)


async def _entity(client: TelegramClient, chat: str) -> Any:
    link = _LINK.fullmatch(chat)
    named: str | int = link["name"] if link else chat
    if re.fullmatch(r"-?\d{1,19}", chat):
        named = int(chat)
    try:
        try:
            return await client.get_entity(named)
        except ValueError:
            if isinstance(named, str):
                raise
            await client.get_dialogs()  # a number is known only once its chat was seen
            return await client.get_entity(named)
    except (errors.RPCError, ValueError, ConnectionError) as error:
        raise _refused(f"to find {chat}", error) from error


def _refused(what: str, error: Exception) -> SourceError:
    return SourceError(
        f"Telegram refused {what}: {error}",
        "look at the name of the chat and at API_ID and API_HASH in .env; the same command goes on where it stopped",
    )


def _open(path: Path, header: dict[str, Any]) -> tuple[BinaryIO, int]:
    """Open the file of a chat to write what follows; return also the number of the last message in it, 0 without any.

    A last line that was cut short is taken off.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = os.fdopen(os.open(path, os.O_CREAT | os.O_RDWR, 0o600), "r+b")
    last = end = 0
    for number, line in enumerate(file):
        try:
            fields = json.loads(line) if line.endswith(b"\n") else None
        except ValueError:
            fields = None
        if not isinstance(fields, dict):
            break
        end += len(line)
        last = max(last, fields.get("id", 0)) if number else 0
    file.seek(end)
    file.truncate()
    if end == 0:
        file.write(json.dumps(header, ensure_ascii=False).encode() + b"\n")
    return file, last
