"""Russian given names in all their forms, and what a word may be besides."""

import re
from collections import defaultdict
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any, Literal, NamedTuple, cast

from manera.text.declension import Gender, declined, possessive
from manera.text.word_lists import rows, words

Register = Literal["full", "short", "dear", "rough"]
REGISTERS: tuple[Register, ...] = ("full", "short", "dear", "rough")


class Given(NamedTuple):
    """A given name in the nominative, and whose form it is: «Анечка» of Анна."""

    name: str
    gender: Gender
    person: str
    register: Register


class Use(NamedTuple):
    """A given name in a case, or, where there is an ending, what is somebody's: «Катин», «Мишиного»."""

    given: Given
    case: int
    ending: str | None = None


class Reading(NamedTuple):
    """What a word may be: shares of what it is in texts, by the counts of OpenCorpora.

    given, surname, patronymic: from 0 to 1; what is left is an ordinary word or a place. uses: as a given name, the
    likeliest first. agreement: genders and cases as a surname, the gender None where it is of both. is_usual: the table
    has the name. is_known: the dictionary has the word, or the table. owned: as what is somebody's, possessive: the
    share of that. is_word: an ordinary word besides, neither a name nor a place nor what is somebody's.
    """

    given: float = 0
    surname: float = 0
    patronymic: float = 0
    uses: tuple[Use, ...] = ()
    agreement: frozenset[tuple[Gender | None, int]] = frozenset()
    is_usual: bool = False
    is_known: bool = True
    is_place: bool = False
    owned: tuple[Use, ...] = ()
    possessive: float = 0
    is_word: bool = False

    @property
    def share(self) -> float:
        return self.given + self.surname + self.patronymic

    @property
    def may_be_name(self) -> bool:
        return self.share > 0 or bool(self.owned)


NOTHING = Reading()
_MARKS = ("Name", "Surn", "Patr")
_NO_WORD = (*_MARKS, "Geox", "Poss")
_NO_THING = (*_MARKS, "Apro")
_SELDOM = 0.2
# Shares of surnames that the dictionary has only as something else: «Кириллов» is a town too, «Катин» may be Катя's.
_OF_NAME, _OF_OWNER = 0.8, 0.5
_OF_SOMEBODY = re.compile("(.+?(?:ин|[ое]в))(|а|о|е|у|ы|ого|ому|ым|ом|ой|ою|ых|ыми)")
_SURNAME_ENDING = re.compile(
    "(.+?(?:[оеи]в|[иы]н|[сц]к|[ую]к|ян))(?:[аеуы]|ой|ым|ом|ых|ыми|ий|ого|ому|им|ая|ую|их|ими)?"
)
_OF_SURNAME: Mapping[str, tuple[tuple[Gender | None, int], ...]] = {
    "": (("m", 0),),
    "а": (("f", 0), ("m", 1), ("m", 3)),
    "у": (("f", 3), ("m", 2)),
    "ым": (("m", 4), (None, 2)),
    "е": (("m", 5),),
    "ой": (("f", 1), ("f", 2), ("f", 4), ("f", 5)),
    "ы": ((None, 0),),
    "ых": ((None, 1), (None, 3), (None, 5)),
    "ыми": ((None, 4),),
}
_OF_KIN = re.compile(
    "(?:[оеи]в|[иы]н|[сц]к|ко|[ую]к|ян|ер|ич|ыч|вн|дзе|швили)(?:[аеуы]|ой|ым|ом|ых|ий|ого|ому|им|ем|ая|ую|их)?$"
)
# The counts of a dictionary of books are misleading for talk.
_MORE_A_WORD = words("beside-names.toml", "more_a_word")
_MORE_A_NAME = words("beside-names.toml", "more_a_name")

# Whose thing «Катин» is: genders, or the plural, and cases of the thing.
_OWNED: Mapping[str, frozenset[tuple[str, int]]] = {
    ending: frozenset((gender, case) for gender in genders.split() for case in cases)
    for ending, genders, cases in (
        ("", "masc", (0, 3)),
        ("а", "femn", (0,)),
        ("о", "neut", (0, 3)),
        ("у", "femn", (3,)),
        ("ы", "plur", (0, 3)),
        ("ого", "masc neut", (1, 3)),
        ("ому", "masc neut", (2,)),
        ("ым", "masc neut", (4,)),
        ("ом", "masc neut", (5,)),
        ("ой", "femn", (1, 2, 4, 5)),
        ("ых", "plur", (1, 3, 5)),
        ("ыми", "plur", (4,)),
    )
}
OWNED_ENDINGS = tuple(_OWNED)


@cache
def persons() -> dict[str, tuple[Given, ...]]:
    """Return all names that the table has, by the person's full name and gender."""
    found: defaultdict[str, list[Given]] = defaultdict(list)
    for row in rows("names-ru.tsv"):
        person = f"{row['full']} {row['gender']}"
        for register in REGISTERS:
            for name in row[register].split(", "):
                found[person].append(Given(name, cast(Gender, row["gender"]), person, register))
    return {person: tuple(dict.fromkeys(names)) for person, names in found.items()}


@cache
def _uses() -> dict[str, tuple[Use, ...]]:
    found: defaultdict[str, dict[Use, None]] = defaultdict(dict)
    for names in persons().values():
        for given in names:
            for case, form in enumerate(declined(given.name, given.gender)):
                if all(use.given[:2] != given[:2] for use in found[plain(form)]):
                    found[plain(form)][Use(given, case)] = None
    return {form: tuple(uses) for form, uses in found.items()}


@cache
def _possessives() -> dict[str, tuple[Given, ...]]:
    """Return whose something is, by the masculine: «Катин» is Катя's, and «Кириллов» is a surname made of Кирилл."""
    found: defaultdict[str, list[Given]] = defaultdict(list)
    for given in (given for names in persons().values() for given in names):
        found[plain(possessive(given.name, given.gender))].append(given)
    return {word: tuple(names) for word, names in found.items()}


def _of_somebody(word: str) -> tuple[tuple[Given, ...], str]:
    """Return of whose names a word is made, and its ending."""
    match = _OF_SOMEBODY.fullmatch(word)
    return (_possessives().get(match[1], ()), match[2]) if match else ((), "")


def plain(word: str) -> str:
    """Return a word as it is looked up: in lower case and without «ё», which many never write."""
    return word.lower().replace("ё", "е")


def may_be_name(word: str) -> bool:
    """Tell quickly whether a word may be a name at all: few are."""
    key = plain(word)
    if key in _uses() or _of_somebody(key)[0]:
        return True
    if word[0].isupper():
        return _is_name_in_dictionary(key) or not _morphology().word_is_known(key)
    return _is_of_kin(key) and _is_name_in_dictionary(key)


def _is_of_kin(word: str) -> bool:
    """Tell whether a word may be a surname or a patronymic: without a capital, other rare names are not looked for."""
    return _OF_KIN.search(word) is not None


@lru_cache(maxsize=1 << 18)
def reading(word: str, is_capital: bool = False) -> Reading:
    """Say what a word may be; what the dictionary has not is guessed by its ending, if it has a capital."""
    written, word = word.lower(), plain(word)
    uses = _uses().get(word, ())
    of, ending = _of_somebody(word)
    if not (uses or of or is_capital or _is_of_kin(word)):
        return NOTHING
    is_known = _morphology().word_is_known(word)
    if is_known and not (uses or of) and not _is_name_in_dictionary(word):
        return NOTHING
    parses = _morphology().parse(written) if is_known or is_capital else []
    shares = {mark: sum(parse.score for parse in parses if _marks(parse, mark)) for mark in _MARKS}
    given = shares["Name"] if is_known or not uses else 1.0
    if word in _MORE_A_WORD:
        given = min(given, _SELDOM)
    elif word in _MORE_A_NAME:
        given = 1.0
    is_word = is_known and not all(any(mark in parse.tag for mark in _NO_WORD) for parse in parses)
    agreement = {
        (_GENDER_OF.get(parse.tag.gender), _CASE_OF[parse.tag.case]) for parse in parses if _marks(parse, "Surn")
    }
    owned = tuple(Use(one, _GENITIVE, ending) for one in of if one.name[-1] in "ая" and ending in _OWNED)
    if of and not (uses or is_word or agreement):
        shares["Surn"], agreement = _OF_OWNER if owned else _OF_NAME, set(_OF_SURNAME.get(ending, ()))
    return Reading(
        given,
        shares["Surn"] if agreement else 0,
        shares["Patr"],
        uses or tuple(_predicted(parses)),
        frozenset(agreement),
        bool(uses),
        is_known or bool(uses),
        any("Geox" in parse.tag for parse in parses),
        owned,
        sum(parse.score for parse in parses if "Poss" in parse.tag) if is_known else 0,
        is_word,
    )


_GENITIVE = 1
_GENDER_OF: dict[str | None, Gender] = {"femn": "f", "masc": "m"}
_CASE_OF = {"nomn": 0, "gent": 1, "gen2": 1, "datv": 2, "accs": 3, "ablt": 4, "loct": 5, "loc2": 5, "voct": 6}


def _marks(parse: Any, mark: str) -> bool:
    """Tell whether a word is read as a name; «донатов» is no name of many."""
    is_of_many = mark == "Name" and parse.tag.number == "plur"
    return mark in parse.tag and parse.tag.case in _CASE_OF and not is_of_many


def _predicted(parses: Any) -> list[Use]:
    """Read a name that the table has not, as the dictionary declines it."""
    found: dict[Use, None] = {}
    for parse in parses:
        if _marks(parse, "Name"):
            gender: Gender = "f" if parse.tag.gender == "femn" else "m"
            name = parse.normal_form.capitalize()
            found[Use(Given(name, gender, f"{name} {gender}", "full"), _CASE_OF[parse.tag.case])] = None
    return list(found)


@lru_cache(maxsize=1 << 18)
def _is_name_in_dictionary(word: str) -> bool:
    morphology = _morphology()
    found = morphology.dictionary.words.similar_items(word, morphology.char_substitutes)
    return any(paradigm in _paradigms_of_names() for _, items in found for paradigm, _ in items)


@cache
def _paradigms_of_names() -> frozenset[int]:
    """Return the numbers of the dictionary's patterns by which names are declined, to look words up without parsing."""
    dictionary = _morphology().dictionary
    tags = [any(mark in tag for mark in _MARKS) for tag in dictionary.gramtab]
    patterns = (
        (number, pattern[len(pattern) // 3 : 2 * len(pattern) // 3])
        for number, pattern in enumerate(dictionary.paradigms)
    )
    return frozenset(number for number, pattern in patterns if any(tags[tag] for tag in pattern))


def has_word(word: str) -> bool:
    """Tell whether the dictionary has a Russian word."""
    return bool(_morphology().word_is_known(plain(word)))


def owns(owner: Use, word: str) -> bool:
    """Tell whether a word may be what somebody owns, by gender and case: «номер» after «Катин»."""
    return any(
        (parse.tag.number if parse.tag.number == "plur" else parse.tag.gender, _CASE_OF[parse.tag.case])
        in _OWNED[owner.ending or ""]
        for parse in _morphology().parse(word)
        if parse.tag.POS in ("NOUN", "ADJF")
        and parse.tag.case in _CASE_OF
        and not any(mark in parse.tag for mark in _NO_THING)
    )


def surname_stem(word: str) -> str:
    """Return what the forms of a surname share: «Кириллов», «Кириллову», «Кирилловы»."""
    match = _SURNAME_ENDING.fullmatch(word)
    return match[1] if match else word


@lru_cache(maxsize=1 << 16)
def lemmas(word: str) -> frozenset[str]:
    """Return the dictionary forms of a word, and the marks of its grammar."""
    parses = _morphology().parse(word)
    return frozenset(parse.normal_form for parse in parses) | frozenset(
        grammeme for parse in parses for grammeme in parse.tag.grammemes if grammeme in ("impr", "VERB", "PREP")
    )


@cache
def _morphology() -> Any:
    from pymorphy3 import MorphAnalyzer

    return MorphAnalyzer(lang="ru")
