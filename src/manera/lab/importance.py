"""How much each setting decided, by the ranks of a search's trials.

Trials are ranked by bits per byte within their kind, and each setting is cut into thirds there: smaller, middle, larger
(a tokenizer into its names). A setting's share is what part of the ranks' variance these groups explain, less what as
many groups would explain by chance. That of the kind is taken over all trials' ranks together.
"""

from collections import defaultdict
from collections.abc import Hashable, Sequence

import msgspec

from manera.lab.study import Tried
from manera.lab.tokenizers import SIZED

NUMBERS = ("vocabulary", "width", "layers", "context", "learning_rate", "dropout", "batch")
THIRDS = ("smaller", "middle", "larger")
MIN_TRIALS = 6


class Importance(msgspec.Struct, frozen=True):
    """A setting, its share of what decided (0 to 1), and which values were better."""

    setting: str
    share: float
    better: str


def importances(tried: Sequence[Tried]) -> list[Importance]:
    """Return the settings by their share, the largest first; nothing where there are too few trials."""
    known = [one for one in tried if one.lowest is not None and not one.is_floor and one.kind != "ngram"]
    if len(known) < MIN_TRIALS:
        return []
    overall = _ranks([one.lowest or 0.0 for one in known])
    found = [_importance("kind", overall, [one.kind for one in known])]
    within = _within_kinds(known, [one.lowest or 0.0 for one in known])
    found.append(_importance("tokenizer", within, [one.settings.tokenizer for one in known]))
    for setting in NUMBERS:
        some = [one for one in known if setting != "vocabulary" or one.settings.tokenizer in SIZED]
        if len(some) >= MIN_TRIALS:
            ranks = _within_kinds(some, [one.lowest or 0.0 for one in some])
            places = _within_kinds(some, [float(getattr(one.settings, setting)) for one in some])
            found.append(_importance(setting, ranks, [THIRDS[min(2, int(place * 3))] for place in places]))
    return sorted(found, key=lambda one: -one.share)


def _importance(setting: str, ranks: Sequence[float], groups: Sequence[str]) -> Importance:
    means = {name: sum(members) / len(members) for name, members in _grouped(ranks, groups).items()}
    return Importance(setting, explained(ranks, groups), min(means, key=lambda name: means[name]))


def explained(values: Sequence[float], groups: Sequence[Hashable]) -> float:
    """Return what share of the values' variance their groups explain, less that of chance: epsilon squared."""
    members = _grouped(values, groups)
    mean = sum(values) / len(values)
    total = sum((value - mean) ** 2 for value in values)
    within = sum((value - sum(one) / len(one)) ** 2 for one in members.values() for value in one)
    free = len(values) - len(members)
    if not total or free < 1:
        return 0.0
    return max(0.0, 1 - (within / free) / (total / (len(values) - 1)))


def _within_kinds(tried: Sequence[Tried], values: Sequence[float]) -> list[float]:
    """Return where each value stands among those of its trial's kind, between 0 and 1."""
    places: dict[int, float] = {}
    kinds = {one.kind for one in tried}
    for kind in kinds:
        own = [index for index, one in enumerate(tried) if one.kind == kind]
        places |= dict(zip(own, _ranks([values[index] for index in own]), strict=True))
    return [places[index] for index in range(len(tried))]


def _ranks(values: Sequence[float]) -> list[float]:
    """Return the mean rank of each value among equals, between 0 and 1."""
    ordered = sorted(values)
    return [(ordered.index(value) + ordered.count(value) / 2) / len(values) for value in values]


def _grouped(values: Sequence[float], groups: Sequence[Hashable]) -> dict[str, list[float]]:
    members: dict[str, list[float]] = defaultdict(list)
    for value, group in zip(values, groups, strict=True):
        members[str(group)].append(value)
    return members
