"""A corpus and a speaker -> their rhythm, and what it is measured on; nothing where there is too little to learn from.

Within a conversation only: a silence of hours begins a new one, and nobody waits for what begins that. The last fifth
of the turns by time is held out.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from manera.corpus.silence import USUAL_SECONDS
from manera.records import Utterance
from manera.rhythm.answering import features, is_named
from manera.rhythm.record import Answering, Compared, Delay, Rhythm, Said, TimedTurn

HELD_OUT_SHARE = 0.2
MIN_TURNS = 30
"""Answers with a time to learn from; of fewer, tenths of the shape are a person or two."""

MIN_GAPS = 10
MIN_SPOKEN = 30
"""Times that someone spoke in a group, and as many that they did not."""

MAX_BUBBLES = 12
LONGEST_QUANTILE = 0.9
SHORT_SECONDS = 120
"""The longest tenth of the waits is life's, not the answer's: it is cut to where it begins, or to this if longer."""

ANSWER_SECONDS = 300
ANSWER_MESSAGES = 3
"""Who speaks within so long, and after at most so many more messages of others, speaks to what was said."""

MAX_DECISIONS = 20_000
_WINDOW = 50
_STEPS = 41
_MIN_SECONDS = 0.5  # exports have whole seconds
_RIDGE = 1.0
_NEWTON_STEPS = 50

Floats = NDArray[np.float64]
Thread = Sequence[Utterance]


class Learned(NamedTuple):
    """A rhythm, and what it is measured on."""

    rhythm: Rhythm
    compared: Compared


class Decision(NamedTuple):
    """A group's talk up to a message of another, and whether the one then spoke."""

    heard: Sequence[Said]
    spoke: bool


def learn(utterances: Iterable[Utterance], speaker_id: str) -> Learned | None:
    """Learn someone's rhythm; None where there are no times, or fewer than MIN_TURNS answers to learn from."""
    threads = timed_threads(utterances)
    turns = sorted((turn for thread in threads for turn in timed_turns(thread, speaker_id)), key=lambda turn: turn.at)
    border = round(len(turns) * (1 - HELD_OUT_SHARE))
    known, held_out = turns[:border], turns[border:]
    answers = [(turn.asked, turn.lengths[0], turn.waited) for turn in known if turn.waited is not None]
    if len(answers) < MIN_TURNS:
        return None
    *given, waited = zip(*answers, strict=True)
    further = [pair for turn in known for pair in zip(turn.lengths[1:], turn.gaps, strict=True)]
    hours = _hours(known)
    rhythm = Rhythm(
        bubbles=_bubbles(known),
        waiting=_delay(given, waited),
        typing=_delay([[length for length, _ in further]], [gap for _, gap in further])
        if len(further) >= MIN_GAPS
        else None,
        hours=hours,
        turns=len(known),
        answering=_answering(threads, speaker_id, hours, held_out[0].at),
    )
    return Learned(rhythm, Compared(tuple(held_out), tuple(known[-len(held_out) :])))


def timed_threads(utterances: Iterable[Utterance]) -> list[list[Utterance]]:
    """Return the messages of each chat that have a time, in order."""
    threads: dict[str, list[Utterance]] = {}
    for utterance in utterances:
        if utterance.kind == "message" and utterance.sent_at is not None:
            threads.setdefault(utterance.thread_key, []).append(utterance)
    return list(threads.values())


def turns_of(thread: Thread) -> Iterator[list[Utterance]]:
    """Cut a chat where another speaks, and at long silences."""
    turn: list[Utterance] = []
    for message in thread:
        goes_on = turn and message.speaker_id == turn[-1].speaker_id and _seconds(turn[-1], message) <= USUAL_SECONDS
        if turn and not goes_on:
            yield turn
            turn = []
        turn.append(message)
    if turn:
        yield turn


def timed_turns(thread: Thread, speaker_id: str) -> Iterator[TimedTurn]:
    """Yield a speaker's turns in one chat."""
    before: list[Utterance] = []
    for turn in turns_of(thread):
        if turn[0].speaker_id == speaker_id:
            waited = _seconds(before[-1], turn[0]) if before else None
            is_answer = waited is not None and waited <= USUAL_SECONDS
            yield TimedTurn(
                at=_at(turn[0]),
                lengths=tuple(len(message.text) for message in turn),
                gaps=tuple(_seconds(*pair) for pair in pairwise(turn)),
                asked=sum(len(message.text) for message in before) if is_answer else None,
                waited=waited if is_answer else None,
            )
        before = turn


def decisions(thread: Thread, speaker_id: str) -> Iterator[Decision]:
    """Yield whether someone spoke after each message of others in a group."""
    heard = said(thread, speaker_id)
    for place, last in enumerate(heard):
        if not last.is_mine:
            yield Decision(heard[max(0, place + 1 - _WINDOW) : place + 1], _spoke_after(heard, place))


def said(thread: Thread, speaker_id: str) -> list[Said]:
    """Return a group's messages as this speaker sees them."""
    own = {message.position for message in thread if message.speaker_id == speaker_id}
    name = next((message.speaker for message in reversed(thread) if message.speaker_id == speaker_id), "")
    return [
        Said(
            message.speaker,
            message.text,
            _at(message),
            is_mine=message.speaker_id == speaker_id,
            is_reply_to_me=message.reply_to in own,
            mentions_me=is_named(message.text, name),
        )
        for message in thread
    ]


def is_group_of(thread: Thread, speaker_id: str) -> bool:
    """Tell whether someone speaks here, and two or more others."""
    speakers = {message.speaker_id for message in thread}
    return speaker_id in speakers and len(speakers) > 2


def fit(described: Sequence[dict[str, float]], spoke: Sequence[bool]) -> Answering:
    """Fit a logistic model by Newton's method, with a ridge on standardised features."""
    names = list(described[0])
    table = np.array([[row[name] for name in names] for row in described])
    right = np.array(spoke, dtype=np.float64)
    mean, spread = table.mean(0), table.std(0)
    spread[spread == 0] = 1.0
    design = np.column_stack([np.ones(len(table)), (table - mean) / spread])
    ridge = _RIDGE * np.diag([0.0] + [1.0] * len(names))
    weights = np.zeros(design.shape[1])
    for _ in range(_NEWTON_STEPS):
        found = _sigmoid(design @ weights)
        slope = design.T @ (right - found) - ridge @ weights
        step = np.linalg.solve((design.T * (found * (1 - found))) @ design + ridge + 1e-9 * np.eye(len(weights)), slope)
        weights += step
        if np.abs(step).max() < 1e-6:
            break
    slopes = weights[1:] / spread
    return Answering(
        constant=float(weights[0] - slopes @ mean),
        coefficients=dict(zip(names, slopes.tolist(), strict=True)),
        threshold=_threshold(_sigmoid(design @ weights), right),
    )


def _answering(threads: Sequence[Thread], speaker_id: str, hours: Sequence[float], until: int) -> Answering | None:
    """Learn from the groups' messages up to a time."""
    groups = (thread for thread in threads if is_group_of(thread, speaker_id))
    known = [[message for message in thread if _at(message) < until] for thread in groups]
    found = [decision for thread in known for decision in decisions(thread, speaker_id)][-MAX_DECISIONS:]
    spoken = sum(decision.spoke for decision in found)
    if min(spoken, len(found) - spoken) < MIN_SPOKEN:
        return None
    return fit([features(decision.heard, hours) for decision in found], [decision.spoke for decision in found])


def _spoke_after(heard: Sequence[Said], place: int) -> bool:
    """Tell whether the next own message comes in time, and before too many of others."""
    following = heard[place + 1 : place + 2 + ANSWER_MESSAGES]
    own = next((later for later in following if later.is_mine), None)
    return own is not None and own.at - heard[place].at <= ANSWER_SECONDS


def _threshold(probabilities: Floats, right: Floats) -> float:
    """Return the probability from which on F1 is highest."""
    order = np.argsort(-probabilities, kind="stable")
    hits = np.cumsum(right[order])
    f1 = 2 * hits / (np.arange(1, len(right) + 1) + right.sum())
    return float(probabilities[order][int(np.argmax(f1))])


def _sigmoid(logits: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -50, 50))))


def _delay(given: Sequence[ArrayLike], seconds: ArrayLike) -> Delay:
    """Fit log seconds to the logs of lengths by least squares; what is left over is kept as quantiles."""
    waited = np.maximum(np.asarray(seconds, dtype=np.float64), _MIN_SECONDS)
    lengths = [np.log1p(np.asarray(column, dtype=np.float64)) for column in given]
    design = np.column_stack([np.ones(len(waited)), *lengths])
    weights, *_ = np.linalg.lstsq(design, np.log(waited), rcond=None)
    residuals = np.log(waited) - design @ weights
    median, longest = np.quantile(waited, (0.5, LONGEST_QUANTILE))
    return Delay(
        constant=float(weights[0]),
        slopes=tuple(weights[1:].tolist()),
        residuals=tuple(np.quantile(residuals, np.linspace(0, 1, _STEPS)).tolist()),
        median=float(median),
        longest=max(float(longest), SHORT_SECONDS),
    )


def _bubbles(turns: Sequence[TimedTurn]) -> tuple[float, ...]:
    counted = Counter(min(len(turn.lengths), MAX_BUBBLES) for turn in turns)
    return tuple(counted[size] / len(turns) for size in range(1, max(counted) + 1))


def _hours(turns: Sequence[TimedTurn]) -> tuple[float, ...]:
    counted = Counter(int(at) // 3600 % 24 for turn in turns for at in np.cumsum((turn.at, *turn.gaps)))
    return tuple(counted[hour] / counted.total() for hour in range(24))


def _seconds(earlier: Utterance, later: Utterance) -> int:
    return max(0, _at(later) - _at(earlier))


def _at(message: Utterance) -> int:
    return message.sent_at or 0
