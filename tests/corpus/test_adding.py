"""A newer export adds what is new and updates what was edited; nothing comes twice, and what is forgotten stays so."""

from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manera.corpus.adding import EDITED, REPLACED, add
from manera.corpus.aliases import Alias
from manera.corpus.duplicates import DUPLICATE
from manera.corpus.forgetting import forget_message, forget_speaker
from manera.corpus.forgotten import FORGOTTEN
from manera.corpus.storage import open_corpus, write
from manera.errors import CorpusError
from manera.records import Dropped, SourceRecord, Utterance, count_characters

MESSAGES = st.lists(
    st.tuples(st.integers(0, 9), st.sampled_from(["да", "нет", "ок"]), st.sampled_from("аб")), min_size=1, max_size=9
)


def said(position: int, text: str, speaker: str = "Аня", thread: str = "чат (7)", **fields: object) -> Utterance:
    values: dict[str, object] = {"thread_id": "chat7", "sent_at": 100 * position} | fields
    return Utterance(f"id-{speaker}", speaker, text, thread, position, "message", "r.json", **values)  # type: ignore[arg-type]


def paragraphs(*texts: str, thread: str = "Снег") -> list[Utterance]:
    return [Utterance("а", "А", text, thread, place, "prose", f"{thread}.txt") for place, text in enumerate(texts)]


def texts(folder: Path) -> list[str]:
    return [utterance.text for utterance in open_corpus(folder).utterances()]


def test_what_is_new_is_added_in_order_and_what_was_edited_is_updated(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    write([said(1, "раз"), said(2, "дво"), Dropped("sticker", "r.json", 0)], folder)
    found = add([said(1, "раз"), said(2, "два", speaker="Анна"), said(3, "три"), Dropped("sticker", "r", 0)], folder)
    assert (found.added, found.edited, found.known, found.replaced) == (1, 1, 1, ())
    assert texts(folder) == ["раз", "два", "три"]
    ledger = open_corpus(folder).manifest.ledger
    assert ledger.dropped == {"sticker": 2, DUPLICATE: 1, EDITED: 1}
    assert (ledger.read, ledger.kept) == (7, 3)
    assert ledger.characters.kept == 9
    assert ledger.characters.read == 9 + 3 + 3


def test_the_same_export_again_changes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    records: list[SourceRecord] = [
        *(said(1, "раз"), said(2, "Лёня, Алексей пришёл")),
        *(said(3, "а Аля где?"), said(4, "Александра тут, и Алевтина")),
        *paragraphs("утро", "снег"),
        Dropped("sticker", "r.json"),
    ]
    write(records, folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    found = add(records, folder)
    assert (found.added, found.edited, found.known) == (0, 0, 6)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_an_older_export_takes_no_edit_back(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    write([said(2, "два, исправлено"), said(3, "три")], folder)
    found = add([said(1, "раз"), said(2, "два")], folder)
    assert (found.added, found.edited, found.known) == (1, 0, 1)
    assert texts(folder) == ["раз", "два, исправлено", "три"]
    assert add([said(1, "раз"), said(2, "два")], folder).manifest == found.manifest


def test_a_text_that_changed_is_read_again_whole_and_another_of_its_name_stands_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    write([*paragraphs("утро", "снег"), *paragraphs("море", thread="Лето")], folder)
    found = add([*paragraphs("утро", "дождь", "вечер"), *paragraphs("горы", thread="Лето")], folder)
    assert found.replaced == ("Снег",)
    assert sorted(texts(folder)) == sorted(["утро", "дождь", "вечер", "море", "горы"])
    assert {utterance.thread for utterance in open_corpus(folder).utterances()} == {"Снег", "Лето", "Лето (2)"}
    assert open_corpus(folder).manifest.ledger.dropped[REPLACED] == 2


def test_people_who_were_merged_stay_one(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    write([said(1, "раз"), said(2, "два", "Нюта")], folder, aliases=[Alias("Аня", ("Нюта",))])
    found = add([said(2, "два", "Нюта"), said(3, "три", "Нюта")], folder)
    assert [(one.speaker_id, one.name, one.utterances) for one in found.manifest.speakers] == [("id-Аня", "Аня", 3)]
    again = add([said(4, "четыре", "Анна")], folder, aliases=[Alias("Анна", ("Аня",))]).manifest
    assert again.merged == {"id-Нюта": "id-Анна", "id-Аня": "id-Анна"}
    assert [one.utterances for one in add([said(5, "пять", "Нюта")], folder).manifest.speakers] == [5]


def test_where_there_is_no_corpus_it_is_made(tmp_path: Path) -> None:
    assert add([said(1, "раз")], tmp_path / "c").added == 1
    assert texts(tmp_path / "c") == ["раз"]


def test_a_failed_addition_leaves_the_corpus_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    before = write([said(1, "раз")], folder)

    def failing() -> Iterable[Utterance]:
        yield said(2, "два")
        raise CorpusError("сломано")

    with pytest.raises(CorpusError):
        add(failing(), folder)
    assert open_corpus(folder).manifest == before
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


def test_who_is_forgotten_does_not_come_back(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    both = [said(1, "раз"), said(2, "два", "Боря"), said(3, "три", "Боб")]
    write(both, folder, aliases=[Alias("Боря", ("Боб",))])
    gone = forget_speaker(folder, "боря")
    assert (gone.utterances, len(gone.keys)) == (2, 2)
    assert texts(folder) == ["раз"]
    assert "Бор" not in (folder / "corpus.json").read_text("utf-8")
    found = add([*both, said(4, "опять", "Боря"), said(5, "пять")], folder)
    assert found.manifest.ledger.dropped[FORGOTTEN] == 2 + 3
    assert texts(folder) == ["раз", "пять"]
    write(both, folder, replace=True)
    assert texts(folder) == ["раз"]


def test_a_message_is_forgotten_by_its_number_and_its_chat(tmp_path: Path) -> None:
    folder = tmp_path / "c"
    other = said(1, "иной", thread="другой (8)", thread_id="chat8")
    write([said(1, "раз"), said(2, "два"), other], folder)
    with pytest.raises(CorpusError) as caught:
        forget_message(folder, "1")
    assert caught.value.hint == "say which: 'чат (7)/1', 'другой (8)/1'"
    assert forget_message(folder, "чат/1").utterances == 1
    assert texts(folder) == ["два", "иной"]
    add([said(1, "раз, но иначе"), said(2, "два"), other], folder)
    assert texts(folder) == ["два", "иной"]
    for wrong in ("9", "чат/x"):
        with pytest.raises(CorpusError):
            forget_message(folder, wrong)


def test_a_corpus_is_not_emptied_by_forgetting(tmp_path: Path) -> None:
    write([said(1, "раз")], tmp_path / "c")
    with pytest.raises(CorpusError) as caught:
        forget_speaker(tmp_path / "c", "Аня")
    assert caught.value.hint == f"remove the folder: rm -r {tmp_path / 'c'}"


@given(first=MESSAGES, second=MESSAGES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
def test_whatever_is_added_the_ledger_adds_up_and_each_number_is_there_once(
    first: list[tuple[int, str, str]], second: list[tuple[int, str, str]], tmp_path: Path
) -> None:
    folder = tmp_path / "c"
    exports = [
        [said(number, text, speaker) for number, (text, speaker) in sorted({n: (t, s) for n, t, s in one}.items())]
        for one in (first, second)
    ]
    before = write(exports[0], folder, replace=True)
    manifest = add(exports[1], folder).manifest
    ledger = manifest.ledger
    kept = list(open_corpus(folder).utterances())
    assert sorted(one.position for one in kept) == sorted({one.position for export in exports for one in export})
    is_changed = manifest != before
    assert ledger.read == ledger.kept + sum(ledger.dropped.values())
    assert ledger.read == sum(map(len, exports if is_changed else exports[:1]))
    assert ledger.characters.kept == sum(count_characters(one.text) for one in kept)
    assert sum(speaker.utterances for speaker in manifest.speakers) == ledger.kept
    assert msgspec.json.decode((folder / "corpus.json").read_bytes(), type=type(manifest)) == manifest
