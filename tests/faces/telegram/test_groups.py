"""A bot in a group: spoken to, not spoken to, and what it must not tell there."""

import asyncio
from pathlib import Path

import httpx2
from bot_api_server import BOT
from conversing import conversing

GROUP = -5


def turns(url: str, user: int) -> list[tuple[str, bool]]:
    listed = httpx2.get(f"{url}/v1/memory", params={"user": f"telegram:{user}"}).json()["data"]
    return [(one["chat"], one["group"]) for one in listed]


def test_it_answers_when_it_is_meant_and_is_silent_otherwise(url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with conversing(url, tmp_path) as server:
            await server.say("всем привет", chat=GROUP)
            await server.say("/voice@anna_bot", chat=GROUP)
            await server.until(lambda: len(server.sent(GROUP)) == 1)
            reply = {"message_id": 1, "date": 0, "chat": {"id": GROUP, "type": "group", "title": "Group"}, "from": BOT}
            for meant in (
                server.message("@anna_bot, как дела?", chat=GROUP),
                server.message("anna, ты где?", chat=GROUP),
                server.message("да ну", chat=GROUP, reply_to_message=reply),
            ):
                before = len(server.sent(GROUP))
                await server.push(meant)
                await server.until(lambda before=before: len(server.sent(GROUP)) > before)  # type: ignore[misc]
            assert not server.of("sendMessageDraft")

    asyncio.run(scenario())
    assert turns(url, 7) == [(f"telegram:{GROUP}", True)]


def test_private_talk_is_not_recalled_in_a_group(url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with conversing(url, tmp_path) as server:
            await server.say("Мою собаку зовут Рекс, это немецкая овчарка")
            await server.until(lambda: bool(server.sent()))
            await server.say("@anna_bot как зовут мою собаку?", chat=GROUP)
            await server.until(lambda: bool(server.sent(GROUP)))

    asyncio.run(scenario())
    listed = httpx2.get(f"{url}/v1/memory/turns", params={"user": "telegram:7", "chat": f"telegram:{GROUP}"}).json()
    assert "Рекс" not in str(listed)
    assert sorted(turns(url, 7)) == [(f"telegram:{GROUP}", True), ("telegram:7", False)]


def test_a_group_that_moved_keeps_its_memory(url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with conversing(url, tmp_path) as server:
            await server.say("@anna_bot привет", chat=GROUP)
            await server.until(lambda: bool(server.sent(GROUP)))
            await server.push(server.message(None, chat=GROUP, migrate_to_chat_id=-1005))
            await server.say("@anna_bot привет", chat=-1005)
            await server.until(lambda: bool(server.sent(-1005)))

    asyncio.run(scenario())
    assert turns(url, 7) == [(f"telegram:{GROUP}", True)]
