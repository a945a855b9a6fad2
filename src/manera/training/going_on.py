"""What is told of a run that goes on from a voice: what it is about to learn, and whether the voice has changed."""

from typing import Literal

import msgspec

from manera.records import ExampleKind, SplitName

Refusal = Literal["old_worse", "new_worse", "new_no_better", "text_unlikely"]

REFUSALS: dict[Refusal, str] = {
    "old_worse": "what was held out before is predicted worse than before",
    "new_worse": "what is held out of the new text is predicted worse than before",
    "new_no_better": "what is held out of the new text is predicted no better than before",
    "text_unlikely": "any step made the person's own text too unlikely",
}
"""Why a voice stays as it was."""

MIN_PAIRS = 8
"""Fewer say what somebody liked that day."""


class Growing(msgspec.Struct, frozen=True):
    """What is about to be learned: so many new examples; new_tokens, known_tokens: how much of either is learned."""

    voice: str
    kind: ExampleKind
    examples: dict[SplitName, int]
    new_tokens: int
    known_tokens: int
    dropped: dict[str, int]
    steps: int


class Change(msgspec.Struct, frozen=True):
    """Bits per byte of held-out text before and after, and their difference, paired by conversation, in 95 % bounds.

    low, high: None for one conversation alone, of which nothing is sure.
    """

    before: float
    after: float
    difference: float
    low: float | None
    high: float | None
    conversations: int

    @property
    def is_worse(self) -> bool:
        """Tell whether it is surely worse; where nothing is sure, the figure decides."""
        return (self.difference if self.low is None else self.low) > 0


class Grown(msgspec.Struct, frozen=True):
    """What came of new text.

    refusal, because: why the voice stayed as it was, by id and in words; None where it has changed.
    """

    voice: str
    old: Change
    new: Change
    steps: int
    kept_step: int
    seconds: float
    refusal: Refusal | None
    because: str | None


class Preferring(msgspec.Struct, frozen=True):
    """What is about to be learned: pairs, replies that were liked or disliked alone, and what cannot be learned.

    held_out: how many of all are not learned, but chosen on.
    """

    voice: str
    pairs: int
    liked: int
    disliked: int
    left_out: int
    held_out: int
    steps: int


class Preferred(msgspec.Struct, frozen=True):
    """What came of pairs. margin: mean lead of preferred replies, in rewards; preferred: share of pairs where it leads.

    Both on pairs that were held out, else on those learned. nats_before, nats_after: per token of the person's
    validation text. refusal, because: as in ``Grown``.
    """

    voice: str
    margin: float
    preferred: float
    nats_before: float
    nats_after: float
    steps: int
    kept_step: int
    seconds: float
    refusal: Refusal | None
    because: str | None
