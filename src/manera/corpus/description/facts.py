"""One person of a corpus, described: when they write, how much at once, how fast, and in which words."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice

import msgspec

from manera.corpus.cleaning import read_entries
from manera.corpus.conversations import conversations_of
from manera.corpus.description.habits import Tally
from manera.corpus.description.manner import MAX_BURST, Manner, manner_of
from manera.corpus.description.typical import zipf
from manera.corpus.manifest import Ledger, Speaker
from manera.corpus.storage import Corpus
from manera.records import Utterance, UtteranceKind
from manera.text import personal_data
from manera.text.languages import Language, language_of
from manera.text.traces import Traces
from manera.text.words import words

WAITS = (10, 30, 60, 180, 600, 1800, 3600, 3 * 3600)
"""Seconds at most, bin by bin, from another's message to an answer; the last bin has all that are longer."""

MIN_OTHERS = 200
"""Messages of others, from which on they are compared with."""

EXAMPLES = 8
_EXAMPLE_CHARACTERS = (15, 220)
_LONG_EXAMPLE_CHARACTERS = (80, 900)
# As long as those of cards and accounts: whosever it is.
_LONG_NUMBER = re.compile(r"(?:\d[ -]?){11}\d")
_LANGUAGE_TEXTS = 500
_MAX_MONTHS = 600


class Exchange(msgspec.Struct, frozen=True):
    """Something they wrote, and what it answered, if anything."""

    asked: str | None
    answered: tuple[str, ...]


class Description(Manner, frozen=True, kw_only=True):
    """What can be told of one person's writing.

    compared_with: "corpus", others of the same corpus; "general", other authors, where there are too few of them.
    months: of each, their messages and those of others. hours: messages by weekday, from Monday, and hour, UTC.
    lengths: shares by words, as LENGTHS has it. waits: answers by seconds, as WAITS has it. zipf: ranks and counts of
    words.
    """

    speaker: Speaker
    compared_with: str
    first: str | None
    last: str | None
    months: dict[str, tuple[int, int]]
    hours: tuple[tuple[int, ...], ...]
    lengths: tuple[tuple[float, ...], tuple[float, ...]]
    waits: tuple[int, ...]
    silence_seconds: int
    zipf: tuple[tuple[int, int], ...]
    examples: tuple[Exchange, ...]
    ledger: Ledger


def describe(corpus: Corpus, speaker: Speaker, general: Callable[[Language], Iterable[str]]) -> Description:
    """Describe a speaker; general: texts of other authors, for those who wrote alone."""
    own, others, when = Tally(), Tally(), _When()
    kinds: Counter[UtteranceKind] = Counter()
    for utterance in corpus.utterances():
        is_own = utterance.speaker_id == speaker.speaker_id
        (own if is_own else others).count(utterance.text)
        when.count(utterance, is_own)
        kinds[utterance.kind] += is_own
    texts = (one.text for one in corpus.utterances() if one.speaker_id == speaker.speaker_id)
    language = language_of(islice(texts, _LANGUAGE_TEXTS))
    compared_with = "corpus"
    if others.messages < MIN_OTHERS:
        compared_with, others = "general", Tally()
        for text in general(language):
            others.count(text)
    bursts, waits = _turns(corpus, speaker.speaker_id)
    traces = Traces(read_entries(corpus.folder))
    manner = manner_of(own, others, bursts, kinds.most_common(1)[0][0], language, traces.has)
    return Description(
        **msgspec.structs.asdict(manner),
        speaker=speaker,
        compared_with=compared_with,
        first=when.day(min),
        last=when.day(max),
        months=when.months(),
        hours=tuple(map(tuple, when.hours)),
        lengths=(_shares(own.bins), _shares(others.bins)),
        waits=waits,
        silence_seconds=corpus.manifest.silence_seconds,
        zipf=tuple(zipf(own.frequency)),
        examples=tuple(_examples(corpus, speaker.speaker_id, {word.word: word.z for word in manner.typical}, traces)),
        ledger=corpus.manifest.ledger,
    )


class _When:
    """Counts when messages were sent."""

    def __init__(self) -> None:
        self.hours = [[0] * 24 for _ in range(7)]
        self._months: dict[str, list[int]] = {}
        self._days: dict[int, str] = {}
        self._own_days: set[str] = set()

    def count(self, utterance: Utterance, is_own: bool) -> None:
        at = utterance.sent_at
        if at is None:
            return
        number = at // 86_400
        day = self._days.get(number)
        if day is None:
            day = self._days[number] = _day(at)
        if not day:
            return
        self._months.setdefault(day[:7], [0, 0])[not is_own] += 1
        if is_own:
            self._own_days.add(day)
            self.hours[(number + 3) % 7][at % 86_400 // 3600] += 1

    def day(self, choose: Callable[[set[str]], str]) -> str | None:
        return choose(self._own_days) if self._own_days else None

    def months(self) -> dict[str, tuple[int, int]]:
        """Return every month from the first to the last; of an impossible span those with messages."""
        if not self._months:
            return {}
        named = sorted(self._months)
        first, last = _number(named[0]), _number(named[-1])
        if last - first < _MAX_MONTHS:
            named = [f"{number // 12:04}-{number % 12 + 1:02}" for number in range(first, last + 1)]
        counts = {month: self._months.get(month, [0, 0]) for month in named}
        return {month: (own, others) for month, (own, others) in counts.items()}


def _day(at: int) -> str:
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d").zfill(10)
    except (ValueError, OverflowError, OSError):
        return ""


def _number(month: str) -> int:
    year, _, rest = month.partition("-")
    return 12 * int(year) + int(rest) - 1


def _shares(bins: Sequence[int]) -> tuple[float, ...]:
    total = sum(bins) or 1
    return tuple(round(count / total, 4) for count in bins)


def _turns(corpus: Corpus, speaker_id: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Count the messages of each of one's turns, and how long others waited for it, within a conversation."""
    bursts, waits = [0] * MAX_BURST, [0] * (len(WAITS) + 1)
    last: dict[str, tuple[str, int, int]] = {}
    for said in corpus.utterances():
        if said.kind != "message" or said.sent_at is None:
            continue
        who, at, burst = last.get(said.thread_key, ("", said.sent_at, 0))
        waited = said.sent_at - at
        is_same = who == said.speaker_id and waited <= corpus.manifest.silence_seconds
        if not is_same:
            if who == speaker_id:
                bursts[min(burst, MAX_BURST) - 1] += 1
            if who and who != said.speaker_id == speaker_id and 0 <= waited <= corpus.manifest.silence_seconds:
                waits[sum(waited > most for most in WAITS)] += 1
        last[said.thread_key] = (said.speaker_id, said.sent_at, burst + 1 if is_same else 1)
    for who, _, burst in last.values():
        if who == speaker_id:
            bursts[min(burst, MAX_BURST) - 1] += 1
    return tuple(bursts), tuple(waits)


def _examples(corpus: Corpus, speaker_id: str, weights: dict[str, float], traces: Traces) -> list[Exchange]:
    """Choose what has most of the typical words for its length, with nothing private, and all of it different."""
    is_talk = corpus.manifest.kinds.keys() <= {"message", "line"}
    least, most = _EXAMPLE_CHARACTERS if is_talk else _LONG_EXAMPLE_CHARACTERS
    found: list[tuple[float, Exchange]] = []
    for exchange in _exchanges(corpus, speaker_id):
        text = "\n".join(exchange.answered)
        if not least <= len(text) <= most:
            continue
        said = words(text)
        score = sum(weights.get(word, 0.0) for word in set(said)) / (8 + len(said))
        found.append((score, exchange))
        if len(found) > 50 * EXAMPLES:
            found = sorted(found, key=lambda one: -one[0])[: 10 * EXAMPLES]
    chosen: list[Exchange] = []
    for _, exchange in sorted(found, key=lambda one: -one[0]):
        is_private = any(_is_private(text, traces) for text in (exchange.asked or "", *exchange.answered))
        if not is_private and exchange.answered not in {one.answered for one in chosen}:
            chosen.append(exchange)
        if len(chosen) == EXAMPLES:
            break
    return chosen


def _is_private(text: str, traces: Traces) -> bool:
    return bool(personal_data.found(text)) or _LONG_NUMBER.search(text) is not None or traces.are_in(text)


def _exchanges(corpus: Corpus, speaker_id: str) -> Iterator[Exchange]:
    for talk in conversations_of(corpus):
        before: str | None = None
        for turn in talk.turns:
            if turn.speaker_id == speaker_id:
                whole = talk.kind in ("message", "line")
                for texts in [turn.texts] if whole else [(text,) for text in turn.texts]:
                    yield Exchange(before if whole else talk.title, texts)
            before = "\n".join(turn.texts)
