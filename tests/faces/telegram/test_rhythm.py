"""Bursts, waits and drafts."""

import asyncio
from pathlib import Path

import httpx2
from bot_api_server import Fault, bot_api
from conversing import conversing, talking
from fake_clock import FakeClock


class Interrupted(FakeClock):
    """Lets something happen in the first quiet moment."""

    def __init__(self) -> None:
        super().__init__()
        self.reached, self.go_on = asyncio.Event(), asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        self.reached.set()
        await self.go_on.wait()
        await super().sleep(seconds)


def said(url: str) -> list[str]:
    listed = httpx2.get(f"{url}/v1/memory/turns", params={"user": "telegram:7"}).json()["data"]
    return [turn["text"] for turn in listed if turn["role"] == "user"]


def test_it_waits_until_somebody_has_finished_and_reads_their_edits(url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        clock = Interrupted()
        async with conversing(url, tmp_path, clock) as server:
            first = server.message("Првет")
            await server.push(first)
            await clock.reached.wait()
            await server.say("Как дела?")
            edited = first["message"] | {"text": "Привет", "edit_date": 1_700_000_001}
            await server.push({"edited_message": edited})
            await server.say("/privacy")  # dealt with in order: when it is answered, what came before is noted
            await server.called("sendMessage")
            assert said(url) == []
            clock.go_on.set()
            await server.called("sendMessage", 2)

    asyncio.run(scenario())
    assert said(url) == ["Привет", "Как дела?"]


def test_stop_passes_by_what_waits(url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        clock = Interrupted()
        async with conversing(url, tmp_path, clock) as server:
            await server.say("Привет")
            await clock.reached.wait()
            await server.say("/stop")
            await server.called("sendMessage")
            clock.go_on.set()
            await server.say("/help")
            await server.called("sendMessage", 2)
            assert server.sent()[0] == "Хорошо, молчу."

    asyncio.run(scenario())
    assert said(url) == []


def test_real_pace_waits_as_the_usual_rule_without_a_rhythm(url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        clock = FakeClock()
        async with conversing(url, tmp_path, clock, pace="real", quiet=0) as server:
            begun = clock.now()
            await server.say("Привет")
            await server.called("sendMessage")
            assert clock.now() - begun >= 1.5
            assert server.calls[-2].method == "sendChatAction"

    asyncio.run(scenario())


def test_drafts_grow_in_private_until_they_are_refused(url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with bot_api() as server, talking(url, tmp_path, server):
            await server.say("Привет")
            await server.called("sendMessage")
            assert server.of("sendMessageDraft")
            server.fail("sendMessageDraft", Fault(400, "Bad Request: TEXTDRAFT_PEER_INVALID"))
            await server.say("Привет")
            await server.called("sendMessage", 2)
            refused = len(server.of("sendMessageDraft"))
            await server.say("Привет")
            await server.called("sendMessage", 3)
            assert len(server.of("sendMessageDraft")) == refused

    asyncio.run(scenario())
