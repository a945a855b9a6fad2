"""From messages to a reply: chat, write and the API all ask a writer here."""

from bisect import bisect_left
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import cache
from typing import NamedTuple

import msgspec
from tokenizers import Tokenizer

from manera.bases.base_model import BaseModel
from manera.bases.templates import chat_template
from manera.dataset.encoding import Encoder
from manera.dataset.examples import LINE_BREAK, MESSAGE_BOUNDARY
from manera.dataset.recalled import RecalledForm
from manera.dataset.template import knows_system
from manera.errors import GenerationError, ModelError
from manera.generation.drafting import DraftingEngine, with_drafts
from manera.generation.engine import Engine, Finished, PromptTooLongError, Request, Token, stream
from manera.generation.guard import Guard
from manera.generation.guarded_engine import guarded
from manera.records import ExampleKind, Message
from manera.retrieval.origins import TrainingIndex, persona_messages
from manera.retrieval.own_exchanges import OwnExchanges, open_exchanges
from manera.text.languages import script
from manera.voice.dataset import training_examples, training_texts
from manera.voice.manifest import Sampling, Voice

BETWEEN_NOTES, AFTER_NOTES = "\n", "\n\n"
"""How system messages open a dialogue as plain text."""

NOTE_MESSAGES = 6
NOTE_CHARACTERS = 160
"""Of the messages in a persona's note, how many, and how long at most."""


class Writer(NamedTuple):
    """Who replies: a voice, or the untuned base beside it; and how prompts are made for it.

    guard: what a reply may not be; None lets everything through. origins: makes, once, the index of the training
    messages, in which those nearest to a reply are found. exchanges: opens, once, what the persona answered to whom.
    is_merged: what was learned is in the weights of a model, where it can be neither weighed nor mixed. turns,
    recalled: as the voice's format has them.
    """

    model: str
    kind: ExampleKind
    encoder: Encoder
    sampling: Sampling
    adapters: Mapping[str, float] = {}
    instruction: str | None = None
    guard: Guard | None = None
    origins: Callable[[], TrainingIndex] | None = None
    exchanges: Callable[[], OwnExchanges] | None = None
    is_merged: bool = False
    turns: int | None = None
    recalled: RecalledForm = "turns"


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
    template = voice.template
    if template.sha256 != voice.template_sha256:
        raise ModelError(f"the chat template of voice {voice.name!r} was changed", "train the voice again")
    encoder = Encoder(tokenizer, template)
    guard = Guard(encoder, lambda: training_texts(voice.name), voice.fillers)
    origins = cache(lambda: TrainingIndex(persona_messages(training_examples(voice.name))))
    return Writer(
        voice.name,
        voice.kind,
        encoder,
        voice.sampling,
        {voice.name: 1.0},
        voice.instruction,
        guard,
        origins=origins,
        exchanges=cache(lambda: open_exchanges(voice.name)),
        turns=voice.turns,
        recalled=voice.recalled,
        is_merged=voice.recipe.stands_alone,
    )


def base_writer(base: BaseModel, tokenizer: Tokenizer) -> Writer:
    """Let the base reply as it is, so that voices can be compared with it."""
    return Writer(base.id, "dialogue", Encoder(tokenizer, chat_template("dialogue", base)), Sampling())


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
    return _fitting(writer.encoder, _read(_joined(messages), writer.turns), room)


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
    """Reply to messages under the writer's guard; raise GenerationError."""
    sampling = with_drafts(writer.sampling if sampling is None else sampling, engine.drafts)
    prompt = prompt_of(writer, messages, prompt_room(engine.context_length, sampling.max_new_tokens))
    request = Request(prompt.ids, sampling, writer.adapters, tuple(stop))
    return Reply(prompt.dropped_tokens, _shown(stream(writing(engine, writer), request)))


def writing(engine: Engine, writer: Writer) -> DraftingEngine:
    """Let an engine write as a writer does: under its guard, and of several drafts the best."""
    return DraftingEngine(guarded(engine, writer.guard), engine, writer.encoder, _asking_nothing(writer))


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


def _asking_nothing(writer: Writer) -> list[int]:
    """Encode a prompt that a writer meets nothing in but its own turn."""
    if writer.kind == "continuation":
        return [writer.encoder.bos]
    return writer.encoder.prompt([Message("user", "")])


def _joined(messages: Sequence[Message]) -> list[Message]:
    """Write messages of one side that follow each other as one turn, as the voice has learned them."""
    joined: list[Message] = []
    for message in messages:
        if joined and message.role == joined[-1].role != "system":
            burst = joined.pop().content + MESSAGE_BOUNDARY + message.content
            message = Message(message.role, burst)
        joined.append(message)
    return joined


def _read(messages: Sequence[Message], turns: int | None) -> list[Message]:
    """Leave out earlier turns, where a voice has learned to answer so many."""
    said = [place for place, message in enumerate(messages) if message.role != "system"]
    unread = said[:-turns] if turns else []
    return [message for place, message in enumerate(messages) if place not in unread]


def _fitting(encoder: Encoder, messages: Sequence[Message], room: int) -> Prompt:
    """Leave out as few of the oldest turns as will do."""

    def without(dropped: int) -> list[int]:
        return _ids(encoder, [m for i, m in enumerate(messages) if i >= dropped or m.role == "system"])

    fewest = bisect_left(range(len(messages)), True, key=lambda dropped: len(without(dropped)) <= room)
    if fewest == len(messages):
        last = len(without(len(messages) - 1))
        raise PromptTooLongError(
            f"the last message and the system message take {last} tokens, and {room} fit", "write less at once"
        )
    ids = without(fewest)
    return Prompt(ids, len(without(0)) - len(ids) if fewest else 0)


def _ids(encoder: Encoder, messages: Sequence[Message]) -> list[int]:
    """Encode a conversation; where the template has no form for system messages, they open it as plain text.

    Written as a turn of the other side, which such a template would make of them, they are read as something said.
    """
    notes = [message.content for message in messages if message.role == "system"]
    if not notes or knows_system(encoder.template):
        return encoder.prompt(messages)
    ids = encoder.prompt([message for message in messages if message.role != "system"])
    return [ids[0], *encoder.text(BETWEEN_NOTES.join(notes) + AFTER_NOTES), *ids[1:]]


def persona_note(voice: Voice) -> Message:
    """Write a note from which a base that never met the persona can tell how they write: some of their messages.

    A description alone made held-out replies less likely, and messages made them more likely.
    """
    known = [m.text for m in persona_messages(training_examples(voice.name)) if len(m.text) <= NOTE_CHARACTERS]
    shown = known[:: max(1, len(known) // NOTE_MESSAGES)][:NOTE_MESSAGES]
    name = voice.persona.name
    heading = f"Так пишет {name}:" if script(name[0]) == "CYRILLIC" else f"This is how {name} writes:"
    return Message("system", "\n".join((heading, *shown)))
