"""The API over real HTTP, asked by OpenAI's own client."""

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import openai
import pytest

from manera.dataset.encoding import Encoder
from manera.generation.engine import Finished, Request, Token, stream
from manera.generation.llama_cpp import LlamaCpp
from manera.generation.reply import Writer, stream_reply
from manera.records import Message
from manera.retrieval.origins import TrainingIndex, TrainingMessage
from manera.serving.app import create_app
from manera.serving.catalogue import Catalogue
from manera.voice.manifest import Sampling
from running import running

HELLO: list[Any] = [{"role": "user", "content": "Привет, как дела?"}]
GREEDY: dict[str, Any] = {"temperature": 0, "max_tokens": 24}
PLAIN = {"repetition_penalty": 1, "guard": False}


@pytest.fixture
def client(api_url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{api_url}/v1", api_key="any", max_retries=0) as opened:
        yield opened


@pytest.fixture
def http(api_url: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=api_url, timeout=30) as opened:
        yield opened


def directly(engine: LlamaCpp, writer: Writer, **changed: Any) -> str:
    """Write what the API should: the engine asked without HTTP."""
    sampling = Sampling(temperature=0, max_new_tokens=24, **changed)
    tokens = stream_reply(engine, writer, [Message("user", HELLO[0]["content"])], sampling).tokens
    return "".join(item.text for item in tokens if isinstance(item, Token))


def chat(client: openai.OpenAI, model: str = "anna", **fields: Any) -> Any:
    return client.chat.completions.create(model=model, messages=HELLO, **(GREEDY | fields))


def test_models_are_the_base_and_its_voices(client: openai.OpenAI) -> None:
    listed = {model.id: model.to_dict() for model in client.models.list()}
    assert {name: model["parent"] for name, model in listed.items()} == {
        "tiny-gemma3": None,
        "anna": "tiny-gemma3",
        "boris": "tiny-gemma3",
        "use-multilingual-3": None,
    }
    assert client.models.retrieve("anna").created == 1_700_000_000


@pytest.mark.parametrize("model", ["tiny-gemma3", "anna", "boris"])
def test_chat_is_what_the_engine_writes(
    client: openai.OpenAI, tiny_engine: LlamaCpp, tiny_writers: dict[str, Writer], model: str
) -> None:
    answer = chat(client, model)
    assert answer.choices[0].message.content == directly(tiny_engine, tiny_writers[model])
    assert answer.model == model
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_reply_is_explained_by_the_training_messages_nearest_to_it(
    tiny_engine: LlamaCpp, tiny_writers: dict[str, Writer]
) -> None:
    said = directly(tiny_engine, tiny_writers["anna"])
    index = TrainingIndex([TrainingMessage("совсем другое", None), TrainingMessage(said, "что?")])
    explained = tiny_writers["anna"]._replace(origins=lambda: index)
    app = create_app(Catalogue(tiny_engine, "tiny-gemma3", {"anna": explained}, created=0))
    with running(app) as url, openai.OpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0) as client:
        choice = chat(client, extra_body=PLAIN | {"explain": 1}).choices[0]
        assert choice.message.content == said
        assert [origin["message"]["text"] for origin in choice.origins] == [said]
        assert not hasattr(chat(client, extra_body=PLAIN).choices[0], "origins")
        with pytest.raises(openai.BadRequestError, match="explain"):
            chat(client, stream=True, extra_body={"explain": 1})


def test_joined_stream_is_the_whole(client: openai.OpenAI) -> None:
    chunks = list(chat(client, stream=True, stream_options={"include_usage": True}))
    *written, last, usage = chunks
    whole = chat(client)
    assert written[0].choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in written) == whole.choices[0].message.content
    assert last.choices[0].finish_reason == whole.choices[0].finish_reason == "length"
    assert (usage.choices, usage.usage) == ([], whole.usage)
    assert len({chunk.id for chunk in chunks}) == 1


def test_async_client_streams(api_url: str) -> None:
    async def ask() -> str:
        async with openai.AsyncOpenAI(base_url=f"{api_url}/v1", api_key="any") as client:
            made = await client.chat.completions.create(
                model="anna", messages=HELLO, temperature=0, max_tokens=24, stream=True
            )
            return "".join([chunk.choices[0].delta.content or "" async for chunk in made])

    with openai.OpenAI(base_url=f"{api_url}/v1", api_key="any") as client:
        assert asyncio.run(ask()) == chat(client).choices[0].message.content


def test_events_are_json_and_end_with_done(http: httpx2.Client) -> None:
    asked = {"model": "anna", "messages": HELLO, "stream": True, **GREEDY}
    with http.stream("POST", "/v1/chat/completions", json=asked) as answer:
        events = [line for line in answer.iter_lines() if line]
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert events[-1] == "data: [DONE]"
    assert all("choices" in json.loads(event.removeprefix("data: ")) for event in events[:-1])


def test_completion_continues_the_text(client: openai.OpenAI, tiny_engine: LlamaCpp, tiny_encoder: Encoder) -> None:
    answer = client.completions.create(model="anna", prompt="Мой дядя", extra_body=PLAIN, **GREEDY)
    ids = [tiny_encoder.bos, *tiny_encoder.text("Мой дядя")]
    sampling = Sampling(temperature=0, max_new_tokens=24, repetition_penalty=1)
    expected = [
        item.text for item in stream(tiny_engine, Request(ids, sampling, {"anna": 1.0})) if isinstance(item, Token)
    ]
    assert answer.choices[0].text == "".join(expected)
    streamed = client.completions.create(model="anna", prompt="Мой дядя", stream=True, extra_body=PLAIN, **GREEDY)
    assert "".join(chunk.choices[0].text for chunk in streamed) == answer.choices[0].text


def test_several_prompts_and_choices_keep_their_order(client: openai.OpenAI) -> None:
    fields: dict[str, Any] = {"model": "anna", "max_tokens": 8, "seed": 5, "temperature": 1}
    together = client.completions.create(prompt=["Привет", "Hello"], n=2, **fields)
    assert [choice.index for choice in together.choices] == [0, 1, 2, 3]
    alone = [client.completions.create(prompt=text, **fields) for text in ("Привет", "Hello")]
    assert [together.choices[0].text, together.choices[2].text] == [answer.choices[0].text for answer in alone]
    assert together.choices[0].text != together.choices[1].text
    assert together.usage is not None
    assert together.usage.prompt_tokens == sum(answer.usage.prompt_tokens for answer in alone if answer.usage)


def test_seed_decides_and_choices_differ(client: openai.OpenAI) -> None:
    first, again = (chat(client, temperature=1, seed=-7).choices[0].message.content for _ in range(2))
    assert first == again
    several = chat(client, temperature=1, seed=-7, n=3).choices
    assert len({choice.message.content for choice in several}) == 3


def test_stop_string_is_not_in_the_reply(client: openai.OpenAI) -> None:
    whole = chat(client).choices[0].message.content
    stopped = chat(client, stop=[whole[5:8], "never"]).choices[0]
    assert stopped.message.content == whole[: whole.index(whole[5:8])]
    assert stopped.finish_reason == "stop"


def test_logprobs_are_told_where_wanted(client: openai.OpenAI) -> None:
    answer = chat(client, logprobs=True, top_logprobs=3)
    told = answer.choices[0].logprobs.content
    assert "".join(one.token for one in told) == answer.choices[0].message.content
    assert all(one.logprob <= 0 and len(one.top_logprobs) == 3 for one in told)
    streamed = list(chat(client, logprobs=True, top_logprobs=3, stream=True))
    told_too = [one for chunk in streamed if chunk.choices[0].logprobs for one in chunk.choices[0].logprobs.content]
    assert told_too == told
    assert chat(client).choices[0].logprobs is None
    legacy = client.completions.create(model="anna", prompt="Мой", logprobs=2, **GREEDY).choices[0]
    assert legacy.logprobs is not None
    assert legacy.logprobs.text_offset is not None
    assert [legacy.text[offset:] for offset in legacy.logprobs.text_offset[:1]] == [legacy.text]


def test_parallel_requests_do_not_mix(client: openai.OpenAI) -> None:
    models = ("tiny-gemma3", "anna", "boris")
    alone = {model: chat(client, model).choices[0].message.content for model in models}
    assert len(set(alone.values())) == 3

    def streamed(model: str) -> str:
        return "".join(chunk.choices[0].delta.content or "" for chunk in chat(client, model, stream=True))

    with ThreadPoolExecutor(12) as threads:
        assert list(threads.map(streamed, models * 4)) == [alone[model] for model in models * 4]


def test_penalties_and_sampling_fields_reach_the_engine(client: openai.OpenAI) -> None:
    plain = chat(client).choices[0].message.content
    for changed in (
        {"frequency_penalty": 2.0},
        {"presence_penalty": 2.0},
        {"extra_body": {"repetition_penalty": 2.0}},
    ):
        assert chat(client, **changed).choices[0].message.content != plain
    for narrowed in ({"top_p": 1e-6}, {"extra_body": {"top_k": 1}}, {"extra_body": {"min_p": 1.0}}):
        assert chat(client, temperature=2, **narrowed).choices[0].message.content == plain


def test_ignored_fields_parts_and_developer_are_taken(client: openai.OpenAI) -> None:
    parts: list[Any] = [
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": [{"type": "text", "text": "Привет"}]},
    ]
    answer = client.chat.completions.create(
        model="anna",
        messages=parts,
        user="someone",
        store=False,
        metadata={"a": "b"},
        max_completion_tokens=3,
        response_format={"type": "text"},
        temperature=0,
    )
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 3


def test_long_talk_is_shortened_and_says_so(http: httpx2.Client) -> None:
    talk = [{"role": "user", "content": f"message number {number}"} for number in range(1, 40)]
    for number, message in enumerate(talk):
        message["role"] = "user" if number % 2 == 0 else "assistant"
    asked = {"model": "anna", "messages": talk, **GREEDY}
    answer = http.post("/v1/chat/completions", json=asked)
    assert answer.status_code == 200
    assert int(answer.headers["x-manera-dropped-tokens"]) > 0
    assert answer.json()["usage"]["prompt_tokens"] <= 256 - 24


def test_reply_of_nothing_is_an_empty_string(client: openai.OpenAI) -> None:
    whole = chat(client).choices[0].message.content
    assert chat(client, stop=whole[0]).choices[0].message.content == ""


def test_health_docs_and_headers(http: httpx2.Client) -> None:
    answer = http.get("/healthz")
    assert answer.json() == {"status": "ok"}
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in answer.headers
    assert "server" not in answer.headers
    assert http.get("/docs").status_code == 200
    paths = http.get("/openapi.json").json()["paths"]
    assert {"/v1/models", "/v1/chat/completions", "/v1/completions", "/healthz"} <= set(paths)


def test_finished_counts_are_the_engines(
    client: openai.OpenAI, tiny_engine: LlamaCpp, tiny_writers: dict[str, Writer]
) -> None:
    sampling = Sampling(temperature=0, max_new_tokens=24)
    *_, finished = stream_reply(
        tiny_engine, tiny_writers["anna"], [Message("user", HELLO[0]["content"])], sampling
    ).tokens
    assert isinstance(finished, Finished)
    usage = chat(client).usage
    assert (usage.prompt_tokens, usage.completion_tokens) == (finished.prompt_tokens, finished.new_tokens)
