"""Where the topic changes without a silence: inside long stretches, at pauses, by what both sides mean."""

from collections.abc import Callable, Iterator, Sequence
from statistics import median
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from manera.records import Utterance

Embed: TypeAlias = Callable[[Sequence[str]], NDArray[np.float32]]
"""Returns a direction of length 1 for each text: ``retrieval.sentences.embed``."""

MIN_STRETCH = 20
"""Shorter stretches are left whole: they fit into an example."""

WINDOW = 8
"""So many messages before and after a pause say what the talk is about there."""

MIN_SIDE = 5
MIN_PAUSE_SECONDS = 120
MIN_PAUSE_TIMES = 3.0
"""Of the median pause of the stretch: who changes the subject lets the old one end."""

MAX_LIKENESS = 0.15


def topic_changes(stretch: Sequence[Utterance], embed: Embed) -> list[int]:
    """Return the places in a stretch of messages at which a new topic begins.

    They are candidates where somebody paused, and is not answering; a border where the messages on both sides mean
    something else. Each side has MIN_SIDE messages at least.
    """
    candidates = list(_candidates(stretch))
    if not candidates:
        return []
    texts = [_joined(stretch[max(0, place - WINDOW) : place]) for place in candidates]
    texts += [_joined(stretch[place : place + WINDOW]) for place in candidates]
    directions = embed(texts)
    before, after = directions[: len(candidates)], directions[len(candidates) :]
    found: list[int] = []
    for place, likeness in zip(candidates, (before * after).sum(1), strict=True):
        if likeness < MAX_LIKENESS and place - (found[-1] if found else 0) >= MIN_SIDE:
            found.append(place)
    return found


def _candidates(stretch: Sequence[Utterance]) -> Iterator[int]:
    if len(stretch) < MIN_STRETCH or stretch[0].kind != "message":
        return
    pauses = [_pause(stretch[place - 1], stretch[place]) for place in range(1, len(stretch))]
    least = max(MIN_PAUSE_SECONDS, MIN_PAUSE_TIMES * median(pauses))
    for place in range(MIN_SIDE, len(stretch) - MIN_SIDE + 1):
        if pauses[place - 1] >= least and stretch[place].reply_to is None:
            yield place


def _pause(earlier: Utterance, later: Utterance) -> int:
    return (later.sent_at or 0) - (earlier.sent_at or 0) if earlier.sent_at and later.sent_at else 0


def _joined(messages: Sequence[Utterance]) -> str:
    return "\n".join(message.text for message in messages)
