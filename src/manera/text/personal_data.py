"""Personal data by its patterns, with checksums where it has them: only kinds and counts are ever said."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Set
from typing import NamedTuple

from manera.text import secrets
from manera.text.addresses import ADDRESS


class Found(NamedTuple):
    """A stretch of a text, and the kind of personal data that it is."""

    kind: str
    start: int
    end: int
    text: str

    @property
    def normal(self) -> str:
        """What is equal for the same number, however it is spaced."""
        return re.sub(r"[^\w@.+]", "", self.text)


Span = tuple[int, int]
Finder = Callable[[str], Iterator[Span]]

_PASSPORT = r"""(?ix) (?: паспорт | загран | серия | passport ) [^\d\n]{0,30}? (?<![^\W_])
    (?P<it> \d{2}\s?\d{2}\s?(?:№|номер|n)?\s?\d{6} | \d{2}\s?№?\s?\d{7} | (?-i:[A-Z]{1,2})\d{6,8} | \d{9} ) (?!\d)"""
_SSN = r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])"
_SPOKEN_SSN = (
    r"(?i)\b(?:ssn|social\s+security(?:\s+(?:number|no\.?))?)\b\D{0,10}(?P<it>\d{3}[ -]?\d{2}[ -]?\d{4})(?!\d)"
)
_CARD_CODE = r"""(?ix) (?:
      \b (?: cvv2? | cvc2? | cvn | цвв | свв | security\s+code
        | код\s+(?:с|на)\s+об(?:орот|рат)[а-я]*(?:\s+сторон[а-я]*)? )
    | (?: \d[ -]? ){14,18} \d \D{1,12} \d{2}/\d{2,4} )
    (?: [\s,:;=—–-] | \b(?:is|это|код|на|обороте)\b ){1,6} (?P<it> \d{3,4} ) (?! [\d.,/]?\d )"""
_PLATE_LETTER = "[АВЕКМНОРСТУХ]"
_PLATE = rf"""(?x) (?<![\w-]) (?:
      {_PLATE_LETTER} \s? \d{{3}} \s? {_PLATE_LETTER}{{2}} (?: \s? (?: \d{{2}} | [1279]\d{{2}} ) )?
    | (?i: {_PLATE_LETTER} \d{{3}} {_PLATE_LETTER}{{2}} (?: \d{{2}} | [1279]\d{{2}} ) ) ) (?![\w-])"""
_SPOKEN_PLATE = r"""(?x) \b (?i: (?: licen[cs]e | number ) \s plates? | plates? | reg (?:istration)? )
    (?i: (?: \s (?: number | no\.? ) )? (?: \s is | : | ,)? ) \s
    (?P<it> (?= [A-Z\ ]*\d ) (?= [\d\ ]*[A-Z] ) [A-Z0-9]{2,4} [ -]? [A-Z0-9]{3,4} ) (?![\w-])"""
_PHONE = r"""(?x) (?: (?<![\w.,:/=+-]) | (?<=\d\d/) ) (?: \+ | (?=[\d(]) ) \(? \d (?: [ .()-]{0,2} \d ){6,13}
    (?! \w | /(?! \+?[\d(]{3} ) | [.,:-]\d )"""
_SHORT_PHONE = r"(?P<it>\d{3}[.-]\d{4})(?![\w/]|[.,:-]\d)"
_CALLED_PHONE = rf"""(?ix) \b (?: call | text | ring | dial | phone | tel | cell | mobile | fax | landline )
    (?: \s (?: me | us | her | him | them | at | on | is | number | no ) | [.:] ){{0,3}} \s {_SHORT_PHONE}"""
_SECOND_PHONE = rf"(?ix) \d{{3}} [.-] \d{{4}} \s? (?: [,/] | \b(?:or|and|или|и)\b ) \s? {_SHORT_PHONE}"
_LOCAL_PHONE = re.compile(r"\d{3}-\d{2}-\d{2}")
_WRITTEN = re.compile(r"\(?\d{3}\)?[ .-]?\d{3}[ .-]\d{4}|\(?0\d[\d ()-]+")
_REGIONS = ("RU", "US", "GB")
_MIN_DIGITS = 10
_RUSSIAN_PHONE = re.compile(r"[78][3489]\d{9}")
# Nobody's, by RFC 2606 and by the custom of films: what stands for a real one is never found as one.
_NOBODYS_MAIL = re.compile(r"@example\.(?:com|org|net)$")
_NOBODYS_PHONE = re.compile(r"55501\d\d$")


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


def phone(text: str) -> bool:
    """Tell whether a number is somebody's: valid in its country's plan, and written as a phone number is.

    Ten digits without a space may be an order's number.
    """
    import phonenumbers

    digits = re.sub(r"\D", "", text)
    if _LOCAL_PHONE.fullmatch(text):
        return True
    if len(digits) < _MIN_DIGITS or _NOBODYS_PHONE.search(digits):
        return False
    if not (text.startswith("+") or _RUSSIAN_PHONE.fullmatch(digits) or _WRITTEN.fullmatch(text)):
        return False
    for region in _REGIONS:
        try:
            if phonenumbers.is_valid_number(phonenumbers.parse(text, region)):
                return True
        except phonenumbers.NumberParseException:
            continue
    return False


def _mail(text: str) -> bool:
    return not _NOBODYS_MAIL.search(text)


def _short_phone(text: str) -> bool:
    return not text.startswith("555") or not _NOBODYS_PHONE.search(re.sub(r"\D", "", text))


def ssn(text: str) -> bool:
    """Tell whether an American social security number is one that is given to people."""
    digits = re.sub(r"\D", "", text)
    return digits[:3] not in ("000", "666") and digits[0] != "9" and digits[3:5] != "00" and digits[5:] != "0000"


def _given_out(plate: str) -> bool:
    """No plate has the number 000, nor zeros only."""
    return "000" not in plate and re.search("[1-9]", plate) is not None


def _issued(passport: str) -> bool:
    """No passport begins with a region of two zeros."""
    return not passport.startswith("00")


def _pattern(expression: str, holds: Callable[[str], bool] | None = None, spaced: bool = False) -> Finder:
    """Find what a pattern does, or its group ``it``; holds: what checks it, without spaces and hyphens if spaced."""
    pattern = re.compile(expression)
    group = "it" if "it" in pattern.groupindex else 0

    def find(text: str) -> Iterator[Span]:
        for match in pattern.finditer(text):
            value = re.sub("[ -]", "", match[group]) if spaced else match[group]
            if holds is None or holds(value):
                yield match.span(group)

    return find


_DIGIT, _AT, _SLASHES, _CUE, _LOGIN = "digit", "@", "://", "cue", "login"
# Each with the sign without which it finds nothing; a key may have any, but stands where there is some.
_FINDERS: tuple[tuple[str, str | None, Finder], ...] = (
    ("key", None, secrets.keys),
    ("link", _SLASHES, secrets.links),
    ("e-mail", _AT, _pattern(r"(?<![\w.+-])(?!git@)[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[^\W\d_]{2,}\b", _mail)),
    ("IBAN", _DIGIT, _pattern(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b", iban, spaced=True)),
    ("card", _DIGIT, _pattern(r"(?<![\d+])(?:\d[ -]?){14,18}\d(?!\d)", luhn, spaced=True)),
    ("card", _DIGIT, _pattern(r"(?<![\d+])(?:\d{4}[ -]){3}\d{4}(?!\d)", luhn, spaced=True)),
    ("card code", _DIGIT, _pattern(_CARD_CODE)),
    ("SNILS", _DIGIT, _pattern(r"(?<!\d)\d{3}([ -])\d{3}\1\d{3}[ -]\d{2}(?!\d)", snils, spaced=True)),
    ("SNILS", _DIGIT, _pattern(r"(?i)снилс\D{0,20}(?P<it>\d{11})(?!\d)", snils)),
    ("INN", _DIGIT, _pattern(r"(?<![\w+-])(?:\d{12}|\d{10})(?!\w)", inn)),
    ("passport", _DIGIT, _pattern(_PASSPORT, _issued)),
    ("SSN", _DIGIT, _pattern(_SSN, ssn)),
    ("SSN", _DIGIT, _pattern(_SPOKEN_SSN, ssn)),
    ("phone", _DIGIT, _pattern(_PHONE, phone)),
    ("phone", _DIGIT, _pattern(_CALLED_PHONE, _short_phone)),
    ("phone", _DIGIT, _pattern(_SECOND_PHONE, _short_phone)),
    ("plate", _DIGIT, _pattern(_PLATE, _given_out)),
    ("plate", _DIGIT, _pattern(_SPOKEN_PLATE, _given_out)),
    ("door code", _DIGIT, secrets.door_codes),
    ("password", _CUE, secrets.passwords),
    ("login", _LOGIN, secrets.logins),
    ("address", _DIGIT, _pattern(ADDRESS)),
    ("handle", _AT, secrets.handles),
)
_HAS_DIGIT = re.compile(r"\d")


def found(text: str) -> list[Found]:
    """Return what a text holds in order of place; no stretch counts as two kinds."""
    stretches: list[Found] = []
    signs = _signs(text)
    if not signs:
        return stretches
    taken = bytearray(len(text))
    for kind, sign, finder in _FINDERS:
        if sign and sign not in signs:
            continue
        for start, end in finder(text):
            if not any(taken[start:end]):
                taken[start:end] = b"\1" * (end - start)
                stretches.append(Found(kind, start, end, text[start:end]))
    return sorted(stretches, key=lambda stretch: stretch.start)


def _signs(text: str) -> list[str]:
    """Return what a text has of the signs that finders need: most have none."""
    signs = [sign for sign in (_AT, _SLASHES) if sign in text]
    if _HAS_DIGIT.search(text):
        signs.append(_DIGIT)
    if secrets.may_hold_password(text):
        signs.append(_CUE)
    if secrets.may_hold_login(text):
        signs.append(_LOGIN)
    return signs


def counted(texts: Iterable[str]) -> Counter[str]:
    """Count what many texts hold, by kind."""
    return Counter(stretch.kind for text in texts for stretch in found(text))


def items(texts: Iterable[str]) -> set[tuple[str, str]]:
    """Return all that texts hold, as kinds and normal forms."""
    return {(stretch.kind, stretch.normal) for text in texts for stretch in found(text)}


def repeated(texts: Iterable[str], known: Set[tuple[str, str]]) -> Counter[str]:
    """Count what texts hold that the training text, whose items are known, holds too: leaked, not invented."""
    return Counter(kind for text in texts for kind, normal in sorted(items([text])) if (kind, normal) in known)
