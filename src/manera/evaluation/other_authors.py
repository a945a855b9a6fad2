"""The others that a verifier tells an author from: who they are decides what likeness means.

Best are people in the same conversations; beside them stand what other voices on this machine were trained on, and
the invented authors that every installation has. Whom the report used, it names.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from manera.dataset.examples import messages_of
from manera.errors import ModelError
from manera.evaluation.measures.pieces import Writing
from manera.evaluation.voice_dataset import own_writing
from manera.files import read_records
from manera.records import Example
from manera.text.languages import language_of
from manera.voice.dataset import dataset_file
from manera.voice.folder import voice_names
from manera.voice.manifest import Voice, read_voice

BUNDLED = Path(__file__).parent / "texts" / "distractors.jsonl"
SAME_CONVERSATIONS = "same_conversations"
UNTRAINED_BASE = "untrained_base"
OTHER_VOICE = "voice"
"""The ids of others who are not called by a name; of another voice its name follows, as in ``voice.anna``."""

MIN_CHARACTERS = 3000
MAX_AUTHORS = 8
LONG_TEXT = 40
SAME_AUTHOR_SHARE = 0.02
_NAMED = re.compile(r"^[^:\n]{1,40}: ")


class Author(msgspec.Struct, frozen=True):
    """Somebody's conversations, each as messages."""

    name: str
    language: str
    conversations: tuple[tuple[str, ...], ...]


def long_texts(writing: Writing) -> set[str]:
    """Return what is too long to be written twice by chance."""
    return {text for talk in writing for text in talk if len(text) >= LONG_TEXT}


def find_others(voice: Voice, training: Sequence[Example]) -> dict[str, Writing]:
    """Collect others who write the voice's language, nearest first; nobody who may be the author."""
    own = own_writing(training)
    long = long_texts(own)
    language = language_of(text for talk in own for text in talk)
    found: dict[str, Writing] = {}
    for author in (*_same_conversations(voice, training), *_other_voices(voice), *_bundled()):
        if len(found) == MAX_AUTHORS:
            break
        texts = [text for talk in author.conversations for text in talk]
        repeated = sum(text in long for text in texts) > SAME_AUTHOR_SHARE * len(texts)
        enough = sum(map(len, texts)) >= MIN_CHARACTERS
        if enough and not repeated and language_of(text for talk in author.conversations for text in talk) == language:
            found[author.name] = author.conversations
    return found


def _same_conversations(voice: Voice, training: Sequence[Example]) -> Iterator[Author]:
    if voice.kind != "dialogue":
        return
    said = [
        [text for message in example.messages if message.role == "user" for text in messages_of(message.content)]
        for example in training
    ]
    names = _names(training)
    talks = tuple(tuple(_unnamed(text, names) for text in talk) for talk in said)
    yield Author(SAME_CONVERSATIONS, "", talks)


def _names(training: Sequence[Example]) -> frozenset[str]:
    """Return who the others are where each turn says it, as in a chat of several; nobody where some do not."""
    asked = [message.content for example in training for message in example.messages if message.role == "user"]
    found = [_NAMED.match(content) for content in asked]
    return frozenset(match[0] for match in found if match) if all(found) else frozenset()


def _unnamed(text: str, names: frozenset[str]) -> str:
    """Take away the name before what somebody says."""
    match = _NAMED.match(text)
    return text[match.end() :] if match and match[0] in names else text


def _other_voices(voice: Voice) -> Iterator[Author]:
    """Read what other voices on this machine learned from, those of the same kind first."""
    others = []
    for name in voice_names():
        with suppress(ModelError):  # one broken manifest is no reason to leave a good voice unmeasured
            others.append(read_voice(name))
    seen = {voice.persona.name}
    for other in sorted(others, key=lambda other: other.kind != voice.kind):
        if other.persona.name in seen:
            continue
        try:
            writing = own_writing(list(read_records(dataset_file(other.name, "train"), Example)))
        except (FileNotFoundError, msgspec.DecodeError):  # nor is a broken dataset
            continue
        seen.add(other.persona.name)
        yield Author(f"{OTHER_VOICE}.{other.name}", "", tuple(tuple(talk) for talk in writing))


def bundled_texts(language: str, without: str) -> Iterator[str]:
    """Yield what the invented authors wrote in a language, without one whose name has this in it."""
    for author in _bundled():
        if author.language == language and without not in author.name:
            yield from (text for talk in author.conversations for text in talk)


def _bundled() -> Iterator[Author]:
    return read_records(BUNDLED, Author)
