"""What a model from nothing learns from, and what it is measured on: the splits of a corpus as running text."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from manera.corpus.manifest import Speaker
from manera.corpus.storage import Corpus
from manera.dataset import examples
from manera.dataset.formats.format import read_format
from manera.dataset.template import render
from manera.errors import CorpusError
from manera.lab.tokenizers import EOS
from manera.records import Conversation, Example, ExampleKind, Message
from manera.text.languages import language_of
from manera.training.material import divide

MIN_CHARACTERS = {"train": 2000, "validation": 100, "test": 100}
"""Below these nothing that is learned from nothing can be told from chance."""

_PART = 1200
"""Characters from which on a post is learned in parts."""

_FORMATS: dict[ExampleKind, str] = {"dialogue": "dialogue", "post": "post", "continuation": "prose"}


class TextSplits(NamedTuple):
    """Whole texts, each in one part alone. validation: what a model is chosen by. test: what it is judged by."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...] = ()


def texts_of(corpus: Corpus, speaker: Speaker) -> TextSplits:
    """Write each part of a corpus, split as for a voice of the speaker, as a base that was taught no turns reads it.

    Prose is what the speaker wrote; a post has what asks for it before it, a talk the turns of both sides. Raises
    CorpusError where there is too little.
    """
    parts = divide(corpus, speaker).conversations
    kind = examples.example_kind(parts["train"], speaker.speaker_id) if parts["train"] else "continuation"
    train, validation, test = (tuple(_written(parts[name], speaker, kind)) for name in ("train", "validation", "test"))
    texts = TextSplits(train, validation, test)
    require_enough(texts, f"what {speaker.name} wrote in {corpus.folder}")
    return texts


def require_enough(texts: TextSplits, what: str) -> None:
    """Raise CorpusError where there is too little to learn from, or nothing to measure on."""
    characters = {name: sum(map(len, getattr(texts, name))) for name in MIN_CHARACTERS}
    is_one_piece = not characters["test"] and sum(characters.values()) >= sum(MIN_CHARACTERS.values())
    for name, least in MIN_CHARACTERS.items():
        if characters[name] < least:
            raise CorpusError(
                f"{what} has {characters[name]:,} characters for {name}, and a model from nothing needs {least:,}",
                "it is one paragraph, of which no part can be held out: break it into several"
                if is_one_piece
                else "give it more text, a hundred pages are little; or train a pretrained base: manera train",
            )


def _written(talks: Sequence[Conversation], speaker: Speaker, kind: ExampleKind) -> Iterator[str]:
    """Write conversations in the plain format of their kind; what ends a turn is the token that ends a text."""
    template = read_format(_FORMATS[kind]).chat_template("", EOS)
    for messages in _messages(talks, speaker.speaker_id, kind):
        text = "".join(piece.text for piece in render(template, messages))
        yield text.removesuffix("\n").removesuffix(EOS)


def _messages(talks: Sequence[Conversation], speaker_id: str, kind: ExampleKind) -> Iterator[Sequence[Message]]:
    made: Iterator[Example]
    if kind == "continuation":
        made = (examples.prose(talk, speaker_id) for talk in talks)
    elif kind == "post":
        language = language_of(text for talk in talks for turn in talk.turns for text in turn.texts)
        made = examples.posts(talks, speaker_id, examples.INSTRUCTIONS[language], lambda text: len(text) <= _PART)
    else:
        yield from (examples.conversation_messages(talk, speaker_id) for talk in talks)
        return
    yield from (example.messages for example in made)


def split_text(text: str, share: float = 0.1) -> TextSplits:
    """Hold out the last stretch of one text for the test, and the one before it for validation; lines stay whole."""
    parts: tuple[list[str], list[str], list[str]] = ([], [], [])
    seen = 0
    for line in text.splitlines(keepends=True):
        parts[(seen >= len(text) * (1 - 2 * share)) + (seen >= len(text) * (1 - share))].append(line)
        seen += len(line)
    train, validation, test = (("".join(part),) if part else () for part in parts)
    return TextSplits(train, validation, test)
