"""The commands that serve: keys on the command line, and what is served when."""

import json
import shutil
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest
from typer.testing import CliRunner

import completions_server
from adapted import write_adapted_voice
from manera.bases import base_model
from manera.cli.main import app
from manera.cli.serving import ServeOptions, serve
from manera.errors import GenerationError, ModelError, ServingError
from manera.generation import llama_cpp
from manera.generation.engine import Request, Token, stream
from manera.generation.llama_cpp import LlamaCpp
from manera.generation.opening import EngineChoice, open_base
from manera.generation.reply import Writer
from manera.serving.app import create_app, create_app_on, require_keys
from manera.serving.catalogue import Catalogue
from manera.serving.keys import Keys, keys_file
from manera.serving.opening import chosen_base, fits, open_merged_catalogue
from manera.voice.folder import ADAPTER_GGUF, MANIFEST, voice_folder
from manera.voice.manifest import Sampling, write_voice
from running import running
from tiny import tiny_voice, write_tiny_adapter

CHAT = "/v1/chat/completions"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MANERA_HOME", str(tmp_path))
    return tmp_path


def run(*arguments: str) -> str:
    ended = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert ended.exit_code == 0, ended.output
    return ended.stdout


def test_key_is_printed_once_and_works() -> None:
    text = run("keys", "add", "phone", "--requests-per-minute", "30", "--voices", "anna, boris").strip()
    keys = Keys(keys_file(), are_required=False)
    found = keys.find(text)
    assert found is not None
    assert (found.name, found.voices) == ("phone", ("anna", "boris"))
    (listed,) = json.loads(run("keys", "list", "--json"))["keys"]
    assert listed["name"] == "phone"
    assert listed["requests_per_minute"] == 30
    assert not {"sha256", "key", "text"} & set(listed)
    run("keys", "revoke", "phone")
    assert keys.find(text) is None
    assert not keys.are_asked_for


def test_other_addresses_need_a_key() -> None:
    require_keys("127.0.0.1")
    with pytest.raises(ServingError, match="no key") as refused:
        require_keys("0.0.0.0")
    assert refused.value.hint == "manera keys add NAME"
    run("keys", "add", "phone")
    require_keys("0.0.0.0")


def test_a_key_of_the_environment_is_one_and_is_not_short(
    monkeypatch: pytest.MonkeyPatch, tiny_engine: LlamaCpp, tiny_writers: dict[str, Writer]
) -> None:
    monkeypatch.setenv("MANERA_API_KEY", "guess-me")
    with pytest.raises(ServingError, match="could be guessed"):
        require_keys("0.0.0.0")
    monkeypatch.setenv("MANERA_API_KEY", text := "0123456789abcdef" * 2)
    require_keys("0.0.0.0")
    catalogue = Catalogue(tiny_engine, "tiny-gemma3", tiny_writers, created=0)
    with running(create_app_on("127.0.0.1", catalogue)) as url:
        for key, status in ((text, 200), (text[:-1], 401), ("none", 401)):
            assert httpx2.get(f"{url}/v1/models", headers={"authorization": f"Bearer {key}"}).status_code == status
    assert not keys_file().exists()


def test_damaged_voice_does_not_keep_the_server_from_starting(home: Path, tiny_base: Path) -> None:
    shutil.copytree(tiny_base, home / "bases" / "tiny")
    anna, boris = voice_folder("anna"), voice_folder("boris")
    for folder in (anna, boris):
        folder.mkdir(parents=True)
        write_tiny_adapter(folder / ADAPTER_GGUF, seed=1)
    (anna / MANIFEST).write_text("{")
    write_voice(tiny_voice(tiny_base, "boris"), boris)
    told: list[str] = []
    base = chosen_base(["anna"], told.append)
    assert len(told) == 1
    assert told[0].startswith("anna cannot be served")
    assert base == chosen_base([], told.append) == home / "bases" / "tiny"
    assert [fits(name, base_model.read(base)) for name in ("anna", "boris")] == [False, True]


def test_voice_that_is_not_there_is_told_at_once(home: Path) -> None:
    with pytest.raises(ModelError, match="no voice 'clara'"):
        chosen_base(["clara"], print)


@pytest.mark.parametrize("where", ["transformers", "remote"])
def test_another_engine_writes_what_llama_cpp_writes(tiny_base: Path, home: Path, where: str) -> None:
    request = Request(
        [2, 10, 11, 12], Sampling(temperature=0, repetition_penalty=None, max_new_tokens=8), adapters={"anna": 1.0}
    )
    write_adapted_voice(tiny_base, "anna")
    files = {"anna": voice_folder("anna") / ADAPTER_GGUF}
    with llama_cpp.open_engine(tiny_base / "base.gguf", files, slots=1, context_length=256, threads=1) as engine:
        expected = [item.text for item in stream(engine, request) if isinstance(item, Token)]
        with ExitStack() as opened:
            urls = []
            if where == "remote":
                served = completions_server.application(engine, ("anna",))
                urls = [opened.enter_context(running(served))]
            other = opened.enter_context(open_base(tiny_base, ["anna"], 1, EngineChoice("transformers", urls)))
            found = [item.text for item in stream(other, request) if isinstance(item, Token)]
    assert "".join(found) == "".join(expected)


def test_one_voice_is_served_merged_as_trained_only(tiny_base: Path, home: Path) -> None:
    shutil.copytree(tiny_base, home / "bases" / base_model.folder_name(("ru", "en")))
    write_adapted_voice(tiny_base, "anna")
    asked = {"model": "anna", "messages": [{"role": "user", "content": "Привет"}], "temperature": 0, "max_tokens": 8}
    for is_first in (True, False):
        told: list[str] = []
        with (
            open_merged_catalogue("anna", 1, told.append) as catalogue,
            running(create_app(catalogue)) as url,
            httpx2.Client(base_url=url, timeout=60) as http,
        ):
            listed = {model["id"]: model["parent"] for model in http.get("/v1/models").json()["data"]}
            assert (listed.pop("use-multilingual-3"), listed) == (None, {"anna": "tiny-gemma3"})
            plain, whole = (http.post(CHAT, json=asked | fields) for fields in ({}, {"voice_scale": 1.0}))
            assert plain.json()["choices"] == whole.json()["choices"]
            for field, value in (("voice_scale", 0.5), ("voice_mix", {"anna": 1.0})):
                refused = http.post(CHAT, json=asked | {field: value})
                assert (refused.status_code, refused.json()["error"]["param"]) == (400, field)
        report = "\n".join(told)
        assert ("folding the voice into the base" in report) == is_first
        assert "just as its base does" not in report


def test_voice_that_learned_nothing_is_told_when_it_is_merged(tiny_base: Path, home: Path) -> None:
    shutil.copytree(tiny_base, home / "bases" / base_model.folder_name(("ru", "en")))
    write_adapted_voice(tiny_base, "anna", strength=0.0)
    told: list[str] = []
    with open_merged_catalogue("anna", 1, told.append):
        assert "warning: the voice 'anna' writes just as its base does; train it again" in told


@pytest.mark.parametrize(
    ("names", "engine", "urls"),
    [([], "llama.cpp", []), (["a", "b"], "llama.cpp", []), (["a"], "transformers", []), (["a"], "llama.cpp", ["x"])],
)
def test_merging_is_for_one_voice_here(names: list[str], engine: str, urls: list[str]) -> None:
    with pytest.raises(ServingError, match="--merge") as refused:
        serve(names, ServeOptions(port=0, engine=EngineChoice(engine, urls), merge=True))
    assert refused.value.hint == "manera serve VOICE --merge"


def test_engine_that_is_not_known_is_named(tiny_base: Path) -> None:
    with pytest.raises(GenerationError, match="abacus"):
        open_base(tiny_base, [], 1, EngineChoice("abacus"))
