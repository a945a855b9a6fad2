"""Long texts that somebody wrote again, word for word or nearly: an advertisement, a greeting sent to many.

Two texts can only be nearly the same where a band of their signatures is (MinHash). Signatures of all texts stand on
the disk; a text whose bands nobody else has is not looked at again, and that is nearly every one.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import BinaryIO, NamedTuple

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
SIGNATURE_BYTES = 2 * _PERMUTATIONS
_READ_AT_ONCE = 1 << 15


def pairs_of(text: str, words: Sequence[str] | None = None) -> list[str] | None:
    """Return the pairs of words of a text that is long enough to be told again; words: its own, if they are known."""
    if len(text) < _MIN_CHARACTERS:
        return None
    words = WORD.findall(text) if words is None else words
    if len(words) < _MIN_WORDS:
        return None
    return [f"{first} {second}" for first, second in pairwise(" ".join(words).casefold().split(" "))]


def signatures(texts: Sequence[list[str]]) -> bytes:
    """Return the signatures of texts by their pairs of words: of each 64 minima of two bytes, four of them a band."""
    if not texts:
        return b""
    from rensa import RMinHash

    rows = RMinHash.digest_matrix_from_token_sets(texts, _PERMUTATIONS, _SEED).to_rows()
    return np.array(rows, np.uint32).astype(np.uint16).tobytes()


class MayRepeat(NamedTuple):
    """The signature of a text, and a bit for each of its bands that another text has too."""

    signature: bytes
    shared: int


def may_repeat(text: str) -> MayRepeat | None:
    """Return what a text is compared by where those that follow are not there yet; None where it is too short."""
    pairs = pairs_of(text)
    return None if pairs is None else MayRepeat(signatures([pairs]), (1 << _BANDS) - 1)


def shared_bands(written: BinaryIO) -> Iterator[MayRepeat]:
    """Yield of each signature in a file, in order, what may be like another one."""
    count = written.seek(0, 2) // SIGNATURE_BYTES
    shared = np.zeros(count, np.uint16)
    for band in range(_BANDS):
        column = np.empty(count, np.uint64)
        for start, rows in _rows(written):
            column[start : start + len(rows)] = rows[:, band]
        order = np.argsort(column, kind="stable")
        is_as_before = column[order[1:]] == column[order[:-1]]
        for places in (order[1:], order[:-1]):
            shared[places[is_as_before]] |= np.uint16(1 << band)
    for start, rows in _rows(written):
        of_rows = shared[start : start + len(rows)].tolist()
        yield from (MayRepeat(row.tobytes() if bits else b"", bits) for row, bits in zip(rows, of_rows, strict=True))


def _rows(written: BinaryIO) -> Iterator[tuple[int, NDArray[np.uint64]]]:
    written.seek(0)
    start = 0
    while data := written.read(SIGNATURE_BYTES * _READ_AT_ONCE):
        rows = np.frombuffer(data, np.uint64).reshape(-1, _BANDS)
        yield start, rows
        start += len(rows)


class Repeats:
    """Tells texts that were seen before; takes some five hundred bytes for each one that may be."""

    def __init__(self) -> None:
        self._exact: set[int] = set()
        self._bands: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
        self._kept: list[tuple[str, bytes]] = []

    def holds(self, speaker_id: str, text: str, one: MayRepeat) -> str | None:
        """Tell whether, and how, its speaker wrote this before; remember it."""
        key = hash((speaker_id, " ".join(text.casefold().split())))
        if key in self._exact:
            return REPEATED
        self._exact.add(key)
        values = np.frombuffer(one.signature, np.uint64).tolist()
        bands = [(band, value) for band, value in enumerate(values) if one.shared >> band & 1]
        alike = dict.fromkeys(number for band in bands for number in self._bands.get(band, ()))
        signature = np.frombuffer(one.signature, np.uint16)
        for whose, earlier in map(self._kept.__getitem__, alike):
            if whose == speaker_id and _similarity(signature, earlier) >= _SIMILARITY:
                return NEARLY
        for band in bands:
            self._bands[band].append(len(self._kept))
        self._kept.append((speaker_id, one.signature))
        return None


def _similarity(signature: NDArray[np.uint16], earlier: bytes) -> float:
    return float(np.mean(signature == np.frombuffer(earlier, np.uint16)))
