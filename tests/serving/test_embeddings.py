"""Embeddings in OpenAI's shape, of Russian and English."""

from collections.abc import Iterator

import httpx2
import numpy as np
import openai
import pytest

MODEL = "use-multilingual-3"


@pytest.fixture
def client(api_url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{api_url}/v1", api_key="any", max_retries=0) as opened:
        yield opened


def test_what_means_alike_lies_together(client: openai.OpenAI) -> None:
    texts = ["Завтра будет дождь.", "It will rain tomorrow.", "Кошка спит на диване."]
    made = client.embeddings.create(model=MODEL, input=texts)
    rain, also_rain, cat = (np.array(one.embedding) for one in made.data)
    assert rain.shape == (512,)
    assert np.linalg.norm(rain) == pytest.approx(1, abs=1e-5)
    assert rain @ also_rain > 0.7 > 0.4 > rain @ cat
    assert made.usage.total_tokens == made.usage.prompt_tokens > 10
    assert [one.index for one in made.data] == [0, 1, 2]


def test_base64_holds_the_same_numbers(client: openai.OpenAI) -> None:
    packed = client.embeddings.create(model=MODEL, input="Привет")  # the client asks for base64 and unpacks it
    plain = client.embeddings.create(model=MODEL, input="Привет", encoding_format="float")
    assert packed.data[0].embedding == pytest.approx(plain.data[0].embedding, abs=1e-7)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"model": "anna", "input": "x"}, 404),
        ({"model": MODEL}, 400),
        ({"model": MODEL, "input": ""}, 400),
        ({"model": MODEL, "input": []}, 400),
        ({"model": MODEL, "input": ["a"] * 129}, 400),
        ({"model": MODEL, "input": "a" * 8001}, 400),
        ({"model": MODEL, "input": "a", "encoding_format": "int8"}, 400),
        ({"model": MODEL, "input": [1, 2]}, 400),
    ],
)
def test_impossible_inputs_are_refused(api_url: str, fields: dict[str, object], status: int) -> None:
    answer = httpx2.post(f"{api_url}/v1/embeddings", json=fields)
    assert answer.status_code == status
    assert answer.json()["error"]["message"]
