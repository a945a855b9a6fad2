"""How a play or a series writes who speaks: ``NAME: line``, ``Name. Line``, or the name on a line of its own."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from manera.sources.numerals import NUMERAL
from manera.sources.wrapping import Wrapping, wrapping_of

Kind = Literal["colon", "dot", "own line"]

_NAME = r"_?(?P<name>[^\W_][\w .,'’\"“”«»\-–#&/]{0,59}?)_?"
_MANNER = r"(?:[ \t]{0,20}_?[(\[][^()\[\]\n]{1,120}[)\]]_?)?"
_TITLE = r"_?(?P<name>(?:(?i:Mrs?|Ms|Dr|St|Mme|г)\.[ ])?[^\W\d_][\w '’\-–&]{0,39}?(?:[ ]?\d)?)_?"
_PATTERNS: dict[Kind, re.Pattern[str]] = {
    # ``1-Й ГОСТЬ: ...``, ``Г-ЖА ПРОСТАКОВА: ...``, ``ДОРН (напевает): ...``, ``Guest #1: ...``
    "colon": re.compile(rf"^{_NAME}{_MANNER}:_?(?:[ \t]+(?P<words>.*))?$"),
    # ``Иванов. ...``, ``Петрова (входит). ...``, ``_Lockit._ ...``, ``CLARA [all smiles] ...``
    "dot": re.compile(
        rf"^{_TITLE}(?:{_MANNER}\._?(?:[ \t]*[-–—])?|[ \t]{{0,20}}[(\[][^()\[\]\n]{{1,120}}[)\]])[ \t]+(?P<words>\S.*)$"
    ),
    "own line": re.compile(rf"^{_TITLE}[.:]?_?{_MANNER}[.:]?(?P<words>)$"),
}
_GLUED = re.compile(r"[.!?…)\]\"”](?P<name>[^\W\d_][\w .'’-]{0,39}?)(?:[ \t]*\([^()]*\))?:[ \t]")
_SPACED = re.compile(r"^\w(?: \w){2,}[.:]?$")
_NAME_WORDS = 5
_LONG_NAME_WORDS = 10
_SMALL_WORDS = frozenset(
    ("a", "an", "and", "at", "by", "for", "from", "in", "of", "on", "the", "to", "with", "и", "в", "на", "с", "из", "у")
)

# A book may hold a few dialogues; in a script most lines are replies, and the same few people speak.
_SCRIPT_SHARE = 0.5
_RETURNING_SPEAKERS = 2
# Where no colon tells a name, it has to come back more often.
_RETURNS: dict[Kind, int] = {"colon": 2, "dot": 3, "own line": 3}
# Speeches may have several lines; then the speakers have to come back again and again.
_LONG_SPEECH_SHARE: dict[Kind, float] = {"colon": 0.3, "dot": 0.15, "own line": 0.2}
_OFTEN, _OFTEN_SPEAKERS, _OFTEN_SHARE = 5, 3, 0.7

STAGE_LINE = re.compile(r"^_?(?:\[[^\[\]]*\]|\([^()]*\)\.?)_?\.?$")
_ROMAN = re.compile(r"^[IVXLC]+\.?$")
# How deep a heading lies: a scene ends with its act.
_NUMBERED = rf"(?:\W*$|[\s.№#-]+{NUMERAL})"
_HEADINGS = (
    re.compile(
        rf"^(?:(?:действие|акт|часть|act|part){_NUMBERED}|(?:пролог|эпилог|prologue|epilogue)\b)", re.IGNORECASE
    ),
    re.compile(rf"^(?:картина|сцена|scene|scena){_NUMBERED}", re.IGNORECASE),
    re.compile(rf"^(?:явление|выход){_NUMBERED}", re.IGNORECASE),
)
_HEADING_WORDS = 6


class Reply(NamedTuple):
    """The line that a reply begins with."""

    name: str
    words: str


@dataclass(frozen=True)
class Layout:
    """How one text tells its speakers; names are those that come back. With a colon, others are names too."""

    kind: Kind
    names: frozenset[str]
    wrapping: Wrapping | None
    has_blocks: bool

    def reply(self, line: str, opens_block: bool) -> Reply | None:
        """Read the first line of a reply; None where nobody begins to speak."""
        if self.kind == "dot" and self.has_blocks and not opens_block:
            return None
        found = _reply(line, self.kind)
        return found if found and (self.kind == "colon" or fold(found.name) in self.names) else None

    def speeches(self, line: str) -> list[str]:
        """Part a line where another speaker's name is glued to the end of a sentence: ``it.Rachel: No!``"""
        if self.kind != "colon" or line.count(":") == 0:
            return [line]
        parts, at = [], 0
        for match in _GLUED.finditer(line):
            if fold(match["name"]) in self.names:
                parts.append(line[at : match.start("name")])
                at = match.start("name")
        return [*parts, line[at:]]


def layout_of(text: str) -> Layout | None:
    """Find who speaks how, by names that come back; None where the text is no script."""
    lines = text.split("\n")
    filled = [line.strip() for line in lines if line.strip()]
    wrapping = wrapping_of(lines)
    openings = list(_openings(lines, wrapping))
    for kind in _PATTERNS:
        for units in (filled, openings):
            if names := _speakers(units, kind):
                return Layout(kind, names, wrapping, units is openings)
    return None


def heading_depth(line: str) -> int | None:
    """Return how deep a heading lies, None where a line is none."""
    if _ROMAN.match(line):
        return 2
    if len(line.split()) > _HEADING_WORDS or _reply(line, "colon"):
        return None
    return next((depth for depth, pattern in enumerate(_HEADINGS) if pattern.match(line)), None)


def fold(name: str) -> str:
    """Return what makes two spellings of a name one."""
    return name.upper().strip(" .,")


def _openings(lines: Sequence[str], wrapping: Wrapping | None) -> Iterator[str]:
    """Yield the first line of every block."""
    before = ""
    for line in lines:
        if line.strip() and (not before.strip() or (wrapping and wrapping.opens(line, before))):
            yield line.strip()
        before = line


def _speakers(units: Sequence[str], kind: Kind) -> frozenset[str]:
    """Return the names of a script, none where the text is not one in this layout."""
    names: Counter[str] = Counter()
    directions = 0
    for line in units:
        if found := _reply(line, kind):
            names[fold(found.name)] += 1
        else:
            directions += bool(STAGE_LINE.match(line)) or heading_depth(line) is not None
    returning = {name: count for name, count in names.items() if count >= _RETURNS[kind]}
    replies = names.total() if kind == "colon" else sum(returning.values())
    often = [count for count in names.values() if count >= _OFTEN]
    come_back = len(often) >= _OFTEN_SPEAKERS and sum(often) >= _OFTEN_SHARE * names.total()
    least = _LONG_SPEECH_SHARE[kind] if come_back or kind == "own line" else _SCRIPT_SHARE
    is_script = (
        len(returning) >= _RETURNING_SPEAKERS
        and replies + directions >= least * max(1, len(units))
        and replies > directions
    )
    return frozenset(returning) if is_script else frozenset()


def _reply(line: str, kind: Kind) -> Reply | None:
    """A name begins with a capital or a digit, and has few words; in capitals, or each with one, some more."""
    match = _PATTERNS[kind].match(line.replace(" ", "") if kind == "own line" and _SPACED.match(line) else line)
    if not match:
        return None
    name = match["name"]
    first = name[0]
    words = name.split()
    if not (first.isdigit() or first.isupper()) or len(words) > _LONG_NAME_WORDS:
        return None
    if kind == "own line" and ((not name.isupper() and len(words) > 3) or heading_depth(line) is not None):
        return None
    if len(words) > _NAME_WORDS or any(mark in name for mark in ',"“”«»'):
        are_names = all(not word[0].islower() or word in _SMALL_WORDS for word in words)
        if not are_names:
            return None
    return Reply(name.strip(), match["words"] or "")
