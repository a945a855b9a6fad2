"""What a corpus holds, in figures: ``corpus.json``."""

from collections import Counter
from collections.abc import Iterable
from typing import Literal

import msgspec

from manera.corpus.silence import USUAL_SECONDS
from manera.records import Skipped

VERSION = 1


class Source(msgspec.Struct, frozen=True):
    """A file that was read; size in bytes."""

    name: str
    sha256: str
    size: int


class Characters(msgspec.Struct, frozen=True):
    """Characters without white space: each is part of an utterance, or was dropped for a named reason."""

    read: int = 0
    kept: int = 0
    dropped: dict[str, int] = {}


class Files(msgspec.Struct, frozen=True):
    """How many files were read, by what they are, and how many were not, by why."""

    read: dict[str, int] = {}
    skipped: dict[str, int] = {}


class Ledger(msgspec.Struct, frozen=True):
    """Every record read was kept, or dropped for a named reason; so was every character, and every file."""

    read: int
    kept: int
    dropped: dict[str, int]
    characters: Characters = Characters()
    files: Files = Files()
    mended: dict[str, int] = {}
    replaced: dict[str, int] = {}

    def after(self, *earlier: "Ledger") -> "Ledger":
        """Return the ledger of what earlier readings kept, kept or dropped now, with what they had dropped."""
        ledgers = (*earlier, self)
        dropped = _sum(one.characters.dropped for one in ledgers)
        return Ledger(
            read=sum(one.read for one in earlier),
            kept=self.kept,
            dropped=_sum(one.dropped for one in ledgers),
            characters=Characters(self.characters.kept + sum(dropped.values()), self.characters.kept, dropped),
            files=Files(_sum(one.files.read for one in ledgers), _sum(one.files.skipped for one in ledgers)),
            mended=_sum(one.mended for one in ledgers),
            replaced=_sum(one.replaced for one in ledgers),
        )


def _sum(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return dict(total.most_common())


class LeftOut(msgspec.Struct, frozen=True):
    """A large part of a book that was dropped: its share of the characters, and the lines it lies between."""

    source: str
    reason: str
    share: float
    first_line: int
    last_line: int


class Speaker(msgspec.Struct, frozen=True):
    """One person's share. name is the latest one used, aliases those before it."""

    speaker_id: str
    name: str
    aliases: tuple[str, ...]
    utterances: int
    characters: int
    words: int
    threads: int


class Forgotten(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is not to come back with a newer export: hashes of ids and of messages, which tell no one's name."""

    speakers: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()


OwnerEvidence = Literal["account", "chats", "presence"]
"""What says whose export it is: the export itself, what its chats are called, or that one person is in every chat."""


class Manifest(msgspec.Struct, frozen=True):
    """The speakers stand in order of how much they wrote; fingerprint is that of the utterances' file.

    merged: by id, whom those are who were found to be another one. called: by id, what a voice that learns from them
    calls others than the owner. silence_seconds: how long nobody writes in a chat before a conversation is over.
    synthetic: the models that wrote any of it; none where people did.
    """

    version: int
    sources: tuple[Source, ...]
    ledger: Ledger
    speakers: tuple[Speaker, ...]
    owner: str | None
    kinds: dict[str, int]
    fingerprint: str
    skipped: tuple[Skipped, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    merged: dict[str, str] = {}
    called: dict[str, str] = {}
    forgotten: Forgotten = Forgotten()
    silence_seconds: int = USUAL_SECONDS
    owner_evidence: OwnerEvidence | None = None
    synthetic: tuple[str, ...] = ()
