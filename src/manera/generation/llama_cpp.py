"""The default engine: llama.cpp's server, run inside this process by xllamacpp.

Many replies are written at once, as one batch; adapters stay loaded, and each request names its own.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING, Any

import msgspec
import psutil

from manera import config
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
from manera.voice.manifest import Sampling

if TYPE_CHECKING:
    import xllamacpp

BATCH = 256
"""Tokens of a prompt read in one go: other replies wait that long, and a cancelled one runs on that far."""

CONTEXT_STEP = 256
"""llama.cpp rounds a slot's context up to this."""

IDLE_DRAFTS = 4
"""More than these hardly make a reply better, and each takes its share of the batch."""

SEEDS = 2**32 - 1
"""llama.cpp's seeds have 32 bits, and the highest means a random one."""

DRY_BASE, DRY_LENGTH = 1.75, 2  # llama.cpp's own

PROMPT_CACHE_MEGABYTES = 256
QUIET = -1


class _Chosen(msgspec.Struct):
    token: str
    logprob: float | None  # null where it is not a number
    top_logprobs: list["_Chosen"] = []


class _Logprobs(msgspec.Struct):
    content: list[_Chosen]


class _Choice(msgspec.Struct):
    text: str
    finish_reason: str | None
    logprobs: _Logprobs | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int


class _Fault(msgspec.Struct):
    message: str
    type: str = ""


class _Chunk(msgspec.Struct):
    """What llama.cpp hands over: a piece of text, the progress of the prompt, the end, or an error."""

    choices: list[_Choice] = []
    usage: _Usage | None = None
    error: _Fault | None = None


_read_chunk = msgspec.json.Decoder(_Chunk).decode


def open_engine(
    base: Path,
    adapters: Mapping[str, Path] | None = None,
    *,
    slots: int = 4,
    context_length: int = 4096,
    threads: int | None = None,
) -> "LlamaCpp":
    """Load a base GGUF file and its adapters' GGUF files.

    slots: replies written at the same time; more wait their turn. context_length: tokens for each slot, of which
    llama.cpp gives no more than the base was made for.
    Raises GenerationError.
    """
    config.let_threads_sleep()
    import xllamacpp

    adapters = adapters or {}
    context_length = -(-context_length // CONTEXT_STEP) * CONTEXT_STEP
    for path in (base, *adapters.values()):
        if not path.is_file():
            raise GenerationError(f"there is no model file {path}", "list what there is: manera doctor")
    with TemporaryDirectory(prefix="manera-") as folder:
        parameters = _parameters(base, adapters, slots, context_length, threads or _cores())
        if os.name != "nt":
            # llama.cpp insists on a listener; behind a socket file that is gone at once nobody can reach it
            parameters.hostnames = [str(Path(folder) / "unused.sock")]
        try:
            server = xllamacpp.Server(parameters)
        except RuntimeError as error:
            files = ", ".join(str(path) for path in (base, *adapters.values()))
            raise GenerationError(
                f"llama.cpp cannot load {files}",
                "check that the voices were trained on this base: manera doctor",
            ) from error
    # one token before anything else: a server that is let go before its loop runs would never end
    server.handle_completions({"prompt": [0], "n_predict": 1})
    return LlamaCpp(server, tuple(adapters), context_length, min(slots, IDLE_DRAFTS))


class LlamaCpp:
    """An open llama.cpp server; see ``manera.generation.engine.Engine``."""

    def __init__(self, server: "xllamacpp.Server", adapters: tuple[str, ...], context_length: int, drafts: int) -> None:
        self.context_length = context_length
        self.drafts = drafts
        self.adapters = adapters
        self._server: xllamacpp.Server | None = server
        self._running = Running()

    def generate(self, request: Request, deliver: Deliver, is_cancelled: IsCancelled) -> Finished:
        """Write one reply in the calling thread; see ``Engine.generate``."""
        reply = _Reply(deliver, lambda: is_cancelled() or self._running.is_closing, len(request.prompt))

        def write() -> Finished:
            assert self._server is not None
            self._server.handle_completions(msgspec.json.encode(_document(request, self.adapters)), reply.take)
            return reply.finished()

        return self._running.reply(request, write)

    def close(self) -> None:
        """Cancel what is being written, wait for it to end, and free the model."""
        self._running.close()
        self._server = None

    def __enter__(self) -> "LlamaCpp":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Reply:
    """One reply on its way: takes llama.cpp's chunks, hands on tokens, remembers how it ended."""

    def __init__(self, deliver: Deliver, is_cancelled: IsCancelled, prompt_tokens: int) -> None:
        self.deliver = deliver
        self.is_cancelled = is_cancelled
        self.prompt_tokens = prompt_tokens
        self.new_tokens = 0
        self.reason: FinishReason = "cancelled"
        self.error: Exception | None = None
        self.started = perf_counter()
        self.first_token_at: float | None = None

    def take(self, data: bytes) -> bool:
        """Take one chunk; return whether llama.cpp is to stop."""
        try:
            self._take(_read_chunk(data))
        except Exception as error:  # xllamacpp would swallow it
            self.error = error
        return self.error is not None or self.is_cancelled()

    def _take(self, chunk: _Chunk) -> None:
        if chunk.error is not None:
            raise _translated(chunk.error)
        for choice in chunk.choices:
            if choice.logprobs is not None and any(one.logprob is None for one in choice.logprobs.content):
                raise GenerationError(
                    "what the adapter computes is not a number", "train the voice again, with a lower learning rate"
                )
            if choice.text and not self.is_cancelled():
                self._hand_on(choice)
            if choice.finish_reason is not None:
                self.reason = "length" if choice.finish_reason == "length" else "stop"
        if chunk.usage is not None:
            self.prompt_tokens = chunk.usage.prompt_tokens
            self.new_tokens = chunk.usage.completion_tokens

    def _hand_on(self, choice: _Choice) -> None:
        if self.first_token_at is None:
            self.first_token_at = perf_counter()
        self.new_tokens += 1
        if choice.logprobs is None:
            self.deliver(Token(choice.text))
        else:
            chosen = choice.logprobs.content[-1]
            top = tuple((one.token, one.logprob) for one in chosen.top_logprobs if one.logprob is not None)
            self.deliver(Token(choice.text, chosen.logprob, top))

    def finished(self) -> Finished:
        """Return how it ended, or raise what went wrong."""
        if self.error is not None:
            raise self.error
        ended = perf_counter()
        first = self.first_token_at if self.first_token_at is not None else ended
        return Finished(self.reason, self.prompt_tokens, self.new_tokens, first - self.started, ended - self.started)


def _parameters(
    base: Path, adapters: Mapping[str, Path], slots: int, context_length: int, threads: int
) -> "xllamacpp.CommonParams":
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(base)
    parameters.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(path), 0.0) for path in adapters.values()]
    parameters.n_parallel = slots
    parameters.n_ctx = slots * context_length  # the slots share it
    parameters.n_batch = parameters.n_ubatch = BATCH
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = threads
    parameters.cache_ram_mib = PROMPT_CACHE_MEGABYTES
    parameters.fit_params = parameters.warmup = False
    parameters.n_threads_http = 1
    parameters.ui = parameters.endpoint_slots = False
    parameters.verbosity = QUIET  # its log would hold prompts
    return parameters


def _document(request: Request, adapters: tuple[str, ...]) -> dict[str, Any]:
    """Write a request in llama.cpp's words; every field it would fill by itself is set."""
    for name in request.adapters:
        if name not in adapters:
            raise GenerationError(f"no adapter {name!r} is loaded", f"loaded: {', '.join(adapters) or 'none'}")
    return {
        "prompt": request.prompt,
        "stream": True,
        "return_progress": True,  # a chunk per batch of the prompt: a chance to cancel
        "n_probs": 0 if request.top_logprobs is None else max(1, request.top_logprobs),
        "stop": request.stop,
        "ignore_eos": not request.stops_at_end,
        "logit_bias": [[token, bias] for token, bias in request.logit_bias.items()],
        "frequency_penalty": request.frequency_penalty,
        "presence_penalty": request.presence_penalty,
        "lora": [{"id": i, "scale": request.adapters.get(name, 0.0)} for i, name in enumerate(adapters)],
        **_sampling(request.sampling),
        **_forcing(request.forced),
    }


def _forcing(tokens: Sequence[int]) -> dict[str, Any]:
    """Let a grammar that knows one text write it, token by token."""
    if not tokens:
        return {}
    grammar = "root ::= " + " ".join(f"<[{token}]>" for token in tokens)
    return {"grammar": grammar, "n_predict": len(tokens), "n_probs": 1, "stop": [], "ignore_eos": True, **GREEDY}


# temperature first, as OpenAI, vLLM and transformers do; min_p before the sorting ones, because it is cheap
SAMPLERS = ["penalties", "dry", "temperature", "min_p", "top_k", "top_p"]
GREEDY = {"samplers": ["penalties", "dry", "top_k"], "top_k": 1}
"""The likeliest token, without a pass over the whole vocabulary for each of the other samplers."""


def _sampling(sampling: Sampling) -> dict[str, Any]:
    chain = GREEDY if sampling.temperature <= 0 else {"samplers": SAMPLERS, "top_k": sampling.top_k or 0}
    return chain | {
        "temperature": sampling.temperature,
        "top_p": 1.0 if sampling.top_p is None else sampling.top_p,
        "min_p": 0.0 if sampling.min_p is None else sampling.min_p,
        "repeat_penalty": 1.0 if sampling.repetition_penalty is None else sampling.repetition_penalty,
        "dry_multiplier": 0.0 if sampling.dry_multiplier is None else sampling.dry_multiplier,
        "dry_base": DRY_BASE if sampling.dry_base is None else sampling.dry_base,
        "dry_allowed_length": DRY_LENGTH if sampling.dry_allowed_length is None else sampling.dry_allowed_length,
        "dry_sequence_breakers": ["\n"],  # each is looked for in the whole vocabulary, for every request
        "n_predict": sampling.max_new_tokens,
        "seed": -1 if sampling.seed is None else sampling.seed % SEEDS,
        # a remembered prompt is read in other batches, and rounds otherwise: not where the same text is wanted again
        "cache_prompt": sampling.seed is None and sampling.temperature > 0,
    }


def _translated(fault: _Fault) -> GenerationError:
    if fault.type == "exceed_context_size_error":
        return PromptTooLongError(
            f"the prompt is too long: {fault.message}", "shorten it, or give each slot more context"
        )
    return GenerationError(f"llama.cpp cannot answer: {fault.message}", "manera doctor")


def _cores() -> int:
    """Count the cores this process may use: llama.cpp is slower with more threads than cores."""
    physical = psutil.cpu_count(logical=False) or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else physical
    return min(physical, allowed)
