"""The option ``memory`` of chat completions, and what is kept, over real HTTP."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from listened import Listened
from manera.generation.llama_cpp import LlamaCpp, open_engine
from manera.generation.reply import Writer
from manera.memory.memory import Memory
from manera.memory.settings import MemoryConfig
from manera.memory.talk import Said, Talk
from manera.serving.app import create_app
from manera.serving.catalogue import Catalogue
from manera.serving.keys import Keys, add_key
from running import running

TRIES = 200
LONG = 100_000
"""Tokens of a reply that takes far longer than any test."""

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


PLACES = (
    *("сарай", "гараж", "подвал", "чердак", "балкон", "сейф", "погреб", "киоск", "вагон", "музей"),
    *("архив", "склад", "театр", "теплица", "мельница", "аптека", "беседка", "котельная", "обсерватория", "голубятня"),
)
TOWNS = ("Тверь", "Псков", "Омск", "Вологда", "Казань", "Сочи", "Рига", "Минск", "Томск", "Уфа")


def place(number: int) -> str:
    """Name one of 200 places."""
    return f"{PLACES[number % len(PLACES)]}, {TOWNS[number // len(PLACES)]}"


def secret(number: int) -> str:
    """Return a sentence that no other is like, and a word of it that is nowhere else."""
    return f"{place(number)}: секретный код {7_000_003 + 7919 * number}"


@pytest.mark.slow
def test_said_in_private_and_asked_in_the_group_leaks_nothing(
    tmp_path: Path, tiny_engine: LlamaCpp, tiny_writers: dict[str, Writer]
) -> None:
    engine = Listened(tiny_engine)
    memory = Memory(MemoryConfig(store=str(tmp_path / "memory.sqlite"), turns=2))
    codes = [secret(number).rpartition(" ")[2] for number in range(TRIES)]
    for number in range(TRIES):
        talk = Talk("", "anna", f"u{number % 5}", "home")
        memory.store.answer(memory.store.ask(talk, [Said(secret(number))]), talk.user, "понял")
    app = create_app(Catalogue(engine, "tiny-gemma3", tiny_writers, created=0), memory=memory)
    decode = tiny_writers["anna"].encoder.decode
    with running(app) as url, httpx2.Client(base_url=url, timeout=60) as http:

        def told(number: int, **fields: Any) -> set[str]:
            """Ask for a secret; return those that the voice was told, or the client."""
            answer = say(http, f"{place(number)}: какой секретный код?", max_tokens=1, **fields)
            seen = decode(engine.prompts[-1]) + json.dumps(answer["memory"], ensure_ascii=False)
            return {code for code in codes if code in seen}

        in_group = [told(n, user=f"u{n % 5}", chat="home", memory={"group": True}) for n in range(TRIES)]
        by_others = [told(n, user="other", chat="home") for n in range(0, TRIES, 21)]
        at_home = [told(n, user=f"u{n % 5}", chat=f"new{n}") for n in range(0, TRIES, 21)]
    assert not set().union(*in_group, *by_others)
    assert all(at_home)  # it could have been recalled


def test_what_a_group_said_is_recalled_there_only(http: httpx2.Client) -> None:
    group = {"group": True}
    say(http, "Мою собаку зовут Рекс", chat="g", memory=group | {"name": "Оля"})
    for answer in (
        say(http, "Как зовут мою собаку?", chat="g2", memory=group),
        say(http, "Как зовут мою собаку?", chat="g"),
        say(http, "Как зовут мою собаку?", user="v", chat="g"),
    ):
        assert answer["memory"]["recalled"] == []
        assert answer["usage"]["prompt_tokens"] < 40
    other = say(http, "А где?", user="v", chat="g", memory=group | {"name": "Вася"})
    assert other["usage"]["prompt_tokens"] > 40  # everybody there has heard the last turns
    assert [text for _, text in turns(http, user="v", chat="g", voice="anna")][-2:] == ["А где?", written(other)]
    assert "Мою собаку зовут Рекс" not in json.dumps(
        http.get("/v1/memory/export", params={"user": "v"}).json(), ensure_ascii=False
    )


def test_names_are_read_in_groups_as_voices_learned_them(
    tmp_path: Path, tiny_engine: LlamaCpp, tiny_writers: dict[str, Writer]
) -> None:
    engine = Listened(tiny_engine)
    catalogue = Catalogue(engine, "tiny-gemma3", tiny_writers, created=0)
    memory = Memory(MemoryConfig(store=str(tmp_path / "memory.sqlite")))
    with running(create_app(catalogue, memory=memory)) as url, httpx2.Client(base_url=url, timeout=60) as http:
        say(http, "Привет", chat="g", memory={"group": True, "name": "Оля"})
        say(http, "Пока", user="v", chat="g", memory={"group": True, "name": "Вася"})
    read = tiny_writers["anna"].encoder.decode(engine.prompts[-1])
    assert read.index("Оля: Привет") < read.index("Вася: Пока")


def test_what_is_forgotten_is_gone(http: httpx2.Client) -> None:
    first = say(http, "Мою собаку зовут Рекс")
    second = say(http, "Пойдём гулять")
    http.put("/v1/memory/relation", params={"user": "u", "voice": "anna"}, json={"relation": "friend"})
    assert say(http, "Ну?")["memory"]["relation"] == "friend"
    parameters = {"user": "u", "voice": "anna", "chat": "c", "from_turn": second["memory"]["asked"]}
    assert http.delete("/v1/memory", params=parameters | {"user": "v"}).json() == {"deleted": 0}
    assert http.delete("/v1/memory", params=parameters).json() == {"deleted": 4}
    assert turns(http) == [("user", "Мою собаку зовут Рекс"), ("assistant", written(first))]
    assert http.delete("/v1/memory", params={"user": "u"}).json() == {"deleted": 2}
    assert say(http, "Как зовут мою собаку?", chat="new")["memory"] | {"turn": 0} == {
        "conversation": 2, "asked": 7, "turn": 0, "recalled": [], "relation": None,
    }  # fmt: skip


def test_what_is_kept_is_listed_found_and_taken_along(http: httpx2.Client) -> None:
    say(http, "Мою собаку зовут Рекс")
    say(http, "Завтра дождь", chat="other")
    listed = http.get("/v1/memory", params={"user": "u"}).json()["data"]
    assert [(one["chat"], one["voice"], one["turns"], one["title"]) for one in listed] == [
        ("other", "anna", 2, "Завтра дождь"),
        ("c", "anna", 2, "Мою собаку зовут Рекс"),
    ]
    found = http.get("/v1/memory/search", params={"user": "u", "q": "собака", "limit": 1}).json()["data"]
    assert [(one["text"], one["chat"], one["role"]) for one in found] == [("Мою собаку зовут Рекс", "c", "user")]
    assert http.get("/v1/memory/search", params={"user": "v", "q": "собака"}).json() == {"data": []}
    made = http.get("/v1/memory/export", params={"user": "u"}).json()
    assert [len(one["turns"]) for one in made["conversations"]] == [2, 2]


def test_client_that_leaves_keeps_its_question(
    tmp_path: Path, tiny_base: Path, tiny_writers: dict[str, Writer]
) -> None:
    writers = {"tiny-gemma3": tiny_writers["tiny-gemma3"]}
    memory = Memory(MemoryConfig(store=str(tmp_path / "memory.sqlite")))
    with (
        open_engine(tiny_base / "base.gguf", slots=1, context_length=2 * LONG, threads=1) as engine,
        running(create_app(Catalogue(engine, "tiny-gemma3", writers, created=0), memory=memory)) as url,
        httpx2.Client(base_url=url, timeout=60) as http,
    ):
        asked = {
            "model": "tiny-gemma3",
            "messages": [{"role": "user", "content": "Привет"}],
            "memory": {"user": "u", "chat": "c"},
            "stream": True,
            "temperature": 0,
            "repetition_penalty": 1,
            "max_tokens": LONG,
        }
        with http.stream("POST", CHAT, json=asked) as answer:
            next(answer.iter_lines())
        assert turns(http) == [("user", "Привет")]
        say(http, "Привет", model="tiny-gemma3")
        assert [role for role, _ in turns(http)] == ["user", "assistant"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"memory": {"user": "u"}}, "memory.chat"),
        ({"memory": {"user": "", "chat": "c"}}, "memory.user"),
        ({"memory": {"user": "u\n", "chat": "c"}}, "memory.user"),
        ({"memory": {"user": "u", "chat": "c", "more": 1}}, "memory.more"),
        ({"messages": [{"role": "assistant", "content": "Привет"}]}, "messages"),
        ({"messages": [{"role": "user", "content": " "}]}, "messages"),
    ],
)
def test_what_makes_no_sense_is_refused(http: httpx2.Client, fields: dict[str, Any], param: str) -> None:
    asked = {"model": "anna", "messages": [{"role": "user", "content": "x"}], "memory": {"user": "u", "chat": "c"}}
    refused = http.post(CHAT, json=asked | fields)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)
    assert turns(http) == []


def test_only_talk_is_remembered(tiny_engine: LlamaCpp, tiny_writers: dict[str, Writer]) -> None:
    writes = tiny_writers["anna"]._replace(kind="post")
    app = create_app(Catalogue(tiny_engine, "tiny-gemma3", {"anna": writes}, created=0))
    with running(app) as url, httpx2.Client(base_url=url, timeout=60) as http:
        asked = {"model": "anna", "memory": {"user": "u", "chat": "c"}}
        refused = http.post(CHAT, json=asked | {"messages": [{"role": "user", "content": "x"}]})
        assert refused.status_code == 400
        assert "does not talk" in refused.json()["error"]["message"]
        refused = http.post("/v1/completions", json=asked | {"prompt": "x"})
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "memory")


def test_prompt_that_is_too_long_keeps_nothing(http: httpx2.Client) -> None:
    asked = {"model": "anna", "messages": [{"role": "user", "content": "очень длинно " * 200}]} | GREEDY
    refused = http.post(CHAT, json=asked | {"memory": {"user": "u", "chat": "c"}})
    assert refused.json()["error"]["code"] == "context_length_exceeded"
    assert turns(http) == []


def test_long_talk_loses_the_recalled_first_and_then_the_oldest(http: httpx2.Client) -> None:
    say(http, "Мою собаку зовут Рекс, это немецкая овчарка", chat="old")
    for number in range(5):
        say(http, f"{number} длинный рассказ о том, как мы ходили гулять в парк и видели там уток", chat="new")
    answer = http.post(
        CHAT,
        json={
            "model": "anna",
            "messages": [{"role": "user", "content": "Как зовут мою собаку?"}],
            "memory": {"user": "u", "chat": "new"},
        }
        | GREEDY,
    )
    assert answer.json()["memory"]["recalled"] == []
    assert int(answer.headers["x-manera-dropped-tokens"]) > 0


def test_broken_store_breaks_no_chat_without_memory(
    tmp_path: Path, tiny_engine: LlamaCpp, tiny_writers: dict[str, Writer]
) -> None:
    path = tmp_path / "memory.sqlite"
    path.write_bytes(b"no database" * 1000)
    memory = Memory(MemoryConfig(store=str(path)))
    app = create_app(Catalogue(tiny_engine, "tiny-gemma3", tiny_writers, created=0), memory=memory)
    with running(app) as url, httpx2.Client(base_url=url, timeout=60) as http:
        asked = {"model": "anna", "messages": [{"role": "user", "content": "x"}]} | GREEDY
        assert http.post(CHAT, json=asked).status_code == 200
        for refused in (
            http.post(CHAT, json=asked | {"memory": {"user": "u", "chat": "c"}}),
            http.get("/v1/memory", params={"user": "u"}),
        ):
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "memory_unavailable")
            assert "is no SQLite file" in refused.json()["error"]["message"]
            assert str(tmp_path) not in refused.text
        path.unlink()
        assert say(http, "Привет")["memory"]["turn"] == 2


def test_reply_that_cannot_be_kept_is_sent_all_the_same(
    http: httpx2.Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(http, "Привет")
    with closing(sqlite3.connect(tmp_path / "memory.sqlite", isolation_level=None)) as other:
        other.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON turns WHEN new.role = 'assistant' "
            "BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
    answer = say(http, "Как дела?")
    assert written(answer)
    assert answer["memory"]["turn"] is None
    assert "was not kept" in answer["memory"]["error"]


def test_keys_do_not_see_each_others_people(
    tmp_path: Path, tiny_engine: LlamaCpp, tiny_writers: dict[str, Writer]
) -> None:
    path = tmp_path / "keys.json"
    one, other = ({"authorization": f"Bearer {add_key(path, name)}"} for name in ("one", "other"))
    memory = Memory(MemoryConfig(store=str(tmp_path / "memory.sqlite")))
    catalogue = Catalogue(tiny_engine, "tiny-gemma3", tiny_writers, created=0)
    app = create_app(catalogue, keys=Keys(path, are_required=True), memory=memory)
    with running(app) as url, httpx2.Client(base_url=url, timeout=60, headers=one) as http:
        say(http, "Мою собаку зовут Рекс")
        http.headers.update(other)
        assert http.get("/v1/memory", params={"user": "u"}).json() == {"data": []}
        assert http.delete("/v1/memory", params={"user": "u"}).json() == {"deleted": 0}
        assert say(http, "Как зовут мою собаку?", chat="new")["memory"]["recalled"] == []
        assert httpx2.get(f"{url}/v1/memory", params={"user": "u"}).status_code == 401
