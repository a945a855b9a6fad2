"""What is not somebody's manner goes, and what is private gets a stand-in: settled when all has been read.

Two walks: the first puts what was said aside and counts, the second hands it on as it is to be kept. What can be told
of an utterance by itself is found between them, in several processes where there is much; what depends on what came
before, such as what stands for a name, is settled in the second walk, in order. Books and plays are published as they
are: nothing of them is taken. Of posts, which were written for everybody, names and handles stay.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec

from manera.corpus.aside import Aside, Studied
from manera.corpus.census import Census
from manera.corpus.footers import Footers
from manera.corpus.other_languages import MAX_CHARACTERS, Languages
from manera.corpus.repeats import Repeats
from manera.corpus.silence import USUAL_SECONDS
from manera.corpus.studying import PARTED, PRIVATE, Manner, own
from manera.files import replacing
from manera.records import Cut, Dropped, Owner, Replaced, SourceRecord, Utterance, count_characters
from manera.text.names import forms_known
from manera.text.stand_ins import NAME, StandIns

STAND_INS = "stand-ins.json"
OTHER_LANGUAGE = "in another language"

# Whom a post names is named to everybody.
_PUBLIC = frozenset({"handle", NAME})


class Kept(NamedTuple):
    """An utterance that is kept as it was read, its line in the file, and what was counted of it."""

    utterance: Utterance
    line: bytes
    words: int
    characters: int


@dataclass
class _Stretch:
    """What of a conversation tells its language; sent_at: when its last message was."""

    number: int
    sent_at: int | None = None
    sample: str = ""
    characters: int = 0


class Cleaning:
    """How an import is cleaned, and afterwards what stands for what.

    keep_names: names of people stay. manner_only: footers, repeats and other languages go. known: names or ids of
    people whose names stay, besides the owner's. workers: so many processes share in it, by default as many
    as there are cores where there is much to do. ray: address of a cluster that does it instead. What comes of it is
    the same.
    """

    def __init__(
        self,
        *,
        keep_names: bool = False,
        manner_only: bool = True,
        known: Iterable[str] = (),
        workers: int | None = None,
        ray: str | None = None,
    ) -> None:
        self.called: dict[str, str] = {}
        self._spared = frozenset({NAME}) if keep_names else frozenset[str]()
        self._manner_only = manner_only
        self._known_people = frozenset(known)
        self._workers, self._ray = workers, ray
        self._stand_ins = StandIns()
        self._footers = Footers()
        self._languages = Languages()
        self._open: dict[str, _Stretch] = {}
        self._stretches = 0
        self._people: frozenset[str] = frozenset()

    def go_by(self, entries: Mapping[str, str], known: Iterable[str]) -> None:
        """Let what stood for what before do so again, and the names of these people stay."""
        self._stand_ins = StandIns(entries)
        self._known_people |= frozenset(known)

    @property
    def entries(self) -> dict[str, str]:
        """What stands for what."""
        return self._stand_ins.entries

    def walk(self, records: Iterable[SourceRecord], folder: Path) -> Iterator[SourceRecord | Kept]:
        """Hand records on as they are to be kept; utterances are put aside in the folder meanwhile."""
        census = Census()
        with Aside(folder) as aside:
            yield from self._put_aside(records, aside, census)
            self._count_stretches()
            self._footers.settle()
            self._meet(census)
            manner = Manner(self._footers if self._manner_only else None, None if self._spared else self._people)
            repeats = Repeats()
            for one in aside.studied(manner, self._workers, self._ray):
                yield from self._kept(one, repeats)

    def _put_aside(self, records: Iterable[SourceRecord], aside: Aside, census: Census) -> Iterator[SourceRecord]:
        """Put utterances aside and hand on the rest; of a census only what says who is who."""
        met: set[tuple[str, str, str]] = set()
        for record in records:
            if isinstance(record, Utterance):
                who = (record.speaker_id, record.speaker, record.thread_key)
                if who not in met:
                    met.add(who)
                    census.count(record)
                if record.kind == "post":
                    self._footers.count(record)
                if record.kind == "message" and not self._spared:
                    self._stand_ins.hear(record.text)
                aside.put(record, self._stretch(record))
                continue
            if isinstance(record, Owner):
                census.count(record)
            yield record

    def _stretch(self, utterance: Utterance) -> int:
        """Return the number of the conversation that an utterance belongs to."""
        stretch = self._open.get(utterance.thread_key)
        if stretch is None or _begins(stretch, utterance):
            if stretch:
                self._languages.count(stretch.number, stretch.sample, stretch.characters)
            self._stretches += 1
            stretch = self._open[utterance.thread_key] = _Stretch(self._stretches)
        if utterance.kind in ("message", "post"):
            stretch.characters += len(utterance.text)
            if len(stretch.sample) < MAX_CHARACTERS:
                stretch.sample += utterance.text[:MAX_CHARACTERS] + "\n"
        stretch.sent_at = utterance.sent_at
        return stretch.number

    def _count_stretches(self) -> None:
        for stretch in self._open.values():
            self._languages.count(stretch.number, stretch.sample, stretch.characters)
        self._open.clear()

    def _meet(self, census: Census) -> None:
        """Learn whose corpus it is, and how the people in it are called."""
        speakers = census.speakers()
        found = census.owner()
        own = {found.speaker_id} if found else {one.speaker_id for one in speakers if len(speakers) == 1}
        own |= {one.speaker_id for one in speakers if self._known_people & {one.speaker_id, one.name, *one.aliases}}
        self._stand_ins.keep(name for one in speakers if one.speaker_id in own for name in (one.name, *one.aliases))
        if self._spared or not census.kinds().get("message"):
            return
        self._people = frozenset(form for one in speakers for form in forms_known(one.name))
        for name in (name for one in speakers for name in (one.name, *one.aliases)):
            self._stand_ins.avoid(name)
        self.called = {
            one.speaker_id: self._stand_ins.of_speaker(one.name) for one in speakers if one.speaker_id not in own
        }

    def _kept(self, one: Studied, repeats: Repeats) -> Iterator[SourceRecord | Kept]:
        utterance = one.utterance
        text, cut, why = self._own(one)
        if one.may_repeat and text and (again := repeats.holds(utterance.speaker_id, text, one.may_repeat)):
            text, cut, why = "", utterance.text, again
        if cut and not text.strip():
            yield Dropped(why, utterance.source, count_characters(utterance.text))
            return
        if cut:
            yield Cut(why, utterance.source, count_characters(cut))
        if one.flags & PRIVATE:
            spared = _PUBLIC if utterance.kind == "post" else self._spared
            text, replaced = self._stand_ins.without(text, self._people, spared)
            for what, count in replaced.items():
                yield Replaced(what, utterance.source, count)
        if text == utterance.text:
            yield Kept(utterance, one.line, one.words, one.characters)
        else:
            yield msgspec.structs.replace(utterance, text=text)

    def _own(self, one: Studied) -> tuple[str, str, str]:
        """Return what of a text is its author's manner, what is not, and why."""
        utterance = one.utterance
        is_talk = self._manner_only and utterance.kind in ("message", "post")
        if is_talk and (language := self._languages.other(one.conversation)):
            return "", utterance.text, f"{OTHER_LANGUAGE} ({language})"
        return own(utterance, self._footers) if one.flags & PARTED else (utterance.text, "", "")


def _begins(stretch: _Stretch, later: Utterance) -> bool:
    if later.kind == "post":
        return True
    if stretch.sent_at is None or later.sent_at is None:
        return False
    return later.sent_at - stretch.sent_at > USUAL_SECONDS


def forget_names(folder: Path, people: Iterable[str]) -> None:
    """Take names out of what stands for what."""
    stand_ins = StandIns(read_entries(folder))
    for name in people:
        stand_ins.forget(name)
    write_entries(folder, stand_ins.entries)


def write_entries(folder: Path, entries: Mapping[str, str]) -> None:
    """Keep what stands for what, for the corpus's owner alone."""
    with replacing(folder / STAND_INS) as unfinished:
        unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(entries), indent=2))


def read_entries(folder: Path) -> dict[str, str]:
    """Return what stands for what in a corpus; nothing where no one kept it."""
    try:
        return msgspec.json.decode((folder / STAND_INS).read_bytes(), type=dict[str, str])
    except (OSError, msgspec.DecodeError):
        return {}
