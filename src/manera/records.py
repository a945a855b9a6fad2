"""The records that cross the borders between floors."""

from pathlib import Path
from typing import Literal

import msgspec

UtteranceKind = Literal["message", "post", "prose", "line"]
SplitName = Literal["train", "validation", "test"]
ExampleKind = Literal["dialogue", "post", "continuation"]
Role = Literal["system", "user", "assistant"]
Precision = Literal["float32", "bfloat16", "int8"]
MethodName = Literal["lora", "rslora", "dora", "qlora", "full"]


class Utterance(msgspec.Struct, frozen=True, omit_defaults=True):
    """One message, post, paragraph or line, as its author wrote it.

    speaker_id is stable (``user42``, or the name itself where the source has no ids);
    speaker is what people see. thread names the chat, book or scene, thread_id is the same in every
    export of it, None where the source has none; position counts up within it. sent_at is Unix
    seconds, UTC. title is what a post is called, where it has a name of its own. reply_to is the position of the
    message in the same thread that it answers, where its author named one.
    """

    speaker_id: str
    speaker: str
    text: str
    thread: str
    position: int
    kind: UtteranceKind
    source: str
    sent_at: int | None = None
    title: str | None = None
    thread_id: str | None = None
    reply_to: int | None = None

    @property
    def thread_key(self) -> str:
        """What tells threads apart."""
        return self.thread_id or self.thread


class Dropped(msgspec.Struct, frozen=True):
    """One thing that was read and is not somebody's words; reason names what it was.

    characters are counted without white space; line is where it begins in a text file, from 1, and lines is how many
    it has.
    """

    reason: str
    source: str
    characters: int = 0
    line: int | None = None
    lines: int = 1


class Cut(msgspec.Struct, frozen=True):
    """A part of something that is kept which is not the author's words; fields as in Dropped."""

    reason: str
    source: str
    characters: int
    line: int | None = None


class Mended(msgspec.Struct, frozen=True):
    """So many places that were broken in a known way, and were read all the same."""

    what: str
    source: str
    count: int


class Replaced(msgspec.Struct, frozen=True):
    """So many pieces of personal data of a kind that something else stands for in a text that is kept."""

    what: str
    source: str
    count: int


class Opened(msgspec.Struct, frozen=True):
    """A file that is read, and as what; its records follow. path: where it is on the disk."""

    kind: str
    source: str
    path: Path


class Skipped(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file that is not read; detail says more of it, or what to do about it."""

    reason: str
    source: str
    detail: str | None = None


class Owner(msgspec.Struct, frozen=True):
    """What a source knows of whose it is; is_certain when it says so itself."""

    speaker_id: str
    is_certain: bool


SourceRecord = Utterance | Dropped | Cut | Mended | Replaced | Opened | Skipped | Owner


def count_characters(text: str) -> int:
    """Count without white space, which joining lines and taking parts out changes."""
    return len("".join(text.split()))


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

    @property
    def is_learned(self) -> bool:
        """Tell whether this is a turn of the persona to learn from."""
        return self.role == "assistant" and self.weight > 0


class Example(msgspec.Struct, frozen=True, omit_defaults=True):
    """One list of messages to learn from.

    conversation: which of its part of the dataset it was cut from, or which post; None where that is not known.
    weight: how much it counts in the loss against the others, above 0. asks: what may stand in place of the first
    message: each pass over the text takes another one.
    """

    messages: tuple[Message, ...]
    conversation: int | None = None
    weight: float = 1.0
    asks: tuple[str, ...] = ()

    @property
    def targets(self) -> tuple[str, ...]:
        """What is learned: the persona's own turns."""
        return tuple(message.content for message in self.messages if message.is_learned)


class TrainingStep(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one optimizer step did; losses in nats per supervised token.

    steps: how many are expected in all: fewer than passes over the text ask for where the time is up before.
    rows_at_once: set where memory ran out in this step: so many rows go through the model at once from now on.
    """

    step: int
    steps: int
    loss: float
    tokens: int
    supervised_tokens: int
    learning_rate: float
    seconds: float
    validation_loss: float | None = None
    rows_at_once: int | None = None
