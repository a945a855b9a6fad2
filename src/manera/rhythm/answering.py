"""What decides whether someone speaks in a group, as a few numbers that can be read; and the probability from them."""

import math
import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import takewhile

from manera.rhythm.record import Answering, Said
from manera.text.words import JOINERS, words

RECENT = 10
"""So many messages back somebody still takes part."""

_DAY = 86_400.0
_JOINER = re.compile(f"[{JOINERS}]")
_MIN_NAME = 3
_CASE_LETTERS = "аяоеёийь"
_CASES = ("а", "я", "ы", "и", "е", "у", "ю", "ой", "ей", "ом", "ем")


def features(messages: Sequence[Said], hours: Sequence[float]) -> dict[str, float]:
    """Describe where a group's talk stands at its last message, which is another's. hours: as in a Rhythm."""
    *earlier, last = messages
    since = len(list(takewhile(lambda said: not said.is_mine, reversed(earlier))))
    own = earlier[-1 - since] if since < len(earlier) else None
    silent = min(max(last.at - own.at, 0.0), _DAY) if own else _DAY
    hour = hours[int(last.at // 3600) % 24]
    recent = earlier[-RECENT:]
    return {
        "named": float(last.mentions_me),
        "replied_to": float(last.is_reply_to_me),
        "question": float("?" in last.text),
        "length": math.log1p(len(last.text)),
        "follows_own": float(own is not None and since == 0),
        "same_sender": float(bool(earlier) and earlier[-1].name == last.name),
        "seconds_since_own": math.log1p(silent),
        "messages_since_own": math.log1p(since),
        "own_share": sum(said.is_mine for said in recent) / RECENT,
        "hour": math.log(24 * hour + 0.1),
    }


def probability(answering: Answering, described: dict[str, float]) -> float:
    """Return the probability that they speak next; features that the model does not know count for nothing."""
    known = answering.coefficients
    logit = answering.constant + sum(known.get(name, 0.0) * value for name, value in described.items())
    return 1 / (1 + math.exp(-min(max(logit, -50.0), 50.0)))


def is_named(text: str, name: str) -> bool:
    """Tell whether a text has somebody's first name, in any of its cases where it is a Russian one (Ася, Асе, Асю)."""
    return not _forms(name).isdisjoint(_JOINER.split(word)[0] for word in words(text))


@lru_cache(maxsize=1024)
def _forms(name: str) -> frozenset[str]:
    first = next((part for part in words(name) if len(part) >= _MIN_NAME), None)
    if first is None:
        return frozenset()
    stem = first[:-1] if first[-1] in _CASE_LETTERS else first
    return frozenset({first, *(stem + ending for ending in _CASES)} if first[0] > "z" else {_JOINER.split(first)[0]})
