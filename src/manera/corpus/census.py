"""Count who wrote how much while utterances pass by."""

from collections import Counter
from dataclasses import dataclass, field

from manera.corpus.manifest import Ledger, Speaker
from manera.records import Dropped, Owner, Utterance

DUPLICATE = "already imported from another file"


@dataclass(slots=True)
class _Tally:
    name: str
    names: dict[str, None] = field(default_factory=dict)
    utterances: int = 0
    characters: int = 0
    words: int = 0
    threads: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Span:
    """The positions of one thread that one source has covered."""

    source: str
    first: int
    last: int


class Census:
    """Memory grows with speakers and threads, not with utterances."""

    def __init__(self) -> None:
        self._tallies: dict[str, _Tally] = {}
        self._dropped: Counter[str] = Counter()
        self._kinds: Counter[str] = Counter()
        self._owners: Counter[str] = Counter()
        self._certain_owners: dict[str, None] = {}
        self._spans: dict[str, list[_Span]] = {}

    def keep(self, utterance: Utterance) -> bool:
        """Count an utterance; False when an earlier file held the same message of the same thread."""
        if self._is_repeated(utterance):
            self._dropped[DUPLICATE] += 1
            return False
        tally = self._tallies.get(utterance.speaker_id)
        if tally is None:
            tally = self._tallies[utterance.speaker_id] = _Tally(utterance.speaker)
        if tally.name != utterance.speaker:
            tally.names[tally.name] = None
            tally.name = utterance.speaker
        tally.utterances += 1
        tally.characters += len(utterance.text)
        tally.words += len(utterance.text.split())
        tally.threads.add(utterance.thread)
        self._kinds[utterance.kind] += 1
        return True

    def drop(self, dropped: Dropped) -> None:
        self._dropped[dropped.reason] += 1

    def hear(self, owner: Owner) -> None:
        if owner.is_certain:
            self._certain_owners[owner.speaker_id] = None
        else:
            self._owners[owner.speaker_id] += 1

    def ledger(self) -> Ledger:
        kept = self._kinds.total()
        return Ledger(kept + self._dropped.total(), kept, dict(self._dropped.most_common()))

    def kinds(self) -> dict[str, int]:
        return dict(self._kinds.most_common())

    def sources(self) -> set[str]:
        """Return the names of the sources that words came from."""
        return {span.source for spans in self._spans.values() for span in spans}

    def speakers(self) -> tuple[Speaker, ...]:
        table = [
            Speaker(
                speaker_id,
                tally.name,
                tuple(name for name in tally.names if name != tally.name),
                tally.utterances,
                tally.characters,
                tally.words,
                len(tally.threads),
            )
            for speaker_id, tally in self._tallies.items()
        ]
        return tuple(sorted(table, key=lambda speaker: (-speaker.characters, speaker.speaker_id)))

    def owner(self) -> str | None:
        """Return the one whose export this is; None when nothing says so, or two are as likely."""
        certain = [speaker_id for speaker_id in self._certain_owners if speaker_id in self._tallies]
        if certain:
            return certain[0] if len(certain) == 1 else None
        likely = self._owners.most_common(2)
        if not likely or (len(likely) == 2 and likely[0][1] == likely[1][1]):
            return None
        return likely[0][0]

    def _is_repeated(self, utterance: Utterance) -> bool:
        """Two exports of one chat overlap; each covers its stretch of positions without holes."""
        position = utterance.position
        spans = self._spans.setdefault(utterance.thread, [])
        if not spans or spans[-1].source != utterance.source:
            spans.append(_Span(utterance.source, position, position))
        elif position > spans[-1].last:
            spans[-1].last = position
        elif position < spans[-1].first:
            spans[-1].first = position
        return len(spans) > 1 and any(span.first <= position <= span.last for span in spans[:-1])
