"""The records that cross the borders between floors."""

from typing import Literal

import msgspec

UtteranceKind = Literal["message", "post", "prose", "line"]
SplitName = Literal["train", "validation", "test"]
ExampleKind = Literal["dialogue", "post", "continuation"]
Role = Literal["system", "user", "assistant"]


class Utterance(msgspec.Struct, frozen=True, omit_defaults=True):
    """One message, post, paragraph or line, as its author wrote it.

    speaker_id is stable (``user42``, or the name itself where the source has no ids);
    speaker is what people see. thread names the chat, book or scene; position counts up
    within it and is what reply_to refers to. sent_at is Unix seconds, UTC.
    title is what a post is called, where it has a name of its own.
    """

    speaker_id: str
    speaker: str
    text: str
    thread: str
    position: int
    kind: UtteranceKind
    source: str
    sent_at: int | None = None
    reply_to: int | None = None
    title: str | None = None


class Dropped(msgspec.Struct, frozen=True):
    """One thing that was read and is not somebody's words; reason names what it was."""

    reason: str
    source: str


class Owner(msgspec.Struct, frozen=True):
    """What a source knows of whose it is; is_certain when it says so itself."""

    speaker_id: str
    is_certain: bool


SourceRecord = Utterance | Dropped | Owner


class Turn(msgspec.Struct, frozen=True):
    """Adjacent utterances of one speaker; a burst keeps its message boundaries."""

    speaker_id: str
    speaker: str
    texts: tuple[str, ...]


class Conversation(msgspec.Struct, frozen=True):
    """A stretch of one thread without a long silence; title is that of a post."""

    thread: str
    kind: UtteranceKind
    turns: tuple[Turn, ...]
    started_at: int | None = None
    title: str | None = None


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """One message in the API's shape; weight 0 marks an assistant turn that is only context."""

    role: Role
    content: str
    weight: int = 1


class Example(msgspec.Struct, frozen=True, omit_defaults=True):
    """One list of messages to learn from.

    conversation: which of its part of the dataset it was cut from, or which post; None where that is not known.
    """

    messages: tuple[Message, ...]
    conversation: int | None = None


class TrainingStep(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one optimizer step did; losses in nats per supervised token.

    steps: how many are expected in all: fewer than passes over the text ask for where the time is up before.
    """

    step: int
    steps: int
    loss: float
    tokens: int
    supervised_tokens: int
    learning_rate: float
    seconds: float
    validation_loss: float | None = None
