"""Names of people in what somebody wrote, Russian and English, in every case and without capitals too.

A word is read on its own first; whether «вера» or "will" is somebody is decided by the words beside it.
"""

import re
from collections.abc import Iterator, Sequence, Set
from functools import lru_cache
from typing import Literal, NamedTuple

from manera.text.english_names import EnglishName, given_names
from manera.text.russian_names import NOTHING, Reading, Use, lemmas, may_be_name, owns, plain, reading, surname_stem
from manera.text.word_lists import words as listed

Part = Literal["given", "surname", "patronymic", "possessive"]


class Name(NamedTuple):
    """A word that is part of somebody's name, or made of it; uses: how a Russian given name may be read."""

    start: int
    end: int
    text: str
    part: Part
    uses: tuple[Use, ...] = ()


class _Word(NamedTuple):
    """opens: begins a sentence, where a capital says nothing. before, after: what stands next to it, no letters."""

    start: int
    end: int
    text: str
    is_capital: bool
    opens: bool
    before: str
    after: str
    reading: Reading
    english: EnglishName | None

    @property
    def lower(self) -> str:
        return plain(self.text)

    @property
    def stands_out(self) -> bool:
        """Tell whether its capital says that it is a name."""
        return self.is_capital and not self.opens


_WORD = re.compile(r"(?<![\w@/])[^\W\d_]+(?:-[^\W\d_]+|['’](?!s\b)[^\W\d_]+)*(?![\w@])")
_LETTERS = re.compile(r"[^\W\d_]+")
_CYRILLIC = re.compile("[а-яё]", re.IGNORECASE)
_SIGN = "[\U0001f000-\U0001faff\u2600-\u27bf]"
_OPENING = re.compile(rf"(?:[\n.!?…:;\"«“(\[*•)\]—–#>|~_]|{_SIGN})\s*(?:-\s*)?$")
_ENDING = re.compile(rf"\s*(?:[\n.!?…,)]|{_SIGN})")
_TITLE_CASE = re.compile(r"(?:Mc|Mac|[A-Z]['’])?[^\W\d_][^\W\d_A-ZА-ЯЁ]*(?:-[^\W\d_][^\W\d_A-ZА-ЯЁ]*)*")
_APOSTROPHES = ("'", "’")
_MAX_INITIAL = 1
# So many characters before and after a word are looked at.
_NEAR = 8

# A word that is a name in so many of its uses is one, whatever stands beside it.
_SURE = 0.32
_SURE_UNUSUAL = 0.8
_SELDOM_UNUSUAL = 0.2
_MIN_UNUSUAL = 4
_SURE_SURNAME = 0.8
_SURE_OWNED = 0.95
_MIN_PREDICTED = 0.3

_LISTS = "beside-names.toml"
_RELATIVES = listed(_LISTS, "relatives")
_TITLES = listed(_LISTS, "titles")
_GREETINGS = listed(_LISTS, "greetings")
_HUMAN = listed(_LISTS, "human")
_TELLING = listed(_LISTS, "telling")
_VERBS = listed(_LISTS, "verbs")
_PLACES = listed(_LISTS, "places")
_MONTHS = listed(_LISTS, "months")
_NO_SURNAMES = listed(_LISTS, "no_surnames")
_PUBLIC = listed(_LISTS, "public")
_SAYING = listed(_LISTS, "saying")
_TOWNS = listed(_LISTS, "towns")
_STREETS = listed(_LISTS, "streets")
_SET_OWNERS = listed(_LISTS, "set_owners")
_RELATIVES_OWNERS = listed(_LISTS, "relatives_owners")
_SET_THINGS = listed(_LISTS, "set_things")
_SAINTS = listed(_LISTS, "saints")


def found(text: str, known: Set[str] = frozenset()) -> list[Name]:
    """Return the names of a text in order; known: names, in the nominative, of people who certainly are meant here."""
    if not any(map(_may_hold_name, text.split())):
        return []  # most messages name nobody
    words = _words(text)
    parts: list[Part | None] = [_part(words, index, known) for index in range(len(words))]
    for index, word in enumerate(words):
        if parts[index] is None and _is_surname_beside(words, parts, index):
            parts[index] = "surname"
        elif parts[index] is None and (word.reading.given or word.english) and _is_joined(words, parts, index):
            parts[index] = "given"
    _forget_the_public(words, parts)
    _find_again(words, parts)
    return [
        Name(word.start, word.end, word.text, part, _uses(word, part))
        for word, part in zip(words, parts, strict=True)
        if part
    ]


def _uses(word: _Word, part: Part) -> tuple[Use, ...]:
    return {"given": word.reading.uses, "possessive": word.reading.owned}.get(part, ())


@lru_cache(maxsize=1 << 17)
def _may_hold_name(written: str) -> bool:
    """Tell whether what stands between two spaces may be somebody's name; kept for what is written often."""
    return any(map(_may_be_name, _LETTERS.findall(written)))


@lru_cache(maxsize=1 << 17)
def _may_be_name(word: str) -> bool:
    if _CYRILLIC.match(word):
        return may_be_name(word)
    return word.lower() in given_names() or word.lower() in _TITLES


def forms_known(name: str) -> set[str]:
    """Return what found() is told as known of somebody who is called so."""
    parts = found(name)
    given = {plain(use.given.name) for part in parts for use in part.uses}
    others = (lemmas(plain(part.text)) | {part.text.lower()} for part in parts if not part.uses)
    return given.union(*others)


def _words(text: str) -> list[_Word]:
    matches = list(_WORD.finditer(text))
    words = []
    for index, match in enumerate(matches):
        gap_from = matches[index - 1].end() if index else 0
        gap_until = matches[index + 1].start() if index + 1 < len(matches) else len(text)
        before = text[max(gap_from, match.start() - _NEAR) : match.start()]
        after = text[match.end() : min(gap_until, match.end() + _NEAR)]
        word = match.group()
        is_russian = _CYRILLIC.match(word)
        is_after_initial = before.startswith(".") and len(matches[index - 1].group()) == _MAX_INITIAL
        words.append(
            _Word(
                *match.span(),
                word,
                word[0].isupper() and _TITLE_CASE.fullmatch(word) is not None,
                index == 0 or (before != " " and not is_after_initial and _OPENING.search(before) is not None),
                before,
                after,
                reading(word, word[0].isupper()) if is_russian else NOTHING,
                None if is_russian else given_names().get(word.lower()),
            )
        )
    return words


def _part(words: Sequence[_Word], index: int, known: Set[str]) -> Part | None:
    word = words[index]
    if _follows(words, index, _SAINTS):
        return None
    if word.english:
        return "given" if _is_english_name(words, index, known) else None
    if not word.reading.may_be_name or len(word.text) <= _MAX_INITIAL or (_PUBLIC & lemmas(word.lower)):
        return None
    if _is_set_phrase(words, index) or _is_on_the_map(words, index):
        return None
    if _is_owned(words, index):
        return "possessive"
    follows_name = index > 0 and words[index - 1].reading.given > 0 and not word.before.strip()
    if word.reading.patronymic >= _SURE or (word.reading.patronymic and follows_name):
        return "patronymic"
    if _is_russian_name(words, index, known):
        return "given"
    return "surname" if _is_surname(words, index, known) else None


def _is_russian_name(words: Sequence[_Word], index: int, known: Set[str]) -> bool:
    word = words[index]
    share = word.reading.given
    if not word.reading.is_usual and len(word.text) < _MIN_UNUSUAL:
        return False
    if not word.reading.is_known and not (word.stands_out and share >= _MIN_PREDICTED):
        return False
    if word.stands_out and share > (0 if word.reading.is_usual else _SURE):
        return True
    if all(use.case == _VOCATIVE for use in word.reading.uses):
        return bool(word.reading.uses) and _is_called(words, index)
    if share >= (_SURE if word.reading.is_usual else _SURE_UNUSUAL):
        return True
    return (word.reading.is_usual or share >= _SELDOM_UNUSUAL) and (
        any(plain(use.given.name) in known for use in word.reading.uses) or _is_meant(words, index)
    )


def _is_surname(words: Sequence[_Word], index: int, known: Set[str]) -> bool:
    word = words[index]
    share = word.reading.surname
    if not share:
        return False
    if word.stands_out:
        return True
    return (word.reading.is_known and share >= _SURE_SURNAME) or bool(known & lemmas(word.lower))


def _is_set_phrase(words: Sequence[_Word], index: int) -> bool:
    """Tell «Петров пост», «Ильин день» and «анютины глазки» from somebody's thing, and from a birthday."""
    if surname_stem(words[index].lower) not in _SET_OWNERS:
        return False
    things = [lemmas(word.lower) for word in words[index + 1 : index + 3]]
    return bool(things and things[0] & _SET_THINGS) and "рождение" not in things[-1]


def _is_on_the_map(words: Sequence[_Word], index: int) -> bool:
    """Tell whether a name is that of a town or a street: «во Владимире», «город Киров», «улица Чкалова»."""
    word = words[index]
    if word.reading.is_place and _follows(words, index, _PLACES):
        return True
    is_genitive = any(case == _GENITIVE for _, case in word.reading.agreement)
    if not (word.reading.is_place or is_genitive) or index == 0 or word.before.strip() not in ("", "."):
        return False
    before = lemmas(words[index - 1].lower)
    return bool((word.reading.is_place and before & _TOWNS) or (is_genitive and before & _STREETS))


def _is_owned(words: Sequence[_Word], index: int) -> bool:
    """Tell whether a word says whose the next one is: «Катин номер», «мишина мама», but not «Катин Антон»."""
    word = words[index]
    if not word.reading.owned or (not word.is_capital and surname_stem(word.lower) in _RELATIVES_OWNERS):
        return False
    if word.reading.is_usual and any(use.case not in (_NOMINATIVE, _ACCUSATIVE) for use in word.reading.uses):
        return False
    following = words[index + 1] if index + 1 < len(words) and not word.after.strip() else None
    if following and len(following.text) > _MAX_INITIAL and owns(word.reading.owned[0], following.lower):
        return word.stands_out or not word.reading.is_word
    is_surname = any(one.is_capital and one.reading.given >= _SURE for one in _beside(words, index))
    return word.reading.possessive >= _SURE_OWNED and not is_surname


def _beside(words: Sequence[_Word], index: int) -> Iterator[_Word]:
    """Yield the words with only a space between them and this one."""
    if index and not words[index].before.strip():
        yield words[index - 1]
    if index + 1 < len(words) and not words[index].after.strip():
        yield words[index + 1]


_NOMINATIVE, _GENITIVE, _DATIVE, _ACCUSATIVE, _INSTRUMENTAL, _VOCATIVE = 0, 1, 2, 3, 4, 6


def _is_meant(words: Sequence[_Word], index: int) -> bool:
    """Tell by its neighbours whether a word that may be a Russian name is one."""
    word = words[index]
    cases = {use.case for use in word.reading.uses}
    following = words[index + 1] if index + 1 < len(words) else None
    before = lemmas(words[index - 1].lower) if index and not word.opens else frozenset()
    if before & _RELATIVES or (following and following.reading.patronymic >= _SURE) or _is_called(words, index):
        return True
    if following and following.stands_out and following.reading.surname:
        return True
    if _DATIVE in cases and before & _TELLING:
        return True
    if _INSTRUMENTAL in cases and _follows(words, index, {"с", "со"}) and index > 1 and words[index - 2].lower == "мы":
        return True
    acts = following and "VERB" in lemmas(following.lower) and lemmas(following.lower) & _HUMAN
    return _NOMINATIVE in cases and bool(acts) and not word.after.strip()


def _is_called(words: Sequence[_Word], index: int) -> bool:
    """Tell whether somebody is spoken to: «вера, ты скоро?», «привет, дим», «оксан глянь»."""
    word = words[index]
    if word.reading.uses and not {_NOMINATIVE, _VOCATIVE} & {use.case for use in word.reading.uses}:
        return False
    ends = index + 1 == len(words) or _ENDING.match(word.after) is not None
    following = words[index + 1] if index + 1 < len(words) else None
    if word.opens:
        is_told = following is not None and not word.after.strip() and "impr" in lemmas(following.lower)
        return word.after.lstrip().startswith(",") or is_told
    return ends and (word.before.strip() == "," or words[index - 1].lower in _GREETINGS)


def _is_english_name(words: Sequence[_Word], index: int, known: Set[str]) -> bool:
    word, name = words[index], words[index].english
    if name is None or not name.is_word:
        return name is not None
    if _follows(words, index, _RELATIVES) or (name.name.lower() in known and word.is_capital):
        return True
    following = words[index + 1] if index + 1 < len(words) else None
    is_month = word.lower in _MONTHS
    owns = following is not None and word.after in _APOSTROPHES and following.lower == "s" and not is_month
    if not word.is_capital or (word.stands_out and not owns and _follows(words, index, _PLACES)):
        return False
    if is_month and word.before[-2:-1].isdigit():
        return False
    if owns or (word.stands_out and not is_month):
        return True
    is_beside = following is not None and not word.after.strip()
    if following and is_beside and following.lower in (_SAYING if is_month else _VERBS):
        return True
    has_surname = following and is_beside and following.stands_out and following.lower not in _NO_SURNAMES
    return bool(has_surname) or _is_called(words, index)


def _is_surname_beside(words: Sequence[_Word], parts: Sequence[Part | None], index: int) -> bool:
    """Tell whether a word is the surname of the name, the initials or the title beside it."""
    word = words[index]
    if len(word.text) <= _MAX_INITIAL or not (word.is_capital or word.reading.surname):
        return False
    before = index - 1 if index and word.before.strip() in ("", ".") else None
    after = index + 1 if index + 1 < len(words) and not word.after.strip() else None
    beside = [other for other in (before, after) if other is not None]
    if not _CYRILLIC.match(word.text):
        is_titled = before is not None and words[before].lower in _TITLES
        follows = before is not None and parts[before] == "given" and not word.before.strip()
        return word.is_capital and word.lower not in _NO_SURNAMES and (is_titled or follows)
    if not word.reading.surname and (word.reading.is_known or word.opens):
        return False
    has_initial = any(_is_initial(words[other]) for other in beside)
    return (has_initial and word.is_capital) or any(parts[other] and _agree(words[other], word) for other in beside)


def _is_initial(word: _Word) -> bool:
    """Tell «А.» from the preposition of «С Пушкиным»."""
    return word.is_capital and len(word.text) <= _MAX_INITIAL and word.after.startswith(".")


def _agree(name: _Word, surname: _Word) -> bool:
    """Tell whether a name and a surname are of one case and one gender, as far as both are known."""
    if not name.reading.uses or not surname.reading.agreement:
        return surname.is_capital
    return any(
        (gender, use.case) in surname.reading.agreement
        for use in name.reading.uses
        for gender in (use.given.gender, None)
    )


def _is_joined(words: Sequence[_Word], parts: Sequence[Part | None], index: int) -> bool:
    """Tell whether a word stands beside a name: «Света и Костя», "Will and Emily"."""
    word = words[index]
    if index > 1 and words[index - 1].lower in ("и", "and", "с") and parts[index - 2] == "given":
        return True
    joins = index + 2 < len(words) and words[index + 1].lower in ("и", "and") and parts[index + 2] == "given"
    return joins and not word.after.strip()


def _forget_the_public(words: Sequence[_Word], parts: list[Part | None]) -> None:
    """Take «Илон» of «Илон Маск» for no secret."""
    for index in range(len(words) - 1):
        surname = words[index + 1]
        names = {surname.lower} | (lemmas(surname.lower) if surname.reading.share else set())
        if parts[index] == "given" and names & _PUBLIC:
            parts[index] = parts[index + 1] = None


def _find_again(words: Sequence[_Word], parts: list[Part | None]) -> None:
    """Find a surname that stands in the text again, in whatever case."""
    surnames = {surname_stem(word.lower) for word, part in zip(words, parts, strict=True) if part == "surname"}
    for index, word in enumerate(words):
        if parts[index] is None and surnames and word.is_capital and surname_stem(word.lower) in surnames:
            parts[index] = "surname"


def _follows(words: Sequence[_Word], index: int, wanted: Set[str]) -> bool:
    return index > 0 and words[index - 1].lower in wanted
