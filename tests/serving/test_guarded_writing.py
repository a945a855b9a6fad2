"""A writer's guard is obeyed wherever somebody reads what was written: over HTTP, in the terminal, in a report."""

from typing import Any

import httpx2
import pytest

from manera.evaluation.writing import write_all
from manera.generation.engine import Token
from manera.generation.guard import Guard
from manera.generation.llama_cpp import LlamaCpp
from manera.generation.reply import Writer, prompt_of, prompt_room, stream_reply, writing
from manera.records import Message
from manera.serving.app import create_app
from manera.serving.catalogue import Catalogue
from manera.voice.manifest import Sampling
from running import running

HELLO = "Привет, как дела?"
GREEDY = Sampling(temperature=0, max_new_tokens=24)


def replied(engine: LlamaCpp, writer: Writer) -> str:
    tokens = stream_reply(engine, writer, [Message("user", HELLO)], GREEDY).tokens
    return "".join(item.text for item in tokens if isinstance(item, Token))


@pytest.fixture
def filler(tiny_engine: LlamaCpp, tiny_writers: dict[str, Writer]) -> str:
    """What the voice writes when nothing keeps it from that."""
    return replied(tiny_engine, tiny_writers["anna"]._replace(guard=None)).strip()[:8]


@pytest.fixture
def writer(tiny_writers: dict[str, Writer], filler: str) -> Writer:
    voice = tiny_writers["anna"]
    return voice._replace(guard=Guard(voice.encoder, fillers=(filler,)))


def posted(engine: LlamaCpp, writer: Writer, path: str, asked: dict[str, Any]) -> str:
    app = create_app(Catalogue(engine, "tiny-gemma3", {"anna": writer}, created=0))
    with running(app) as url, httpx2.Client(base_url=url, timeout=60) as http:
        (choice,) = http.post(path, json=asked).json()["choices"]
    return str(choice["text"] if "text" in choice else choice["message"]["content"])


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": HELLO}]}),
        ("/v1/completions", {"prompt": HELLO}),
    ],
)
def test_guard_is_obeyed_over_http_unless_it_is_let_go(
    tiny_engine: LlamaCpp, tiny_writers: dict[str, Writer], path: str, fields: dict[str, Any]
) -> None:
    asked = {"model": "anna", "temperature": 0, "max_tokens": 24} | fields
    voice = tiny_writers["anna"]
    free = posted(tiny_engine, voice, path, asked | {"guard": False})
    filler = free.strip()[:8]
    strict = voice._replace(guard=Guard(voice.encoder, fillers=(filler,)))
    assert filler not in posted(tiny_engine, strict, path, asked)
    assert posted(tiny_engine, strict, path, asked | {"guard": False}) == free


def test_guard_is_obeyed_in_replies(tiny_engine: LlamaCpp, writer: Writer, filler: str) -> None:
    assert filler not in replied(tiny_engine, writer)


def test_guard_is_obeyed_in_reports(tiny_engine: LlamaCpp, writer: Writer, filler: str) -> None:
    prompt = prompt_of(writer, [Message("user", HELLO)], prompt_room(tiny_engine.context_length, 24)).ids
    (free,) = write_all(tiny_engine, [prompt], GREEDY, writer.adapters, 1)
    (kept,) = write_all(tiny_engine, [prompt], GREEDY, writer.adapters, 1, wrap=lambda engine: writing(engine, writer))
    assert (filler in free.text, free.guarded) == (True, 0)
    assert filler not in kept.text
    assert kept.guarded
