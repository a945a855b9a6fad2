"""Completions: running text, continued; whole or as a stream."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence

from msgspec import UNSET

from manera.generation.engine import Finished, Token
from manera.generation.reply import Prompt, Writer, continuation_of, prompt_room
from manera.serving.completions.protocol import Choice, ChoiceLogprobs, Completion, CompletionRequest
from manera.serving.events import as_events, event
from manera.serving.protocol import BadRequestError, Identity, usage_of
from manera.serving.writing import Item, collect


def prompts_for(asked: CompletionRequest, writer: Writer, context_length: int) -> list[Prompt]:
    """Encode every prompt; what does not fit is cut from its beginning. Raises BadRequestError."""
    vocabulary = writer.encoder.tokenizer.get_vocab_size()
    asked.require_sense(vocabulary)
    room = prompt_room(context_length, asked.sampling(writer.sampling, 0).max_new_tokens)
    return [
        continuation_of(writer, prompt, room) if isinstance(prompt, str) else _of_ids(writer, prompt, vocabulary, room)
        for prompt in asked.prompts
    ]


def _of_ids(writer: Writer, ids: list[int], vocabulary: int, room: int) -> Prompt:
    """Take token ids as they are, opened by one BOS."""
    if max(ids) >= vocabulary:
        raise BadRequestError("prompt", f"there is no token {max(ids)}: there are {vocabulary}")
    bos = writer.encoder.bos
    body = ids[1:] if ids[0] == bos else ids
    kept = body[-(room - 1) :]
    return Prompt([bos, *kept], len(body) - len(kept))


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
