"""The others that a verifier tells an author from: who they are decides what likeness means.

Best are people in the same conversations; beside them stand what other voices on this machine were trained on, and
the invented authors that every installation has. Whom the report used, it names.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from manera.dataset.examples import messages_of
from manera.errors import ModelError
from manera.evaluation.likeness import Writing
from manera.model.voice import Voice, list_voices, voice_folder
from manera.records import Example, read_records

BUNDLED = Path(__file__).parent / "texts" / "distractors.jsonl"
SAME_CONVERSATIONS = "the other side of the same conversations"
LEAST_CHARACTERS = 3000
MOST_AUTHORS = 8
LONG_TEXT = 40
SAME_AUTHOR_SHARE = 0.02
_NAMED = re.compile(r"^[^:\n]{1,40}: ")


class Author(msgspec.Struct, frozen=True):
    """Somebody's conversations, each as messages."""

    name: str
    language: str
    conversations: tuple[tuple[str, ...], ...]


def own_writing(examples: Sequence[Example]) -> list[list[str]]:
    """Return what the persona wrote, message by message, conversation by conversation."""
    return [
        [text for message in example.messages if message.role == "assistant" and message.weight
         for text in messages_of(message.content) if text.strip()]
        for example in examples
    ]  # fmt: skip


def gather(voice: Voice, training: Sequence[Example]) -> dict[str, Writing]:
    """Collect others who write the voice's language, nearest first; nobody who may be the author."""
    own = own_writing(training)
    long = {text for talk in own for text in talk if len(text) >= LONG_TEXT}
    language = language_of(own)
    found: dict[str, Writing] = {}
    for author in (*_same_conversations(voice, training), *_other_voices(voice), *_bundled()):
        if len(found) == MOST_AUTHORS:
            break
        texts = [text for talk in author.conversations for text in talk]
        repeated = sum(text in long for text in texts) > SAME_AUTHOR_SHARE * len(texts)
        enough = sum(map(len, texts)) >= LEAST_CHARACTERS
        if enough and not repeated and language_of(author.conversations) == language:
            found[author.name] = author.conversations
    return found


def language_of(writing: Writing) -> str:
    """Tell Russian from English by the letters that are more."""
    letters = "".join(text for talk in writing for text in talk).lower()
    cyrillic = sum("а" <= letter <= "ё" for letter in letters)
    latin = sum("a" <= letter <= "z" for letter in letters)
    return "ru" if cyrillic >= latin else "en"


def _same_conversations(voice: Voice, training: Sequence[Example]) -> Iterator[Author]:
    if voice.kind != "dialogue":
        return
    talks = tuple(
        tuple(_NAMED.sub("", text) for message in example.messages if message.role == "user"
              for text in messages_of(message.content) if text.strip())
        for example in training
    )  # fmt: skip
    yield Author(SAME_CONVERSATIONS, "", talks)


def _other_voices(voice: Voice) -> Iterator[Author]:
    """Read what other voices on this machine learned from, those of the same kind first."""
    try:
        others = [other for other in list_voices() if other.persona.name != voice.persona.name]
    except ModelError:  # one broken manifest is no reason to leave a good voice unmeasured
        return
    seen: set[str] = set()
    for other in sorted(others, key=lambda other: other.kind != voice.kind):
        path = voice_folder(other.name) / "dataset" / "train.jsonl"
        if other.persona.name not in seen and path.is_file():
            seen.add(other.persona.name)
            writing = own_writing(list(read_records(path, Example)))
            yield Author(f"the voice {other.name}", "", tuple(tuple(talk) for talk in writing))


def _bundled() -> Iterator[Author]:
    return read_records(BUNDLED, Author)
