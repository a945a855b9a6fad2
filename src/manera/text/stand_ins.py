"""What stands for personal data: invented, of the same form, and the same for the same each time.

A name becomes another of its gender, register and declension, so that the sentence around it stays right; a number
keeps how it is written. Where there is a custom for it, stand-ins are nobody's: mail and links at example.org (RFC
2606), phone numbers of films (555-01xx), cards and tax numbers that their checksums refuse.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from functools import cache, lru_cache
from hashlib import sha256, shake_256
from itertools import chain
from typing import NamedTuple

from manera.text import names, personal_data
from manera.text.declension import Gender, declension, declined, possessive
from manera.text.english_names import given_names
from manera.text.names import Name
from manera.text.personal_data import Found
from manera.text.russian_names import Given, Use, persons, plain
from manera.text.word_lists import lists, words

NAME = "name"
# As whose name a form is read that is several people's.
WHOSE = "whose"

_CHECKED: Mapping[str, Callable[[str], bool]] = {
    "card": personal_data.luhn,
    "INN": personal_data.inn,
    "SNILS": personal_data.snils,
    "IBAN": personal_data.iban,
}
_LISTS = lists("stand-ins.toml")
_ACCOUNTS = _LISTS["accounts"].split()
_STREETS: Mapping[str, Sequence[str]] = {ending: pool.split() for ending, pool in _LISTS["streets"].items()}
_WAYS = words("stand-ins.toml", "ways")
_ENGLISH: Mapping[str, Sequence[str]] = {key: pool.split() for key, pool in _LISTS["english"].items()}


class Kin(NamedTuple):
    """Surnames or patronymics that end alike; the pattern's groups are what is replaced, and the ending."""

    pattern: re.Pattern[str]
    names: Sequence[str]


SURNAMES = [
    Kin(re.compile(f"(.*?{kin['stem']})({kin['endings']})", re.IGNORECASE), kin["names"].split())
    for kin in _LISTS["surnames"]
]
PATRONYMICS = [
    Kin(re.compile(f"(.+?)({kin['ending']})", re.IGNORECASE), kin["names"].split()) for kin in _LISTS["patronymics"]
]


class StandIns:
    """Replaces personal data; ``entries`` maps what was found to what stands for it, and is all that has to be kept.

    entries: what an earlier import chose. kept: names, in any case, that stay: those of whose manner is learned.
    """

    def __init__(self, entries: Mapping[str, str] | None = None, kept: Iterable[str] = ()) -> None:
        self.entries = dict(entries or {})
        self._taken = set(self.entries.values())
        self._kept: set[str] = set()
        self._speaking: set[str] = set()
        self._mentioned: set[str] = set()
        self.keep(kept)

    def keep(self, people: Iterable[str]) -> None:
        """Let the names of these people stay from now on."""
        self._kept.update(key for name in people for found in names.found(name) for key in _keys(found))

    def avoid(self, speaker: str) -> None:
        """Let the names of somebody who takes part stand for nobody's."""
        self._speaking |= _mentioned(speaker)

    def hear(self, text: str) -> None:
        """Let names that a text may hold stand for others only where no more are left."""
        self._mentioned |= _mentioned(text)

    def forget(self, name: str) -> None:
        """Forget what stands for the names of somebody who is called so."""
        keys = {key for found in names.found(name) for key in _keys(found)} | {f"speaker {name}"}
        for key in keys | {f"person {key}" for key in keys}:
            self.entries.pop(key, None)
        for key in [key for key, whose in self.entries.items() if key.startswith(f"{WHOSE} ") and whose in keys]:
            del self.entries[key]

    def without(
        self, text: str, known: Set[str] = frozenset(), spared: Set[str] = frozenset()
    ) -> tuple[str, Counter[str]]:
        """Replace personal data and names of people, but for kinds that are spared; count them by kind.

        known: as in names.found. What stands for data is not read again: a handle may be made of names.
        """
        data = personal_data.found(text)
        made = [(one.start, one.end, self._of_data(one), one.kind) for one in data if one.kind not in spared]
        if NAME not in spared:
            made += [(one.start, one.end, self._of_name(one), NAME) for one in self._others(text, data, known)]
        if not made:
            return text, Counter()
        made.sort()
        return _replaced(text, [stretch[:3] for stretch in made]), Counter(kind for *_, kind in made)

    def _others(self, text: str, data: Sequence[Found], known: Set[str]) -> Iterator[Name]:
        """Find the names that are not kept, nor part of other data."""
        for name in names.found(text, known):
            is_part = any(name.start < one.end and one.start < name.end for one in data)
            if not is_part and self._kept.isdisjoint(_keys(name)):
                yield name

    def of_speaker(self, name: str) -> str:
        """Return what people are called instead; who has no known name gets one that is a man's and a woman's."""
        replaced, found = self.without(name)
        if found[NAME] or not name.strip() or not self._kept.isdisjoint({name}):
            return replaced
        pool = _unisex_names("short") if re.search("[а-яё]", name, re.IGNORECASE) else _ENGLISH["unisex"]
        return self._chosen(f"speaker {name}", pool)

    def _of_data(self, found: Found) -> str:
        match found.kind:
            case "address":
                made = _WORDS.sub(self._street, _scrambled(found.text, found.text, "0123456789"))
                return self.entries.setdefault(f"address {found.text}", made)
            case "e-mail":
                return self._account(found.text.split("@")[0]) + "@example.org"
            case "handle":
                return "@" + self._account(found.text[1:])
            case "login":
                return self._account(found.text)
            case "link":
                return self._link(found.text)
            case "phone":
                return self._phone(found)
            case "plate":
                return self.entries.setdefault(f"plate {found.text}", _plate(found.text))
            case "door code" | "card code":
                made = _scrambled(found.text, found.text, "0123456789")
                return self.entries.setdefault(f"{found.kind} {found.text}", made)
            case "key" | "password":
                return self.entries.setdefault(f"{found.kind} {found.text}", _scrambled(found.text, found.text))
            case _:
                return self._number(found)

    def _number(self, found: Found) -> str:
        """Change digits and letters for others, however they are spaced; a checksum holds no more."""
        number = "".join(filter(_is_plain, found.text))
        prefix = (
            {"IBAN": number[:2], "passport": "00", "SSN": "000"}.get(found.kind, "") if number[:2].isalnum() else ""
        )
        attempts = (_scrambled(number, f"{found.kind} {number} {attempt}") for attempt in range(_ATTEMPTS))
        made = (prefix + attempt[len(prefix) :] for attempt in attempts)
        is_refused = _CHECKED.get(found.kind)
        chosen = next(made) if is_refused is None else next(other for other in made if not is_refused(other))
        return _poured(found.text, self.entries.setdefault(f"{found.kind} {number}", chosen))

    def _phone(self, found: Found) -> str:
        """Keep country and operator; the subscriber is one of a film."""
        digits = re.sub(r"\D", "", found.text)
        last = digits[-_SUBSCRIBER:]
        made = self.entries.setdefault(f"phone {digits[-10:]}", "55501" + _scrambled("00", f"phone {last}"))
        return _poured(found.text, digits[:-_SUBSCRIBER] + made)

    def _account(self, name: str) -> str:
        made = _scrambled(_WORDS.sub(lambda word: _drawn(word[0], _ACCOUNTS), name), name, "0123456789")
        return self.entries.setdefault(f"account {name.lower()}", made)

    def _link(self, text: str) -> str:
        scheme, _, rest = text.partition("://")
        path = rest.partition("/")[2]
        secret = _SECRET.sub(lambda part: _scrambled(part[0], part[0]), path)
        return self.entries.setdefault(f"link {text}", f"{scheme}://example.org/{secret}")

    def _street(self, word: re.Match[str]) -> str:
        """Another street whose name ends alike; what kind of street it is stays."""
        if not word[0].istitle() or len(word[0]) < 3 or word[0] in _WAYS:
            return word[0]
        if word[0].isascii():
            return _drawn(word[0], _STREETS["en"])
        ending = next((ending for ending in _STREETS if word[0].endswith(ending)), "others")
        return _drawn(word[0], _STREETS[ending])

    def _of_name(self, name: Name) -> str:
        if name.part == "surname":
            made = self._surname(name.text)
        elif name.part == "patronymic":
            made = self._patronymic(name.text)
        elif name.uses:
            made = self._russian(name)
        else:
            made = self._english(name.text)
        return _cased(made, name.text)

    def _surname(self, text: str) -> str:
        if not re.search("[а-яё]", text, re.IGNORECASE):
            return self._chosen(f"surname {plain(text)}", _ENGLISH["surnames"])
        for pattern, pool in SURNAMES:
            if match := pattern.fullmatch(text):
                return self._chosen(f"surname {plain(match[1])}", pool) + match[2]
        return self._chosen(f"surname {plain(text)}", SURNAMES[-1].names)

    def _patronymic(self, text: str) -> str:
        for pattern, pool in PATRONYMICS:
            if match := pattern.fullmatch(text):
                return self._chosen(f"patronymic {plain(match[1])}", pool) + match[2]
        return text

    def _english(self, text: str) -> str:
        name = given_names()[text.lower()]
        return self._chosen(f"name {text.lower()}", _ENGLISH[f"{name.gender}_{name.form}"])

    def _russian(self, name: Name) -> str:
        """Another name of the same gender, register and declension in the same case; a unisex one for a unisex one."""
        use = self._meant(name)
        given = use.given
        if len({other.given.gender for other in name.uses if other.given.name == given.name}) > 1:
            made = self._chosen(f"name {plain(given.name)}", _unisex_names(given.register))
            return _as_used(made, use)
        person = self._chosen(f"person {given.person}", _people_like(given), _people_of(given.gender))
        return _as_used(_counterpart(given, person).name, use)

    def _meant(self, name: Name) -> Use:
        """Return as whose name a form is read, the same each time: «Аля» is Алевтина's or Александра's."""
        if len({use.given.person for use in name.uses}) == 1:
            return name.uses[0]
        key = f"{WHOSE} {plain(name.text)}"
        known = (use for use in name.uses if f"person {use.given.person}" in self.entries)
        before = (use for use in name.uses if use.given.person == self.entries.get(key))
        use = next(chain(before, known), name.uses[0])
        self.entries[key] = use.given.person
        return use

    def _chosen(self, key: str, pool: Sequence[str], wider: Sequence[str] = ()) -> str:
        """Return what stands for a key, or choose what is nobody's name here and stands for nothing yet.

        wider: where to look if there is nothing such in the pool.
        """
        if key in self.entries:
            return self.entries[key]
        kind, own = key.split(" ", 1)
        start = int.from_bytes(sha256(key.encode()).digest()[:8])
        best: tuple[tuple[bool, ...], str] | None = None
        for entry in chain(_from(pool, start), _from(wider, start)):
            if plain(entry)[:_ALIKE] == plain(own)[:_ALIKE]:
                continue
            faults = self._faults(kind, entry)
            if best is None or faults < best[0]:
                best = faults, entry
            if not any(faults):
                break
        made = best[1] if best else pool[0]
        self._taken.add(made)
        self.entries[key] = made
        return made

    def _faults(self, kind: str, entry: str) -> tuple[bool, ...]:
        """Say why something should rather not stand for anybody, the worst reason first."""
        real = _real(kind, entry)
        is_there = not (real.isdisjoint(self._speaking) and real.isdisjoint(self._kept))
        return is_there, entry in self._taken, not real.isdisjoint(self._mentioned)


def _from(pool: Sequence[str], start: int) -> Iterator[str]:
    """Go round a pool once."""
    return (pool[(start + step) % len(pool)] for step in range(len(pool)))


_SUBSCRIBER = 7
_ATTEMPTS = 1000
_PLATE_LETTERS = {"ru": "АВЕКМНОРСТУХ", "en": "ABCDEFGHJKLMNPRSTUVWXYZ"}
# Names that begin with the same letters may be one person's: Женя, Женька.
_ALIKE = 3
_WORDS = re.compile(r"[^\W\d_]+")
_SECRET = re.compile(r"(?<==)[\w.+-]+|\w*\d\w*|[\w-]{12,}")


def _keys(name: Name) -> set[str]:
    """Return what makes a name the same name: its persons, or its letters without an ending."""
    if name.uses:
        return {use.given.person for use in name.uses}
    if name.part == "surname":
        stems = [match[1] for pattern, _ in SURNAMES if (match := pattern.fullmatch(name.text))]
        return {f"surname {plain((stems or [name.text])[0])}"}
    return {f"{'name' if name.part == 'given' else name.part} {plain(name.text)}"}


def _mentioned(text: str) -> set[str]:
    return {key for word in text.split() for key in _may_name(word)}


@lru_cache(maxsize=1 << 17)
def _may_name(word: str) -> frozenset[str]:
    """Return whose name a word may be where its capital says something: after another word."""
    return frozenset(key for name in names.found(f"и {word}") for key in _keys(name))


@cache
def _real(kind: str, entry: str) -> frozenset[str]:
    """Return whose name a stand-in is, as _keys has it."""
    is_written = kind not in ("person", "surname")
    return frozenset({entry, f"{kind} {plain(entry)}"}) | (_may_name(entry) if is_written else frozenset())


def _replaced(text: str, stretches: Sequence[tuple[int, int, str]]) -> str:
    parts, end = [], 0
    for start, until, made in stretches:
        parts += [text[end:start], made]
        end = until
    return "".join([*parts, text[end:]])


def _scrambled(text: str, seed: str, only: str = "") -> str:
    """Change each digit and each letter for another of its kind, as the seed has it; or only some characters."""
    drawn = shake_256(seed.encode()).digest(len(text))
    return "".join(
        _like(character, byte) if not only or character in only else character
        for character, byte in zip(text, drawn, strict=True)
    )


def _like(character: str, drawn: int) -> str:
    if character in "0123456789":
        return str((int(character) + drawn % 8) % 9 + 1)
    if not character.isalpha():
        return character
    first, count = ("а", 32) if "а" <= character.lower() <= "я" else ("a", 26)
    made = chr(ord(first) + drawn % count)
    return made.upper() if character.isupper() else made


def _plate(text: str) -> str:
    """Return a plate with other letters and a number that no car has; a Russian one keeps its region."""
    is_russian = re.search("[а-я]", text, re.IGNORECASE) is not None
    letters = _PLATE_LETTERS["ru" if is_russian else "en"]
    lettered = re.sub(r"[^\W\d_]", lambda letter: _cased(_drawn(f"{letter.start()} {text}", letters), letter[0]), text)
    return re.sub(r"\d", "0", lettered, count=3 if is_russian else 0)


def _poured(text: str, made: str) -> str:
    """Write other digits and letters in the places of a text's own."""
    characters = iter(made)
    return "".join(next(characters, character) if _is_plain(character) else character for character in text)


def _is_plain(character: str) -> bool:
    return character.isascii() and character.isalnum()


def _drawn(word: str, pool: Sequence[str]) -> str:
    return pool[int.from_bytes(sha256(word.lower().encode()).digest()[:8]) % len(pool)]


def _cased(made: str, like: str) -> str:
    """Write a name as another is written: without capitals, in capitals, without «ё»."""
    if "ё" not in like.lower():
        made = made.replace("ё", "е").replace("Ё", "Е")
    if like.islower():
        return made.lower()
    return made.upper() if len(like) > 1 and like.isupper() else made


def _as_used(name: str, use: Use) -> str:
    """Write a name in the case of another: as what is somebody's, if the other one is."""
    if use.ending is not None:
        return possessive(name, use.given.gender) + use.ending
    return declined(name, use.given.gender)[use.case]


@cache
def _signature(person: str) -> tuple[str, ...]:
    """Return how a person's full and first short names are declined."""
    firsts = {given.register: given for given in reversed(persons()[person])}
    return tuple(declension(firsts[register].name, firsts[register].gender) for register in ("full", "short"))


@cache
def _people_like(given: Given) -> tuple[str, ...]:
    """List the people of the table whose names are declined as this person's, and who are called in this manner too."""
    pattern = declension(given.name, given.gender)
    signature = _signature(given.person) if given.person in persons() else (pattern,)
    alike = [person for person in _usual() if _signature(person)[: len(signature)] == signature]
    called = [person for person in alike if _fitting(given, person)]
    return tuple(called if len(called) > 1 else alike if len(alike) > 1 else _people_of(given.gender))


@cache
def _people_of(gender: Gender) -> tuple[str, ...]:
    return tuple(person for person in _usual() if person.endswith(f" {gender}"))


@cache
def _usual() -> tuple[str, ...]:
    """List the people whose names have short forms, or have none because they are never declined."""
    return tuple(
        person
        for person, called in persons().items()
        if len({given.name for given in called}) > 1 or len(set(declined(called[0].name, called[0].gender))) == 1
    )


def _fitting(given: Given, person: str) -> list[Given]:
    pattern = declension(given.name, given.gender)
    return [
        other
        for other in persons()[person]
        if other.register == given.register and declension(other.name, other.gender) == pattern
    ]


@lru_cache(maxsize=1 << 14)
def _counterpart(given: Given, person: str) -> Given:
    """Return the form of a person's name that is nearest to one of another's: by register, then by declension."""
    pattern = declension(given.name, given.gender)
    declined_alike = [other for other in persons()[person] if declension(other.name, other.gender) == pattern]
    return (_fitting(given, person) or declined_alike or list(persons()[person]))[0]


@cache
def _unisex_names(register: str) -> tuple[str, ...]:
    """List the names that men and women have: those of a register, or short ones where there are few."""
    genders: defaultdict[str, set[Gender]] = defaultdict(set)
    for given in (given for person in persons().values() for given in person if given.register == register):
        genders[given.name].add(given.gender)
    both = tuple(name for name, found in genders.items() if len(found) > 1)
    return both if len(both) > 2 or register == "short" else _unisex_names("short")
