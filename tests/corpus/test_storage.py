import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manera.corpus.manifest import Manifest
from manera.corpus.storage import MANIFEST, UTTERANCES, open_corpus, write
from manera.errors import CorpusError, SourceError
from manera.files import fingerprint
from manera.records import Dropped, Owner, SourceRecord, Utterance
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
    records: list[SourceRecord] = [*utterances, *(Dropped(reason, "result.json") for reason in reasons)]
    manifest = write(records, tmp_path / "corpus", [source], replace=True)
    corpus = open_corpus(tmp_path / "corpus")
    assert list(corpus.utterances()) == utterances
    assert corpus.manifest == manifest
    ledger = manifest.ledger
    assert ledger.read == ledger.kept + sum(ledger.dropped.values()) == len(records)
    assert ledger.kept == sum(speaker.utterances for speaker in manifest.speakers) == len(texts)


def test_a_corpus_is_for_its_owner_alone_and_opens_in_an_editor(source: Path, tmp_path: Path) -> None:
    manifest = write([said("ё 🙂\nдва")], tmp_path / "new" / "corpus", [source])
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
    first, second = write(records, tmp_path / "corpus", [source]).speakers
    assert (first.speaker_id, first.name, first.aliases) == ("1", "Анна К.", ("Аня",))
    assert (first.utterances, first.characters, first.words, first.threads) == (2, 10, 3, 2)
    assert second.name == "Боря"


def owner_of(records: list[SourceRecord], source: Path, folder: Path) -> str | None:
    return write(records, folder, [source], replace=True).owner


def test_the_owner_is_who_the_export_says_else_who_most_chats_show(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    people: list[SourceRecord] = [said(speaker=name, position=i) for i, name in enumerate("аб")]
    shown: list[SourceRecord] = [Owner("id-а", False), Owner("id-б", False)]
    assert owner_of(people, source, folder) is None
    assert owner_of(people + shown, source, folder) is None
    assert owner_of(people + shown + shown[:1], source, folder) == "id-а"
    assert owner_of([*people, *shown, shown[0], Owner("id-б", True)], source, folder) == "id-б"


def failing() -> Iterator[SourceRecord]:
    yield said()
    raise SourceError("broken")


def test_a_failed_import_leaves_nothing_and_harms_nothing(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    with pytest.raises(SourceError):
        write(failing(), folder, [source])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["result.json"]
    before = write([said("было")], folder, [source])
    with pytest.raises(SourceError):
        write(failing(), folder, [source], replace=True)
    assert open_corpus(folder).manifest == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus", "result.json"]


def test_a_corpus_is_replaced_only_when_asked(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    write([said("было")], folder, [source])
    with pytest.raises(CorpusError) as caught:
        write([said("стало")], folder, [source])
    assert "--replace" in (caught.value.hint or "")
    write([said("стало")], folder, [source], replace=True)
    assert [one.text for one in open_corpus(folder).utterances()] == ["стало"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus", "result.json"]


def test_what_is_no_corpus_is_never_touched(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    write([said()], folder, [source])  # empty: free to use
    (folder / "cat.jpg").write_bytes(b"cat")
    with pytest.raises(CorpusError, match=r"cat\.jpg"):
        write([said()], folder, [source], replace=True)
    (folder / MANIFEST).unlink()
    with pytest.raises(CorpusError, match="holds no corpus"):
        write([said()], folder, [source], replace=True)
    with pytest.raises(CorpusError, match="is a file"):
        write([said()], source, [source], replace=True)
    assert (folder / "cat.jpg").read_bytes() == b"cat"


def test_an_import_of_nobodys_words_is_an_error(source: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"2 read, all dropped \(2 sticker\)"):
        write([Dropped("sticker", "result.json")] * 2, tmp_path / "corpus", [source])
    assert not (tmp_path / "corpus").exists()


def test_a_corpus_that_is_absent_broken_or_changed_is_not_opened(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    with pytest.raises(CorpusError, match="there is no corpus"):
        open_corpus(folder)
    write([said()], folder, [source])
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


def test_a_message_that_two_exports_of_one_chat_hold_is_kept_once(source: Path, tmp_path: Path) -> None:
    older = [said(position=position) for position in (1, 2, 3)]
    newer = [said(position=position, source="new.json") for position in (2, 3, 4)]
    manifest = write([*older, *newer], tmp_path / "corpus", [source])
    assert manifest.ledger.kept == 4
    assert manifest.ledger.dropped == {"already imported from another file": 2}


def imported(path: Path, folder: Path) -> Manifest:
    return write(read([path]), folder, [path])


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
