"""The example agent: a model finds the facts by a tool, and the voice says them."""

import importlib.util
import json
import warnings
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from openai import OpenAI

from listened import Listened
from manera.generation.llama_cpp import LlamaCpp
from manera.generation.reply import Writer
from manera.memory import scope
from manera.memory.memory import Memory
from manera.memory.settings import MemoryConfig
from manera.serving.app import create_app
from manera.serving.catalogue import Catalogue
from running import running

AGENT = Path(__file__).parents[2] / "examples" / "agent" / "agent.py"


def tool_model(asked: list[dict[str, Any]]) -> FastAPI:
    """Serve OpenAI's chat completions as a model would that calls each tool once."""
    app = FastAPI()

    @app.post("/v1/chat/completions")
    def complete(body: dict[str, Any]) -> dict[str, Any]:
        asked.append(body)
        message: dict[str, Any] = {"role": "assistant", "content": "done"}
        if body["messages"][-1]["role"] == "user":
            call = {"name": body["tools"][0]["function"]["name"], "arguments": json.dumps({"about": "dog"})}
            message = {"role": "assistant", "content": None}
            message["tool_calls"] = [{"id": "call_1", "type": "function", "function": call}]
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        named = {"id": "chatcmpl-1", "object": "chat.completion", "created": 0, "model": body["model"]}
        return named | {"choices": [choice], "usage": usage}

    return app


def test_the_voice_says_what_the_agent_has_found(
    tmp_path: Path, tiny_engine: LlamaCpp, tiny_writers: dict[str, Writer]
) -> None:
    pytest.importorskip("langgraph")
    spec = importlib.util.spec_from_file_location("agent", AGENT)
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lang")  # of its own parts
        spec.loader.exec_module(example)
    engine, asked = Listened(tiny_engine), list[dict[str, Any]]()
    memory = Memory(MemoryConfig(store=str(tmp_path / "memory.sqlite")))
    app = create_app(Catalogue(engine, "tiny-gemma3", tiny_writers, created=0), memory=memory)
    with running(app) as voices_url, running(tool_model(asked)) as model_url:
        model = example.ChatOpenAI(model="any", base_url=f"{model_url}/v1", api_key="any")
        with OpenAI(base_url=f"{voices_url}/v1", api_key="any", max_retries=0) as voices:
            graph = example.agent(model, voices, "anna", {"user": "u", "chat": "c"})
            answered = graph.invoke({"messages": [example.HumanMessage("what is my dog called?")]})
        said = answered["messages"][-1].content
        kept = [turn.text for turn in memory.store.turns(scope.own("", "u"), 9)]
    assert [message["role"] for message in asked[-1]["messages"]] == ["system", "user", "assistant", "tool"]
    assert "The dog is called Rex" in tiny_writers["anna"].encoder.decode(engine.prompts[-1])
    assert kept == ["what is my dog called?", said]
