"""A voice as the bot knows it: asked of the API, and spoken with through it."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, NamedTuple

import msgspec

from manera.errors import FaceError
from manera.faces.api import Api, ApiError
from manera.faces.telegram.state import Incoming, Said
from manera.rhythm.record import Rhythm

MAX_TURNS = 12
"""Turns of a talk that a preference is kept with."""


def user_of(user: int) -> str:
    """Return a Telegram user as the API knows them."""
    return f"telegram:{user}"


class Card(NamedTuple):
    """What the API tells about a voice."""

    voice: str
    persona: str
    kind: str = "dialogue"
    base: str | None = None
    languages: Sequence[str] = ()
    made: str | None = None


class Wrote(NamedTuple):
    """What a voice wrote, and which turn of the remembered talk it is."""

    text: str
    turn: int | None = None


class Voice:
    """One voice behind the API, its card and its rhythm."""

    def __init__(self, api: Api, name: str) -> None:
        self.name = name
        self.card = Card(name, name)
        self.rhythm: Rhythm | None = None
        self._api = api

    async def meet(self) -> None:
        """Ask for the voice's card and rhythm; raise FaceError where there is no such voice, ApiError otherwise."""
        served = [model["id"] for model in (await self._api.get("/v1/models"))["data"]]
        if self.name not in served:
            raise FaceError(f"the API does not serve {self.name!r}", f"it serves {', '.join(served)}")
        told = await self._known(f"/v1/voices/{self.name}")
        if told is not None:
            languages = told.get("languages") or ()
            persona = told.get("persona") or self.name
            self.card = Card(
                self.name, persona, told.get("kind", "dialogue"), told.get("base"), languages, told.get("created_at")
            )
        rhythm = await self._known(f"/v1/voices/{self.name}/rhythm")
        self.rhythm = None if rhythm is None else msgspec.convert(rhythm, Rhythm, strict=False)

    async def _known(self, path: str) -> Any:
        try:
            return await self._api.get(path)
        except ApiError as error:
            if error.status not in (404, 405):
                raise
            return None

    async def answer(self, burst: Sequence[Incoming], origin: int, request_id: str) -> AsyncGenerator[Wrote]:
        """Yield what is written so far, again and again; the last is the whole. Raises ApiError.

        origin: under which number the API remembers the chat.
        """
        messages = [_message(one) for one in burst]
        body: dict[str, Any] = {"model": self.name, "messages": messages}
        last = burst[-1]
        if self.card.kind == "dialogue" and not last.is_topic:
            body["memory"] = memory_of(last, origin)
        text, turn = "", None
        async with aclosing(self._api.chat(body, request_id)) as chunks:
            async for chunk in chunks:
                turn = (chunk.get("memory") or {}).get("turn", turn)
                piece = "".join(choice["delta"].get("content") or "" for choice in chunk["choices"])
                if piece:
                    text += piece
                    yield Wrote(text)
        yield Wrote(text, turn)

    async def answered_before(self, burst: Sequence[Incoming], origin: int) -> Wrote | None:
        """Return the answer that the API gave before a crash; a question that it kept without one is taken back."""
        last = burst[-1]
        if self.card.kind != "dialogue" or last.is_topic:
            return None
        turns = await self.turns(last.user, chat_of(origin), len(burst) + 1)
        asked, texts = [turn for turn in turns if turn["role"] == "user"], [one.text for one in burst]
        if turns and turns[-1]["role"] == "assistant" and [turn["text"] for turn in asked] == texts:
            return Wrote(turns[-1]["text"], turns[-1]["id"])
        if turns and turns[-1]["role"] == "user" and [turn["text"] for turn in asked][-len(texts) :] == texts:
            await self.forget(last.user, chat_of(origin), asked[-len(texts)]["id"])
        return None

    async def turns(self, user: int, chat: str | None, limit: int, before: int | None = None) -> list[dict[str, Any]]:
        """Return the last turns of somebody's talk with the voice, oldest first."""
        told = await self._api.get(
            "/v1/memory/turns", user=user_of(user), voice=self.name, chat=chat, limit=limit, before=before
        )
        turns: list[dict[str, Any]] = told["data"]
        return turns

    async def forget(self, user: int, chat: str | None = None, from_turn: int | None = None) -> int:
        """Delete what somebody said to the voice and was answered; return how many turns that was."""
        told = await self._api.delete("/v1/memory", user=user_of(user), voice=self.name, chat=chat, from_turn=from_turn)
        return int(told["deleted"])

    async def export(self, user: int) -> bytes:
        """Return all that is kept of somebody, as JSON."""
        return await self._api.download("/v1/memory/export", user=user_of(user))

    async def prefer(self, said: Said, origin: int, *, is_good: bool, instead: str | None = None) -> bool:
        """Keep what somebody thinks of a reply, and what it should be; False where it was forgotten meanwhile."""
        turns = await self.turns(said.user, chat_of(origin), MAX_TURNS, said.turn + 1)
        if len(turns) < 2 or turns[-1]["id"] != said.turn:
            return False
        messages = [{"role": turn["role"], "content": turn["text"]} for turn in turns[:-1]]
        reply = turns[-1]["text"].strip()  # as Telegram showed it
        chosen, rejected = (reply, None) if is_good else (instead, reply)
        source = "thumb" if instead is None else "correction"
        body: dict[str, Any] = {"user": user_of(said.user), "messages": messages, "source": source}
        body |= {"chosen": chosen, "rejected": rejected}
        await self._api.post(f"/v1/voices/{self.name}/preferences", body)
        return True


def chat_of(origin: int) -> str:
    """Return a Telegram chat as the API knows it."""
    return f"telegram:{origin}"


def memory_of(last: Incoming, origin: int) -> dict[str, Any]:
    """Return with whom and where a reply is written."""
    asked = {"user": user_of(last.user), "chat": chat_of(origin), "group": origin < 0}
    return asked | ({"name": last.name} if last.name else {})


def _message(one: Incoming) -> dict[str, str]:
    return {"role": "user", "content": one.text}
