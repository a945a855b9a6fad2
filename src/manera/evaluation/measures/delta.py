"""Burrows's Delta (2002), the plain measure beside the verifier: how far a text's most frequent words are off."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manera.text.habits import Piece
from manera.text.words import common_words, words

MAX_FREQUENT = 150

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Delta:
    """Frequencies of common words in z-scores, and where each author stands among them."""

    vocabulary: tuple[str, ...]
    mean: Floats
    spread: Floats
    authors: dict[str, Floats]

    def distances(self, piece: Piece) -> dict[str, float]:
        """Return for each author the mean absolute difference of z-scores."""
        place = (_frequencies(piece, self.vocabulary) - self.mean) / self.spread
        return {author: float(np.abs(place - centre).mean()) for author, centre in self.authors.items()}


def fit_delta(authors: Mapping[str, Sequence[Piece]]) -> Delta:
    """Place authors by pieces of theirs, all of about one length."""
    vocabulary = common_words((("\n".join(piece) for piece in pieces) for pieces in authors.values()), MAX_FREQUENT)
    measured = {
        author: np.array([_frequencies(piece, vocabulary) for piece in pieces]) for author, pieces in authors.items()
    }
    everything = np.concatenate(list(measured.values()))
    mean, spread = everything.mean(0), everything.std(0)
    spread[spread == 0] = 1.0
    centres = {author: (rows.mean(0) - mean) / spread for author, rows in measured.items()}
    return Delta(vocabulary, mean, spread, centres)


def _frequencies(piece: Piece, vocabulary: Sequence[str]) -> Floats:
    counted = Counter(word for text in piece for word in words(text))
    total = max(sum(counted.values()), 1)
    return np.array([counted[word] / total for word in vocabulary])
