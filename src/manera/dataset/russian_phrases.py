"""Noun phrases of Russian posts, each in the case that a request asks for."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from functools import cache
from itertools import takewhile
from typing import NamedTuple

from pymorphy3 import MorphAnalyzer
from pymorphy3.analyzer import Parse

from manera.dataset.lexing import in_sentence, is_number, is_russian, is_word, names

_REQUESTS = (("", "nomn"), ("о", "loct"), ("", "nomn"), ("про", "accs"))
"""Ways to name a topic behind an instruction that already asks for a post, and the case that each wants."""

_VOWELS = "аоуэиaeio"
_MIN_LETTERS = 3
_MAX_FOREIGN_WORDS = 3
_SPELLED = 4  # how much more a noun is believed in that stands in its first form somewhere
_NAMES = ("Name", "Surn", "Patr", "Geox")


class _Noun(NamedTuple):
    """One of the nouns that a word may be a form of."""

    lemma: str
    animacy: str | None


class Phrase(NamedTuple):
    """A noun, the adjective that agrees with it, and the genitive that follows it.

    lemma is the noun's, and what is counted; lemmas are those of all the words. What is foreign is no noun, and is
    written in every case as it stands.
    """

    lemma: str
    lemmas: frozenset[str]
    written: str
    noun: Parse | None = None
    adjective: Parse | None = None
    genitive: str = ""

    def in_case(self, case: str) -> str:
        """Write the phrase in a case of OpenCorpora's: nomn, accs or loct."""
        if self.noun is None:
            return self.written
        wanted = {case, self.noun.tag.number}
        words = [_cased(self.noun, wanted, self.written), self.genitive]
        if self.adjective:
            words.insert(0, _cased(self.adjective, _agreeing(self.noun, case), self.adjective.word))
        return " ".join(filter(None, words))


def phrases(texts: Sequence[Sequence[str]]) -> list[list[Phrase]]:
    """Return the noun phrases of each text, in the order in which they stand there."""
    named = names(texts)
    nouns = _read_nouns(Counter(piece.lower() for text in texts for piece in text), named)
    return [list(_phrases(text, nouns, named)) for text in texts]


def request(chosen: Sequence[Phrase], index: int) -> str:
    """Ask for a post about phrases, in one of the ways in which people do."""
    asked, case = _REQUESTS[index % len(_REQUESTS)]
    written = " и ".join(phrase.in_case(case) for phrase in chosen)
    if asked == "о" and written[0].lower() in _VOWELS:
        asked = "об"
    return f"{asked} {written}".lstrip()


def _read_nouns(counted: Mapping[str, int], named: Set[str]) -> dict[str, list[Parse]]:
    """Return for each word, in lower case, what it is as a form of the one noun that it most likely is.

    A noun that the dictionary does not know is believed in only where it stands in its first form and in another.
    """
    possible = {word: _nouns(word, word in named) for word in counted if is_russian(word)}
    forms: defaultdict[_Noun, set[str]] = defaultdict(set)
    votes: Counter[_Noun] = Counter()
    for word, parses in possible.items():
        for parse in parses:
            noun = _noun(parse)
            forms[noun].add(word)
            is_spelled = noun.lemma in counted and noun.lemma != word
            votes[noun] += counted[word] * parse.score * (_SPELLED if is_spelled else 1)
    read = {}
    for word, parses in possible.items():
        nouns = {_noun(p) for p in parses if p.is_known or (_noun(p).lemma in counted and len(forms[_noun(p)]) > 1)}
        if nouns:
            meant = max(nouns, key=lambda noun: (votes[noun], str(noun)))
            read[word] = [parse for parse in parses if _noun(parse) == meant]
    return read


def _phrases(text: Sequence[str], nouns: Mapping[str, Sequence[Parse]], named: Set[str]) -> Iterator[Phrase]:
    padded = ["\n", "\n", *text, *["\n"] * (1 + _MAX_FOREIGN_WORDS)]
    for place in range(2, len(text) + 2):
        around = padded[place - 2 : place + 1 + _MAX_FOREIGN_WORDS]
        phrase = _noun_phrase(around, nouns, named) or _foreign_phrase(around[1:], named)
        if phrase:
            yield phrase


def _noun_phrase(around: Sequence[str], nouns: Mapping[str, Sequence[Parse]], named: Set[str]) -> Phrase | None:
    """Return the noun that stands third, with the words that belong to it."""
    before, last, word, following, *_ = around
    parses = nouns.get(word.lower())
    if not parses or len(word) < _MIN_LETTERS or _is_each_other(around):
        return None
    adjective, noun = next(_agreements(last, parses), (None, _likeliest(parses)))
    if is_number(before if adjective else last):
        return None
    genitive = nouns.get(following.lower(), ())
    if any(parse.tag.case not in ("gent", "gen2") for parse in genitive):
        genitive = ()
    lemma = _noun(noun).lemma
    if any(_noun(parse).lemma == lemma for parse in (*genitive, *nouns.get(last.lower(), ()))):
        return None  # «в конце концов» is about no end
    lemmas = frozenset(
        [lemma, *(_noun(parse).lemma for parse in genitive), *([adjective.normal_form] if adjective else [])]
    )
    own = in_sentence(following, named) if genitive else ""
    return Phrase(lemma, frozenset(lemmas), in_sentence(word, named), noun, adjective, own)


def _foreign_phrase(around: Sequence[str], named: Set[str]) -> Phrase | None:
    """Return a foreign name of a few words that begins with the second one."""
    before, *words = around
    name = list(takewhile(_is_foreign, words))
    if _is_foreign(before) or not name or len(name) > _MAX_FOREIGN_WORDS or not _looks_like_a_name(name[0], named):
        return None
    lemmas = [word.lower() for word in name]
    return Phrase(" ".join(lemmas), frozenset(lemmas), " ".join(name))


def _looks_like_a_name(word: str, named: Set[str]) -> bool:
    return len(word) > 1 and (word.lower() in named or not word[1:].islower())


def _is_foreign(word: str) -> bool:
    return is_word(word) and not is_russian(word)


def _is_each_other(around: Sequence[str]) -> bool:
    """Recognise «друг друга» and «друг с другом», which are no friends."""
    before, last, word, following, after, *_ = (piece.lower().startswith("друг") for piece in around)
    return word and (before or last or following or after)


def _agreements(word: str, nouns: Sequence[Parse]) -> Iterator[tuple[Parse, Parse]]:
    """Yield an adjective and a noun that agree."""
    for noun in nouns:
        for adjective in _adjectives(word.lower()):
            tag = adjective.tag
            if (
                tag.case == noun.tag.case
                and tag.number == noun.tag.number
                and (tag.number == "plur" or tag.gender == noun.tag.gender)
                and tag.animacy in (None, noun.tag.animacy)
            ):
                yield adjective, noun


def _likeliest(parses: Sequence[Parse]) -> Parse:
    """Choose the number, then the case, that is likelier."""
    numbers: Counter[str] = Counter()
    for parse in parses:
        numbers[parse.tag.number] += parse.score
    return max(parses, key=lambda parse: (numbers[parse.tag.number], parse.score))


@cache
def _analyzer() -> MorphAnalyzer:
    return MorphAnalyzer()


@cache
def _parses(word: str) -> list[Parse]:
    return list(_analyzer().parse(word))


def _nouns(word: str, is_name: bool) -> list[Parse]:
    """Return what a word is as a noun, if it is a noun before anything else.

    Only what is written as a name is one. A name that the dictionary takes for something else is only believed to
    stand in the nominative: Лопухов is not of burdocks.
    """
    parses = [parse for parse in _parses(word) if is_name or not _is_name(parse)]
    nouns = [parse for parse in parses if parse.tag.POS == "NOUN"]
    if is_name and not any(parse.tag.case == "nomn" or _is_name(parse) for parse in nouns):
        return []
    return nouns if 2 * sum(parse.score for parse in nouns) >= sum(parse.score for parse in parses) else []


def _is_name(parse: Parse) -> bool:
    return any(mark in parse.tag for mark in _NAMES)


@cache
def _adjectives(word: str) -> list[Parse]:
    if not is_russian(word):
        return []
    return [p for p in _parses(word) if p.tag.POS in ("ADJF", "PRTF") and "Apro" not in p.tag and p.is_known]


@cache
def _noun(parse: Parse) -> _Noun:
    first = parse.inflect({"nomn", "sing"}) or parse.inflect({"nomn"})
    return _Noun(first.word if first else parse.normal_form, parse.tag.animacy)


def _agreeing(noun: Parse, case: str) -> set[str]:
    """Return what an adjective has to be, to stand with a noun in a case."""
    tag = noun.tag
    wanted = {case, tag.number}
    if tag.number == "sing":
        wanted.add(tag.gender)
    if case == "accs" and (tag.number == "plur" or tag.gender == "masc"):
        wanted.add(tag.animacy)
    return wanted


def _cased(parse: Parse, wanted: set[str], written: str) -> str:
    """Return a word in another form, with the capitals with which it was written."""
    found = parse.inflect(wanted)
    if not found or (written.isupper() and len(written) > 1):
        return written
    return str(found.word.capitalize() if written[0].isupper() else found.word)
