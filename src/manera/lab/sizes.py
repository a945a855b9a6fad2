"""Which vocabulary a text bears: sizes tried in turn, and one chosen by a rule.

The rule: of the sizes at which nearly every token is seen often enough to be learned, the one at which a small model,
trained as long as at every other size, tells held-out text in the fewest bits per byte; of those within a hair of it
the smallest.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec
from tokenizers import Tokenizer

from manera.errors import TrainingError
from manera.lab import tokenizers
from manera.lab.settings import Budget, Kind, LabSettings, TokenizerKind, settings_for
from manera.lab.texts import TextSplits
from manera.lab.training import Trained, train

SIZES = (300, 500, 1000, 2000, 4000, 8000, 16_000, 32_000)
SEEN = 20
"""Times that a token has to come in the training text to be learned: k."""

SHARE_SEEN = 0.9
"""Of a vocabulary that has to come so often."""

HAIR = 0.005
"""Bits per byte that are no difference."""

WIDTH = 192


class Size(msgspec.Struct, frozen=True):
    """One vocabulary, and what it is worth.

    seen: the share of its tokens that the training text has at least SEEN times. bytes_per_token: of held-out text.
    """

    vocabulary: int
    tokens: int
    seen: float
    bytes_per_token: float
    bits_per_byte: float
    parameters: int

    @property
    def is_borne(self) -> bool:
        """Tell whether the text has its tokens often enough."""
        return self.seen >= SHARE_SEEN


class Tried(NamedTuple):
    """A size, and its tokenizer."""

    size: Size
    tokenizer: Tokenizer


def sweep(
    texts: TextSplits,
    kind: TokenizerKind,
    sizes: Sequence[int] = SIZES,
    model: Kind = "gru",
    seconds: float = 20,
    seed: int = 0,
) -> Iterator[Tried]:
    """Try sizes from the smallest, up to the first that the text bears no longer, each with an equal budget.

    Raises TrainingError where the text does not allow even the smallest.
    """
    for place, vocabulary in enumerate(sorted(sizes)):
        try:
            tokenizer = tokenizers.learn(kind, texts.train, vocabulary)
        except TrainingError:
            if place:
                return
            raise
        tried = _tried(texts, settings_for(model, tokenizer=kind, vocabulary=vocabulary, seed=seed), tokenizer, seconds)
        yield tried
        if place and not tried.size.is_borne:
            return


def choose(tried: Sequence[Size]) -> Size:
    """Choose by the rule; where the text bears none of the sizes, the smallest."""
    borne = [size for size in tried if size.is_borne]
    if not borne:
        return min(tried, key=lambda size: size.vocabulary)
    lowest = min(size.bits_per_byte for size in borne)
    return min((size for size in borne if size.bits_per_byte <= lowest + HAIR), key=lambda size: size.vocabulary)


def _tried(texts: TextSplits, settings: LabSettings, tokenizer: Tokenizer, seconds: float) -> Tried:
    counted = Counter(tokenizers.stream(tokenizer, texts.train))
    if settings.kind != "ngram":
        settings = msgspec.structs.replace(settings, width=WIDTH)
    *_, trained = train(texts, settings, Budget(seconds=seconds), tokenizer)
    assert isinstance(trained, Trained)
    found = Size(
        vocabulary=tokenizer.get_vocab_size(),
        tokens=sum(counted.values()),
        seen=_share_seen(tokenizer, counted),
        bytes_per_token=trained.bytes_per_token,
        bits_per_byte=trained.bits_per_byte,
        parameters=trained.parameters,
    )
    return Tried(found, tokenizer)


def _share_seen(tokenizer: Tokenizer, counted: Mapping[int, int]) -> float:
    """Return the share that comes often enough, of the tokens that are neither special nor stand for a byte."""
    own = [token for piece, token in tokenizer.get_vocab().items() if not tokenizers.is_spare(piece)]
    return sum(counted.get(token, 0) >= SEEN for token in own) / max(1, len(own))
