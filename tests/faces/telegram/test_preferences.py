"""Thumbs and corrections become preferences of the voice."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from bot_api_server import BOT
from conversing import conversing

from manera.generation.llama_cpp import LlamaCpp
from manera.generation.reply import Writer
from manera.jobs.preferences import count_new
from manera.memory.memory import Memory
from manera.memory.settings import MemoryConfig
from manera.serving.app import create_app
from manera.serving.catalogue import Catalogue
from manera.voice.folder import voice_folder
from manera.voice.manifest import read_voice, write_voice
from manera.voice.preferences import preferences_file, read_pairs
from running import running
from tiny import tiny_voice


def kept() -> list[dict[str, Any]]:
    lines = (voice_folder("anna") / "preferences.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture
def greedy_url(tmp_path: Path, tiny_engine: LlamaCpp, tiny_writers: dict[str, Writer]) -> Iterator[str]:
    """The address of an API whose voices always give the same answer, in one message."""
    writers = {
        name: writer._replace(sampling=msgspec.structs.replace(writer.sampling, temperature=0))
        for name, writer in tiny_writers.items()
    }
    catalogue = Catalogue(tiny_engine, "tiny-gemma3", writers, created=0)
    with running(create_app(catalogue, memory=Memory(MemoryConfig(store=str(tmp_path / "memory.sqlite"))))) as opened:
        yield opened


def test_thumbs_and_corrections_are_kept(
    greedy_url: str, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MANERA_HOME", str(tmp_path))
    voice_folder("anna").mkdir(parents=True)
    write_voice(tiny_voice(tiny_base, "anna"), voice_folder("anna"))

    async def scenario() -> str:
        async with conversing(greedy_url, tmp_path) as server:
            await server.say("Привет")
            await server.called("sendMessage")
            (answer,) = server.sent()
            number = 2  # the first message was theirs
            chat, user = {"id": 7, "type": "private"}, {"id": 7, "is_bot": False, "first_name": "Name7"}
            said = {"chat": chat, "message_id": number, "user": user, "date": 0, "old_reaction": []}
            for emoji in ("👍", "👎", "🔥"):
                await server.push({"message_reaction": said | {"new_reaction": [{"type": "emoji", "emoji": emoji}]}})
            replied = {"message_id": number, "date": 0, "chat": chat, "from": BOT, "text": answer}
            await server.say("надо: и тебе привет", reply_to_message=replied)
            await server.called("sendMessage", 2)
            assert server.sent()[1] == "Запомню."
            return answer

    answer = asyncio.run(scenario())
    assert [(one["chosen"], one["rejected"], one["source"]) for one in kept()] == [
        (answer, None, "thumb"),
        (None, answer, "thumb"),
        ("и тебе привет", answer, "correction"),
    ]
    assert kept()[0]["messages"] == [{"role": "user", "content": "Привет"}]
    assert count_new(read_voice("anna"), "anna") == 3  # those that a training learns
    pairs = read_pairs(preferences_file("anna"))
    assert [(pair.chosen, pair.rejected) for pair in pairs][2] == ("и тебе привет", answer)
