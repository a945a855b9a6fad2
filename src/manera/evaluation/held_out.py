"""What a voice is asked: held-out turns, their prompts, and what the person really wrote there."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import msgspec

from manera.bases.templates import chat_template
from manera.dataset.encoding import IGNORE_INDEX, Encoded, Encoder
from manera.errors import EvaluationError
from manera.files import read_records
from manera.records import Example, ExampleKind, Message, SplitName
from manera.voice.folder import voice_folder
from manera.voice.manifest import Voice

T = TypeVar("T")

PROMPT_WORDS = 60
REPLY_WORDS = 120
LEAST_TURNS = 8


class Task(NamedTuple):
    """What stood before, and what the person wrote then.

    conversation: what is drawn together to bound a figure: a conversation, a post, or a stretch of running text alone.
    """

    conversation: int
    messages: tuple[Message, ...]
    reply: str

    @property
    def asked(self) -> str:
        """What the reply answers, writes about or continues."""
        return self.messages[-1].content


class Scored(NamedTuple):
    """A held-out stretch to be scored: its conversation, as in ``Task``, its text before, its ids, and the bytes of
    what is supervised."""

    conversation: int
    asked: str
    encoded: Encoded
    bytes: int


@dataclass(frozen=True)
class Material:
    """A voice's own dataset."""

    voice: Voice
    training: list[Example]
    test: list[Example]


def read_material(voice: Voice) -> Material:
    """Read a voice's dataset; raise EvaluationError when it, or its held-out part, is missing or was changed."""
    return Material(voice, read_part(voice, "train"), read_part(voice, "test"))


def read_part(voice: Voice, part: SplitName) -> list[Example]:
    """Read a part of a voice's dataset; raise EvaluationError when it is missing, empty or broken."""
    path = voice_folder(voice.name) / "dataset" / f"{part}.jsonl"
    again = f"train it again: manera train CORPUS --name {voice.name} --replace"
    try:
        examples = list(read_records(path, Example))
    except FileNotFoundError as error:
        raise EvaluationError(
            f"the voice {voice.name!r} has no {path.name}: nothing held out can be read", again
        ) from error
    except msgspec.DecodeError as error:
        raise EvaluationError(f"{path} holds a line that is no example: {error}", again) from error
    if not examples:
        raise EvaluationError(f"{path} is empty, so {voice.name!r} has nothing to be measured on", again)
    return examples


def require_unchanged(voice: Voice) -> None:
    """Raise EvaluationError when the dataset is not the one that the voice was trained on."""
    import hashlib

    from manera.files import fingerprint

    digest = hashlib.sha256()
    parts: tuple[SplitName, ...] = ("train", "validation", "test")
    for part in parts:
        path = voice_folder(voice.name) / "dataset" / f"{part}.jsonl"
        if path.is_file():
            digest.update(fingerprint(path).sha256.encode())
    if digest.hexdigest() != voice.dataset_sha256:
        raise EvaluationError(
            f"the dataset of {voice.name!r} was changed after training, so what was held out is not known",
            f"train it again: manera train CORPUS --name {voice.name} --replace",
        )


def tasks(examples: Sequence[Example], kind: ExampleKind) -> list[Task]:
    """Return every held-out turn that answers something; running text is cut into prompts and what follows."""
    found = _continuations(examples) if kind == "continuation" else _replies(examples)
    return list(found)


def _replies(examples: Sequence[Example]) -> Iterator[Task]:
    for index, example in enumerate(examples):
        for place, message in enumerate(example.messages):
            before = example.messages[:place]
            if message.is_learned and before and before[-1].role == "user":
                yield Task(_conversation(example, index), before, message.content)


def _conversation(example: Example, index: int) -> int:
    """Number a conversation; of voices trained before that was noted every example is one of its own."""
    return index if example.conversation is None else example.conversation


def _continuations(examples: Sequence[Example]) -> Iterator[Task]:
    stretch = PROMPT_WORDS + REPLY_WORDS
    number = 0
    for example in examples:
        words = example.messages[0].content.split(" ")
        for start in range(0, len(words) - stretch + 1, stretch):
            before = " ".join(words[start : start + PROMPT_WORDS])
            yield Task(
                number, (Message("user", before),), " " + " ".join(words[start + PROMPT_WORDS : start + stretch])
            )
            number += 1


def spread(items: Sequence[T], most: int) -> list[T]:
    """Take so many evenly over all, in their order."""
    if len(items) <= most:
        return list(items)
    return [items[index * len(items) // most] for index in range(most)]


def prompt_ids(encoder: Encoder, kind: ExampleKind, task: Task) -> list[int]:
    """Encode what a model writes on from."""
    if kind == "continuation":
        return [encoder.bos, *encoder.text(task.asked)]
    return encoder.prompt(task.messages)


def to_score(examples: Sequence[Example], kind: ExampleKind, encoder: Encoder, max_length: int) -> list[Scored]:
    """Encode held-out stretches just as training encodes them."""
    if kind == "continuation":
        return list(_windows(examples, encoder, max_length))
    found = []
    for index, example in enumerate(examples):
        own = [message.content for message in example.messages if message.is_learned]
        first = next(i for i, message in enumerate(example.messages) if message.is_learned)
        asked = example.messages[first - 1].content if first else ""
        found.append(
            Scored(
                _conversation(example, index), asked, encoder.example(example), sum(len(text.encode()) for text in own)
            )
        )
    return found


def _windows(examples: Sequence[Example], encoder: Encoder, max_length: int) -> Iterator[Scored]:
    number = 0
    for example in examples:
        before = ""
        for window in encoder.windows(example.messages[0].content, max_length):
            text = encoder.decode(window.input_ids)
            if text:
                yield Scored(number, before, window, len(text.encode()))
                number += 1
            before = " ".join(text.split()[-PROMPT_WORDS:])


def beginning(scored: Scored, tokens: int, encoder: Encoder) -> Scored:
    """Cut a stretch of running text down to its first tokens, if it has more."""
    if len(scored.encoded.input_ids) <= tokens:
        return scored
    encoded = Encoded(scored.encoded.input_ids[:tokens], scored.encoded.labels[:tokens])
    return scored._replace(encoded=encoded, bytes=len(encoder.decode(encoded.input_ids).encode()))


def within(sizes: Mapping[int, int], most_tokens: int) -> list[int]:
    """Choose places of stretches, spread over all of them, that hold so many tokens together at most; one at least.

    sizes: the tokens at each place.
    """
    total = sum(sizes.values())
    return spread(list(sizes), max(1, len(sizes) * most_tokens // total) if total > most_tokens else len(sizes))


def after_prefix(scored: Scored, prefix: Sequence[int]) -> Encoded:
    """Put something before a stretch that is read and not scored, behind the one BOS."""
    ids, labels = scored.encoded.input_ids, scored.encoded.labels
    return Encoded([ids[0], *prefix, *ids[1:]], [labels[0], *[IGNORE_INDEX] * len(prefix), *labels[1:]])


def plain_encoder(voice: Voice, encoder: Encoder) -> Encoder:
    """Return the template that an untrained base reads best, whatever the voice has learned."""
    return Encoder(encoder.tokenizer, chat_template(voice.kind, voice.base))
