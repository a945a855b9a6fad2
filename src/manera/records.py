"""The records that cross the borders between floors, and their one file format: JSON Lines."""

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

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


Record = TypeVar("Record", bound=msgspec.Struct)


def read_records(path: Path, kind: type[Record]) -> Iterator[Record]:
    """Yield the records of a JSON Lines file in order.

    Raises FileNotFoundError, and msgspec.DecodeError for a line that is not such a record.
    """
    decoder = msgspec.json.Decoder(kind)
    with path.open("rb") as lines:
        for line in lines:
            try:
                yield decoder.decode(line)
            except UnicodeDecodeError as error:
                raise msgspec.DecodeError(str(error)) from error


def write_records(path: Path, records: Iterable[msgspec.Struct]) -> int:
    """Write a JSON Lines file whole or not at all; return how many records it holds."""
    encoder = msgspec.json.Encoder()
    count = 0
    with replacing(path) as unfinished, unfinished.open("wb") as out:
        for record in records:
            out.write(encoder.encode(record))
            out.write(b"\n")
            count += 1
    return count


@contextmanager
def replacing(path: Path, mode: int = 0o600) -> Iterator[Path]:
    """Lend a file beside ``path`` that takes its place only when the block succeeds."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(descriptor)
    unfinished = Path(name)
    try:
        yield unfinished
        unfinished.chmod(mode)
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """Lend a folder beside ``folder``, 0700, that takes its place only when the block succeeds; raise OSError."""
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as unfinished:
        new, aside = Path(unfinished) / "new", Path(unfinished) / "replaced"
        new.mkdir(mode=0o700)
        yield new
        if folder.exists():
            folder.rename(aside)
        try:
            new.rename(folder)
        except BaseException:
            if aside.exists():
                aside.rename(folder)
            raise


class Fingerprint(NamedTuple):
    """The SHA-256 of a file's content, and its size in bytes."""

    sha256: str
    size: int


def fingerprint(path: Path) -> Fingerprint:
    """Hash a file's content without holding it in memory."""
    with path.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256")
        return Fingerprint(digest.hexdigest(), content.tell())
