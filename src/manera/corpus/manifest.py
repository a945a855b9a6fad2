"""What a corpus holds, in figures: ``corpus.json``."""

import msgspec

VERSION = 1


class Source(msgspec.Struct, frozen=True):
    """A file that was read; size in bytes."""

    name: str
    sha256: str
    size: int


class Ledger(msgspec.Struct, frozen=True):
    """Every record read was kept, or dropped for a named reason."""

    read: int
    kept: int
    dropped: dict[str, int]


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
