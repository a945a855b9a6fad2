"""Noun phrases of English posts, found by the small words around them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set
from typing import NamedTuple

from manera.dataset.lexing import in_sentence, is_number, is_word, names

_ARTICLES = "the a an my our"
_OTHER_DETERMINERS = """
your his her its their this that these those every each any some no another whose somebody's someone's nobody's
everybody's other's
"""
_PREPOSITIONS = """
of in on at by for with without from into onto about over under through across between among against during behind
beside beneath above below beyond inside outside near past towards toward upon like
"""
_NUMBERS = """
one ones two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty hundred thousand million
"""
_OTHER_SMALL_WORDS = """
to than and or i me mine you yours he him she hers it we us ours they them theirs myself itself himself herself
themselves who whom which what when where why how there here is are was were be been being am isn't aren't wasn't
weren't has have had having hasn't haven't hadn't do does did doing done don't doesn't didn't will would shall should
can could may might must won't wouldn't can't cannot couldn't shouldn't not never ever but nor so yet if because while
until unless since although though as then also too very just only even still already again once twice now soon later
before after all both either neither first second third fourth fifth sixth seventh eighth ninth tenth last next such
same other others more most less least much many few several enough up down out off away back within instead together
sideways forward backward apart ahead abroad else therefore whatever whoever it's that's he's she's i'm i've i'd i'll
you're we're they're let let's get gets got go goes went gone come comes came make makes made take takes took say says
said know knows knew own yes rather quite almost perhaps however nothing something anything everything nobody somebody
anybody everybody someone anyone everyone began found fell felt grew hung kept lay led lost meant met put ran rose sat
sent shook slept spoke spent stood told won wore wrote
"""
_ADJECTIVES = """
left right long longer low lower high higher good better bad worse equal full free late later early earlier large larger
small smaller big bigger great greater little old older young younger new whole short shorter
"""
_KEPT = frozenset(_ARTICLES.split())
_DETERMINERS = _KEPT.union(_OTHER_DETERMINERS.split())
_OPENERS = _DETERMINERS.union(_PREPOSITIONS.split())
_COUNTS = frozenset(_NUMBERS.split())
_SMALL_WORDS = _OPENERS.union(_COUNTS, _OTHER_SMALL_WORDS.split())
_NEVER_NOUNS = frozenset(_ADJECTIVES.split())
_SELDOM_NOUNS = ("ed", "ly", "ing")
_REQUESTS = ("", "about")
"""Ways to name a topic behind an instruction that already asks for a post."""

_MIN_LETTERS = 3


class Phrase(NamedTuple):
    """A noun with the word before it; the lemma, which is the noun without a plural's s, is counted."""

    lemma: str
    lemmas: frozenset[str]
    written: str
    determiner: str = ""

    def determined(self) -> str:
        """Write the phrase with its article."""
        return f"{self.determiner} {self.written}".lstrip()


def phrases(texts: Sequence[Sequence[str]]) -> list[list[Phrase]]:
    """Return the noun phrases of each text, in the order in which they stand there."""
    named = names(texts)
    runs = [list(_runs(text)) for text in texts]
    nouns = _nouns(run for found in runs for opened, run in found if opened in _DETERMINERS)
    return [list(_phrases(found, nouns, named)) for found in runs]


def request(chosen: Sequence[Phrase], index: int) -> str:
    """Ask for a post about phrases, in one of the ways in which people do."""
    asked = _REQUESTS[index % len(_REQUESTS)]
    written = " and ".join(phrase.determined() if asked else phrase.written for phrase in chosen)
    return f"{asked} {written}".lstrip()


def _runs(text: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield a determiner or a preposition, and the words from it up to the next small word or mark."""
    opened, run = "", []
    for piece in [*text, "\n"]:
        small = piece.lower()
        if is_word(piece) and small not in _SMALL_WORDS:
            run.append(piece)
            continue
        if opened and run and not is_number(piece) and small not in _COUNTS:
            yield opened, run
        opened, run = small if small in _OPENERS else "", []


def _nouns(determined: Iterable[Sequence[str]]) -> set[str]:
    """Return words that stand alone after a determiner about as often as another word follows them."""
    alone: Counter[str] = Counter()
    followed: Counter[str] = Counter()
    for run in determined:
        (alone if len(run) == 1 else followed)[_lemma(run[0])] += 1
    return {word for word, count in alone.items() if 2 * count >= followed[word] and not word.endswith("ly")}


def _phrases(runs: Sequence[tuple[str, list[str]]], nouns: Set[str], named: Set[str]) -> Iterator[Phrase]:
    for opened, run in runs:
        words = _noun_phrase(opened, run, nouns)
        if not words or not _is_noun_like(words[-1]):
            continue
        written = " ".join(in_sentence(word, named) for word in words)
        lemmas = [_lemma(word) for word in words]
        yield Phrase(lemmas[-1], frozenset(lemmas), written, _determiner(opened))


def _noun_phrase(opened: str, run: Sequence[str], nouns: Set[str]) -> Sequence[str]:
    """Return the noun and the word before it at the beginning of a run, and not the verb that may follow."""
    known = [_lemma(word) in nouns for word in run]
    if len(run) > 1 and known[1]:
        return run[:2]
    if known[0]:
        return run[:1]
    if (
        len(run) == 2
        and opened in _DETERMINERS
        and not run[1].endswith(_SELDOM_NOUNS)
        and not any(map(_is_plural, run))
    ):
        return run
    return ()


def _is_noun_like(word: str) -> bool:
    return len(word) >= _MIN_LETTERS and not word.endswith("'s") and word.lower() not in _NEVER_NOUNS


def _is_plural(word: str) -> bool:
    return word.endswith("s") and not word.endswith(("ss", "us", "is"))


def _lemma(word: str) -> str:
    small = word.lower().removesuffix("'s")
    return small[:-1] if _is_plural(small) else small


def _determiner(opened: str) -> str:
    """Keep an article; a determiner that points to another sentence becomes one."""
    if opened in _DETERMINERS:
        return opened if opened in _KEPT else "the"
    return ""
