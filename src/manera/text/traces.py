"""Stand-ins told from what somebody wrote, by the map of an import: they are nobody's manner."""

import re
from collections.abc import Mapping

from manera.text.declension import Gender, declined, possessive
from manera.text.russian_names import OWNED_ENDINGS, persons, plain
from manera.text.stand_ins import PATRONYMICS, SURNAMES, WHOSE, Kin
from manera.text.words import words

_TOKEN = re.compile(r"\w+")
_EXAMPLE = ("example", "org")
_MIN_WORD = 4
# What is shorter may be a part of any number.
_MIN_WITHIN = 6


class Traces:
    """Tells what may be a stand-in. entries: as StandIns has them."""

    def __init__(self, entries: Mapping[str, str]) -> None:
        self._words: set[str] = set()
        self._data: set[str] = set()
        self._stems: dict[str, set[str]] = {"surname": set(), "patronymic": set()}
        for key, made in entries.items():
            kind, _, original = key.partition(" ")
            if kind in ("account", "link"):
                self._words.update(_EXAMPLE)
            if kind in self._stems:
                self._stems[kind].add(plain(made))
            elif kind == "person":
                self._words.update(form for given in persons().get(made, ()) for form in _forms(given.name))
            elif kind in ("name", "speaker"):
                self._words |= _forms(made)
            elif kind != WHOSE:
                self._count_data(original, made)

    def has(self, word: str) -> bool:
        """Tell whether a word, in lower case, may be a stand-in, or part of one."""
        key = plain(word)
        kin = (("surname", SURNAMES), ("patronymic", PATRONYMICS))
        return key in self._words or any(self._is_kin(key, *one) for one in kin)

    def are_in(self, text: str) -> bool:
        """Tell whether something in a text stands for something else."""
        if any(map(self.has, words(text))):
            return True
        if not self._data.isdisjoint(map(str.casefold, _TOKEN.findall(text))):
            return True
        squeezed = _squeezed(text)
        return any(made in squeezed for made in self._data if len(made) >= _MIN_WITHIN)

    def _count_data(self, original: str, made: str) -> None:
        self._words.update(word for word in {*words(made)} - {*words(original)} if len(word) >= _MIN_WORD)
        self._data.add(_squeezed(made))

    def _is_kin(self, word: str, kind: str, kin: list[Kin]) -> bool:
        stems = self._stems[kind]
        return bool(stems) and any(
            word in stems or ((match := pattern.fullmatch(word)) and match[1] in stems) for pattern, _ in kin
        )


def _forms(name: str) -> set[str]:
    """Return a name in every case, as a man's and a woman's, and what is somebody's who is called so."""
    if name.isascii():
        return {name.lower()}
    genders: tuple[Gender, ...] = ("f", "m")
    cases = {plain(form) for gender in genders for form in declined(name, gender)}
    owned = {plain(possessive(name, gender)) for gender in genders}
    return cases | {one + ending for one in owned for ending in OWNED_ENDINGS}


def _squeezed(text: str) -> str:
    return "".join(filter(str.isalnum, text)).casefold()
