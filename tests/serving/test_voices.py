"""The catalogue follows the voices folder, and a damaged voice hurts nobody else."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from manera.bases import base_model
from manera.generation.llama_cpp import LlamaCpp
from manera.serving.app import create_app
from manera.serving.voices import FollowedVoices
from manera.voice.folder import ADAPTER_GGUF, MANIFEST, voice_folder
from manera.voice.manifest import Voice, write_voice
from running import running
from tiny import tiny_voice, write_tiny_adapter

CHAT = "/v1/chat/completions"
Put = Callable[..., Path]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MANERA_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def put(home: Path, tiny_base: Path) -> Put:
    """Put a voice into the folder, with changes to what its manifest says; the engine has its adapter already."""

    def write(name: str, **changed: Any) -> Path:
        folder = voice_folder(name)
        folder.mkdir(parents=True, exist_ok=True)
        write_tiny_adapter(folder / ADAPTER_GGUF, seed=1)
        write_voice(msgspec.structs.replace(tiny_voice(tiny_base, name), **changed), folder)
        return folder

    return write


@pytest.fixture
def http(home: Path, tiny_engine: LlamaCpp, tiny_base: Path) -> Iterator[httpx2.Client]:
    catalogue = FollowedVoices(
        tiny_engine, base_model.read(tiny_base), base_model.load_tokenizer(tiny_base), created=1_700_000_000
    )
    with running(create_app(catalogue)) as url, httpx2.Client(base_url=url, timeout=30) as opened:
        yield opened


def models(http: httpx2.Client) -> dict[str, str | None]:
    listed = http.get("/v1/models").json()["data"]
    return {model["id"]: model["parent"] for model in listed if model["id"] != "use-multilingual-3"}


def ask(http: httpx2.Client, model: str, **fields: Any) -> httpx2.Response:
    greedy = {"temperature": 0, "max_tokens": 12}
    return http.post(CHAT, json={"model": model, "messages": [{"role": "user", "content": "Привет"}]} | greedy | fields)


def test_voices_come_and_go_without_a_restart(http: httpx2.Client, put: Put) -> None:
    assert models(http) == {"tiny-gemma3": None}
    assert ask(http, "anna").status_code == 404
    folder = put("anna")
    assert models(http) == {"tiny-gemma3": None, "anna": "tiny-gemma3"}
    assert ask(http, "anna").json()["usage"]["completion_tokens"] == 12
    shutil.rmtree(folder)
    assert models(http) == {"tiny-gemma3": None}
    assert ask(http, "anna").status_code == 404


def test_replaced_voice_is_read_again(http: httpx2.Client, put: Put, tiny_base: Path) -> None:
    put("anna")
    before = ask(http, "anna", max_tokens=None).json()["usage"]["completion_tokens"]
    sampling = tiny_voice(tiny_base, "anna").sampling
    put("anna", sampling=msgspec.structs.replace(sampling, max_new_tokens=3))
    assert ask(http, "anna", max_tokens=None).json()["usage"]["completion_tokens"] == 3 != before


def damage_manifest(folder: Path, voice: Voice) -> None:
    (folder / MANIFEST).write_bytes(b'{"name": "anna", ')


def change_template(folder: Path, voice: Voice) -> None:
    write_voice(msgspec.structs.replace(voice, chat_template=voice.chat_template + " "), folder)


def change_base(folder: Path, voice: Voice) -> None:
    write_voice(msgspec.structs.replace(voice, base=msgspec.structs.replace(voice.base, revision="other")), folder)


def lose_adapter(folder: Path, voice: Voice) -> None:
    (folder / ADAPTER_GGUF).unlink()


def cut_adapter(folder: Path, voice: Voice) -> None:
    os.truncate(folder / ADAPTER_GGUF, 5000)


def empty_adapter(folder: Path, voice: Voice) -> None:
    os.truncate(folder / ADAPTER_GGUF, 0)


def make_unreadable(folder: Path, voice: Voice) -> None:
    (folder / MANIFEST).unlink()
    (folder / MANIFEST).mkdir()


DAMAGES = (
    damage_manifest, change_template, change_base, lose_adapter, cut_adapter, empty_adapter, make_unreadable,
)  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_voice_is_told_as_such(
    http: httpx2.Client, put: Put, tiny_base: Path, home: Path, damage: Callable[[Path, Voice], None]
) -> None:
    put("boris")
    damage(put("anna"), tiny_voice(tiny_base, "anna"))
    answer = ask(http, "anna")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "model_unavailable")
    assert str(home) not in answer.text
    assert models(http) == {"tiny-gemma3": None, "boris": "tiny-gemma3"}
    (unavailable,) = http.get("/v1/models").json()["unavailable"]
    assert unavailable["id"] == "anna"
    assert unavailable["message"]
    assert http.get("/v1/models/anna").status_code == 503
    assert ask(http, "boris").status_code == 200
    assert http.get("/readyz").status_code == 200


def test_mended_voice_is_served_again(http: httpx2.Client, put: Put, tiny_base: Path) -> None:
    damage_manifest(put("anna"), tiny_voice(tiny_base, "anna"))
    assert ask(http, "anna").status_code == 503
    put("anna")
    assert ask(http, "anna").status_code == 200


def test_only_named_voices_are_served(put: Put, tiny_engine: LlamaCpp, tiny_base: Path) -> None:
    put("anna")
    put("boris")
    tokenizer = base_model.load_tokenizer(tiny_base)
    catalogue = FollowedVoices(tiny_engine, base_model.read(tiny_base), tokenizer, created=0, names={"boris"})
    assert set(catalogue.entries()) == {"tiny-gemma3", "boris"}
    assert catalogue.entry("anna") is None
    assert catalogue.entry(f"..{os.sep}boris") is None


def test_manifest_is_read_once(put: Put, tiny_engine: LlamaCpp, tiny_base: Path) -> None:
    put("anna")
    catalogue = FollowedVoices(tiny_engine, base_model.read(tiny_base), base_model.load_tokenizer(tiny_base), created=0)
    assert catalogue.entry("anna") is catalogue.entry("anna")
