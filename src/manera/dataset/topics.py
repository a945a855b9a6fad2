"""What a post is about, as somebody would ask for it."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import dropwhile, islice, takewhile
from typing import Protocol, TypeVar

from manera.dataset import english_phrases, russian_phrases
from manera.dataset.lexing import is_word, pieces
from manera.text.languages import language_of

_MAX_PHRASES = 2
_OPENING_WORDS = 4


class _Phrase(Protocol):
    """What is counted of a phrase is the lemma of its noun; lemmas are those of all its words."""

    @property
    def lemma(self) -> str: ...
    @property
    def lemmas(self) -> frozenset[str]: ...


_P = TypeVar("_P", bound=_Phrase)


def topics(posts: Sequence[str]) -> list[str]:
    """Ask for each post by its most telling noun phrases, in the order in which they stand there.

    Telling is tf-idf within the posts of one language (Spärck Jones, 1972). How it is asked for changes from post
    to post. A post without a noun is asked for by its first words, and one without a word by nothing.
    """
    languages = [language_of([post]) for post in posts]
    texts = [pieces(post) for post in posts]
    russian, english = ([text for text, of in zip(texts, languages, strict=True) if of == one] for one in ("ru", "en"))
    asked = {
        "ru": _requests(russian, russian_phrases.phrases(russian), russian_phrases.request),
        "en": _requests(english, english_phrases.phrases(english), english_phrases.request),
    }
    return [next(asked[language]) for language in languages]


def _requests(
    texts: Sequence[Sequence[str]], found: Sequence[Sequence[_P]], request: Callable[[Sequence[_P], int], str]
) -> Iterator[str]:
    counted = [Counter(phrase.lemma for phrase in phrases) for phrases in found]
    spread = Counter(lemma for counts in counted for lemma in counts)
    for number, (text, phrases, counts) in enumerate(zip(texts, found, counted, strict=True)):
        weight = {lemma: count * math.log((1 + len(texts)) / spread[lemma]) for lemma, count in counts.items()}
        chosen = _most_telling(phrases, weight)
        yield request(chosen, number) if chosen else _opening(text)


def _most_telling(phrases: Sequence[_P], weight: Mapping[str, float]) -> list[_P]:
    """Return the most telling phrases, longer ones first where their nouns tell as much, and no word twice."""
    best: list[int] = []
    for place in sorted(range(len(phrases)), key=lambda place: _rank(phrases[place], weight)):
        if len(best) < _MAX_PHRASES and not any(phrases[place].lemmas & phrases[other].lemmas for other in best):
            best.append(place)
    return [phrases[place] for place in sorted(best)]


def _rank(phrase: _Phrase, weight: Mapping[str, float]) -> tuple[float, int]:
    return -weight[phrase.lemma], -len(phrase.lemmas)


def _opening(text: Sequence[str]) -> str:
    """Return the first words of a text, up to a mark."""
    from_word = dropwhile(lambda piece: not is_word(piece), text)
    return " ".join(islice(takewhile(is_word, from_word), _OPENING_WORDS)).lower()
