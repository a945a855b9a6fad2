"""What base and voice write on held-out prompts: the same prompts, several at a time, each with a seed of its own."""

import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec

from manera.generation.engine import Engine, Finished, FinishReason, Request, Token, stream
from manera.generation.guard import Guard
from manera.generation.guarded_engine import guarded
from manera.voice.manifest import Sampling


class Written(msgspec.Struct, frozen=True):
    """One generated text, how it ended, and how often its guard stepped in."""

    text: str
    reason: FinishReason
    new_tokens: int
    seconds: float
    guarded: int = 0


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
    guard: Guard | None = None,
) -> Iterator[Written]:
    """Write one text for each prompt, in their order; nothing depends on which is ready first."""
    requests = [
        Request(list(prompt), msgspec.structs.replace(sampling, seed=seed + index), adapters)
        for index, prompt in enumerate(prompts)
    ]
    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(lambda request: _write(guarded(engine, guard), request), requests)


def _write(engine: Engine, request: Request) -> Written:
    *tokens, ended = stream(engine, request)
    assert isinstance(ended, Finished)
    text = "".join(token.text for token in tokens if isinstance(token, Token))
    return Written(text, ended.reason, ended.new_tokens, ended.seconds, ended.guarded)
