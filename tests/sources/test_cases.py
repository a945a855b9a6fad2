"""Small inputs with the right answer beside them: what real exports and books did to programs of this kind."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from manera.corpus.conversations import conversations
from manera.corpus.manifest import Manifest
from manera.corpus.storage import open_corpus, write
from manera.errors import CorpusError, SourceError
from manera.records import Utterance
from manera.sources.decoding import BROKEN_BYTES
from manera.sources.json_document import BARE_PATH, HEX_ESCAPE
from manera.sources.messages import UNDATED
from manera.sources.reading import read


@pytest.fixture
def cases(shared_data: Path) -> Path:
    return shared_data / "cases"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "corpus"


def imported(path: Path, folder: Path) -> tuple[list[Utterance], Manifest]:
    manifest = write(read([path]), folder, replace=True)
    ledger = manifest.ledger
    assert ledger.read == ledger.kept + sum(ledger.dropped.values())
    assert ledger.characters.read == ledger.characters.kept + sum(ledger.characters.dropped.values())
    return list(open_corpus(folder).utterances()), manifest


def texts(path: Path, folder: Path) -> list[str]:
    return [said.text for said in imported(path, folder)[0]]


def test_01_a_control_character_as_telegram_desktop_writes_it(cases: Path, folder: Path) -> None:
    utterances, manifest = imported(cases / "01-control-escape/in", folder)
    assert [said.text for said in utterances][3:] == ["строка \x0c конец", "после неё"]
    assert manifest.ledger.mended == {HEX_ESCAPE: 2}


def test_02_a_path_without_quotes(cases: Path, folder: Path) -> None:
    utterances, manifest = imported(cases / "02-custom-emoji-unquoted/in", folder)
    assert [said.text for said in utterances][3:] == ["ура 😮"]
    assert manifest.ledger.mended == {BARE_PATH: 1}


def test_04_topics_of_a_group_are_threads(cases: Path, folder: Path) -> None:
    utterances, _ = imported(cases / "04-forum-topics/in", folder)
    talks = list(conversations(utterances))
    assert [talk.thread for talk in talks] == ["Двор (555) / Кулинария", "Двор (555) / Велосипеды"]
    assert [turn.texts[0] for turn in talks[0].turns] == [
        "Кто варил борщ на квасе?",
        "Я варила, кисло вышло.",
    ]
    assert [len(turn.texts) for turn in talks[0].turns] == [1, 2]


def test_05_an_export_in_html_is_read_as_a_folder_too(cases: Path, folder: Path) -> None:
    assert texts(cases / "05-html-folder/in", folder) == ["Привет"]
    assert texts(cases / "05-html-folder/in/messages.html", folder) == ["Привет"]


def test_06_a_contact_renamed_between_two_exports(cases: Path, folder: Path) -> None:
    utterances, manifest = imported(cases / "06-renamed-between/in", folder)
    assert [said.position for said in utterances] == [1, 2, 3, 4]
    assert manifest.ledger.dropped == {"already imported from another file": 3}
    assert len(list(conversations(utterances))) == 1


def test_07_only_my_messages_and_then_all_of_them(cases: Path, folder: Path) -> None:
    utterances, manifest = imported(cases / "07-only-mine-then-full/in", folder)
    assert [said.position for said in utterances] == list(range(1, 10))
    assert manifest.ledger.dropped == {"already imported from another file": 2}


def test_09_front_matter_of_hugo(cases: Path, folder: Path) -> None:
    utterances, manifest = imported(cases / "09-toml-front-matter/in", folder)
    assert [(said.title, said.text, said.sent_at) for said in utterances] == [
        ("О чае", "Чай заваривают не кипятком.\n\nВторой абзац.", 1706745600)
    ]
    assert manifest.ledger.dropped == {"draft": 1}


def test_10_a_book_of_project_gutenberg(cases: Path, folder: Path) -> None:
    utterances, manifest = imported(cases / "10-gutenberg/in", folder)
    assert {said.text[:24] for said in utterances} == {"The old gardener walked "}
    assert len(utterances) == 24
    assert {"contents", "title page", "heading"} < set(manifest.ledger.dropped)
    told = {part.reason: part for part in manifest.left_out}
    assert told["Project Gutenberg's licence"].share > 0.1
    assert told["Project Gutenberg's licence"].last_line > told["Project Gutenberg's licence"].first_line > 100


FOREIGN = {
    "discord-txt.txt": "Discord export",
    "irc.txt": "IRC log",
    "telegram-copied-ru.txt": "chat copied from Telegram",
    "telegram-copied.txt": "chat copied from Telegram",
    "vk-copied.txt": "chat copied from VK",
    "book.epub": "EPUB book",
    "book.rtf": "RTF document",
    "google-chat.json": "Google Chat export",
}


WHATSAPP = {"android-nnbsp": 4, "finnish": 6, "indonesian": 4, "ios-lrm": 2, "spanish": 3, "us-brackets": 3}


@pytest.mark.parametrize(("name", "messages"), WHATSAPP.items())
def test_11_chats_of_whatsapp_in_many_languages(name: str, messages: int, cases: Path, folder: Path) -> None:
    utterances, manifest = imported(cases / f"11-other-messengers/in/{name}.txt", folder)
    assert len(utterances) == messages
    assert manifest.ledger.files.read == {"WhatsApp chat": 1}


READ = {
    "ChatExport.zip",
    "facebook.json",
    "kniga.fb2",
    "mail.mbox",
    "slack.json",
    "tweets.js",
    *(f"{name}.txt" for name in WHATSAPP),
}
BROKEN = {"book.docx", "book.pdf"}


def test_11_and_18_what_is_not_read_says_what_it_is_and_what_to_do(cases: Path, folder: Path, tmp_path: Path) -> None:
    files = [*(cases / "11-other-messengers/in").iterdir(), *(cases / "18-book-files/in").iterdir()]
    assert {file.name for file in files} == {*FOREIGN, *READ, *BROKEN}
    for file in (file for file in files if file.name in FOREIGN):
        with pytest.raises(SourceError, match=FOREIGN[file.name]) as caught:
            imported(file, folder)
        assert caught.value.hint
        alone = tmp_path / f"with {file.name}"
        alone.mkdir()
        (alone / file.name).symlink_to(file)
        with pytest.raises(CorpusError, match=FOREIGN[file.name]) as of_folder:
            imported(alone, folder)
        assert of_folder.value.hint


def test_18_books_are_read_and_broken_ones_named(cases: Path, folder: Path) -> None:
    place = cases / "18-book-files/in"
    (said,) = imported(place / "kniga.fb2", folder)[0]
    assert (said.speaker, said.thread, said.text) == ("А", "К", "Текст книги.")
    for name in BROKEN:
        with pytest.raises((SourceError, CorpusError)) as caught:
            imported(place / name, folder)
        assert caught.value.hint


def test_12_a_group_that_became_a_supergroup_is_two_chats(cases: Path, folder: Path) -> None:
    utterances, manifest = imported(cases / "12-migrated-group/in", folder)
    assert [said.text for said in utterances] == [
        *(f"старое {number}" for number in (1, 2, 3, 4)),
        *(f"новое {number}" for number in (2, 3, 4, 5)),
        "я ушла",
    ]
    assert len({said.thread_id for said in utterances}) == 3
    assert manifest.owner == "user101"


def test_13_every_kind_of_message_has_its_name(cases: Path, folder: Path) -> None:
    utterances, manifest = imported(cases / "13-media-and-odd/in", folder)
    assert [said.text for said in utterances][3:] == [
        *("x", "y", "подпись", "отредактировано", "Мой ответ", "Ответ в другой чат"),
    ]
    assert {said.speaker_id for said in utterances if said.speaker == "Deleted account"} == {"user900", "user901"}
    once = ("story", "dice", "giveaway", "giveaway results", "to-do list", "poll", "paid media", "location", "code")
    assert {reason: manifest.ledger.dropped[reason] for reason in once} == dict.fromkeys(once, 1)
    assert manifest.ledger.dropped["nothing but a link"] == manifest.ledger.dropped["bot command"] == 1
    assert manifest.ledger.characters.dropped["quotation"] == 16


def test_14_the_markup_of_blogs(cases: Path, folder: Path) -> None:
    utterances, manifest = imported(cases / "14-blog-markup/in", folder)
    posts = {said.thread[0]: said for said in utterances}
    assert set(posts) == set("abcdghil")
    assert posts["l"].text == "HTML body of the post."
    assert posts["a"].text.count("must survive") == 2
    assert "git rebase" in posts["a"].text
    assert posts["b"].text == "Before.\n\nAfter."
    assert (posts["c"].title, posts["c"].text[:5]) == ("Hexo post", "Hexo ")
    assert posts["d"].title == "A folded title"
    assert (posts["g"].title, posts["h"].title) == ("CRLF: да", "BOM")
    assert posts["g"].sent_at == 1704438000
    assert not any(word in posts["i"].text for word in ("indented code", "rm x", "quoted"))
    assert all(word in posts["i"].text for word in ("Text.", "still the item.", "End."))
    assert manifest.ledger.dropped == {"draft": 2}
    assert {Path(file.source).name: file.reason for file in manifest.skipped} == {
        "j.rst": ".rst file",
        "k.org": ".org file",
    }


def test_15_printed_plays_have_speakers(cases: Path, folder: Path) -> None:
    dotted, _ = imported(cases / "15-play-formats/in/dot.txt", folder)
    assert Counter(said.speaker for said in dotted) == {"Иванов": 12, "Петрова": 12}
    assert dotted[1].text == "Ответ номер 1. Да-да!"
    alone, _ = imported(cases / "15-play-formats/in/own-line.txt", folder)
    assert Counter(said.speaker for said in alone) == {"FIRST GARDENER": 12, "SECOND GARDENER": 12}
    assert alone[0].text == "The pears are gone, my lord, the wall is bare, 1."
    verse, _ = imported(cases / "15-play-formats/in/verse.txt", folder)
    assert verse[0].text == "Вот строка 1 первая,\nВот строка вторая,"


def test_19_what_follows_notes_in_the_middle_is_kept(cases: Path, folder: Path) -> None:
    utterances, manifest = imported(cases / "19-notes-in-the-middle/in", folder)
    assert sum("Первая" in said.text for said in utterances) == sum("Вторая" in said.text for said in utterances) + 20
    assert len(utterances) == 60
    assert manifest.ledger.dropped["editor's note"] == 2


def test_20_every_file_under_a_path_is_read_or_named(cases: Path, folder: Path) -> None:
    place = cases / "20-result-json-hides-folders/in"
    utterances, manifest = imported(place, folder)
    assert Counter(said.kind for said in utterances)["prose"] > 50
    assert len({said.source for said in utterances}) == 4
    assert_every_file_is_named(place, manifest)


def test_22_both_partners_exported_the_chat(cases: Path, folder: Path) -> None:
    utterances, manifest = imported(cases / "22-both-sides/in", folder)
    assert len(utterances) == 3
    assert manifest.ledger.dropped == {"already imported from another file": 3}


def test_23_text_is_kept_exactly(cases: Path, folder: Path) -> None:
    kept = texts(cases / "23-verbatim/in", folder)
    assert kept[3].startswith(
        "первая\nвторая\r\nтретья\n\n\nпосле пустых\tтаб  два пробела \u2028 LS 👩\u200d👩\u200d👧 "
    )
    assert kept[3].endswith("\u200fא конец  ")
    assert kept[4] == "часть жирн\nая😮 хвост\n"


HOSTILE = {
    "dates": 12,
    "enc_cut": 61,
    "enc_utf8_broken": 61,
    "surrogate_name": 5,
    "deep3": "nested too deeply",
    "hugeint2": "thousands of digits",
    "onlybom": "empty file",
}


def test_what_is_made_to_hurt_is_read_or_refused(cases: Path, folder: Path) -> None:
    assert {place.name for place in (cases / "hostile").iterdir()} == set(HOSTILE)
    for name, expected in HOSTILE.items():
        (path,) = (cases / "hostile" / name).iterdir()
        if isinstance(expected, str):
            with pytest.raises(SourceError, match=expected):
                imported(path, folder)
            continue
        utterances, manifest = imported(path, folder)
        assert len(utterances) == expected, name
        assert (BROKEN_BYTES in manifest.ledger.mended) == name.startswith("enc")
        assert manifest.ledger.mended.get(UNDATED, 0) == (8 if name == "dates" else 0)


def files_under(folder: Path) -> Iterator[str]:
    for place, _, names in os.walk(folder):
        yield from (os.path.relpath(Path(place, name), folder) for name in names)


def assert_every_file_is_named(folder: Path, manifest: Manifest) -> None:
    named = [*(source.name for source in manifest.sources), *(file.source for file in manifest.skipped)]
    named = [name.replace(".zip/result.json", ".zip") for name in named]
    assert sorted(named) == sorted(f"{folder.name}/{file}" for file in files_under(folder))
    files = manifest.ledger.files
    assert sum(files.read.values()) == len(manifest.sources)
    assert sum(files.skipped.values()) == len(manifest.skipped)


@pytest.mark.parametrize("name", ["prose_ru", "plays_ru", "blog_ru", "chats", "cases"])
def test_every_file_of_a_real_folder_is_read_or_named_with_a_reason(name: str, shared_data: Path, folder: Path) -> None:
    _, manifest = imported(shared_data / name, folder)
    assert_every_file_is_named(shared_data / name, manifest)
