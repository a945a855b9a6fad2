"""The clients that people use, unchanged, against a real server: what the guides show."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from openai import OpenAI
from pydantic import SecretStr

QUESTION = "Привет, как дела?"


@pytest.fixture(scope="module")
def expected(api_url: str) -> str:
    """What anna says, greedily, in 24 tokens."""
    with OpenAI(base_url=f"{api_url}/v1", api_key="unused") as client:
        answer = client.chat.completions.create(
            model="anna", messages=[{"role": "user", "content": QUESTION}], temperature=0, max_tokens=24
        )
    return str(answer.choices[0].message.content)


@pytest.fixture
def langchain(api_url: str) -> ChatOpenAI:
    return ChatOpenAI(
        base_url=f"{api_url}/v1", api_key=SecretStr("unused"), model="anna", temperature=0, max_completion_tokens=24
    )


def test_langchain_invokes(langchain: ChatOpenAI, expected: str) -> None:
    answer = langchain.invoke(QUESTION)
    assert answer.content == expected
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["output_tokens"] == 24


def test_langchain_streams(langchain: ChatOpenAI, expected: str) -> None:
    assert "".join(str(chunk.content) for chunk in langchain.stream([HumanMessage(QUESTION)])) == expected


def test_langchain_batches_and_passes_our_fields(langchain: ChatOpenAI, expected: str) -> None:
    scaled = langchain.bind(extra_body={"voice_scale": 0.0})
    assert scaled.invoke(QUESTION).content != expected
    talk = [SystemMessage("Ты на даче."), HumanMessage(QUESTION)]
    first, second = langchain.batch([talk, talk])
    assert first.content == second.content != expected


def test_langchain_embeds(api_url: str) -> None:
    embeddings = OpenAIEmbeddings(
        openai_api_base=f"{api_url}/v1",
        openai_api_key=SecretStr("unused"),
        model="use-multilingual-3",
        check_embedding_ctx_length=False,
    )
    assert [len(vector) for vector in embeddings.embed_documents(["Привет", "Hello"])] == [512, 512]


def curl(*arguments: str) -> str:
    command = shutil.which("curl")
    if command is None:
        pytest.skip("there is no curl")
    answer = subprocess.run([command, "-sS", *arguments], capture_output=True, text=True, check=True, timeout=60)
    return answer.stdout


def test_curl_asks_and_streams(api_url: str, expected: str) -> None:
    asked = {"model": "anna", "messages": [{"role": "user", "content": QUESTION}], "temperature": 0, "max_tokens": 24}
    url, kind = f"{api_url}/v1/chat/completions", "content-type: application/json"
    whole = json.loads(curl(url, "-H", kind, "-d", json.dumps(asked)))
    assert whole["choices"][0]["message"]["content"] == expected
    events = curl("-N", url, "-H", kind, "-d", json.dumps(asked | {"stream": True})).split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    chunks = [json.loads(event.removeprefix("data: ")) for event in events[:-2]]
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == expected


@pytest.fixture
def llm_home(tmp_path: Path, api_url: str) -> Path:
    """The folder of ``llm``, a chat in the terminal, pointed at the server as its guide says."""
    models = f"- model_id: anna\n  model_name: anna\n  api_base: {api_url}/v1\n"
    (tmp_path / "extra-openai-models.yaml").write_text(models, "utf-8")
    (tmp_path / "keys.json").write_text('{"openai": "unused"}', "utf-8")
    return tmp_path


def llm(home: Path, *arguments: str, said: str = "") -> str:
    environment = os.environ | {"LLM_USER_PATH": str(home), "LLM_LOAD_PLUGINS": ""}
    command = [sys.executable, "-m", "llm", *arguments]
    answer = subprocess.run(command, env=environment, input=said, capture_output=True, text=True, timeout=120)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


GREEDY = ("-m", "anna", "-o", "temperature", "0", "-o", "max_tokens", "24")


@pytest.mark.parametrize("way", [(), ("--no-stream",)], ids=["stream", "whole"])
def test_llm_asks(llm_home: Path, expected: str, way: tuple[str, ...]) -> None:
    assert llm(llm_home, QUESTION, *GREEDY, *way).rstrip("\n") == expected.rstrip("\n")


def test_llm_chats_and_remembers(llm_home: Path, langchain: ChatOpenAI, expected: str) -> None:
    shown = llm(llm_home, "chat", *GREEDY, said=f"{QUESTION}\nА у тебя?\nexit\n")
    second = langchain.invoke([HumanMessage(QUESTION), AIMessage(expected), HumanMessage("А у тебя?")]).content
    assert second != langchain.invoke("А у тебя?").content
    _, found, rest = shown.partition(expected)
    assert found
    assert str(second) in rest
