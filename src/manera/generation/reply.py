"""From messages to a reply: chat, write and the API all ask a writer here."""

from bisect import bisect_left
from collections.abc import Generator, Sequence
from typing import NamedTuple

import msgspec
from tokenizers import Tokenizer

from manera.dataset.building import chat_template
from manera.dataset.encoding import Encoder
from manera.dataset.examples import LINE_BREAK, MESSAGE_BOUNDARY
from manera.dataset.template import ChatTemplate
from manera.errors import GenerationError, ModelError
from manera.generation.engine import Engine, Finished, PromptTooLongError, Request, Token, stream
from manera.model.base_model import BaseModel
from manera.model.voice import Sampling, Voice
from manera.records import ExampleKind, Message


class Writer(NamedTuple):
    """Who replies: a voice, or the untuned base beside it; and how prompts are made for it."""

    model: str
    kind: ExampleKind
    encoder: Encoder
    sampling: Sampling
    adapter: str | None = None
    instruction: str | None = None


class Prompt(NamedTuple):
    """Token ids to write on from; dropped_tokens of the oldest context did not fit."""

    ids: list[int]
    dropped_tokens: int = 0


class Reply(NamedTuple):
    """A reply being written: iterate its tokens, close them to cancel."""

    dropped_tokens: int
    tokens: Generator[Token | Finished]


def voice_writer(voice: Voice, tokenizer: Tokenizer) -> Writer:
    """Let a voice reply with the template it has learned; the engine knows its adapter by its name.

    Raises ModelError when its manifest was changed.
    """
    template = ChatTemplate(voice.chat_template, end_of_turn=voice.end_of_turn)
    if template.sha256 != voice.template_sha256:
        raise ModelError(f"the chat template of voice {voice.name!r} was changed", "train the voice again")
    encoder = Encoder(tokenizer, template)
    return Writer(voice.name, voice.kind, encoder, voice.sampling, voice.name, voice.instruction)


def base_writer(base: BaseModel, tokenizer: Tokenizer) -> Writer:
    """Let the base reply as it is, so that voices can be compared with it."""
    return Writer(base.id, "dialogue", Encoder(tokenizer, chat_template("dialogue")), Sampling())


def prompt_of(writer: Writer, messages: Sequence[Message], room: int) -> Prompt:
    """Encode what a writer is to answer, write about or continue, in at most ``room`` tokens.

    The oldest turns are left out where they do not fit, a system message never.
    Posts and continuations begin from the last message. Raises GenerationError.
    """
    if not messages:
        raise GenerationError("there is nothing to reply to", "send at least one message")
    if writer.kind == "continuation":
        return continuation_of(writer, messages[-1].content, room)
    if writer.kind == "post":
        topic = messages[-1].content
        text = writer.instruction.replace("{topic}", topic) if writer.instruction else topic
        return _fitting(writer.encoder, [Message("user", text)], room)
    return _fitting(writer.encoder, _joined(messages), room)


def continuation_of(writer: Writer, text: str, room: int) -> Prompt:
    """Encode running text to be continued; what does not fit is cut from its beginning."""
    ids = writer.encoder.text(text)
    kept = ids[-(room - 1) :] if ids else []
    return Prompt([writer.encoder.bos, *kept], len(ids) - len(kept))


def prompt_room(context_length: int, max_new_tokens: int) -> int:
    """Return how much of a context a prompt may take: what the reply leaves, and never less than half."""
    return max(context_length - max_new_tokens, context_length // 2)


def stream_reply(
    engine: Engine,
    writer: Writer,
    messages: Sequence[Message],
    sampling: Sampling | None = None,
    stop: Sequence[str] = (),
) -> Reply:
    """Reply to messages; raise GenerationError."""
    sampling = writer.sampling if sampling is None else sampling
    prompt = prompt_of(writer, messages, prompt_room(engine.context_length, sampling.max_new_tokens))
    request = Request(prompt.ids, sampling, writer.adapter, tuple(stop))
    return Reply(prompt.dropped_tokens, _shown(stream(engine, request)))


def shown(token: Token) -> Token:
    """Turn the line breaks inside a message into the ones that people read."""
    if LINE_BREAK not in token.text:
        return token
    return msgspec.structs.replace(token, text=token.text.replace(LINE_BREAK, "\n"))


def _shown(tokens: Generator[Token | Finished]) -> Generator[Token | Finished]:
    try:
        for item in tokens:
            yield shown(item) if isinstance(item, Token) else item
    finally:
        tokens.close()


def _joined(messages: Sequence[Message]) -> list[Message]:
    """Write messages of one side that follow each other as one turn, as the voice has learned them."""
    joined: list[Message] = []
    for message in messages:
        if joined and message.role == joined[-1].role != "system":
            burst = joined.pop().content + MESSAGE_BOUNDARY + message.content
            message = Message(message.role, burst)
        joined.append(message)
    return joined


def _fitting(encoder: Encoder, messages: Sequence[Message], room: int) -> Prompt:
    """Leave out as few of the oldest turns as will do."""

    def without(dropped: int) -> list[int]:
        return encoder.prompt([m for i, m in enumerate(messages) if i >= dropped or m.role == "system"])

    fewest = bisect_left(range(len(messages)), True, key=lambda dropped: len(without(dropped)) <= room)
    if fewest == len(messages):
        last = len(without(len(messages) - 1))
        raise PromptTooLongError(
            f"the last message and the system message take {last} tokens, and {room} fit", "write less at once"
        )
    ids = without(fewest)
    return Prompt(ids, len(without(0)) - len(ids) if fewest else 0)
