"""What a request may say beside its text, and what becomes of it."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from manera.dataset.encoding import Encoder

CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"
HELLO = [{"role": "user", "content": "Привет, как дела?"}]
GREEDY: dict[str, Any] = {"temperature": 0, "max_tokens": 24}


@pytest.fixture
def http(api_url: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=api_url, timeout=30) as opened:
        yield opened


def chat(http: httpx2.Client, model: str = "anna", **fields: Any) -> str:
    answer = http.post(CHAT, json={"model": model, "messages": HELLO} | GREEDY | fields)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["choices"][0]["message"]["content"])


def refusal(http: httpx2.Client, path: str = CHAT, **fields: Any) -> tuple[int, str | None]:
    body = {"messages": HELLO} if path == CHAT else {"prompt": "Мой"}
    answer = http.post(path, json={"model": "anna"} | body | fields)
    return answer.status_code, answer.json()["error"]["param"]


def test_scale_goes_from_the_base_to_the_voice(http: httpx2.Client) -> None:
    base, voice = chat(http, "tiny-gemma3"), chat(http)
    assert chat(http, voice_scale=0) == base != voice
    assert chat(http, voice_scale=1) == voice
    assert chat(http, voice_scale=1.5) not in {base, voice}
    assert chat(http, "tiny-gemma3", voice_scale=1.5) == base


def test_several_drafts_are_written_and_one_is_sent(http: httpx2.Client) -> None:
    body = {"model": "anna", "messages": HELLO, "max_tokens": 8, "seed": 3, "temperature": 1.0}
    one, several, alike = (http.post(CHAT, json={**body, "drafts": drafts}).json() for drafts in (1, 3, 3))
    assert several["choices"] == alike["choices"]
    assert one["usage"]["completion_tokens"] < several["usage"]["completion_tokens"] <= 3 * 8


def test_mix_weighs_several_voices(http: httpx2.Client) -> None:
    anna, boris = chat(http, "anna"), chat(http, "boris")
    assert chat(http, voice_mix={"boris": 1}) == boris
    assert chat(http, "tiny-gemma3", voice_mix={"anna": 1.0, "boris": 0}) == anna
    assert chat(http, voice_mix={"anna": 0.7, "boris": 0.7}) not in {anna, boris}


@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({"drafts": 0}, 400, "drafts"),
        ({"drafts": 9}, 400, "drafts"),
        ({"voice_scale": 1.6}, 400, "voice_scale"),
        ({"voice_scale": -0.1}, 400, "voice_scale"),
        ({"voice_scale": True}, 400, "voice_scale"),
        ({"voice_mix": {}}, 400, "voice_mix"),
        ({"voice_mix": {"anna": 1.5, "boris": 0.6}}, 400, "voice_mix"),
        ({"voice_mix": {"anna": 1}, "voice_scale": 1}, 400, "voice_scale"),
        ({"voice_mix": {str(number): 0.1 for number in range(5)}}, 400, "voice_mix"),
        ({"voice_mix": {"clara": 1}}, 404, "model"),
        ({"voice_mix": {"anna": "1"}}, 400, "voice_mix.anna"),
        ({"voice_mix": ["anna"]}, 400, "voice_mix"),
        ({"logit_bias": {"1": 101}}, 400, "logit_bias.1"),
        ({"logit_bias": {"-1": 1}}, 400, "logit_bias.-1.[key]"),
        ({"logit_bias": {"999999": 1}}, 400, "logit_bias"),
        ({"logit_bias": {"٣": 1}}, 400, "logit_bias.٣.[key]"),
        ({"dry_multiplier": -1}, 400, "dry_multiplier"),
        ({"dry_base": 0.5}, 400, "dry_base"),
        ({"dry_allowed_length": 0}, 400, "dry_allowed_length"),
        ({"persona_note": 5}, 400, "persona_note"),
        ({"guard": "yes"}, 400, "guard"),
        ({"guard": 1}, 400, "guard"),
    ],
)
def test_fields_are_bounded(http: httpx2.Client, fields: dict[str, Any], status: int, param: str | None) -> None:
    assert refusal(http, **fields) == (status, param)


def test_bias_bans_and_forces_tokens(http: httpx2.Client, tiny_encoder: Encoder) -> None:
    first = tiny_encoder.text(chat(http, max_tokens=1))[0]
    (forced,) = tiny_encoder.text("Мой")[:1]
    piece = tiny_encoder.decode([forced])
    assert tiny_encoder.text(chat(http, max_tokens=1, logit_bias={str(first): -100}))[:1] != [first]
    assert chat(http, max_tokens=3, repetition_penalty=1, logit_bias={str(forced): 100}) == piece * 3


def test_dry_and_guard_fields_are_taken(http: httpx2.Client) -> None:
    assert chat(http, dry_multiplier=0.8, dry_base=1.75, dry_allowed_length=2, guard=False)


def test_note_goes_before_everything_and_stays(http: httpx2.Client) -> None:
    as_note = chat(http, persona_note="Ты на даче.")
    as_message = chat(http, messages=[{"role": "system", "content": "Ты на даче."}, *HELLO])
    assert as_note == as_message != chat(http)
    talk = [{"role": ("user", "assistant")[number % 2], "content": f"message number {number}"} for number in range(39)]
    asked = {"model": "anna", "messages": talk, "persona_note": "Ты на даче. " * 4} | GREEDY
    kept = http.post(CHAT, json=asked)
    dropped = http.post(CHAT, json={key: value for key, value in asked.items() if key != "persona_note"})
    assert int(kept.headers["x-manera-dropped-tokens"]) > int(dropped.headers["x-manera-dropped-tokens"]) > 0


def test_note_alone_that_does_not_fit_is_refused(http: httpx2.Client) -> None:
    assert refusal(http, persona_note="Ты на даче. " * 400) == (400, "messages")


def test_token_ids_are_a_prompt(http: httpx2.Client, tiny_encoder: Encoder) -> None:
    def written(prompt: Any) -> list[str]:
        answer = http.post(COMPLETIONS, json={"model": "anna", "prompt": prompt} | GREEDY).json()
        return [choice["text"] for choice in answer["choices"]]

    ids = tiny_encoder.text("Мой дядя")
    (text,) = written("Мой дядя")
    assert written(ids) == written([tiny_encoder.bos, *ids]) == [text]
    assert written([ids, ids]) == written(["Мой дядя", "Мой дядя"]) == [text, text]


@pytest.mark.parametrize("prompt", [[1, 9999], [[1], [9999]], [-1], [1, "a"], [[]], [], [True], [1.5], [[1]] * 99])
def test_impossible_token_ids_are_refused(http: httpx2.Client, prompt: Any) -> None:
    status, param = refusal(http, COMPLETIONS, prompt=prompt)
    assert (status, (param or "").partition(".")[0]) == (400, "prompt")
