"""A new kind of file is one new source in the tuple, and nothing else."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from manera.corpus.census import Census
from manera.errors import SourceError
from manera.records import Dropped, Opened, Skipped, SourceRecord, Utterance, count_characters
from manera.sources import prose, telegram
from manera.sources.files import SourceFile
from manera.sources.foreign import Foreign
from manera.sources.reading import SOURCES, read
from manera.sources.source import Source

PROSE = "Утром пошёл снег, и все вышли на крыльцо смотреть.\nНикто ничего не говорил, только собака лаяла.\n"
LOG = "ася> привет\nборя> и тебе\n-- борис вышел --\nася> жаль\n"


def read_log(file: SourceFile) -> Iterator[SourceRecord]:
    assert file.decoded is not None
    for number, line in enumerate(file.decoded.text.splitlines(), 1):
        name, mark, text = line.partition("> ")
        if mark:
            yield Utterance(name, name, text, file.work, number, "message", file.source)
            yield Dropped("name", file.source, count_characters(name + mark), number)
        else:
            yield Dropped("notice", file.source, count_characters(line), number)


def read_notes(file: SourceFile) -> Iterator[SourceRecord]:
    with file.unpacked() as archive:
        names = [name for name, _ in archive.members if name != "mimetype"]
        for position, name in enumerate(names):
            text = archive.open(name).read().decode()
            yield Utterance(file.author, file.author, text, file.work, position, "post", file.source, title=name)


logs = Source("log", lambda file: file.suffix == ".log", read_log)
notes = Source("book of notes", lambda file: file.parts is not None and "mimetype" in file.parts, read_notes)


def log_in(folder: Path) -> Path:
    (folder / "talk.log").write_text(LOG, "utf-8")
    return folder / "talk.log"


def test_a_source_of_its_own_is_read_beside_the_known_ones(tmp_path: Path) -> None:
    log_in(tmp_path)
    (tmp_path / "снег.txt").write_text(PROSE, "utf-8")
    records = list(read([tmp_path], sources=(logs, *SOURCES)))
    assert [record.kind for record in records if isinstance(record, Opened)] == ["log", "prose"]
    said = [(one.speaker, one.text) for one in records if isinstance(one, Utterance) and one.kind == "message"]
    assert said == [("ася", "привет"), ("боря", "и тебе"), ("ася", "жаль")]
    census = Census()
    for record in records:
        census.count(record)
    ledger = census.ledger()
    assert ledger.files.read == {"log": 1, "prose": 1}
    assert ledger.read == ledger.kept + sum(ledger.dropped.values())
    characters = ledger.characters
    assert characters.read == characters.kept + sum(characters.dropped.values()) == count_characters(LOG + PROSE)


def test_without_the_source_such_a_file_is_passed_over(tmp_path: Path) -> None:
    log_in(tmp_path)
    assert [record.reason for record in read([tmp_path]) if isinstance(record, Skipped)] == [".log file"]


def test_an_archive_is_read_by_a_source_that_opens_it(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.notes", "w") as archive:
        archive.writestr("mimetype", "application/notes")
        archive.writestr("first", "Дождь.")
        archive.writestr("second", "Опять дождь.")
    records = read([tmp_path / "a.notes"], sources=(*SOURCES, notes))
    assert [(one.title, one.text) for one in records if isinstance(one, Utterance)] == [
        ("first", "Дождь."),
        ("second", "Опять дождь."),
    ]
    with pytest.raises(SourceError, match="EPUB book"):
        list(read([tmp_path / "a.notes"]))


def test_a_source_may_say_why_it_cannot_read_a_file_of_its_own(tmp_path: Path) -> None:
    locked = Source("log", lambda file: file.suffix == ".log" and Foreign("locked log", "unlock it"), read_log)
    log = log_in(tmp_path)
    with pytest.raises(SourceError, match="locked log") as caught:
        list(read([log], sources=(locked, *SOURCES)))
    assert caught.value.hint == "unlock it"
    (skipped,) = [record for record in read([tmp_path], sources=(locked, *SOURCES)) if isinstance(record, Skipped)]
    assert (skipped.reason, skipped.detail) == ("locked log", "unlock it")


def test_what_can_be_read_is_told_from_the_sources(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(bytes(range(256)) * 9)
    with pytest.raises(SourceError) as caught:
        list(read([tmp_path / "a.bin"], sources=(logs, telegram.SOURCE, prose.SOURCE)))
    assert caught.value.hint == "known are: log, Telegram Desktop's JSON, plain-text prose"
