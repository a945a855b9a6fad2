"""An engine elsewhere: any server with OpenAI's ``/v1/completions`` that takes token ids, such as vLLM's.

Of several replicas the next one goes on where one dies: it is given the prompt and what was written so far.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from time import perf_counter
from typing import Any

import httpx2
import msgspec
from dotenv import dotenv_values

from manera import logs
from manera.errors import GenerationError
from manera.generation.engine import (
    Deliver,
    Finished,
    FinishReason,
    IsCancelled,
    PromptTooLongError,
    Request,
    Token,
)
from manera.generation.running import Running
from manera.generation.stops import UntilStop

KEY_VARIABLE = "MANERA_REMOTE_KEY"
SECONDS_TO_CONNECT = 5.0
SECONDS_BETWEEN_TOKENS = 120.0
LOOK_AGAIN_SECONDS = 0.05
"""How often a reply that hears nothing looks whether it was cancelled."""

_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses with which a replica says that another one, or another time, would do."""

Encode = Callable[[str], list[int]]


class _Logprobs(msgspec.Struct):
    token_logprobs: list[float | None] = []
    top_logprobs: list[dict[str, float] | None] | None = None


class _Choice(msgspec.Struct):
    text: str = ""
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Event(msgspec.Struct):
    choices: list[_Choice] = []
    usage: _Usage | None = None
    error: msgspec.Raw | None = None


class _Fault(msgspec.Struct, frozen=True):
    message: str = "no reason given"
    code: str | int | None = None


class _Refusal(msgspec.Struct):
    error: _Fault = _Fault()


class _ReplicaError(Exception):
    """A replica cannot be reached, or did not finish; another one may."""


_read_event = msgspec.json.Decoder(_Event).decode


def _event(data: str) -> _Event:
    try:
        return _read_event(data)
    except msgspec.DecodeError as error:
        raise _ReplicaError("it sends what is no completion") from error


def open_engine(
    urls: Sequence[str], base_model: str, encode: Encode, *, context_length: int = 4096, key: str | None = None
) -> "RemoteEngine":
    """Write with the replicas at these addresses (``http://host:8000``), which serve the same models.

    base_model: what they call the untuned base; an adapter is a model by its own name. encode: makes token ids of
    text, with the servers' vocabulary. key: by default what KEY_VARIABLE says, in the environment or in ``.env``.
    """
    if not urls:
        raise GenerationError("there is no address of a server", "name at least one: http://127.0.0.1:8000")
    return RemoteEngine(urls, base_model, encode, context_length, key or stored_key())


def stored_key() -> str | None:
    """Return the servers' key from the environment, else from ``.env``; None when there is none."""
    return os.environ.get(KEY_VARIABLE) or dotenv_values(Path(".env")).get(KEY_VARIABLE)


def _identified() -> dict[str, str]:
    request_id = logs.current_request()
    return {logs.REQUEST_ID: request_id} if request_id else {}


class RemoteEngine:
    """Replicas of an OpenAI-compatible server; see ``manera.generation.engine.Engine``."""

    def __init__(
        self, urls: Sequence[str], base_model: str, encode: Encode, context_length: int, key: str | None
    ) -> None:
        self.context_length = context_length
        self.drafts = 1  # which of them is best is not told
        self._urls = [f"{url.rstrip('/').removesuffix('/v1')}/v1/completions" for url in urls]
        self._base_model = base_model
        self._encode = encode
        self._client = httpx2.AsyncClient(
            headers={"authorization": f"Bearer {key}"} if key else {},
            timeout=httpx2.Timeout(SECONDS_BETWEEN_TOKENS, connect=SECONDS_TO_CONNECT),
            limits=httpx2.Limits(max_connections=None),
        )
        self._turns = count()
        self._running = Running()
        # a loop, because only there a request can be given up that has not been answered at all
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="manera-remote", daemon=True)
        self._thread.start()

    def generate(self, request: Request, deliver: Deliver, is_cancelled: IsCancelled) -> Finished:
        """Write one reply in the calling thread; see ``Engine.generate``."""
        reply = _Reply(request, deliver, lambda: is_cancelled() or self._running.is_closing)

        def write() -> Finished:
            self._write(request, reply)
            return reply.finished()

        return self._running.reply(request, write)

    def close(self) -> None:
        """Cancel what is being written, wait for it to end, and close the connections."""
        self._running.close()
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._client.aclose(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def __enter__(self) -> "RemoteEngine":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, request: Request, reply: "_Reply") -> None:
        """Ask one replica after the other until the reply is finished, or none of them goes on with it."""
        if not request.prompt:
            raise GenerationError("the prompt is empty", "begin it with the BOS token")
        if request.forced:
            raise GenerationError("a server elsewhere does not say how likely a given text is", "ask for one draft")
        failures = 0
        while not reply.is_over():
            turn = next(self._turns)
            before = reply.new_tokens
            try:
                self._ask(self._urls[turn % len(self._urls)], request, reply)
            except (_ReplicaError, httpx2.TransportError) as error:
                failures = 0 if reply.new_tokens > before else failures + 1
                if failures >= len(self._urls):
                    raise GenerationError(
                        f"no server at {', '.join(self._urls)} goes on with the reply: {error}",
                        "look whether they run, and at their logs",
                    ) from error

    def _ask(self, url: str, request: Request, reply: "_Reply") -> None:
        """Take what one replica sends, until its end or a cancellation, which closes the connection."""
        document = _document(request, _model(request, self._base_model), self._encode(reply.text), reply.new_tokens)
        reply.before = reply.new_tokens
        arrived: SimpleQueue[_Event | None] = SimpleQueue()
        asking = asyncio.run_coroutine_threadsafe(self._read(url, document, arrived), self._loop)
        asking.add_done_callback(lambda _: arrived.put(None))
        try:
            while not reply.is_cancelled():
                with suppress(Empty):
                    event = arrived.get(timeout=LOOK_AGAIN_SECONDS)
                    if event is None:
                        asking.result()
                        break
                    reply.take(event)
        finally:
            asking.cancel()
        if not reply.is_over():
            raise _ReplicaError("the stream broke off")

    async def _read(self, url: str, document: dict[str, Any], arrived: "SimpleQueue[_Event | None]") -> None:
        content, headers = msgspec.json.encode(document), {"content-type": "application/json", **_identified()}
        async with self._client.stream("POST", url, content=content, headers=headers) as answer:
            if answer.status_code != 200:
                await answer.aread()
                raise _refusal(answer)
            async for line in answer.aiter_lines():
                if line == "data: [DONE]":
                    return
                if line.startswith("data:"):
                    arrived.put(_event(line.removeprefix("data:")))


class _Reply:
    """One reply on its way, from whichever replica."""

    def __init__(self, request: Request, deliver: Deliver, is_cancelled: IsCancelled) -> None:
        self.request = request
        self.deliver = deliver
        self.is_cancelled = is_cancelled
        self.text = ""
        self.new_tokens = 0
        self.prompt_tokens = len(request.prompt)
        self.reason: FinishReason | None = None
        self.until_stop = UntilStop(request.stop)
        self.before = 0  # of the new tokens, those of earlier replicas
        self.started = perf_counter()
        self.first_token_at: float | None = None

    def is_over(self) -> bool:
        return self.reason is not None or self.is_cancelled() or self.new_tokens >= self.request.sampling.max_new_tokens

    def take(self, event: _Event) -> None:
        """Take what a replica has sent."""
        if event.error is not None:
            raise _ReplicaError(f"it ended the stream: {_fault(event.error).message}")
        for choice in event.choices:
            if choice.text and not self.is_cancelled() and not self.until_stop.is_over:
                self.new_tokens += 1
                self.text += choice.text
                self._hand_on(self.until_stop.take(choice.text), choice.logprobs)
            if choice.finish_reason is not None:
                self.reason = "length" if choice.finish_reason == "length" else "stop"
        if self.until_stop.is_over:
            self.reason = "stop"
        if event.usage is not None:
            self.new_tokens = self.before + event.usage.completion_tokens

    def _hand_on(self, text: str, logprobs: _Logprobs | None = None) -> None:
        if not text:
            return
        if self.first_token_at is None:
            self.first_token_at = perf_counter()
        if logprobs is None or not logprobs.token_logprobs:
            self.deliver(Token(text))
            return
        top = (logprobs.top_logprobs or [None])[-1] or {}
        best = tuple(sorted(top.items(), key=lambda pair: -pair[1]))
        self.deliver(Token(text, logprobs.token_logprobs[-1], best))

    def finished(self) -> Finished:
        """Hand on what was held back, and say how it ended."""
        reason = self.reason or ("cancelled" if self.is_cancelled() else "length")
        if reason != "cancelled":
            self._hand_on(self.until_stop.rest())
        ended = perf_counter()
        first = self.first_token_at or ended
        return Finished(reason, self.prompt_tokens, self.new_tokens, first - self.started, ended - self.started)


def _model(request: Request, base_model: str) -> str:
    """Return which model to ask for: a server elsewhere knows an adapter by its name, at its full weight."""
    if not request.adapters:
        return base_model
    (name, weight), *others = request.adapters.items()
    if others or weight != 1:
        raise GenerationError("a server elsewhere cannot mix or scale adapters", "ask for one voice, at scale 1")
    return name


def _document(request: Request, model: str, written: list[int], new_tokens: int) -> dict[str, Any]:
    """Write a request in OpenAI's words, and vLLM's for what these lack; what is off is left out."""
    sampling = request.sampling
    document = {
        "model": model,
        "prompt": [*request.prompt, *written],
        "max_tokens": sampling.max_new_tokens - new_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "min_p": sampling.min_p,
        "repetition_penalty": sampling.repetition_penalty,
        "dry_multiplier": sampling.dry_multiplier,
        "dry_base": sampling.dry_base,
        "dry_allowed_length": sampling.dry_allowed_length,
        "seed": sampling.seed,
        "stop": list(request.stop) or None,
        "frequency_penalty": request.frequency_penalty or None,
        "presence_penalty": request.presence_penalty or None,
        "logit_bias": {str(token): bias for token, bias in request.logit_bias.items()} or None,
        "logprobs": request.top_logprobs,
        "ignore_eos": None if request.stops_at_end else True,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    return {name: value for name, value in document.items() if value is not None}


def _refusal(answer: httpx2.Response) -> Exception:
    """Tell why a server will not answer."""
    try:
        fault = msgspec.json.decode(answer.content, type=_Refusal).error
    except msgspec.DecodeError:
        fault = _Fault()
    said = f"the server at {answer.url} answers {answer.status_code}: {fault.message}"
    if answer.status_code in _RETRIED:
        return _ReplicaError(said)
    if answer.status_code in (401, 403):
        return GenerationError(said, f"set {KEY_VARIABLE} to its key, in the environment or in .env")
    if fault.code == "context_length_exceeded" or "context length" in fault.message:
        return PromptTooLongError(said, "shorten the prompt")
    return GenerationError(said, "look at what it serves: GET /v1/models")


def _fault(error: msgspec.Raw) -> _Fault:
    try:
        return msgspec.json.decode(error, type=_Fault)
    except msgspec.DecodeError:
        return _Fault()
