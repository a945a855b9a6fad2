"""Was training worth it: a gate that only a voice passes which surely beats everything that needs no training."""

from collections.abc import Collection, Mapping, Sequence
from typing import Literal, NamedTuple

from manera.evaluation.measures import intervals
from manera.evaluation.measures.intervals import Floats, Groups, Interval

Outcome = Literal["better", "no_better", "other_words"]


class Verdict(NamedTuple):
    """Whether a voice is worth having, and the figures that say so, in bits per byte; below 0 the voice is better.

    trained, untrained: the best rung of either side. knowledge: None where it was not asked.
    """

    outcome: Outcome
    trained: str
    untrained: str
    difference: Interval
    knowledge: Interval | None

    @property
    def recommended(self) -> bool:
        """Only a voice that is surely better is."""
        return self.outcome == "better"


def gate(
    bits: Mapping[str, Floats],
    trained: Collection[str],
    sizes: Sequence[int],
    knowledge: Interval | None,
    seed: int = 0,
    groups: Groups | None = None,
) -> Verdict:
    """Recommend a voice only where it surely beats everything that needs no training.

    bits: of each stretch by rung. trained: the rungs that need training. sizes: bytes of each stretch. groups: the
    conversation of each stretch. knowledge: how many bits per byte the adapter gains more on its own training text
    than on held-out text; an adapter that learned another author gains nothing more there. None where it is known what
    the adapter learned.
    """
    best_untrained = min((rung for rung in bits if rung not in trained), key=lambda rung: bits[rung].sum())
    best_trained = min((rung for rung in bits if rung in trained), key=lambda rung: bits[rung].sum())
    difference = intervals.ratio(bits[best_trained] - bits[best_untrained], sizes, seed, groups)
    outcome: Outcome = "better"
    if not difference.high < 0:
        outcome = "no_better"
    elif knowledge is not None and not knowledge.low > 0:
        outcome = "other_words"
    return Verdict(outcome, best_trained, best_untrained, difference, knowledge)
