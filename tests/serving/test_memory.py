"""The option ``memory`` of chat completions, and what is kept, over real HTTP."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from manera.generation.llama_cpp import LlamaCpp
from manera.generation.reply import Writer
from manera.memory.memory import Memory
from manera.memory.settings import MemoryConfig
from manera.serving.app import create_app
from manera.serving.catalogue import Catalogue
from running import running

CHAT = "/v1/chat/completions"
GREEDY: dict[str, Any] = {"temperature": 0, "max_tokens": 6, "guard": False}


@pytest.fixture
def http(tmp_path: Path, tiny_engine: LlamaCpp, tiny_writers: dict[str, Writer]) -> Iterator[httpx2.Client]:
    """A server with an empty memory."""
    catalogue = Catalogue(tiny_engine, "tiny-gemma3", tiny_writers, created=0)
    memory = Memory(MemoryConfig(store=str(tmp_path / "memory.sqlite")))
    with running(create_app(catalogue, memory=memory)) as url, httpx2.Client(base_url=url, timeout=60) as opened:
        yield opened


def say(
    http: httpx2.Client, *texts: str, user: str = "u", chat: str = "c", before: Any = (), **fields: Any
) -> dict[str, Any]:
    """Say something to a voice that remembers, and return its answer."""
    memory = {"user": user, "chat": chat} | fields.pop("memory", {})
    messages = [*before, *({"role": "user", "content": text} for text in texts)]
    asked = {"model": "anna", "messages": messages, "memory": memory} | GREEDY | fields
    answer = http.post(CHAT, json=asked)
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


def turns(http: httpx2.Client, **parameters: Any) -> list[tuple[str, str]]:
    listed = http.get("/v1/memory/turns", params={"user": "u"} | parameters).json()["data"]
    return [(turn["role"], turn["text"]) for turn in listed]


def written(answer: dict[str, Any]) -> str:
    return str(answer["choices"][0]["message"]["content"])


def test_nothing_is_remembered_unless_asked(http: httpx2.Client) -> None:
    asked = {"model": "anna", "messages": [{"role": "user", "content": "Привет"}], "user": "u"} | GREEDY
    assert "memory" not in http.post(CHAT, json=asked).json()
    assert http.get("/v1/memory", params={"user": "u"}).json() == {"data": []}


def test_last_turns_go_before_what_is_said(http: httpx2.Client) -> None:
    first = say(http, "Привет")
    second = say(http, "Как дела?", "Что делаешь?")
    before = [{"role": "user", "content": "Привет"}, {"role": "assistant", "content": written(first)}]
    messages = [*before, *({"role": "user", "content": text} for text in ("Как дела?", "Что делаешь?"))]
    plain = http.post(CHAT, json={"model": "anna", "messages": messages} | GREEDY).json()
    assert second["usage"] == plain["usage"]
    assert written(second) == written(plain)
    assert turns(http) == [
        ("user", "Привет"),
        ("assistant", written(first)),
        ("user", "Как дела?"),
        ("user", "Что делаешь?"),
        ("assistant", written(second)),
    ]
    told = second["memory"]
    assert (told["conversation"], told["asked"], told["turn"]) == (first["memory"]["conversation"], 3, 5)


def test_client_may_bring_the_last_turns_itself(http: httpx2.Client) -> None:
    say(http, "Это было раньше")
    history = [{"role": "user", "content": "Привет"}, {"role": "assistant", "content": "и тебе"}]
    answer = say(http, "Как дела?", before=history)
    plain = http.post(
        CHAT, json={"model": "anna", "messages": [*history, {"role": "user", "content": "Как дела?"}]} | GREEDY
    ).json()
    assert answer["usage"] == plain["usage"]
    assert turns(http)[2:] == [("user", "Как дела?"), ("assistant", written(answer))]


def test_stream_keeps_and_tells_the_same(http: httpx2.Client) -> None:
    memory = {"user": "u", "chat": "c"}
    asked = {"model": "anna", "messages": [{"role": "user", "content": "Привет"}], "memory": memory, "stream": True}
    with http.stream("POST", CHAT, json=asked | GREEDY | {"n": 2}) as answer:
        lines = [line.removeprefix("data: ") for line in answer.iter_lines() if line]
    chunks = [json.loads(line) for line in lines[:-1]]
    (last,) = [chunk for chunk in chunks if "memory" in chunk]
    assert last["choices"][0]["index"] == 0
    assert last["choices"][0]["finish_reason"] == "length"
    assert last["memory"] == {"conversation": 1, "asked": 1, "turn": 2, "recalled": [], "relation": None}
    first = "".join(
        choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"] if choice["index"] == 0
    )
    assert turns(http) == [("user", "Привет"), ("assistant", first)]


def test_openai_client_sees_what_was_recalled(http: httpx2.Client) -> None:
    with openai.OpenAI(base_url=f"{http.base_url}/v1", api_key="any", max_retries=0) as client:
        made = client.chat.completions.create(
            model="anna",
            messages=[{"role": "user", "content": "Привет"}],
            max_tokens=4,
            extra_body={"memory": {"user": "u", "chat": "c"}},
        )
    assert made.to_dict()["memory"]["recalled"] == []  # type: ignore[index]


def test_older_talk_is_recalled_from_another_chat_of_the_same_person(http: httpx2.Client) -> None:
    told = say(http, "Мою собаку зовут Рекс, это немецкая овчарка", chat="old")
    for chat in ("new", "newer"):
        answer = say(http, "Как зовут мою собаку?", chat=chat, memory={"user": "u", "chat": chat})
        (recalled,) = [one for one in answer["memory"]["recalled"] if "Рекс" in one["text"]]
        assert recalled["answer"] == written(told)
        assert recalled["kind"] == "talk"
        assert answer["usage"]["prompt_tokens"] > 60
    strange = say(http, "Как зовут мою собаку?", user="v", chat="old")
    assert strange["memory"]["recalled"] == []
