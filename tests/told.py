"""What a test asks of the records of an import."""

from collections.abc import Iterable
from pathlib import Path

from manera.corpus.census import Census
from manera.corpus.manifest import Ledger
from manera.records import Cut, Dropped, Owner, SourceRecord, Utterance
from manera.sources.reading import read


def read_text(path: Path, text: str | bytes) -> list[SourceRecord]:
    """Write a file, with the folders above it, and read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return list(read([path]))


def utterances(records: Iterable[SourceRecord]) -> list[Utterance]:
    return [record for record in records if isinstance(record, Utterance)]


def talk(records: Iterable[SourceRecord]) -> list[tuple[str, str]]:
    """Who said what."""
    return [(said.speaker, said.text) for said in utterances(records)]


def reasons(records: Iterable[SourceRecord]) -> list[str]:
    return [record.reason for record in records if isinstance(record, Dropped)]


def cuts(records: Iterable[SourceRecord]) -> dict[str, int]:
    return {record.reason: record.characters for record in records if isinstance(record, Cut)}


def owners(records: Iterable[SourceRecord]) -> list[tuple[str, bool]]:
    return [(record.speaker_id, record.is_certain) for record in records if isinstance(record, Owner)]


def ledger(records: Iterable[SourceRecord]) -> Ledger:
    """The ledger of what was read, which has to add up."""
    census = Census()
    for record in records:
        census.count(record)
    counted = census.ledger()
    assert counted.read == counted.kept + sum(counted.dropped.values())
    assert counted.characters.read == counted.characters.kept + sum(counted.characters.dropped.values())
    return counted
