"""How a given name is declined in Russian."""

from typing import Literal

Gender = Literal["f", "m"]
CASES = ("nominative", "genitive", "dative", "accusative", "instrumental", "locative", "vocative")

_IRREGULAR = {
    "Пётр": "Петр",
    "Павел": "Павл",
    "Лев": "Льв",
    "Юрок": "Юрк",
    "Юрец": "Юрц",
    "Филипок": "Филипк",
}
_LOVE = ("Любовь", "Любови", "Любови", "Любовь", "Любовью", "Любови", "Любовь")
_NEVER_Y = "гкхжшщч"
_HUSHING = "жшщчц"
_CONSONANTS = "бвгджзйклмнпрстфхцчшщ"


def declined(name: str, gender: Gender) -> tuple[str, ...]:
    """Return the forms of a name in the order of CASES; the vocative is that of talk: «Ань», «Дим»."""
    if name == _LOVE[0]:
        return _LOVE
    stem, last = name[:-1], name[-1]
    if last in "ая":
        return (name, *(stem + ending for ending in _of_a(stem, last)), _vocative(name, stem, last))
    if gender == "f" or (last not in _CONSONANTS and last != "ь"):
        return (name,) * len(CASES)
    if name.endswith(("ёк", "ек")) and name[-3] in _CONSONANTS:
        oblique, endings = name[:-2] + "ьк", ("а", "у", "а", "ом", "е")
    elif last in "йь":
        oblique, endings = stem, ("я", "ю", "я", "ем", "и" if name.endswith("ий") else "е")
    else:
        oblique, endings = _IRREGULAR.get(name, name), ("а", "у", "а", "ем" if last in _HUSHING else "ом", "е")
    return (name, *(oblique + ending for ending in endings), name)


def possessive(name: str, gender: Gender) -> str:
    """Return what is somebody's, in the masculine nominative: «Катин», «Кириллов»; most of them are surnames too."""
    stem, last = name[:-1], name[-1]
    if last in "ая":
        return stem + "ин"
    if gender == "f":
        return name.removesuffix("ь") + "ин"
    return stem + "ев" if last in "йь" else _IRREGULAR.get(name, name) + "ов"


def declension(name: str, gender: Gender) -> str:
    """Name the pattern that a name follows: names of one pattern have as many different forms, in the same cases."""
    forms = declined(name, gender)
    return f"{gender} {[forms.index(form) for form in forms[:-1]]}"


def _of_a(stem: str, last: str) -> tuple[str, ...]:
    if last == "а":
        instrumental = "ей" if stem[-1] in _HUSHING else "ой"
        return "и" if stem[-1] in _NEVER_Y else "ы", "е", "у", instrumental, "е"
    if stem.endswith("и"):
        return "и", "и", "ю", "ей", "и"
    return "и", "е", "ю", "ёй" if stem == "Иль" else "ей", "е"


def _vocative(name: str, stem: str, last: str) -> str:
    if stem.endswith(("и", "ь")) or len(stem) < 2:
        return name
    if last == "а":
        return stem
    return stem + ("ь" if stem[-1] in _CONSONANTS else "й")
