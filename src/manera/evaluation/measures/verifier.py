"""Did this author write it? A verifier of authorship, trained on the author against others.

Its settings were chosen on works that no figure is reported for (``benchmarks/meters.py``), and on nothing of the
voice's; only what counts as exaggeration with the voices of docs/results.md in view. What it learned it says as a
probability at even odds: 0.5 is where the author and the others are as likely.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manera.evaluation.measures import intervals
from manera.evaluation.measures.intervals import Floats, Groups, Interval
from manera.evaluation.measures.pieces import Cut
from manera.evaluation.measures.spread import spread
from manera.evaluation.reasons import NotMeasuredError
from manera.text.habits import Piece, distorted, habits
from manera.text.words import common_words, words

COMMON_WORDS = 1000
CHARACTERS = (2, 4)
MAX_CHARACTER_NGRAMS = 30_000
STRENGTH = 10.0
WORDS_WEIGHT = 2.0
HABITS_WEIGHT = 0.5
FOLDS = 4
MIN_PIECES = 4
MAX_PIECES = 500
CLIP = 4.0


@dataclass(frozen=True)
class Verifier:
    """A calibrated logistic regression over character n-grams, frequent words and habits.

    folds: models that each left out a stretch of everybody's pieces. own: log-odds, ascending, of the author's own
    pieces (pieces,), each by the model that had left it out.
    """

    features: "Features"
    model: Any
    calibrator: Any
    folds: Sequence[Any]
    own: Floats

    def probabilities(self, pieces: Sequence[Piece]) -> Floats:
        """Return for each piece how probable the author is, (pieces,), 0 to 1."""
        return self.calibrated(self.model.decision_function(self.features.of(pieces))) if pieces else np.zeros(0)

    def calibrated(self, scores: Floats) -> Floats:
        """Turn log-odds of any shape into probabilities."""
        found: Floats = self.calibrator.predict_proba(scores.reshape(-1, 1))[:, 1].reshape(scores.shape)
        return found

    def ranks(self, scores: Floats) -> Floats:
        """Return the share of the author's own pieces that score lower: 0.5 on average, were they the author's."""
        return np.searchsorted(self.own, scores) / len(self.own)


def train_verifier(
    own: Cut,
    others: Mapping[str, Cut],
    features: "Features | None" = None,
    max_pieces: int = MAX_PIECES,
) -> Verifier:
    """Learn to tell one author from others, each author of whom counts as much as any other.

    Calibrated on stretches that were left out in turn (Platt, 1999). features: where they were fitted already.
    max_pieces: of each author to learn from, taken evenly. Raises NotMeasuredError when there is too little of either
    side.
    """
    authors = [spread(author.pieces, max_pieces) for author in (own, *others.values()) if author.pieces]
    foreign = sum(len(other.pieces) for other in others.values())
    if min(len(own.pieces), foreign) < MIN_PIECES:
        hint = "train on a larger corpus"
        raise NotMeasuredError("too_few_pieces", hint, own=len(own.pieces), others=foreign, needed=MIN_PIECES)
    features = features or fit_features(authors)
    pieces = [piece for author in authors for piece in author]
    is_own = np.concatenate([np.full(len(author), not index) for index, author in enumerate(authors)])
    shares = [0.5, *[0.5 / (len(authors) - 1)] * (len(authors) - 1)]
    weights = np.concatenate(
        [np.full(len(author), share / len(author)) for author, share in zip(authors, shares, strict=True)]
    )
    rows, weights = features.of(pieces), weights * len(pieces)
    fold_of = np.concatenate([_folds(len(author)) for author in authors])
    scores, folds = np.zeros(len(pieces)), []
    for fold in range(FOLDS):
        kept, left = np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)
        folds.append(_regression().fit(rows[kept], is_own[kept], sample_weight=weights[kept]))
        scores[left] = folds[-1].decision_function(rows[left])
    model = _regression().fit(rows, is_own, sample_weight=weights)
    return Verifier(features, model, _calibrate(scores, is_own, weights), folds, np.sort(scores[is_own]))


def _regression() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=STRENGTH, max_iter=1000)


def _calibrate(scores: Floats, is_own: NDArray[np.bool_], weights: Floats) -> Any:
    """Turn scores into probabilities; Platt's targets keep short of 0 and 1 by what so many pieces cannot tell."""
    from sklearn.linear_model import LogisticRegression

    own, other = weights[is_own].sum(), weights[~is_own].sum()
    target = np.where(is_own, (own + 1) / (own + 2), 1 / (other + 2))
    both = np.concatenate([scores, scores])[:, None]
    yes = np.arange(len(both)) < len(scores)
    shares = np.concatenate([weights * target, weights * (1 - target)])
    return LogisticRegression(C=np.inf, max_iter=1000).fit(both, yes, sample_weight=shares)


def over_pieces(values: Sequence[float] | Floats, seed: int) -> Interval:
    """Average over pieces; fewer than a verifier can be calibrated on have no bounds."""
    found = intervals.mean(values, seed)
    return found if len(values) >= MIN_PIECES else Interval(found.value, np.nan, np.nan)


def likeness_of(verifier: Verifier, pieces: Sequence[Piece], texts: int) -> Interval:
    """Say how probable the author of pieces is on average, and that they do not exaggerate the author.

    A caricature would be the likelier the more it exaggerates. So where the pieces together go further from the others
    than the author's own do, the mean falls with the share of the author's own that go as far. Its bounds know that
    other pieces, and another verifier, might have been had. texts: how many the pieces were cut from.
    """
    if not pieces:
        return Interval(np.nan, np.nan, np.nan)
    rows = verifier.features.of(pieces)
    scores = np.array([fold.decision_function(rows) for fold in verifier.folds])
    ranks = verifier.ranks(scores)
    probabilities = verifier.calibrated(verifier.model.decision_function(rows))
    probability = _averaged(probabilities, verifier.calibrated(scores), texts)
    rank = _averaged(ranks.mean(axis=0), ranks, texts)
    found = intervals.product(probability, _unexaggerated(rank))
    return found if len(pieces) >= MIN_PIECES else Interval(found.value, np.nan, np.nan)


def _averaged(of_each: Floats, refitted: Floats, texts: int) -> Interval:
    """Average figures of pieces, (pieces,), given what each fold's model would have them be, (folds, pieces)."""
    return intervals.mean_probability(of_each, intervals.jackknife_error(refitted.mean(axis=1)), texts)


def _unexaggerated(rank: Interval) -> Interval:
    """Return 1 where the mean rank is the author's or lower, and less the further it lies above, down to 0."""
    value, high, low = (float(np.minimum(1, 2 * (1 - one))) for one in rank)
    return Interval(value, low, high)


def _folds(count: int) -> NDArray[np.intp]:
    """Deal pieces out in stretches, so that neighbours, which may overlap, seldom part."""
    return np.arange(count) * FOLDS // max(count, 1)


@dataclass(frozen=True)
class Features:
    """How pieces become numbers: n-grams of distorted text, frequencies of common words, and habits."""

    known: frozenset[str]
    characters: Any
    words: Any
    word_scale: Any
    habit_scale: Any

    def of(self, pieces: Sequence[Piece]) -> Any:
        """Return a sparse matrix with a row for each piece."""
        from scipy.sparse import csr_matrix, hstack

        texts = ["\n".join(piece) for piece in pieces]
        parts = (
            self.characters.transform([distorted(text, self.known) for text in texts]),
            csr_matrix(WORDS_WEIGHT * _scaled(self.word_scale, self.words.transform(texts).toarray())),
            csr_matrix(HABITS_WEIGHT * _scaled(self.habit_scale, np.array([habits(piece) for piece in pieces]))),
        )
        return hstack(parts).tocsr()


def fit_features(authors: Sequence[Sequence[Piece]]) -> Features:
    """Learn which words are common and how much everything varies, without looking at who wrote what."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.preprocessing import StandardScaler

    by_author = [["\n".join(piece) for piece in author] for author in authors]
    texts = [text for author in by_author for text in author]
    common = common_words(by_author, COMMON_WORDS)
    known = frozenset(common)
    characters = TfidfVectorizer(
        analyzer="char",
        ngram_range=CHARACTERS,
        sublinear_tf=True,
        min_df=2,
        max_features=MAX_CHARACTER_NGRAMS,
        lowercase=False,
    )
    characters.fit([distorted(text, known) for text in texts])
    function_words = TfidfVectorizer(tokenizer=words, token_pattern=None, vocabulary=common, use_idf=False, norm="l1")
    return Features(
        known,
        characters,
        function_words,
        StandardScaler().fit(function_words.fit_transform(texts).toarray()),
        StandardScaler().fit(np.array([habits(piece) for author in authors for piece in author])),
    )


def _scaled(scale: Any, values: Floats) -> Floats:
    """Standardize; all the columns together then weigh about as much as a row of n-grams."""
    standard: Floats = np.clip(scale.transform(values), -CLIP, CLIP) / np.sqrt(values.shape[1])
    return standard


def area_under_curve(own: Sequence[float] | Floats, others: Sequence[float] | Floats) -> float:
    """Return how often something of the author's scores above something of others; ties count half."""
    if not len(own) or not len(others):
        return float("nan")
    from scipy.stats import rankdata

    ranks = rankdata(np.concatenate([own, others]))[: len(own)]
    return float((ranks.sum() - len(own) * (len(own) + 1) / 2) / (len(own) * len(others)))


def discriminability(real: Sequence[Piece], generated: Sequence[Piece], groups: Groups, seed: int = 0) -> Interval:
    """Tell texts written on the same prompts apart: 0.5 is a guess, 1 never mistaken.

    real and generated stand prompt by prompt; both of one prompt are left out of learning together. groups: the
    conversation of each prompt.
    """
    from sklearn.model_selection import cross_val_predict

    count = len(real)
    rows = fit_features([real, generated]).of([*real, *generated])
    is_real = np.arange(2 * count) < count
    folds = np.random.default_rng(seed).permutation(count) % FOLDS
    both = np.concatenate([folds, folds])
    splits = [(np.flatnonzero(both != fold), np.flatnonzero(both == fold)) for fold in range(FOLDS)]
    scores = cross_val_predict(_regression(), rows, is_real, cv=splits, method="decision_function")
    return intervals.of_groups(groups, lambda drawn: area_under_curve(scores[drawn], scores[drawn + count]), seed=seed)
