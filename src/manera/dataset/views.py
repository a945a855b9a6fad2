"""Several ways to ask for one post, in its own words, so that little text is learned from more sides.

A post is learned as often as ever, and in the same steps: what changes from pass to pass is how it is asked for.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from manera.dataset.lexing import in_sentence, is_word, names, pieces
from manera.records import Example, Message
from manera.text.languages import language_of
from manera.text.stems import content_stems

VIEWS = ("topic", "key words", "first line", "opening", "question")
"""In the order in which they are added: the topic is how a post is asked for anyway."""

QUOTED = {"ru": "«{line}»", "en": "“{line}”"}

MAX_KEY_WORDS = 4
MIN_LETTERS = 3
OPENING_WORDS = 8
MAX_LINE_WORDS = 12
MAX_GIVEN = 1 / 3
"""Of a post's words, how many may stand in its opening or its first line: the others are left to be written."""

_SENTENCE = re.compile(r".+?[.!?…]+(?=\s|$)|.+")


def views(texts: Sequence[str], questions: Mapping[str, str]) -> Iterator[list[str | None]]:
    """Yield for each post what stands in place of its topic, in the order of VIEWS after that; None where it has none.

    questions: of some posts, by their text.
    """
    listed = _key_words([pieces(text) for text in texts])
    for text, key_words in zip(texts, listed, strict=True):
        yield [key_words, _first_line(text), _opening(text), questions.get(text)]


def asked_as(example: Example, way: int) -> Example:
    """Return an example as it is asked for in one of its ways, counted around."""
    if not example.asks:
        return example
    first, *others = example.messages
    asked = (first.content, *example.asks)[way % (1 + len(example.asks))]
    return msgspec.structs.replace(example, messages=(Message(first.role, asked), *others))


def _key_words(texts: Sequence[Sequence[str]]) -> Iterator[str | None]:
    """List the most telling words of each text, as they first stand there and in that order."""
    named = names(texts)
    found = [[(stem, word) for word in text if (stem := _stem(word))] for text in texts]
    counted = [Counter(stem for stem, _ in words) for words in found]
    spread = Counter(stem for counts in counted for stem in counts)
    for words, counts in zip(found, counted, strict=True):
        weight = {stem: count * math.log((1 + len(texts)) / spread[stem]) for stem, count in counts.items()}
        best = sorted(weight, key=lambda stem: (-weight[stem], stem))[:MAX_KEY_WORDS]
        first: dict[str, str] = {}
        for stem, word in words:
            if stem in best:
                first.setdefault(stem, word)
        yield ", ".join(in_sentence(word, named) for word in first.values()) or None


def _stem(word: str) -> str | None:
    if not is_word(word) or len(word) < MIN_LETTERS:
        return None
    return next(iter(content_stems(word)), None)


def _first_line(text: str) -> str | None:
    """Quote the first sentence, where it is short and not most of the text."""
    line = _SENTENCE.match(text.lstrip().partition("\n")[0])
    words = line.group().split() if line else []
    if not 1 < len(words) <= min(MAX_LINE_WORDS, MAX_GIVEN * len(text.split())):
        return None
    return QUOTED[language_of([text])].format(line=" ".join(words))


def _opening(text: str) -> str | None:
    """Return the first words, to be gone on with."""
    words = text.split()
    count = min(OPENING_WORDS, int(MAX_GIVEN * len(words)))
    return f"{' '.join(words[:count])} …" if count > 1 else None
