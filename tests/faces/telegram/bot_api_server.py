"""A small server that speaks Telegram's Bot API, and fails when it is told to.

``python bot_api_server.py PORT`` runs it by itself: ``POST /said`` takes an update, ``GET /calls`` lists what was
called.
"""

import asyncio
import itertools
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiohttp import web

TOKEN = "42:the-token-of-a-test"
BOT = {"id": 42, "is_bot": True, "first_name": "Anna", "username": "anna_bot"}
NOTHING_TOLD = ("sendMessageDraft", "sendChatAction", "setMyCommands", "setWebhook", "deleteWebhook",
                "answerCallbackQuery", "setMessageReaction", "close")  # fmt: skip


class Call(NamedTuple):
    """A method that was called, with its fields as they came over the wire: all of them text."""

    method: str
    fields: dict[str, str]
    is_refused: bool = False

    @property
    def text(self) -> str:
        return self.fields["text"]


class Fault(NamedTuple):
    """How a call is refused; without a status the connection breaks."""

    status: int | None
    description: str = "refused"
    parameters: dict[str, int] | None = None


def flood(seconds: int) -> Fault:
    """Refuse for that long."""
    return Fault(429, f"Too Many Requests: retry after {seconds}", {"retry_after": seconds})


class BotApi:
    """What Telegram would know: the updates that wait, and all that the bot has done."""

    def __init__(self, token: str = TOKEN) -> None:
        self.token = token
        self.calls: list[Call] = []
        self.url = ""
        self._updates: list[dict[str, Any]] = []
        self._faults: dict[str, deque[Fault]] = {}
        self._changed = asyncio.Condition()
        self._is_closing = False
        self._update_ids = itertools.count(1000)
        self._message_ids = itertools.count(1)

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_route("*", "/bot{token}/{method}", self._answer)
        app.router.add_post("/said", self._said)
        app.router.add_get("/calls", self._called)
        return app

    def fail(self, method: str, *faults: Fault) -> None:
        """Refuse the next calls of a method, one after another."""
        self._faults.setdefault(method, deque()).extend(faults)

    async def push(self, *updates: dict[str, Any]) -> None:
        """Let updates arrive, all at once."""
        async with self._changed:
            for update in updates:
                self._updates.append({"update_id": next(self._update_ids)} | update)
            self._changed.notify_all()

    async def say(self, *texts: str, **about: Any) -> None:
        """Let messages arrive, all at once."""
        await self.push(*(self.message(text, **about) for text in texts))

    def message(
        self, text: str | None, user: int = 7, chat: int | None = None, language: str = "ru", **others: Any
    ) -> dict[str, Any]:
        """Return the update of a message: in private, or in a group where the chat is negative."""
        chat = user if chat is None else chat
        sender = {"id": user, "is_bot": False, "first_name": f"Name{user}", "language_code": language}
        place = {"id": chat, "type": "private"} if chat > 0 else {"id": chat, "type": "group", "title": "Group"}
        said = {"message_id": next(self._message_ids), "date": 1_700_000_000, "chat": place, "from": sender}
        return {"message": said | ({} if text is None else {"text": text}) | others}

    async def until(self, is_so: Callable[[], bool], seconds: float = 30) -> None:
        """Wait for what the bot does."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(is_so)

    async def called(self, method: str, count: int = 1) -> list[Call]:
        """Wait until a method was called so often; return all its calls."""
        await self.until(lambda: len(self.of(method)) >= count)
        return self.of(method)

    def of(self, method: str) -> list[Call]:
        return [call for call in self.calls if call.method == method]

    def sent(self, chat: int = 7) -> list[str]:
        """Return the texts that a chat got."""
        calls = [call for call in self.of("sendMessage") if not call.is_refused]
        return [call.text for call in calls if call.fields["chat_id"] == str(chat)]

    async def close(self) -> None:
        async with self._changed:
            self._is_closing = True
            self._changed.notify_all()

    async def _said(self, request: web.Request) -> web.Response:
        await self.push(await request.json())
        return web.json_response({})

    async def _called(self, request: web.Request) -> web.Response:
        return web.json_response([call._asdict() for call in self.calls])

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        method, form = request.match_info["method"], await request.post()
        fields = {name: value if isinstance(value, str) else _content(value) for name, value in form.items()}
        if request.match_info["token"] != self.token:
            return _refusal(Fault(401, "Unauthorized"))
        faults = self._faults.get(method)
        fault = faults.popleft() if faults else None
        call = Call(method, fields, fault is not None)
        async with self._changed:
            if method != "getUpdates":
                self.calls.append(call)
            self._changed.notify_all()
        if fault:
            if fault.status is None and request.transport:
                request.transport.abort()
            return _refusal(fault)
        return web.json_response({"ok": True, "result": await self._result(call)})

    async def _result(self, call: Call) -> Any:
        if call.method == "getMe":
            return BOT
        if call.method == "getUpdates":
            return await self._waiting(int(call.fields.get("offset", 0)), float(call.fields.get("timeout", 0)))
        if call.method in NOTHING_TOLD:
            return True
        chat = int(call.fields["chat_id"])
        place = {"id": chat, "type": "private" if chat > 0 else "group"}
        number = int(call.fields["message_id"]) if call.method == "editMessageText" else next(self._message_ids)
        return {"message_id": number, "date": 1_700_000_000, "chat": place, "from": BOT} | (
            {"text": call.text} if "text" in call.fields else {}
        )

    async def _waiting(self, offset: int, seconds: float) -> list[dict[str, Any]]:
        async with self._changed:
            self._updates = [update for update in self._updates if update["update_id"] >= offset]
            try:
                async with asyncio.timeout(seconds):
                    await self._changed.wait_for(lambda: bool(self._updates) or self._is_closing)
            except TimeoutError:
                return []
            return self._updates[:100]


def _content(field: web.FileField | bytes | bytearray) -> str:
    content = field.file.read() if isinstance(field, web.FileField) else bytes(field)
    return content.decode()


def _refusal(fault: Fault) -> web.Response:
    told: dict[str, Any] = {"ok": False, "error_code": fault.status, "description": fault.description}
    if fault.parameters:
        told["parameters"] = fault.parameters
    return web.json_response(told, status=fault.status or 500)


@asynccontextmanager
async def bot_api(token: str = TOKEN) -> AsyncIterator[BotApi]:
    """Run the server on a free port of this loop."""
    api = BotApi(token)
    runner = web.AppRunner(api.application(), shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    api.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield api
    finally:
        await api.close()
        await runner.cleanup()


if __name__ == "__main__":
    web.run_app(BotApi().application(), port=int(sys.argv[1]))
