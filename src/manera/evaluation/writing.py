"""Texts written on prompts: several at a time, each with a seed of its own."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import NamedTuple

import msgspec

from manera.generation.engine import Engine, Finished, FinishReason, Request, Token, stream
from manera.voice.manifest import Sampling

Wrap = Callable[[Engine], Engine]
"""Lets an engine write as a voice is used: under its guard, in drafts."""


def as_it_is(engine: Engine) -> Engine:
    """Let an engine write alone."""
    return engine


class Written(msgspec.Struct, frozen=True):
    """One generated text, how it ended, and how often its guard stepped in."""

    text: str
    reason: FinishReason
    new_tokens: int
    seconds: float
    guarded: int = 0


SLOTS = 16
"""Texts that are written at a time."""

_UNFINISHED = re.compile(r"(?<=[.!?…\n])[^.!?…\n]*\Z|\s\S*\Z")


def whole(written: Written) -> str:
    """Return a text without the sentence or message, or else the word, in which it was cut off."""
    return written.text if written.reason != "length" else _UNFINISHED.sub("", written.text, count=1)


def write_all(
    engine: Engine,
    prompts: Sequence[Sequence[int]],
    sampling: Sampling,
    adapters: Mapping[str, float],
    workers: int,
    seed: int = 0,
    wrap: Wrap = as_it_is,
) -> Iterator[Written]:
    """Write one text for each prompt, in their order; nothing depends on which is ready first."""
    requests = [
        Request(list(prompt), msgspec.structs.replace(sampling, seed=seed + index), adapters)
        for index, prompt in enumerate(prompts)
    ]
    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(lambda request: _write(wrap(engine), request), requests)


def _write(engine: Engine, request: Request) -> Written:
    *tokens, ended = stream(engine, request)
    assert isinstance(ended, Finished)
    text = "".join(token.text for token in tokens if isinstance(token, Token))
    return Written(text, ended.reason, ended.new_tokens, ended.seconds, ended.guarded)


class Writer(NamedTuple):
    """What writes as a voice does, or as its base: an engine that can be opened, and how the voice samples."""

    open_engine: Callable[[], AbstractContextManager[Engine]]
    voice: str
    sampling: Sampling
    seed: int

    def write(
        self, engine: Engine, voice_scale: float, prompts: Sequence[Sequence[int]], wrap: Wrap = as_it_is
    ) -> list[Written]:
        """Write one text on each prompt with the voice turned up so far."""
        adapters = {self.voice: voice_scale} if voice_scale else {}
        return list(write_all(engine, prompts, self.sampling, adapters, SLOTS, self.seed, wrap))
