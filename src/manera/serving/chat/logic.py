"""Chat completions: from messages to choices, whole or as a stream."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence

from msgspec import UNSET

from manera.generation.engine import Finished, Request, Token
from manera.generation.reply import Prompt, Writer, prompt_of, prompt_room
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
from manera.serving.protocol import Identity, usage_of
from manera.serving.writing import Item, collect


def prompt_for(asked: ChatRequest, writer: Writer, context_length: int) -> Prompt:
    """Encode what was asked; raise GenerationError when it does not fit."""
    limit = asked.sampling(writer.sampling, 0).max_new_tokens
    messages = [message.message() for message in asked.messages]
    return prompt_of(writer, messages, prompt_room(context_length, limit))


def requests_for(asked: ChatRequest, writer: Writer, prompt: Prompt) -> list[Request]:
    """Write one request for each choice."""
    return [
        asked.request(prompt.ids, writer, choice, asked.top_logprobs if asked.logprobs else None)
        for choice in range(asked.n)
    ]


async def completion(asked: ChatRequest, called: Identity, made: AsyncGenerator[list[Item]]) -> ChatCompletion:
    """Collect every choice."""
    tokens, finished = await collect(made, asked.n)
    choices = [
        Choice(index, Reply("".join(token.text for token in written)), ended.reason, _logprobs(written))
        for index, (written, ended) in enumerate(zip(tokens, finished, strict=True))
    ]
    return ChatCompletion(called.id, called.created, called.model, choices, usage_of(finished, asked.n))


def events(asked: ChatRequest, called: Identity, made: AsyncIterator[list[Item]]) -> AsyncIterator[bytes]:
    """Yield events: the role of every choice, the tokens, why each ended, and the usage where it is wanted."""
    wants_usage = asked.stream_options.include_usage
    usage = None if wants_usage else UNSET

    def chunk(choice: ChunkChoice) -> bytes:
        return event(Chunk(called.id, called.created, called.model, [choice], usage))

    def write(index: int, item: Token | Finished) -> bytes:
        if isinstance(item, Finished):
            return chunk(ChunkChoice(index, Delta(), item.reason))
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
