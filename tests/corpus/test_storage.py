import json
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manera.corpus.aliases import Alias, parse_alias, propose, resolve
from manera.corpus.manifest import Manifest
from manera.corpus.storage import MANIFEST, UTTERANCES, open_corpus, write
from manera.errors import CorpusError, SourceError
from manera.files import fingerprint
from manera.records import Cut, Dropped, Opened, Owner, Skipped, SourceRecord, Utterance, count_characters
from manera.sources.reading import read


def said(text: str = "слова тут", speaker: str = "Аня", **fields: object) -> Utterance:
    values: dict[str, object] = {
        "speaker_id": f"id-{speaker}",
        "speaker": speaker,
        "text": text,
        "thread": "чат",
        "position": 1,
        "kind": "message",
        "source": "result.json",
    }
    return Utterance(**(values | fields))  # type: ignore[arg-type]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "result.json"
    path.write_text("{}", "utf-8")
    return path


@given(
    texts=st.lists(st.text(st.characters(codec="utf-8")), min_size=1, max_size=5),
    reasons=st.lists(st.sampled_from(["sticker", "forward"]), max_size=5),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_what_is_written_comes_back_and_the_ledger_adds_up(
    texts: list[str], reasons: list[str], source: Path, tmp_path: Path
) -> None:
    utterances = [said(text, position=position) for position, text in enumerate(texts)]
    records: list[SourceRecord] = [*utterances, *(Dropped(reason, "result.json", 3) for reason in reasons)]
    records.append(Cut("quotation", "result.json", 2))
    manifest = write(records, tmp_path / "corpus", replace=True)
    corpus = open_corpus(tmp_path / "corpus")
    assert list(corpus.utterances()) == utterances
    assert corpus.manifest == manifest
    ledger = manifest.ledger
    assert ledger.read == ledger.kept + sum(ledger.dropped.values()) == len(records) - 1
    assert ledger.kept == sum(speaker.utterances for speaker in manifest.speakers) == len(texts)
    assert ledger.characters.kept == sum(map(count_characters, texts))
    assert ledger.characters.read == ledger.characters.kept + sum(ledger.characters.dropped.values())


def test_a_corpus_with_a_field_that_is_no_longer_known_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    manifest = write([said()], folder)
    lines = (folder / UTTERANCES).read_text("utf-8").replace('"position":1', '"position":1,"seen_by":7')
    (folder / UTTERANCES).write_text(lines, "utf-8")
    changed = (folder / MANIFEST).read_text("utf-8")
    changed = changed.replace(manifest.fingerprint, fingerprint(folder / UTTERANCES).sha256)
    (folder / MANIFEST).write_text(changed, "utf-8")
    assert list(open_corpus(folder).utterances()) == [said()]


def test_a_corpus_is_for_its_owner_alone_and_opens_in_an_editor(source: Path, tmp_path: Path) -> None:
    records: list[SourceRecord] = [Opened("Telegram export", "result.json", source), said("ё 🙂\nдва")]
    manifest = write(records, tmp_path / "new" / "corpus")
    folder = tmp_path / "new" / "corpus"
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / MANIFEST, folder / UTTERANCES)}
    assert modes == {"corpus": 0o700, MANIFEST: 0o600, UTTERANCES: 0o600}
    assert "ё 🙂\\nдва" in (folder / UTTERANCES).read_text("utf-8")
    assert json.loads((folder / MANIFEST).read_text("utf-8"))["sources"][0] == {
        "name": "result.json",
        "sha256": fingerprint(source).sha256,
        "size": 2,
    }
    assert manifest.fingerprint == fingerprint(folder / UTTERANCES).sha256


def test_speakers_stand_by_how_much_they_wrote_under_their_latest_name(source: Path, tmp_path: Path) -> None:
    records = [
        said("а", "Боря"),
        said("раз два", "Аня", speaker_id="1", position=2),
        said("три", "Анна К.", speaker_id="1", position=3, thread="другой"),
    ]
    first, second = write(records, tmp_path / "corpus").speakers
    assert (first.speaker_id, first.name, first.aliases) == ("1", "Анна К.", ("Аня",))
    assert (first.utterances, first.characters, first.words, first.threads) == (2, 10, 3, 2)
    assert second.name == "Боря"


def owner_of(records: list[SourceRecord], source: Path, folder: Path) -> str | None:
    return write(records, folder, replace=True).owner


def test_the_owner_is_who_the_export_says_else_who_most_chats_show(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    people: list[SourceRecord] = [said(speaker=name, position=i) for i, name in enumerate("аб")]
    shown: list[SourceRecord] = [Owner("id-а", False), Owner("id-б", False)]
    assert owner_of(people, source, folder) is None
    assert owner_of(people + shown, source, folder) is None
    assert owner_of(people + shown + shown[:1], source, folder) == "id-а"
    assert owner_of([*people, *shown, shown[0], Owner("id-б", True)], source, folder) == "id-б"


def test_who_alone_speaks_in_every_chat_is_the_owner(source: Path, tmp_path: Path) -> None:
    def chats(*pairs: str) -> list[SourceRecord]:
        return [said(speaker=name, thread=f"чат {i}") for i, pair in enumerate(pairs) for name in pair]

    folder = tmp_path / "corpus"
    assert owner_of(chats("яа", "яб", "яв"), source, folder) == "id-я"
    assert open_corpus(folder).manifest.owner_evidence == "presence"
    assert owner_of(chats("яа", "яб"), source, folder) is None
    assert owner_of(chats("яа", "яа", "яб"), source, folder) is None
    assert owner_of(chats("яа", "яб", "аб"), source, folder) is None
    lines: list[SourceRecord] = [said(speaker="я", thread=f"сцена {i}", kind="line") for i in range(5)]
    assert owner_of([*lines, said(speaker="а", kind="line")], source, folder) is None


def failing() -> Iterator[SourceRecord]:
    yield said()
    raise SourceError("broken")


def test_a_failed_import_leaves_nothing_and_harms_nothing(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    with pytest.raises(SourceError):
        write(failing(), folder)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["result.json"]
    before = write([said("было")], folder)
    with pytest.raises(SourceError):
        write(failing(), folder, replace=True)
    assert open_corpus(folder).manifest == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus", "result.json"]


def test_a_corpus_is_replaced_only_when_asked(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    write([said("было")], folder)
    with pytest.raises(CorpusError) as caught:
        write([said("стало")], folder)
    assert "--replace" in (caught.value.hint or "")
    write([said("стало")], folder, replace=True)
    assert [one.text for one in open_corpus(folder).utterances()] == ["стало"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus", "result.json"]


def test_what_is_no_corpus_is_never_touched(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    write([said()], folder)  # empty: free to use
    (folder / "cat.jpg").write_bytes(b"cat")
    with pytest.raises(CorpusError, match=r"cat\.jpg"):
        write([said()], folder, replace=True)
    (folder / MANIFEST).unlink()
    with pytest.raises(CorpusError, match="holds no corpus"):
        write([said()], folder, replace=True)
    with pytest.raises(CorpusError, match="is a file"):
        write([said()], source, replace=True)
    assert (folder / "cat.jpg").read_bytes() == b"cat"


def test_an_import_of_nobodys_words_is_an_error(source: Path, tmp_path: Path) -> None:
    records: list[SourceRecord] = [Dropped("sticker", "result.json")] * 2
    with pytest.raises(CorpusError, match=r"there is nothing to keep: 2 sticker, 1 FB2 book") as caught:
        write([*records, Skipped("FB2 book", "a.fb2", "save it as plain text")], tmp_path / "corpus")
    assert caught.value.hint == "save it as plain text"
    assert not (tmp_path / "corpus").exists()


def test_a_corpus_that_is_absent_broken_or_changed_is_not_opened(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    with pytest.raises(CorpusError, match="there is no corpus"):
        open_corpus(folder)
    write([said()], folder)
    whole = (folder / MANIFEST).read_bytes()
    with (folder / UTTERANCES).open("ab") as more:
        more.write(b"{}\n")
    with pytest.raises(CorpusError, match="was changed"):
        open_corpus(folder)
    (folder / MANIFEST).write_bytes(whole[:50])
    with pytest.raises(CorpusError, match="cannot be read"):
        open_corpus(folder)
    (folder / MANIFEST).write_bytes(whole.replace(b'"version": 1', b'"version": 99'))
    with pytest.raises(CorpusError, match="version 99"):
        open_corpus(folder)


def told(position: int, source: str, **fields: object) -> Utterance:
    """One message of a chat with a number of its own."""
    values = {"thread_id": "user202", "sent_at": 1000 + position, "text": f"сказано {position}"} | fields
    return said(**values, position=position, source=source)  # type: ignore[arg-type]


def kept(records: Iterable[SourceRecord], folder: Path) -> tuple[list[Utterance], int]:
    """Write a corpus, and return what it holds and how many messages earlier files had."""
    manifest = write(records, folder, replace=True)
    return list(open_corpus(folder).utterances()), manifest.ledger.dropped.get("already imported from another file", 0)


def test_a_message_that_two_exports_of_one_chat_hold_is_kept_once(tmp_path: Path) -> None:
    older = [told(position, "a") for position in (1, 9)]
    newer = [told(position, "b", thread="чат, переименован") for position in (1, 2, 8, 9, 10)]
    utterances, duplicates = kept([*older, *newer], tmp_path / "corpus")
    assert duplicates == 2
    assert [one.position for one in utterances] == [1, 2, 8, 9, 10]


def test_a_message_is_the_same_though_edited_and_whatever_zone_its_date_is_in(tmp_path: Path) -> None:
    old = [told(position, "a") for position in (1, 2, 3)]
    new = [told(1, "b", text="исправлено"), told(2, "b", sent_at=1002 + 3 * 3600), told(3, "b", sent_at=1003 + 60)]
    utterances, duplicates = kept([*old, *new], tmp_path / "corpus")
    assert duplicates == 2
    assert [one.text for one in utterances] == ["сказано 1", "сказано 2", "сказано 3", "сказано 3"]


def test_accounts_that_number_the_messages_of_a_group_apart_lose_none(tmp_path: Path) -> None:
    hers = [told(position, "a", thread_id="chat77", sent_at=1000 + 7 * position) for position in range(2000)]
    his = [
        told(position, "b", thread_id="chat77", sent_at=9_000_000 + 11 * position, text="другое")
        for position in range(2000)
    ]
    assert kept([*hers, *his], tmp_path / "corpus")[1] == 0


def test_the_same_words_at_the_same_second_in_two_chats_are_two_messages(tmp_path: Path) -> None:
    greetings = [
        told(1, chat, thread_id=chat, thread=chat, text="С Новым годом!") for chat in ("user1+user2", "user1+user3")
    ]
    assert kept(greetings, tmp_path / "corpus")[1] == 0


def exported(path: Path, chat: int, kind: str, messages: list[tuple[int, str, int, str]]) -> Path:
    """Write an export of messages: number, name, user, text; a second apart as they are numbered in the text."""
    told_at = {text: 1_700_000_000 + int(text.split()[-1]) for *_, text in messages}
    path.mkdir()
    written = [
        {"id": number, "type": "message", "date_unixtime": str(told_at[text]), "from": name, "from_id": f"user{user}"}
        | {"text": text}
        for number, name, user, text in messages
    ]
    (path / "result.json").write_text(
        json.dumps({"name": "чат", "type": kind, "id": chat, "messages": written}, ensure_ascii=False), "utf-8"
    )
    return path


def test_a_chat_that_both_exported_is_one_thread_in_order_of_time(tmp_path: Path) -> None:
    both = {1: ("Аня", 101), 0: ("Боря", 202)}
    talk = [(number, both[number % 2][0], both[number % 2][1], f"слово {number}") for number in (1, 2, 3, 4, 5)]
    hers = exported(tmp_path / "hers", 202, "personal_chat", [talk[0], talk[1], talk[4]])
    again = [(7000 + number, name, user, text) for number, name, user, text in talk]
    his = exported(tmp_path / "his", 101, "personal_chat", again)
    for paths in ([hers, his], [his, hers]):
        utterances, duplicates = kept(read(paths), tmp_path / "corpus")
        assert duplicates == 3
        assert [one.text for one in utterances] == [f"слово {number}" for number in (1, 2, 3, 4, 5)]
        assert {one.thread_id for one in utterances} == {"user101+user202"}


def test_talks_of_two_accounts_with_one_person_and_notes_to_oneself_stay_apart(tmp_path: Path) -> None:
    ann = exported(tmp_path / "ann", 2, "personal_chat", [(1, "Ann", 1, "a 1"), (2, "Bob", 2, "b 3")])
    carl = exported(tmp_path / "carl", 2, "personal_chat", [(1, "Bob", 2, "c 2"), (2, "Carl", 3, "d 4")])
    notes = exported(tmp_path / "notes", 1, "saved_messages", [(3, "Ann", 1, "n 5")])
    bob = exported(tmp_path / "bob", 1, "personal_chat", [(9, "Bob", 2, "b 3"), (8, "Ann", 1, "a 1")])
    utterances, duplicates = kept(read([ann, carl, notes, bob]), tmp_path / "corpus")
    assert duplicates == 2
    assert [(one.thread_id, one.text) for one in utterances] == [
        ("user1+user2", "a 1"),
        ("user1+user2", "b 3"),
        ("user2+user3", "c 2"),
        ("user2+user3", "d 4"),
        ("saved1", "n 5"),
    ]


def test_what_repeats_in_one_file_is_no_duplicate(tmp_path: Path) -> None:
    twice = [told(position, "a", text="+", sent_at=1000) for position in (1, 2)]
    paragraphs = [said("— Да.", kind="prose", thread=book, source=book) for book in ("а.txt", "б.txt")]
    utterances, duplicates = kept([*twice, *paragraphs], tmp_path / "corpus")
    assert (len(utterances), duplicates) == (4, 0)


def test_people_under_several_names_are_merged_on_request_and_proposed(tmp_path: Path) -> None:
    names = ["MONICA"] * 40 + ["MNCA", "MON.", "Chandler", "Ross"] + ["ROSS"] * 30 + ["CHANDLER"] * 30
    records = [said(name, name, speaker_id=name.upper(), position=position) for position, name in enumerate(names)]
    manifest = write(records, tmp_path / "corpus")
    assert propose(manifest.speakers) == [Alias("MONICA", ("MNCA", "MON."))]
    two = [msgspec.structs.replace(manifest.speakers[0], name="Ben", speaker_id=one) for one in ("user1", "Ben")]
    assert propose(two) == [Alias("user1", ("Ben",))]
    assert next(resolve(propose(two), two)).others == ("Ben",)
    aliases = [parse_alias("Моника = MONICA, mnca,MON."), parse_alias("ross=CHANDLER")]
    merged = write(records, tmp_path / "corpus", aliases=aliases, replace=True)
    assert [(one.speaker_id, one.name, one.utterances) for one in merged.speakers] == [
        ("ROSS", "ROSS", 62),
        ("MONICA", "Моника", 42),
    ]
    assert "MNCA" in merged.speakers[1].aliases
    assert merged.owner is None
    speakers = Counter(one.speaker_id for one in open_corpus(tmp_path / "corpus").utterances())
    assert speakers == {"ROSS": 62, "MONICA": 42}


@pytest.mark.parametrize("written", ["MONICA", "=a", "MONICA=", "MONICA=,"])
def test_an_alias_that_names_nobody_is_refused(written: str) -> None:
    with pytest.raises(CorpusError, match="does not say who is whom"):
        parse_alias(written)


def test_an_alias_of_somebody_who_wrote_nothing_is_refused_with_the_closest(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match='no utterances by "MONIKA"') as caught:
        write([said(speaker="MONICA"), said(speaker="ROSS")], tmp_path / "corpus", aliases=[parse_alias("ROSS=MONIKA")])
    assert "MONICA" in (caught.value.hint or "")
    assert not (tmp_path / "corpus").exists()


def imported(path: Path, folder: Path) -> Manifest:
    return write(read([path]), folder)


def test_the_same_files_make_the_same_corpus(shared_data: Path, tmp_path: Path) -> None:
    plays = shared_data / "plays_ru"
    assert imported(plays, tmp_path / "a") == imported(plays, tmp_path / "b")


def test_real_exports_become_corpora_that_know_their_owner(shared_data: Path, tmp_path: Path) -> None:
    chats = shared_data / "chats"
    owners = {
        "telegram_tkonverter/examples/result.json": "user777000",
        "telegram_innerdvations/tests/data/public_channel.json": "channel44444444444",
        "telegram_innerdvations/tests/data/saved.json": "user9999999999",
        "telegram_innerdvations/tests/data/bot.json": "user9999999999",
        "telegram_innerdvations/tests/data/private_group.json": None,
    }
    for number, (path, owner) in enumerate(owners.items()):
        assert imported(chats / path, tmp_path / str(number)).owner == owner, path


def test_long_exports_that_overlap_are_one_corpus(tmp_path: Path) -> None:
    def message(number: int, source: str) -> Utterance:
        return Utterance("id", "Аня", f"да {number}", "чат", number, "message", source, number * 60, thread_id="chat1")

    parts = {"a.json": range(1200, 3000), "b.json": range(2500), "c.json": range(1000, 3000)}
    records = [message(number, source) for source, numbers in parts.items() for number in numbers]
    manifest = write(records, tmp_path / "corpus")
    assert [utterance.position for utterance in open_corpus(tmp_path / "corpus").utterances()] == list(range(3000))
    assert manifest.ledger.dropped == {"already imported from another file": len(records) - 3000}
