"""Completions: running text, continued; whole or as a stream."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence

from msgspec import UNSET

from manera.generation.engine import Finished, Request, Token
from manera.generation.reply import Prompt, Writer, continuation_of, prompt_room
from manera.serving.completions.protocol import Choice, ChoiceLogprobs, Completion, CompletionRequest
from manera.serving.events import as_events, event
from manera.serving.protocol import Identity, usage_of
from manera.serving.writing import Item, collect


def prompts_for(asked: CompletionRequest, writer: Writer, context_length: int) -> list[Prompt]:
    """Encode every prompt; what does not fit is cut from its beginning."""
    room = prompt_room(context_length, asked.sampling(writer.sampling, 0).max_new_tokens)
    return [continuation_of(writer, text, room) for text in asked.prompts]


def requests_for(asked: CompletionRequest, writer: Writer, prompts: Sequence[Prompt]) -> list[Request]:
    """Write one request for each choice of each prompt, in this order."""
    return [
        asked.request(prompt.ids, writer, choice, asked.logprobs) for prompt in prompts for choice in range(asked.n)
    ]


async def completion(asked: CompletionRequest, called: Identity, made: AsyncGenerator[list[Item]]) -> Completion:
    """Collect every choice."""
    tokens, finished = await collect(made, asked.n * len(asked.prompts))
    choices = [
        Choice(index, "".join(token.text for token in written), ended.reason, _logprobs(written))
        for index, (written, ended) in enumerate(zip(tokens, finished, strict=True))
    ]
    return Completion(called.id, called.created, called.model, choices, usage_of(finished, asked.n))


def events(asked: CompletionRequest, called: Identity, made: AsyncIterator[list[Item]]) -> AsyncIterator[bytes]:
    """Yield events: the tokens, why each choice ended, and the usage where it is wanted."""
    wants_usage = asked.stream_options.include_usage
    usage = None if wants_usage else UNSET
    offsets = [0] * (asked.n * len(asked.prompts))

    def write(index: int, item: Token | Finished) -> bytes:
        if isinstance(item, Finished):
            choice = Choice(index, "", item.reason)
        else:
            choice = Choice(index, item.text, None, _logprobs([item], offsets[index]))
            offsets[index] += len(item.text)
        return event(Completion(called.id, called.created, called.model, [choice], usage))

    def close(finished: list[Finished]) -> bytes:
        if not wants_usage:
            return b""
        return event(Completion(called.id, called.created, called.model, [], usage_of(finished, asked.n)))

    return as_events(made, b"", write, close)


def _logprobs(tokens: Sequence[Token], offset: int = 0) -> ChoiceLogprobs | None:
    told = ChoiceLogprobs([], [], [], [])
    for token in tokens:
        if token.logprob is not None:
            told.tokens.append(token.text)
            told.token_logprobs.append(token.logprob)
            told.top_logprobs.append(dict(token.top))
            told.text_offset.append(offset)
        offset += len(token.text)
    return told if told.tokens else None
