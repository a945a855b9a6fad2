"""Count who wrote how much while utterances pass by."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from manera.corpus.manifest import Characters, Files, Ledger, LeftOut, OwnerEvidence, Speaker
from manera.corpus.silence import Waits, silence
from manera.records import (
    Cut,
    Dropped,
    Mended,
    Opened,
    Owner,
    Replaced,
    Skipped,
    SourceRecord,
    Utterance,
    count_characters,
)
from manera.text.words import count_words

# More of a book than this is not dropped without saying where.
_LARGE_SHARE = 0.1
_TOLD_SHARE = 0.05
# Of so many chats one person is the owner of all, where the others are in few.
_ENOUGH_CHATS = 3
_OTHERS_SHARE = 0.5


class FoundOwner(NamedTuple):
    """Whose export it is, and by what evidence."""

    speaker_id: str
    evidence: OwnerEvidence


@dataclass(slots=True)
class _Tally:
    name: str
    names: dict[str, None] = field(default_factory=dict)
    utterances: int = 0
    characters: int = 0
    words: int = 0
    threads: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Stretch:
    """Lines of a book that were dropped for one reason."""

    characters: int
    first: int
    last: int


class Census:
    """Memory grows with speakers and threads only."""

    def __init__(self) -> None:
        self._tallies: dict[str, _Tally] = {}
        self._dropped: Counter[str] = Counter()
        self._characters: Counter[str] = Counter()
        self._kept_characters: Counter[str] = Counter()
        self._kinds: Counter[str] = Counter()
        self._owners: Counter[str] = Counter()
        self._certain_owners: dict[str, None] = {}
        self._opened: dict[str, Opened] = {}
        self._skipped: list[Skipped] = []
        self._mended: Counter[str] = Counter()
        self._replaced: Counter[str] = Counter()
        self._stretches: dict[str, dict[str, _Stretch]] = {}
        self._told_by: dict[str, set[str]] = {}
        self._last: dict[str, tuple[int, int]] = {}
        self._out_of_order: set[str] = set()
        self._waits = Waits()
        self._chats: set[str] = set()

    def count(self, record: SourceRecord) -> Utterance | None:
        """Count a record; return it when it is an utterance."""
        match record:
            case Utterance():
                self.keep(record, count_words(record.text), count_characters(record.text))
                return record
            case Dropped():
                self._drop(record)
            case Cut(reason, _, characters):
                self._characters[reason] += characters
            case Mended(what, _, count):
                self._mended[what] += count
            case Replaced(what, _, count):
                self._replaced[what] += count
            case Opened():
                self._opened[record.source] = record
            case Skipped():
                self._skipped.append(record)
            case Owner(speaker_id, is_certain):
                if is_certain:
                    self._certain_owners[speaker_id] = None
                else:
                    self._owners[speaker_id] += 1
        return None

    def ledger(self) -> Ledger:
        kept = self._kinds.total()
        words = self._kept_characters.total()
        dropped = {reason: count for reason, count in self._characters.most_common() if count}
        read = Counter(opened.kind for opened in self._opened.values())
        skipped = Counter(file.reason for file in self._skipped)
        return Ledger(
            kept + self._dropped.total(),
            kept,
            dict(self._dropped.most_common()),
            Characters(words + sum(dropped.values()), words, dropped),
            Files(dict(read.most_common()), dict(skipped.most_common())),
            dict(self._mended.most_common()),
            dict(self._replaced.most_common()),
        )

    def silence_seconds(self) -> int:
        """Return the silence that ends a conversation, as the waiting times show it."""
        return silence(self._waits.bins)

    def kinds(self) -> dict[str, int]:
        return dict(self._kinds.most_common())

    def opened(self) -> tuple[Opened, ...]:
        """Return the files that were read."""
        return tuple(self._opened.values())

    def skipped(self) -> tuple[Skipped, ...]:
        """Return the files that were not read."""
        return tuple(sorted(self._skipped, key=lambda file: (file.reason, file.source)))

    def left_out(self) -> tuple[LeftOut, ...]:
        """Return what was dropped of the books of which more than a tenth was."""
        found = []
        for source, stretches in self._stretches.items():
            dropped = sum(stretch.characters for stretch in stretches.values())
            whole = max(1, dropped + self._kept_characters[source])
            if dropped <= _LARGE_SHARE * whole:
                continue
            for reason, stretch in stretches.items():
                if stretch.characters > _TOLD_SHARE * whole:
                    share = stretch.characters / whole
                    found.append(LeftOut(source, reason, share, stretch.first, stretch.last))
        return tuple(found)

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

    def merge_speakers(self, speaker_id: str, name: str, others: Sequence[str]) -> None:
        """Count several people as one."""
        tallies = [self._tallies.pop(other) for other in dict.fromkeys([speaker_id, *others])]
        merged = _Tally(name)
        for tally in tallies:
            merged.names |= {tally.name: None} | tally.names
            merged.utterances += tally.utterances
            merged.characters += tally.characters
            merged.words += tally.words
            merged.threads |= tally.threads
        self._tallies[speaker_id] = merged
        for other in others:
            if other in self._owners:
                self._owners[speaker_id] += self._owners.pop(other)
            if other in self._certain_owners:
                self._certain_owners[speaker_id] = None

    def owner(self) -> FoundOwner | None:
        """Return the one whose export this is, and why; None when nothing says so, or two are as likely.

        Who else speaks in every chat, while nobody else does in more than half of them.
        """
        certain = [speaker_id for speaker_id in self._certain_owners if speaker_id in self._tallies]
        if certain:
            return FoundOwner(certain[0], "account") if len(certain) == 1 else None
        likely = [entry for entry in self._owners.most_common() if entry[0] in self._tallies][:2]
        if likely:
            is_tie = len(likely) == 2 and likely[0][1] == likely[1][1]
            return None if is_tie else FoundOwner(likely[0][0], "chats")
        first, *others = sorted(self._chats_of().items(), key=lambda entry: -entry[1]) or [("", 0)]
        second = others[0][1] if others else 0
        if first[1] == len(self._chats) >= _ENOUGH_CHATS and second <= _OTHERS_SHARE * first[1]:
            return FoundOwner(first[0], "presence")
        return None

    def _chats_of(self) -> dict[str, int]:
        return {speaker_id: len(tally.threads & self._chats) for speaker_id, tally in self._tallies.items()}

    def threads_in_parts(self) -> set[str]:
        """Return the keys of the threads that several files tell, and not one after the other."""
        return {key for key in self._out_of_order if len(self._told_by[key]) > 1}

    def keep(self, utterance: Utterance, words: int, characters: int) -> None:
        """Count an utterance of so many words, and of so many characters without white space."""
        thread = utterance.thread_key
        tally = self._tallies.get(utterance.speaker_id)
        if tally is None:
            tally = self._tallies[utterance.speaker_id] = _Tally(utterance.speaker)
        if tally.name != utterance.speaker:
            tally.names[tally.name] = None
            tally.name = utterance.speaker
        tally.utterances += 1
        tally.characters += len(utterance.text)
        tally.words += words
        tally.threads.add(thread)
        told_by = self._told_by.get(thread)
        if told_by is None:
            self._told_by[thread] = {utterance.source}
        else:
            told_by.add(utterance.source)
        place = (utterance.sent_at or 0, utterance.position)
        if place < self._last.get(thread, place):
            self._out_of_order.add(thread)
        self._last[thread] = place
        if utterance.kind == "message":
            self._chats.add(thread)
            if utterance.sent_at is not None:
                self._waits.count(thread, utterance.sent_at)
        self._kinds[utterance.kind] += 1
        self._kept_characters[utterance.source] += characters

    def _drop(self, dropped: Dropped) -> None:
        self._dropped[dropped.reason] += 1
        self._characters[dropped.reason] += dropped.characters
        if dropped.line is None:
            return
        stretches = self._stretches.setdefault(dropped.source, {})
        stretch = stretches.setdefault(dropped.reason, _Stretch(0, dropped.line, dropped.line))
        stretch.characters += dropped.characters
        stretch.first = min(stretch.first, dropped.line)
        stretch.last = max(stretch.last, dropped.line + dropped.lines - 1)
