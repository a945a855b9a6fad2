"""A small server of OpenAI's completions that takes token ids or text, as vLLM's does; run by itself, it can die.

``python completions_server.py BASE PORT DIES_AFTER NAME=ADAPTER...``
"""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from manera.errors import GenerationError
from manera.generation import engine as engines
from manera.generation.engine import Engine, Finished, PromptTooLongError, Token, stream
from manera.generation.llama_cpp import open_engine
from manera.voice.manifest import Sampling

BASE = "the-base"
SAMPLING = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "seed",
            "dry_multiplier", "dry_base", "dry_allowed_length")  # fmt: skip


def application(
    engine: Engine,
    names: tuple[str, ...],
    key: str | None = None,
    dies_after: int = 0,
    encode: Callable[[str], list[int]] | None = None,
    fails_after: int | None = None,
) -> FastAPI:
    """Serve an engine; the whole process dies with the event after ``dies_after`` of them.

    encode: makes token ids of prompts that are text. fails_after: how many requests are answered well.
    """
    app = FastAPI()
    asked_for: list[Any] = []

    @app.get("/v1/models")
    def models() -> dict[str, Any]:
        return {"data": [{"id": name} for name in (BASE, *names)]}

    @app.post("/v1/completions")
    def complete(asked: dict[str, Any], http: Request) -> Response:
        if key is not None and http.headers.get("authorization") != f"Bearer {key}":
            return JSONResponse({"error": {"message": "no such key"}}, 401)
        asked_for.append(asked["prompt"])
        if fails_after is not None and len(asked_for) > fails_after:
            return JSONResponse({"error": {"message": "the graphics card has fallen off the bus"}}, 503)
        if encode is not None and isinstance(asked["prompt"], str):
            asked["prompt"] = encode(asked["prompt"])
        if asked["model"] not in (BASE, *names):
            return JSONResponse({"error": {"message": f"no model {asked['model']}"}}, 404)
        if asked.get("stream") is False:
            tokens = [item for item in stream(engine, _request(asked)) if isinstance(item, Token)]
            return JSONResponse({"choices": [{"text": "".join(token.text for token in tokens)}]})
        events = _events(stream(engine, _request(asked)), dies_after)
        try:
            first = next(events)
        except PromptTooLongError as error:
            return JSONResponse({"error": {"message": str(error), "code": "context_length_exceeded"}}, 400)
        except GenerationError as error:
            return JSONResponse({"error": {"message": str(error)}}, 400)
        return StreamingResponse(_after(first, events), media_type="text/event-stream")

    return app


def _request(asked: Mapping[str, Any]) -> engines.Request:
    drawn = {name: asked.get(name) for name in SAMPLING if name != "temperature"}
    return engines.Request(
        asked["prompt"],
        Sampling(temperature=asked["temperature"], max_new_tokens=asked["max_tokens"], **drawn),
        {} if asked["model"] == BASE else {asked["model"]: 1.0},
        tuple(asked.get("stop", ())),
        asked.get("frequency_penalty", 0.0),
        asked.get("presence_penalty", 0.0),
        {int(token): bias for token, bias in asked.get("logit_bias", {}).items()},
        asked.get("logprobs"),
        not asked.get("ignore_eos", False),
    )


def _after(first: str, events: Iterator[str]) -> Iterator[str]:
    yield first
    yield from events


def _events(items: Iterator[Token | Finished], dies_after: int) -> Iterator[str]:
    for number, item in enumerate(items, 1):
        if isinstance(item, Token):
            logprobs = None
            if item.logprob is not None:
                logprobs = {"token_logprobs": [item.logprob], "top_logprobs": [dict(item.top)]}
            yield _event({"choices": [{"text": item.text, "finish_reason": None, "logprobs": logprobs}]})
        else:
            yield _event({"choices": [{"text": "", "finish_reason": item.reason}]})
            yield _event({"choices": [], "usage": {"completion_tokens": item.new_tokens}})
        if number == dies_after:
            os._exit(1)
    yield "data: [DONE]\n\n"


def _event(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data)}\n\n"


if __name__ == "__main__":
    base, port, dies_after, *adapters = sys.argv[1:]
    paths = {name: Path(path) for name, _, path in (adapter.partition("=") for adapter in adapters)}
    with open_engine(Path(base) / "base.gguf", paths, context_length=256, threads=1) as opened:
        app = application(opened, tuple(paths), dies_after=int(dies_after))
        uvicorn.run(app, port=int(port), log_config=None)
