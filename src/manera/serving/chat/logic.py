"""Chat completions: from messages to choices, whole or as a stream."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence

from msgspec import UNSET, UnsetType

from manera.generation.engine import Finished, Token
from manera.generation.reply import Prompt, Writer, prompt_of, prompt_room
from manera.records import Message
from manera.retrieval.origins import Origin
from manera.serving.chat.protocol import (
    Alternative,
    ChatCompletion,
    ChatRequest,
    Choice,
    ChoiceLogprobs,
    Chunk,
    ChunkChoice,
    Delta,
    Reply,
    TokenLogprob,
)
from manera.serving.events import as_events, event
from manera.serving.memory.protocol import Remembered
from manera.serving.protocol import BadRequestError, Identity, usage_of
from manera.serving.writing import Item, collect

Fit = Callable[[Writer, Sequence[Message], int], Prompt]
Tell = Callable[[], Remembered | UnsetType]


def nothing() -> UnsetType:
    """Tell of a reply for which nothing was remembered."""
    return UNSET


def prompt_for(asked: ChatRequest, writer: Writer, context_length: int, fit: Fit = prompt_of) -> Prompt:
    """Encode what was asked; raise BadRequestError, and GenerationError when it does not fit."""
    asked.require_sense(writer.encoder.tokenizer.get_vocab_size())
    limit = asked.sampling(writer.sampling, 0).max_new_tokens
    messages = asked.spoken()
    if asked.persona_note is not None:
        if writer.kind != "dialogue":
            raise BadRequestError("persona_note", f"{writer.model!r} does not talk: it has learned no system message")
        messages.insert(0, Message("system", asked.persona_note))
    return fit(writer, messages, prompt_room(context_length, limit))


async def completion(
    asked: ChatRequest, writer: Writer, called: Identity, tell: Tell, made: AsyncGenerator[list[Item]]
) -> ChatCompletion:
    """Collect every choice."""
    tokens, finished = await collect(made, asked.n)
    texts = ["".join(token.text for token in written) for written in tokens]
    origins: Sequence[list[Origin] | UnsetType] = [UNSET] * asked.n
    if asked.explain:  # beside the event loop: the index is made with the first question
        origins = await asyncio.to_thread(_origins, writer, texts, asked.explain)
    choices = [
        Choice(index, Reply(text), ended.reason, _logprobs(written), near)
        for index, (text, written, ended, near) in enumerate(zip(texts, tokens, finished, origins, strict=True))
    ]
    usage = usage_of(finished, asked.n)
    return ChatCompletion(called.id, called.created, called.model, choices, usage, memory=tell())


def _origins(writer: Writer, texts: Sequence[str], count: int) -> list[list[Origin]]:
    """Find the training messages nearest to each text; the untuned base has none."""
    return [[] if writer.origins is None else writer.origins().nearest(text, count) for text in texts]


def events(asked: ChatRequest, called: Identity, tell: Tell, made: AsyncIterator[list[Item]]) -> AsyncIterator[bytes]:
    """Yield events: the role of every choice, the tokens, why each ended, and the usage where it is wanted.

    What is told of memory comes with the end of the first choice, which is the one that is kept.
    """
    wants_usage = asked.stream_options.include_usage
    usage = None if wants_usage else UNSET

    def chunk(choice: ChunkChoice, memory: Remembered | UnsetType = UNSET) -> bytes:
        return event(Chunk(called.id, called.created, called.model, [choice], usage, memory=memory))

    def write(index: int, item: Token | Finished) -> bytes:
        if isinstance(item, Finished):
            return chunk(ChunkChoice(index, Delta(), item.reason), tell() if index == 0 else UNSET)
        return chunk(ChunkChoice(index, Delta(item.text), None, _logprobs([item])))

    def close(finished: list[Finished]) -> bytes:
        if not wants_usage:
            return b""
        return event(Chunk(called.id, called.created, called.model, [], usage_of(finished, asked.n)))

    opening = b"".join(chunk(ChunkChoice(index, Delta("", "assistant"))) for index in range(asked.n))
    return as_events(made, opening, write, close)


def _logprobs(tokens: Sequence[Token]) -> ChoiceLogprobs | None:
    told = [
        TokenLogprob(
            token.text,
            token.logprob,
            list(token.text.encode()),
            [Alternative(text, logprob, list(text.encode())) for text, logprob in token.top],
        )
        for token in tokens
        if token.logprob is not None
    ]
    return ChoiceLogprobs(told) if told else None
