"""An engine on transformers and PEFT: for GPUs, and for architectures that llama.cpp does not know."""

import threading
import warnings
from collections.abc import Callable, Collection, Generator, Mapping
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import torch
from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream
from torch import Tensor

from manera.bases import base_model
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
from manera.generation.sampling import draw
from manera.generation.stops import UntilStop
from manera.model.encoder_decoder import decoder_opening, encoder_input
from manera.voice.adapter import load_weights

if TYPE_CHECKING:
    from transformers import PreTrainedModel

BATCH = 256
"""Tokens of a prompt read in one go: a cancelled reply runs on that far."""

END_TOKENS = ("<eos>", "<end_of_turn>")
"""Beside those that a base names for itself."""


def open_engine(
    base: Path,
    adapters: Mapping[str, Path] | None = None,
    *,
    find: Callable[[str], Path | None] = lambda _: None,
    weights: Path | None = None,
    context_length: int = 4096,
    device: str | None = None,
) -> "TransformersEngine":
    """Load a base folder and the adapter folders of voices.

    find: tells where the adapter of another voice is when a request names it; what it raises, the reply raises.
    weights: a file of weights that take the place of the base's.
    context_length: at most what the base was made for. device: cuda where there is one, else cpu.
    Raises GenerationError, ModelError.
    """
    tokenizer = base_model.load_tokenizer(base)
    described = base_model.read(base)
    names = {described.end_of_text, described.end_of_turn, *END_TOKENS}
    ends = {token for name in names if (token := tokenizer.token_to_id(name)) is not None}
    model = base_model.load(base)
    if weights is not None:
        model.load_state_dict(load_weights(weights), strict=False)  # a head that is the embedding is there once
    engine = TransformersEngine(model, tokenizer, ends, min(context_length, described.context_length), device, find)
    for name, folder in (adapters or {}).items():
        engine.add_adapter(name, folder)
    return engine


class TransformersEngine:
    """A model of transformers that writes; see ``manera.generation.engine.Engine``.

    A causal LM reads the prompt as what it has written so far. A model of two halves, such as T5 or BART, reads it with
    its encoder, and its decoder begins anew. Replies take turns, a token each: every one has a cache of its own, and
    its own adapters at their weights.
    """

    def __init__(
        self,
        model: "PreTrainedModel",
        tokenizer: Tokenizer,
        ends: Collection[int],
        context_length: int,
        device: str | None = None,
        find: Callable[[str], Path | None] = lambda _: None,
    ) -> None:
        """tokenizer: the model's. ends: the tokens that end a reply. find: as in ``open_engine``."""
        self.context_length = context_length
        self.drafts = 1  # replies take turns
        self._device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self._model: Any = model.to(self._device).eval()
        self._has_encoder = bool(model.config.is_encoder_decoder)
        self._tokenizer = tokenizer
        self._ends = frozenset(ends)
        self._breakers = frozenset(tokenizer.encode("\n", add_special_tokens=False).ids)
        self._adapters: set[str] = set()
        self._find = find
        self._active: dict[str, float] | None = None
        self._turn = threading.Lock()
        self._running = Running()

    def add_adapter(self, name: str, folder: Path) -> None:
        """Load a voice's adapter as PEFT wrote it; raise GenerationError when it is not one for this model."""
        from peft import PeftModel

        if not (folder / "adapter_config.json").is_file():
            raise GenerationError(f"there is no adapter in {folder}", "list what there is: manera doctor")
        with self._turn, warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*is_gradient_checkpointing")  # PEFT asks transformers by an old name
            try:
                if self._adapters:
                    self._model.load_adapter(str(folder), adapter_name=name)
                else:
                    self._model = PeftModel.from_pretrained(self._model, str(folder), adapter_name=name)
            except (RuntimeError, ValueError, OSError) as error:
                raise GenerationError(
                    f"the adapter in {folder} does not fit this base", "check that the voice was trained on it"
                ) from error
            self._model.eval()
            self._adapters.add(name)
            self._active = None

    def generate(self, request: Request, deliver: Deliver, is_cancelled: IsCancelled) -> Finished:
        """Write one reply in the calling thread; see ``Engine.generate``."""
        for name in request.adapters:
            if name not in self._adapters and (folder := self._find(name)) is not None:
                self.add_adapter(name, folder)
        self._require_possible(request)
        return self._running.reply(
            request, lambda: self._write(request, deliver, lambda: is_cancelled() or self._running.is_closing)
        )

    def close(self) -> None:
        """Cancel what is being written, wait for it to end, and free the model."""
        self._running.close()
        self._model = None

    def __enter__(self) -> "TransformersEngine":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _require_possible(self, request: Request) -> None:
        unknown = [name for name in request.adapters if name not in self._adapters]
        if unknown:
            loaded = ", ".join(sorted(self._adapters)) or "none"
            raise GenerationError(f"no adapter {unknown[0]!r} is loaded", f"loaded: {loaded}")
        if not request.prompt:
            raise GenerationError("the prompt is empty", "begin it with the BOS token")
        if not 0 <= min(request.prompt) <= max(request.prompt) < self._tokenizer.get_vocab_size():
            raise GenerationError("the prompt has invalid tokens", "encode it with this base's tokenizer")
        if len(request.prompt) >= self.context_length:
            raise PromptTooLongError(
                f"the prompt is too long: {len(request.prompt)} tokens, and {self.context_length} fit with the reply",
                "shorten it, or open the engine with more context",
            )

    def _write(self, request: Request, deliver: Deliver, is_cancelled: IsCancelled) -> Finished:
        started = perf_counter()
        first_token_at: float | None = None
        new_tokens = 0
        reason: FinishReason = "length"
        decoder = DecodeStream(skip_special_tokens=True)
        shown = UntilStop(() if request.forced else request.stop)
        steps = self._tokens(request, is_cancelled)
        for token, logprob, top in steps:
            new_tokens += 1
            if request.stops_at_end and not request.forced and token in self._ends:
                reason = "stop"
                break
            text = shown.take(decoder.step(self._tokenizer, token) or "")
            if text:
                first_token_at = first_token_at or perf_counter()
                deliver(Token(text, logprob, top))
            if shown.is_over:
                reason = "stop"
                break
            if is_cancelled():
                break
        steps.close()
        if is_cancelled() and reason != "stop":
            reason = "cancelled"
        elif rest := shown.rest():
            deliver(Token(rest, logprob, top))
        ended = perf_counter()
        return Finished(reason, len(request.prompt), new_tokens, (first_token_at or ended) - started, ended - started)

    def _tokens(
        self, request: Request, is_cancelled: IsCancelled
    ) -> Generator[tuple[int, float | None, tuple[tuple[str, float], ...]]]:
        """Yield each token with its log-probability and the likeliest alternatives."""
        seed = request.sampling.seed
        rng = torch.Generator()
        rng.seed() if seed is None else rng.manual_seed(seed % 2**63)
        written, unread = list(request.prompt), list(request.prompt)
        state: dict[str, Any] = {}
        if self._has_encoder:
            state = self._encode(request)
            unread = decoder_opening(self._model.config)
        limit = len(request.forced) or request.sampling.max_new_tokens
        for place in range(min(limit, self.context_length - len(written))):
            while unread:
                if is_cancelled():
                    return
                batch, unread = unread[:BATCH], unread[BATCH:]
                logits, state = self._step(batch, state, request.adapters)
            is_told = request.top_logprobs is not None or bool(request.forced)
            logprobs = logits.log_softmax(-1) if is_told else None
            if not request.stops_at_end:
                logits[list(self._ends)] = -torch.inf
            token = request.forced[place] if request.forced else draw(logits, request, written, self._breakers, rng)
            yield token, *self._told(logprobs, token, request.top_logprobs or 0)
            written.append(token)
            unread = [token]

    @torch.no_grad()
    def _encode(self, request: Request) -> dict[str, Any]:
        """Read the whole prompt with the encoder; return what the decoder looks at."""
        with self._turn:
            self._use(dict(request.adapters))
            prompt = torch.tensor([encoder_input(request.prompt, self._model.config)], device=self._device)
            return {"encoder_outputs": self._model.get_encoder()(input_ids=prompt)}

    @torch.no_grad()
    def _step(
        self, tokens: list[int], state: Mapping[str, Any], adapters: Mapping[str, float]
    ) -> tuple[Tensor, dict[str, Any]]:
        """Read some tokens; return the logits (V,) after the last of them, in float32, and what the next step needs."""
        ids = torch.tensor([tokens], device=self._device)
        given = {"decoder_input_ids": ids} if self._has_encoder else {"input_ids": ids, "logits_to_keep": 1}
        with self._turn:
            self._use(dict(adapters))
            read = self._model(**given, **state, use_cache=True)
        return read.logits[0, -1].float(), {**state, "past_key_values": read.past_key_values}

    def _use(self, adapters: dict[str, float]) -> None:
        """Let these adapters take part in what is computed next; none is the untuned base."""
        if adapters == self._active or not self._adapters:
            return
        if adapters:
            self._model.base_model.enable_adapter_layers()
            self._model.base_model.set_adapter(list(adapters))
            for layer in self._model.modules():
                if hasattr(layer, "set_scale"):
                    for name, weight in adapters.items():
                        layer.set_scale(name, weight)
        else:
            self._model.base_model.disable_adapter_layers()
        self._active = adapters

    def _told(
        self, logprobs: Tensor | None, token: int, alternatives: int
    ) -> tuple[float | None, tuple[tuple[str, float], ...]]:
        if logprobs is None:
            return None, ()
        best = logprobs.topk(max(1, alternatives))
        pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
        return float(logprobs[token]), tuple((self._tokenizer.decode([index]), value) for index, value in pairs)
