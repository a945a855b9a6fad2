"""How diverse texts are: n-grams that are different, and how near each text lies to the one most like it."""

import random
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from manera.retrieval.sentences import embed
from manera.text.words import runs, words

LENGTHS = (1, 2, 3)
MAX_WORDS = 20_000
"""Shares of different n-grams fall with the length of the text: they are compared over as many words of both."""

CLOSEST = 6
_BLOCK = 1024
_MAX_REAL = 2_000

Floats = NDArray[np.float32]


class Placed(NamedTuple):
    """A text and what it is about."""

    topic: str
    text: str


class Pair(msgspec.Struct, frozen=True):
    """Two texts, by their places, and the cosine between them."""

    one: int
    other: int
    cosine: float


class Diversity(msgspec.Struct, frozen=True):
    """What was measured. distinct: of all n-grams, the share that are different, by n, over so many ``words``.

    nearest: quartiles of the cosine between each text and the one most like it. copied: likewise between each text and
    the real one most like it. real: the first two of the real texts, where there are any.
    """

    words: int
    distinct: dict[int, float]
    nearest: tuple[float, float, float]
    closest: tuple[Pair, ...]
    distinct_real: dict[int, float] = {}
    nearest_real: tuple[float, float, float] | None = None
    to_real: tuple[float, float, float] | None = None


def measure(texts: Sequence[str], real: Sequence[str] = ()) -> Diversity:
    """Measure texts, beside real ones where they are given."""
    own_words, real_words = _words(texts), _words(real)
    count = min([MAX_WORDS, len(own_words), *([len(real_words)] if real else [])])
    own = embed(texts)
    near, where = _nearest(own, own, itself=True)
    others = embed(_some(real)) if real else None
    return Diversity(
        words=count,
        distinct=_distinct(own_words[:count]),
        nearest=_quartiles(near),
        closest=_closest(near, where),
        distinct_real=_distinct(real_words[:count]) if real else {},
        nearest_real=None if others is None else _quartiles(_nearest(others, others, itself=True)[0]),
        to_real=None if others is None else _quartiles(_nearest(own, others)[0]),
    )


def flattened(texts: Sequence[str], real: Sequence[str]) -> tuple[Floats, Floats]:
    """Lay directions of both on one plane, that of their two principal components: (n, 2) each."""
    own, others = embed(texts), embed(_some(real))
    both = np.concatenate([own, others])
    centred = both - both.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    flat = centred @ axes[:2].T
    if flat.shape[1] < 2:  # of a single text there is no plane
        flat = np.pad(flat, ((0, 0), (0, 2 - flat.shape[1])))
    return flat[: len(own)], flat[len(own) :]


def _some(texts: Sequence[str]) -> list[str]:
    return random.Random(0).sample(list(texts), min(len(texts), _MAX_REAL))


def _words(texts: Sequence[str]) -> list[str]:
    """Return the words of texts in a random order, so that a beginning stands for all."""
    return [word for text in random.Random(0).sample(list(texts), len(texts)) for word in words(text)]


def _distinct(found: Sequence[str]) -> dict[int, float]:
    shares = {}
    for length in LENGTHS:
        grams = runs(found, length)
        shares[length] = round(len(set(grams)) / len(grams), 4) if grams else 0.0
    return shares


def _nearest(directions: Floats, among: Floats, itself: bool = False) -> tuple[Floats, NDArray[np.int64]]:
    """Return each direction's highest cosine among others, and with which."""
    best, where = [np.zeros(0, np.float32)], [np.zeros(0, np.int64)]
    for start in range(0, len(directions), _BLOCK):
        cosines = directions[start : start + _BLOCK] @ among.T
        if itself:
            rows = np.arange(len(cosines))
            cosines[rows, start + rows] = -1.0
        best.append(cosines.max(axis=1))
        where.append(cosines.argmax(axis=1))
    return np.concatenate(best), np.concatenate(where)


def _quartiles(cosines: Floats) -> tuple[float, float, float]:
    low, median, high = (round(float(one), 3) for one in np.quantile(cosines, (0.25, 0.5, 0.75)))
    return low, median, high


def _closest(near: Floats, where: NDArray[np.int64]) -> tuple[Pair, ...]:
    pairs: dict[tuple[int, int], float] = {}
    for place in np.argsort(-near).tolist():
        one, other = sorted((place, int(where[place])))
        if one != other:
            pairs.setdefault((one, other), round(float(near[place]), 3))
        if len(pairs) == CLOSEST:
            break
    return tuple(Pair(one, other, cosine) for (one, other), cosine in pairs.items())
