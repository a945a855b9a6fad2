"""Voices that are models of their own are served beside those that share the base, and speak alone."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from adapted import write_voice_by
from manera.serving.app import create_app
from manera.serving.opening import open_catalogue
from manera.voice.adapter import ALL_WEIGHTS
from manera.voice.folder import voice_folder
from running import running

CHAT = "/v1/chat/completions"
ASKED = {"messages": [{"role": "user", "content": "Привет"}], "temperature": 0, "max_tokens": 8}


@pytest.fixture(scope="module")
def http(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    home = tmp_path_factory.mktemp("home")
    shutil.copytree(tiny_base, home / "bases" / "tiny")
    told: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MANERA_HOME", str(home))
        for method in ("lora", "dora", "full"):
            write_voice_by(method, tiny_base, method)
        with (
            open_catalogue([], 1, told.append) as catalogue,
            running(create_app(catalogue)) as url,
            httpx2.Client(base_url=url, timeout=60) as opened,
        ):
            assert told == []
            yield opened


def said(http: httpx2.Client, model: str, **fields: object) -> str:
    answer = http.post(CHAT, json=ASKED | {"model": model} | fields)
    assert answer.status_code == 200, answer.text
    text: str = answer.json()["choices"][0]["message"]["content"]
    return text


def test_all_are_served_together(http: httpx2.Client) -> None:
    listed = {model["id"] for model in http.get("/v1/models").json()["data"]}
    assert {"lora", "dora", "full", "tiny-gemma3"} <= listed
    texts = {model: said(http, model) for model in ("lora", "dora", "full", "tiny-gemma3")}
    assert len(set(texts.values())) == 4
    assert {model: said(http, model) for model in texts} == texts


@pytest.mark.parametrize("own", ["dora", "full"])
def test_they_speak_alone_as_trained(http: httpx2.Client, own: str) -> None:
    assert said(http, own, voice_scale=1.0) == said(http, own)
    for model, fields in (
        (own, {"voice_scale": 0.5}),
        (own, {"voice_mix": {"lora": 1.0}}),
        ("lora", {"voice_mix": {"lora": 0.5, own: 0.5}}),
    ):
        refused = http.post(CHAT, json=ASKED | {"model": model} | fields)
        assert refused.status_code == 400
        assert refused.json()["error"]["param"] == next(iter(fields))
        assert f"{own!r} is merged into its model: it speaks alone" in refused.json()["error"]["message"]


def test_one_that_comes_later_is_served_and_one_that_breaks_is_named(http: httpx2.Client, tiny_base: Path) -> None:
    write_voice_by("full", tiny_base, "later")
    assert said(http, "later") == said(http, "full")
    weights = voice_folder("later") / ALL_WEIGHTS
    weights.write_bytes(weights.read_bytes()[:100])
    refused = http.post(CHAT, json=ASKED | {"model": "later"})
    assert refused.status_code == 503
    assert "its adapter is damaged" in refused.json()["error"]["message"]
