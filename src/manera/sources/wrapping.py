"""Lines that were broken at a width, joined to paragraphs again."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

# Lines of running text that go on below begin with a small letter there: three in four of a book's,
# one in five where people talk in short replies, hardly any where each line is a paragraph.
_CONTINUED_SHARE = 0.12
_MIN_CONTINUED = 2
_WIDTHS = (30, 200)
# Of lines that go on, these are full: the next word had no room. Verse is uneven.
_FULL_SHARE = 0.8
_NEARLY_FULL = 0.85
_RAGGED_SHARE = 0.05
# A way to set paragraphs apart that fewer lines show is chance.
_SEPARATED_SHARE = 0.02
_DOUBLE_SPACED_SHARE = 0.9

SENTENCE_END = tuple(".!?…»\"”'’)")
_FIRST_LETTER = re.compile(r"[^\w]{0,3}([^\W\d_])")
_REPLY = re.compile(r"[-–—]\s*[^\w\s]*[A-ZА-ЯЁ]")
_BROKEN_WORD = re.compile(r"([^\W\d_]+)[-\u00ad\u2010¬]$")
_WORD_START = re.compile(r"^[^\W\d_]+")
_WORD = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_LONG_WORD = 40
# Where the text writes neither elsewhere, a hyphen stays in кто-то, кое-как, вице-губернатор, фу-фу, and between two
# words of the text that are long enough to be no parts of one: генерал-губернатор.
_PARTICLES = frozenset(("то", "либо", "нибудь", "таки", "первых", "вторых", "третьих"))
_PREFIXES = frozenset(("кое", "кой", "вице", "штаб", "штабс", "обер", "унтер", "экс", "из", "ей"))
_MIN_LEFT, _MIN_RIGHT = 4, 4


class Line(NamedTuple):
    """A line of a file, numbered from 1; glued when it goes on from the one before, whatever stands between."""

    number: int
    text: str
    is_glued: bool = False


class Paragraph(NamedTuple):
    """Lines joined, and the number of the first; hyphens counts those that broke words at line ends."""

    text: str
    line: int
    hyphens: int = 0


@dataclass(frozen=True)
class Wrapping:
    """How a text was broken: at what width in characters, and what tells paragraphs apart besides blank lines."""

    width: int
    is_ragged: bool = False
    indent: int | None = None
    are_last_lines_short: bool = False
    is_double_spaced: bool = False

    def has_room(self, line: str, following: str) -> bool:
        """Tell whether the first word of the following line would have fit on a line."""
        words = following.split(maxsplit=1)
        needed = len(line.rstrip()) + 1 + len(words[0] if words else "")
        return needed <= self.width * (_NEARLY_FULL if self.is_ragged else 1)

    def opens(self, line: str, before: str) -> bool:
        """Tell whether a line begins a paragraph that no blank line sets apart from the line before."""
        if self.indent is not None:
            return _indent(line) > self.indent
        if not self.are_last_lines_short:
            return False
        if self.has_room(before, line) and not (self.is_ragged and begins_small(line)):
            return True
        return ends_sentence(before) and bool(_REPLY.match(line.strip()))


def wrapping_of(lines: Sequence[str]) -> Wrapping | None:
    """Find how a text was broken, by what begins its lines and by how wide those are that go on; None if it was not.

    Scripts without capital letters are never found to be broken.
    """
    filled = [line for line in lines if line.strip()]
    after_blank = sum(not first.strip() and bool(second.strip()) for first, second in pairwise(lines))
    is_double_spaced = after_blank >= _DOUBLE_SPACED_SHARE * len(filled)
    pairs = list(pairwise(filled if is_double_spaced else lines))
    pairs = [(first, second) for first, second in pairs if first.strip() and second.strip()]
    continued = [(first, second) for first, second in pairs if begins_small(second)]
    if len(continued) < max(_MIN_CONTINUED, _CONTINUED_SHARE * len(filled)):
        return None
    widths = sorted(len(first.rstrip()) for first, _ in continued)
    width = widths[int(0.99 * (len(widths) - 1))]
    wrapping = Wrapping(width)
    full = sum(not Wrapping(width, is_ragged=True).has_room(first, second) for first, second in continued)
    if not _WIDTHS[0] <= width <= _WIDTHS[1] or full < _FULL_SHARE * len(continued):
        return None
    short = sum(wrapping.has_room(first, second) for first, second in continued)
    return _separated(pairs, continued, Wrapping(width, short > _RAGGED_SHARE * len(continued)), is_double_spaced)


def paragraphs(lines: Iterable[Line], wrapping: Wrapping | None) -> Iterator[Paragraph]:
    """Join lines to paragraphs; without a wrapping each line is one."""
    lines = list(lines)
    hyphens = _Hyphens([line.text for line in lines])
    block: list[Line] = []
    after_blank = False
    for line in lines:
        if not line.text.strip():
            after_blank = wrapping is None or not wrapping.is_double_spaced
            continue
        if (
            block
            and not line.is_glued
            and (wrapping is None or after_blank or wrapping.opens(line.text, block[-1].text))
        ):
            yield _joined(block, wrapping, hyphens)
            block = []
        block.append(line)
        after_blank = False
    if block:
        yield _joined(block, wrapping, hyphens)


def join_lines(lines: Sequence[str], texts: Sequence[str], wrapping: Wrapping) -> str:
    """Join the texts of full lines with what follows; verse, and the ends of paragraphs, keep their line breaks."""
    joined = texts[0]
    for (before, line), text in zip(pairwise(lines), texts[1:], strict=True):
        joined += ("\n" if wrapping.has_room(before, line) else " ") + text
    return joined


def begins_small(line: str) -> bool:
    """Tell whether the first letter of a line is a small one."""
    match = _FIRST_LETTER.match(line.lstrip())
    return bool(match and match[1].islower())


def ends_sentence(line: str) -> bool:
    """Tell whether a sentence may end with this line."""
    return line.rstrip().endswith(SENTENCE_END)


def _separated(
    pairs: Collection[tuple[str, str]],
    continued: Collection[tuple[str, str]],
    wrapping: Wrapping,
    is_double_spaced: bool,
) -> Wrapping:
    usual, _ = Counter(_indent(second) for _, second in continued).most_common(1)[0]
    indented = sum(
        _indent(second) > usual and (_indent(first) <= usual or ends_sentence(first)) for first, second in pairs
    )
    indent = usual if indented >= _SEPARATED_SHARE * len(pairs) else None
    short = sum(
        ends_sentence(first) and not begins_small(second) and wrapping.has_room(first, second)
        for first, second in pairs
    )
    are_short = indent is None and short >= _SEPARATED_SHARE * len(pairs)
    return Wrapping(wrapping.width, wrapping.is_ragged, indent, are_short, is_double_spaced)


def _joined(block: Sequence[Line], wrapping: Wrapping | None, hyphens: "_Hyphens") -> Paragraph:
    texts = [" ".join(line.text.split()) if wrapping else line.text.strip() for line in block]
    if wrapping and _is_verse([line.text for line in block], wrapping):
        return Paragraph("\n".join(texts), block[0].number)
    joined = texts[:1]
    removed = 0
    for last, following in pairwise(texts):
        if hyphens.breaks(last, following):
            joined[-1] = joined[-1][:-1]
            removed += 1
        elif not (_BROKEN_WORD.search(last[-_LONG_WORD:]) and _WORD_START.match(following)):
            joined.append(" ")
        joined.append(following)
    return Paragraph("".join(joined), block[0].number, removed)


def _is_verse(lines: Sequence[str], wrapping: Wrapping) -> bool:
    if len(lines) < 2:
        return False
    short = all(wrapping.has_room(first, second) for first, second in pairwise(lines))
    return short and sum(not begins_small(line) for line in lines) > len(lines) / 2


class _Hyphens:
    """Tell a hyphen that breaks a word from one that belongs to it, by how the text writes it elsewhere."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines
        self._words: Counter[str] | None = None
        self._are_breaks = True

    def breaks(self, line: str, following: str) -> bool:
        end, start = _BROKEN_WORD.search(line[-_LONG_WORD:]), _WORD_START.match(following)
        if not end or not start or not start[0][0].islower():
            return False
        if line[-1] != "-":
            return True
        left, right = end[1].casefold(), start[0].casefold()
        whole, parted = self._count(left + right), self._count(f"{left}-{right}")
        if whole != parted:
            return whole > parted
        if right in _PARTICLES or left in _PREFIXES or left == right:
            return False
        are_words = len(left) >= _MIN_LEFT and len(right) >= _MIN_RIGHT and self._count(left) and self._count(right)
        return self._are_breaks and not are_words

    def _count(self, word: str) -> int:
        if self._words is None:
            found = [word.casefold() for line in self._whole() for word in _WORD.findall(line)]
            self._words = Counter(found) + Counter(part for word in found if "-" in word for part in word.split("-"))
            self._are_breaks = self._majority()
        return self._words[word]

    def _whole(self) -> Iterator[str]:
        """Yield the lines without what may be half a word."""
        is_broken = False
        for line in map(str.strip, self._lines):
            whole = _WORD_START.sub("", line, count=1) if is_broken else line
            is_broken = bool(_BROKEN_WORD.search(line[-_LONG_WORD:]))
            yield _BROKEN_WORD.sub("", whole) if is_broken else whole

    def _majority(self) -> bool:
        """Where the same text writes most of such words with their hyphens, its lines were broken at those only."""
        assert self._words is not None
        whole = parted = 0
        for line, following in pairwise([line.strip() for line in self._lines]):
            end, start = _BROKEN_WORD.search(line[-_LONG_WORD:]), _WORD_START.match(following)
            if end and start:
                left, right = end[1].casefold(), start[0].casefold()
                whole += bool(self._words[left + right])
                parted += bool(self._words[f"{left}-{right}"])
        return whole >= parted


def _indent(line: str) -> int:
    expanded = line.expandtabs(4)
    return len(expanded) - len(expanded.lstrip())
