"""Long texts that somebody wrote again, word for word or nearly: an advertisement, a greeting sent to many.

Two texts can only be nearly the same where a band of their signatures is (MinHash). Bands of all texts stand on the
disk; who has one that nobody else has is not looked at again, and that is nearly everybody.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import BinaryIO, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from manera.text.words import WORD

REPEATED = "written before"
NEARLY = "nearly written before"

# A short «ок» is no duplicate.
_MIN_CHARACTERS = 60
_MIN_WORDS = 8
_SIMILARITY = 0.7
_PERMUTATIONS, _BANDS = 64, 16
_SEED = 42
# Of the golden ratio: it spreads bits (Fibonacci hashing).
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_READ_AT_ONCE = 1 << 16


class Long(NamedTuple):
    """A text that is long enough to be told again, by its pairs of words."""

    speaker_id: str
    pairs: list[str]


def long(speaker_id: str, text: str, words: Sequence[str] | None = None) -> Long | None:
    """Return a text by its pairs of words, None where it is too short; words: those of it, if they are known."""
    if len(text) < _MIN_CHARACTERS:
        return None
    words = WORD.findall(text) if words is None else words
    if len(words) < _MIN_WORDS:
        return None
    return Long(speaker_id, [f"{first} {second}" for first, second in pairwise(" ".join(words).casefold().split(" "))])


def bands(texts: Sequence[Long]) -> bytes:
    """Return the bands of texts: 16 numbers of 4 bytes each, of which one at least is equal where texts are alike."""
    if not texts:
        return b""
    from rensa import RMinHash

    matrix = RMinHash.digest_matrix_from_token_sets([text.pairs for text in texts], _PERMUTATIONS, _SEED)
    parts = np.array(matrix.to_rows(), np.uint64).reshape(len(texts), _BANDS, -1)
    mixed = np.array([crc32(text.speaker_id.encode(errors="surrogatepass")) for text in texts], np.uint64)[:, None]
    for place in range(parts.shape[2]):
        mixed = (mixed ^ parts[:, :, place]) * _FACTOR
        mixed ^= mixed >> np.uint64(32)
    return mixed.astype(np.uint32).tobytes()


def may_come_again(written: BinaryIO) -> NDArray[np.bool_]:
    """Tell of each text, by the bands of all in a file, whether another one may be alike."""
    size = _BANDS * 4
    count = written.seek(0, 2) // size
    found = np.zeros(count, np.bool_)
    for band in range(_BANDS):
        column = np.empty(count, np.uint32)
        written.seek(0)
        for start in range(0, count, _READ_AT_ONCE):
            rows = np.frombuffer(written.read(size * _READ_AT_ONCE), np.uint32)
            column[start : start + _READ_AT_ONCE] = rows[band::_BANDS]
        order = np.argsort(column, kind="stable")
        is_as_before = column[order[1:]] == column[order[:-1]]
        found[order[1:][is_as_before]] = True
        found[order[:-1][is_as_before]] = True
    return found


class Repeats:
    """Tells texts that were seen before; takes some two thousand bytes for each one that it is asked about."""

    def __init__(self) -> None:
        from rensa import RMinHash, RMinHashLSH

        self._hash = RMinHash
        self._exact: set[int] = set()
        self._index = RMinHashLSH(_SIMILARITY, _PERMUTATIONS, _BANDS)
        self._kept: list[tuple[str, RMinHash]] = []

    def holds(self, speaker_id: str, text: str) -> str | None:
        """Tell whether, and how, its speaker wrote this before; remember it."""
        said = long(speaker_id, text)
        if said is None:
            return None
        key = hash((speaker_id, " ".join(text.casefold().split())))
        if key in self._exact:
            return REPEATED
        self._exact.add(key)
        signature = self._hash(_PERMUTATIONS, _SEED)
        signature.update(said.pairs)
        for number in self._index.query(signature):
            whose, earlier = self._kept[number]
            if whose == speaker_id and signature.jaccard(earlier) >= _SIMILARITY:
                return NEARLY
        self._index.insert(len(self._kept), signature)
        self._kept.append((speaker_id, signature))
        return None
