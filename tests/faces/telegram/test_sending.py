"""Telegram's refusals, obeyed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from bot_api_server import TOKEN, BotApi, Fault, bot_api, flood
from fake_clock import FakeClock

from manera.faces.telegram.sending import ChatGoneError, Sender, telegram
from manera.faces.telegram.state import Incoming, State

Scenario = Callable[[BotApi, Sender, FakeClock, State], Awaitable[None]]


@asynccontextmanager
async def sending(folder: Path) -> AsyncIterator[tuple[BotApi, Sender, FakeClock, State]]:
    state, clock = State(folder / "state.sqlite"), FakeClock()
    async with bot_api() as api, telegram(TOKEN, api.url) as bot:
        yield api, Sender(bot, state, clock), clock, state
    state.close()


def play(folder: Path, scenario: Scenario) -> None:
    async def run() -> None:
        async with sending(folder) as parts:
            await scenario(*parts)

    asyncio.run(run())


def test_nothing_is_sent_inside_a_cooldown(tmp_path: Path) -> None:
    async def scenario(api: BotApi, sender: Sender, clock: FakeClock, state: State) -> None:
        api.fail("sendMessageDraft", flood(20))
        await sender.draft(7, 1, "д")
        for _ in range(5):
            await sender.draft(7, 1, "да")
            await sender.show_typing(7)
        assert [call.method for call in api.calls] == ["sendMessageDraft"]
        await sender.send(7, "да")
        assert clock.slept == [20]
        assert api.sent() == ["да"]
        await sender.show_typing(7)
        assert len(api.of("sendChatAction")) == 1

    play(tmp_path, scenario)


def test_another_chat_goes_on(tmp_path: Path) -> None:
    async def scenario(api: BotApi, sender: Sender, clock: FakeClock, state: State) -> None:
        api.fail("sendChatAction", flood(20))
        await sender.show_typing(7)
        await sender.send(8, "да")
        assert clock.slept == []

    play(tmp_path, scenario)


def test_a_message_is_sent_when_telegram_lets_it(tmp_path: Path) -> None:
    async def scenario(api: BotApi, sender: Sender, clock: FakeClock, state: State) -> None:
        api.fail("sendMessage", flood(9), Fault(None), Fault(502, "Bad Gateway"))
        await sender.send(7, "да")
        assert api.sent() == ["да"]
        assert clock.slept == [9, 1, 2]

    play(tmp_path, scenario)


def test_a_chat_that_is_gone_is_said_to_be(tmp_path: Path) -> None:
    async def scenario(api: BotApi, sender: Sender, clock: FakeClock, state: State) -> None:
        api.fail("sendMessage", Fault(403, "Forbidden: bot was blocked by the user"))
        with pytest.raises(ChatGoneError):
            await sender.send(7, "да")

    play(tmp_path, scenario)


def test_a_group_that_moved_is_followed(tmp_path: Path) -> None:
    async def scenario(api: BotApi, sender: Sender, clock: FakeClock, state: State) -> None:
        state.finish(1, 0, incoming=Incoming(-5, 1, 7, None, "ru", "да", 0))
        api.fail("sendMessage", Fault(400, "Bad Request: group chat was upgraded", {"migrate_to_chat_id": -1005}))
        await sender.send(-5, "да")
        assert api.sent(-1005) == ["да"]
        assert state.origin(-1005) == -5
        assert state.unfinished() == [-1005]

    play(tmp_path, scenario)


def test_drafts_that_are_refused_are_not_tried_again(tmp_path: Path) -> None:
    async def scenario(api: BotApi, sender: Sender, clock: FakeClock, state: State) -> None:
        api.fail("sendMessageDraft", Fault(400, "Bad Request: TEXTDRAFT_PEER_INVALID"))
        for _ in range(3):
            await sender.draft(7, 1, "д")
        await sender.draft(8, 1, "д")
        assert [call.fields["chat_id"] for call in api.of("sendMessageDraft")] == ["7", "8"]

    play(tmp_path, scenario)
