"""What a corpus holds, in figures: ``corpus.json``."""

import msgspec

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


class Manifest(msgspec.Struct, frozen=True):
    """The speakers stand in order of how much they wrote; fingerprint is that of the utterances' file."""

    version: int
    sources: tuple[Source, ...]
    ledger: Ledger
    speakers: tuple[Speaker, ...]
    owner: str | None
    kinds: dict[str, int]
    fingerprint: str
    skipped: tuple[Skipped, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
