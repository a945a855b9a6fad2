"""Any engine, writing several drafts of a reply at once, of which the one that fits its context best is handed over.

A draft fits where it is likely in its context and less likely apart from it: what a voice would say to anything is
likely everywhere. So drafts are ranked by log p(draft | context) - SHARE * log p(draft), per token: the mutual
information of Li et al. (2016), as DialoGPT ranks (Zhang et al., 2020).
"""

import contextvars
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from threading import Event
from time import perf_counter
from typing import NamedTuple, TypeVar

import msgspec
from tokenizers import Tokenizer

from manera.bases.tokenizer import token_bytes
from manera.dataset.encoding import Encoder
from manera.generation.engine import Deliver, Engine, Finished, IsCancelled, Request, Token
from manera.voice.manifest import Sampling

SHARE = 0.5
"""How much of what a draft costs apart from its context is taken off; chosen with benchmarks/sense.py."""

SCORED_TOKENS = 64
"""Of a long draft only the beginning is ranked: every token of it is read once more."""

MAX_WAITED_TOKENS = 128
"""A reply that may be longer is sent as it is written, unless drafts are asked for: nobody waits so long for a word."""

SEEDS_APART = 1_000_003
"""Between the seeds of two drafts, so that the guard and the choices of a request can count on from each."""

Made = TypeVar("Made")


class Draft(NamedTuple):
    """A whole reply that may be handed over, and how it ended."""

    tokens: Sequence[Token]
    finished: Finished


class Fit(NamedTuple):
    """How well a draft fits: whether it came to its end, and nats of a token of it in its context and apart from it.

    None for a draft of which nothing can be scored.
    """

    is_whole: bool
    nats: float | None
    nats_apart: float | None

    def score(self, share: float = SHARE) -> tuple[bool, float]:
        """Return what drafts are ordered by, the best last."""
        if self.nats is None or self.nats_apart is None:
            return self.is_whole, -math.inf
        return self.is_whole, share * self.nats_apart - self.nats


def with_drafts(sampling: Sampling, drafts: int) -> Sampling:
    """Decide how many drafts a reply has where that is left open: one where it may be long, or is decided already."""
    if sampling.drafts is not None:
        return sampling
    is_decided = sampling.seed is not None or sampling.temperature <= 0
    is_long = sampling.max_new_tokens > MAX_WAITED_TOKENS
    return msgspec.structs.replace(sampling, drafts=1 if is_decided or is_long else drafts)


class DraftingEngine:
    """An engine that hands over the best of ``Sampling.drafts``; see ``manera.generation.engine.Engine``.

    It is cheap to make, one for each writer.
    """

    def __init__(self, engine: Engine, scoring: Engine, encoder: Encoder, apart: Sequence[int]) -> None:
        """scoring: the engine without a guard. apart: token ids of a prompt that asks for nothing."""
        self._engine = engine
        self._scoring = scoring
        self._encoder = encoder
        self._apart = apart

    @property
    def context_length(self) -> int:
        """How many tokens a prompt and its reply may have together."""
        return self._engine.context_length

    @property
    def drafts(self) -> int:
        """How many drafts are worth writing while nothing else is written."""
        return self._engine.drafts

    def generate(self, request: Request, deliver: Deliver, is_cancelled: IsCancelled) -> Finished:
        """Write one reply in the calling thread, or several drafts of it beside that; see ``Engine.generate``."""
        count = request.sampling.drafts or 1
        if count == 1 or request.sampling.temperature <= 0:
            return self._engine.generate(request, deliver, is_cancelled)
        started = perf_counter()
        drafts = self.write(request, count, is_cancelled)
        chosen = self._best(request, drafts, is_cancelled)
        first_token_at = perf_counter()
        for token in chosen.tokens:
            if is_cancelled():
                break
            deliver(token if request.top_logprobs is not None else Token(token.text))
        return msgspec.structs.replace(
            chosen.finished,
            reason="cancelled" if is_cancelled() else chosen.finished.reason,
            new_tokens=sum(draft.finished.new_tokens for draft in drafts),
            seconds_to_first_token=first_token_at - started,
            seconds=perf_counter() - started,
        )

    def close(self) -> None:
        """Close the engine within."""
        self._engine.close()

    def write(self, request: Request, count: int, is_cancelled: IsCancelled) -> list[Draft]:
        """Write so many drafts at the same time; each tells its log-probabilities. Raises GenerationError."""
        has_failed = Event()

        def one(index: int) -> Draft:
            tokens: list[Token] = []
            try:
                finished = self._engine.generate(
                    _numbered(request, index), tokens.append, lambda: has_failed.is_set() or is_cancelled()
                )
            except BaseException:
                has_failed.set()
                raise
            return Draft(tokens, finished)

        return _together(one, range(count))

    def _best(self, request: Request, drafts: Sequence[Draft], is_cancelled: IsCancelled) -> Draft:
        """Choose a draft; of those that are alike and of those that cannot be scored, the first."""
        if is_cancelled() or len({_text(draft.tokens) for draft in drafts}) == 1:
            return drafts[0]
        fits = _together(lambda draft: self.fit(request, draft, is_cancelled), drafts)
        return drafts[max(range(len(drafts)), key=lambda index: fits[index].score())]

    def fit(self, request: Request, draft: Draft, is_cancelled: IsCancelled) -> Fit:
        """Read a draft once more, apart from its context."""
        is_whole = draft.finished.reason == "stop"
        scored = [token for token in draft.tokens[:SCORED_TOKENS] if self._is_whole(token)]
        ids = self._encoder.text(_text(scored))
        if not ids:
            return Fit(is_whole, None, None)
        again: list[Token] = []
        forced = Request(list(self._apart), request.sampling, request.adapters, forced=tuple(ids))
        self._scoring.generate(forced, again.append, is_cancelled)
        return Fit(is_whole, _nats_per_token(scored), _nats_per_token(again))

    def _is_whole(self, token: Token) -> bool:
        return _parts_of_characters(self._encoder.tokenizer).isdisjoint(self._encoder.text(token.text))


@lru_cache(maxsize=4)
def _parts_of_characters(tokenizer: Tokenizer) -> frozenset[int]:
    """Return the tokens that hold no whole characters, which llama.cpp's grammars cannot name."""
    parts = set()
    for token, written in token_bytes(tokenizer).items():
        try:
            written.decode()
        except UnicodeDecodeError:
            parts.add(token)
    return frozenset(parts)


def _numbered(request: Request, index: int) -> Request:
    """Ask for the draft of this number: a seed of its own, and log-probabilities."""
    sampling = request.sampling
    seed = None if sampling.seed is None else sampling.seed + index * SEEDS_APART
    return msgspec.structs.replace(
        request,
        sampling=msgspec.structs.replace(sampling, seed=seed),
        top_logprobs=request.top_logprobs or 0,
    )


def _together(make: Callable[..., Made], given: Sequence[object]) -> list[Made]:
    """Make something of each at the same time, in threads that know whose request it is for."""
    with ThreadPoolExecutor(len(given), "manera-draft") as threads:
        made = [threads.submit(contextvars.copy_context().run, make, one) for one in given]
    return [one.result() for one in made]


def _text(tokens: Sequence[Token]) -> str:
    return "".join(token.text for token in tokens)


def _nats_per_token(tokens: Sequence[Token]) -> float | None:
    told = [token.logprob for token in tokens if token.logprob is not None]
    return -sum(told) / len(told) if told else None
