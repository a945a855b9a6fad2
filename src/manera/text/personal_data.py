"""Personal data by its patterns, with checksums where it has them: only kinds and counts are ever said."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Set

_PATTERNS: dict[str, re.Pattern[str]] = {
    "e-mail": re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b"),
    "card": re.compile(r"(?<!\d)(?:\d[ -]?){15,18}\d(?!\d)"),
    "phone": re.compile(r"(?<![\d+])(?:\+\d{1,3}|8)[ -]?\(?\d{3}\)?[ -]?\d{3}[ -]?\d{2}[ -]?\d{2}(?!\d)"),
    "SNILS": re.compile(r"(?<!\d)\d{3}-\d{3}-\d{3}[ -]\d{2}(?!\d)"),
    "INN": re.compile(r"(?<![\d+])(?:\d{12}|\d{10})(?!\d)"),
    "IBAN": re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b"),
    "passport": re.compile(r"(?i)(?:паспорт|passport)\D{0,20}\d{2} ?\d{2} ?\d{6}(?!\d)"),
    "address": re.compile(r"(?:ул\.|улица|проспект|пр-т|переулок)\s+[А-ЯЁ][\w-]+(?:\s[\w-]+)?,?\s+(?:д\.|дом)?\s*\d+"),
}


def luhn(digits: str) -> bool:
    """Check a card number (ISO/IEC 7812-1)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        number = int(digit) * (1 + place % 2)
        total += number - 9 * (number > 9)
    return total % 10 == 0 and len(set(digits)) > 1


def inn(digits: str) -> bool:
    """Check a Russian taxpayer's number of 10 or 12 digits."""
    weights = (3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)
    checked = (9,) if len(digits) == 10 else (10, 11)
    return len(set(digits)) > 1 and all(
        sum(int(d) * w for d, w in zip(digits[:place], weights[-place:], strict=True)) % 11 % 10 == int(digits[place])
        for place in checked
    )


def snils(digits: str) -> bool:
    """Check a Russian pension insurance number."""
    total = sum(int(digit) * (9 - place) for place, digit in enumerate(digits[:9])) % 101
    return total % 100 == int(digits[9:]) and len(set(digits)) > 1


def iban(text: str) -> bool:
    """Check an account number (ISO 13616)."""
    moved = text[4:] + text[:4]
    return int("".join(str(int(character, 36)) for character in moved)) % 97 == 1


_CHECKS: dict[str, Callable[[str], bool]] = {"card": luhn, "INN": inn, "SNILS": snils, "IBAN": iban}


def found_in(text: str) -> list[tuple[str, str]]:
    """Return the kinds and the normal forms of what a text holds; no stretch counts as two kinds."""
    found: list[tuple[str, str]] = []
    taken: set[int] = set()
    for kind, pattern in _PATTERNS.items():
        for match in pattern.finditer(text):
            normal = re.sub(r"[^\w@.+]", "", match.group())
            holds = kind not in _CHECKS or _CHECKS[kind](normal)
            if holds and taken.isdisjoint(range(*match.span())):
                taken.update(range(*match.span()))
                found.append((kind, normal))
    return found


def counted(texts: Iterable[str]) -> Counter[str]:
    """Count what many texts hold, by kind."""
    return Counter(kind for text in texts for kind, _ in found_in(text))


def items(texts: Iterable[str]) -> set[tuple[str, str]]:
    """Return all that texts hold, as kinds and normal forms."""
    return {item for text in texts for item in found_in(text)}


def repeated(texts: Iterable[str], known: Set[tuple[str, str]]) -> Counter[str]:
    """Count what texts hold that the training text, whose items are known, holds too: leaked, not invented."""
    return Counter(item[0] for text in texts for item in found_in(text) if item in known)
