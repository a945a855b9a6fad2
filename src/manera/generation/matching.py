"""What is read along while a reply is written under a guard: a verdict on the text so far, and how much of it is safe.

Looked for are copied and repeated runs of words, fillers, turn headers, foreign scripts, and stop strings that an
engine cannot see.
"""

from collections import Counter
from typing import NamedTuple

from manera.generation.engine import Token
from manera.generation.guard import RUN_WORDS, Guard, run_hash, word_hash
from manera.generation.manuscript import Manuscript
from manera.text.words import WORD, is_complete

MAX_REPEATS = 2
"""How often a reply may repeat a run of its own words: one that goes on repeating never ends by itself."""


class StepBack(NamedTuple):
    """What was written from ``start`` up to ``end`` may not stay; where both are one, the reply may not end there."""

    start: int
    end: int
    is_foreign: bool = False


class Over(NamedTuple):
    """The reply ends at ``place``."""

    place: int
    is_repeating: bool = False


Verdict = StepBack | Over | None
"""None lets the text stay as it is."""


class Matcher:
    """Reads one reply along; stops: strings at which it ends, turn headers included."""

    def __init__(self, guard: Guard, stops: tuple[str, ...]) -> None:
        self._guard = guard
        self._stops = stops
        self._words = _Words(guard)

    def verdict(self, manuscript: Manuscript, seam: int, *, is_ended: bool) -> Verdict:
        """Judge what was added since the last time; is_ended: whether the last word is whole.

        seam: where the engine was last asked to write on: it has not seen what stop strings came before.
        """
        return (
            _stop_across(self._stops, manuscript.text, seam)
            or _filler(self._guard, manuscript)
            or _leading_header(self._guard, manuscript.text)
            or self._words.read(manuscript.text, is_ended)
        )

    def safe_end(self, text: str) -> int:
        """Return up to where the text stays, whatever comes."""
        return min(self._words.safe_end(text), _before_filler(self._guard, text), _before_header(self._guard, text))

    def cut(self, text: str) -> None:
        """Read anew what is left of the text."""
        self._words = _Words(self._guard)
        self._words.read(text, is_ended=False)


class _Words:
    """The words of a reply that are whole, and the runs of RUN_WORDS of them."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._hashes: list[int] = []
        self._ends: list[int] = []
        self._runs: Counter[int] = Counter()

    def read(self, text: str, is_ended: bool) -> Verdict:
        """Read the words that have come; the last one is passed over while it may still grow."""
        for word in WORD.finditer(text, self._ends[-1] if self._ends else 0):
            if not is_ended and not is_complete(text, word.end()):
                break
            verdict = self._read_word(word[0], word.start(), word.end())
            if verdict is not None:
                return verdict
        return None

    def _read_word(self, word: str, start: int, end: int) -> Verdict:
        hashes = [*self._hashes[-(RUN_WORDS - 1) :], word_hash(word.casefold())]
        if len(hashes) == RUN_WORDS:
            run = run_hash(hashes)
            if self._guard.is_copied(run):
                return StepBack(start, end)
            self._runs[run] += 1
            if self._runs[run] > MAX_REPEATS:
                return Over(self._ends[-1], is_repeating=True)
        self._hashes.append(hashes[-1])
        self._ends.append(end)
        return None

    def safe_end(self, text: str) -> int:
        """Return the end of the last word where the next one may complete a copied run."""
        last = self._hashes[-(RUN_WORDS - 1) :]
        may_be_copied = len(last) == RUN_WORDS - 1 and self._guard.may_be_copied(run_hash(last))
        return self._ends[-1] if may_be_copied else len(text)


def foreign(guard: Guard, text: str, token: Token) -> Verdict:
    """Judge the last token by its scripts."""
    character = guard.foreign(token.text)
    if character is None:
        return None
    place = text.index(character, len(text) - len(token.text))
    return StepBack(place, place + 1, is_foreign=True)


def _stop_across(stops: tuple[str, ...], text: str, seam: int) -> Verdict:
    """Find a stop string that begins before the seam and ends after it."""
    for stop in stops if seam else ():
        found = text.find(stop, max(0, seam - len(stop) + 1), seam + len(stop) - 1)
        if found >= 0:
            return Over(found)
    return None


def _filler(guard: Guard, manuscript: Manuscript) -> Verdict:
    found = guard.fillers.search(manuscript.text, manuscript.delivered) if guard.fillers is not None else None
    return None if found is None else StepBack(*found.span())


def _before_filler(guard: Guard, text: str) -> int:
    """Return where a filler may have begun, else the end of the text."""
    for length in range(min(guard.longest_filler, len(text)), 0, -1):
        if text[-length:].lower() in guard.filler_beginnings:
            return len(text) - length
    return len(text)


def _leading_header(guard: Guard, text: str) -> Verdict:
    """Find a turn header that opens the reply, without its line break; the engine stops before any other."""
    found = next((header[1:] for header in guard.headers if text.startswith(header[1:])), None)
    return None if found is None else StepBack(0, len(found))


def _before_header(guard: Guard, text: str) -> int:
    """Return 0 while the whole text may be the beginning of a turn header, else its end."""
    return 0 if any(header[1:].startswith(text) for header in guard.headers) else len(text)
