import calendar
import os
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manera.errors import SourceError
from manera.records import Dropped, Opened, Skipped, Utterance
from manera.sources.decoding import decode
from manera.sources.posts import prose_of
from manera.sources.reading import SOURCES, read

PROSE = "Утром пошёл снег, и все вышли на крыльцо смотреть.\nНикто ничего не говорил, только собака лаяла.\n"
PLAY = """Пьеса
Автор

Действующие лица
АНЯ, студентка.
Г-ЖА ПРОСТАКОВА, её тётка.

Действие первое
[Комната.]

Явление I
АНЯ: (вбегает).) Здравствуйте! (Садится.) Как вы?
Г-ЖА ПРОСТАКОВА: Хорошо, (указывая на стул),) спасибо.
А ты
как?
[Пауза.]
1-Й ГОСТЬ: (Молчит.)
АНЯ (тихо): Уйдите [смеётся] же.

Явление II
Г-ЖА ПРОСТАКОВА: Нет: не уйду.
АНЯ: Да?
"""


def read_text(text: str, path: Path) -> tuple[list[Utterance], Counter[str]]:
    path.write_text(text, "utf-8")
    return read_paths(path)


def read_paths(*paths: Path) -> tuple[list[Utterance], Counter[str]]:
    records = list(read(paths))
    kept = [record for record in records if isinstance(record, Utterance)]
    return kept, Counter(record.reason for record in records if isinstance(record, Dropped | Skipped))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1251", "koi8_r", "cp866"])
def test_russian_text_is_read_in_the_encodings_it_comes_in(encoding: str) -> None:
    text = PROSE * 5
    assert decode(text.replace("\n", "\r\n").encode(encoding)) == (text, 0)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=200))
def test_utf8_text_is_never_taken_for_anything_else(text: str) -> None:
    assert decode(text.encode()) == (text.removeprefix("\ufeff"), 0)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), min_size=40), st.data())
def test_a_letter_cut_in_two_or_a_damaged_byte_is_mended_and_counted(text: str, data: st.DataObject) -> None:
    content = ("Слово за словом. " * 30 + text + "я").encode()
    assert decode(content[:-1]) == (content[:-2].decode() + "\ufffd", 1)
    place = data.draw(st.integers(0, 500))
    decoded = decode(content[:place] + b"\xff" + content[place:])
    assert decoded is not None
    assert 1 <= decoded.broken <= 3
    assert len(decoded.text) >= len(content.decode())


def test_prose_is_a_paragraph_per_utterance_by_the_folder_it_lies_in(tmp_path: Path) -> None:
    for folder in ("Чехов", "Гоголь"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "Снег.txt").write_text(PROSE, "utf-8")
    kept, dropped = read_paths(tmp_path)
    assert [said.speaker for said in kept] == ["Гоголь", "Гоголь", "Чехов", "Чехов"]
    assert {said.thread for said in kept} == {"Гоголь/Снег", "Чехов/Снег"}
    assert [said.position for said in kept] == [1, 2, 1, 2]
    assert [said.text for said in kept[:2]] == PROSE.splitlines()
    assert not dropped
    assert {said.speaker for said in read_paths(tmp_path / "Чехов")[0]} == {"Чехов"}


def test_a_books_dirt_is_dropped_by_name_where_it_is_certain(tmp_path: Path) -> None:
    book = (
        "Антон Чехов\nСНЕГ\nI\nГлава первая\n" + PROSE * 4 + "II\n***\nОн сказал[12]: «Глава эта мне не нравится».\n"
        "1899\nПримечания\n1\nпо-латыни.\n"
    )
    kept, dropped = read_text(book, tmp_path / "Снег.txt")
    assert dropped == {"title": 2, "heading": 3, "divider": 1, "year of writing": 1, "editor's note": 3}
    assert kept[-1].text == "Он сказал: «Глава эта мне не нравится»."


def test_numbered_chapters_are_not_taken_for_notes(tmp_path: Path) -> None:
    _, dropped = read_text("".join(f"{number}\n{PROSE * 9}" for number in (1, 2, 3)), tmp_path / "a.txt")
    assert dropped == {"heading": 3}


def test_lines_broken_at_a_width_are_joined_to_paragraphs(tmp_path: Path) -> None:
    line = "слово " * 11
    kept, _ = read_text(f"     {line}\n{line}\nконец.\n     {line}\n{line}\n{line}\n", tmp_path / "a.txt")
    assert [said.text for said in kept] == [f"{line * 2}конец.", (line * 3).strip()]


def test_a_play_gives_each_reply_to_its_speaker_without_stage_directions(tmp_path: Path) -> None:
    kept, dropped = read_text(PLAY, tmp_path / "пьеса.txt")
    assert [(said.speaker_id, said.text) for said in kept] == [
        ("АНЯ", "Здравствуйте! Как вы?"),
        ("Г-ЖА ПРОСТАКОВА", "Хорошо, спасибо.\nА ты\nкак?"),
        ("АНЯ", "Уйдите же."),
        ("Г-ЖА ПРОСТАКОВА", "Нет: не уйду."),
        ("АНЯ", "Да?"),
    ]
    first = "пьеса / Действие первое / Явление I"
    assert [said.thread for said in kept] == [first] * 3 + ["пьеса / Действие первое / Явление II"] * 2
    assert [said.position for said in kept] == [1, 2, 3, 1, 2]
    assert dropped == {"heading": 6, "cast list": 2, "stage direction": 3}


def test_a_scene_named_twice_is_two_threads(tmp_path: Path) -> None:
    scene = "Сцена\nАНЯ: Да.\nБОРЯ: Нет.\nАНЯ: Да!\nБОРЯ: Нет!\n"
    kept, _ = read_text(scene * 2, tmp_path / "a.txt")
    assert len({said.thread for said in kept}) == 2


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"Глава {number}: {PROSE}" for number in range(1, 9)),
        PROSE * 20 + "Аня: Да.\nБоря: Нет.\nАня: Да!\nБоря: Нет!\n",
        "Он сказал: да.\nОна сказала: нет.\n" + PROSE * 3,
        ("Блины\nСостав: мука и молоко.\n" + PROSE * 2 + "Совет: не спешите.\n") * 20,
    ],
)
def test_prose_with_colons_is_not_a_script(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(text, "utf-8")
    assert [record.kind for record in read([path]) if isinstance(record, Opened)] == ["prose"]


def test_a_post_is_its_words_without_code_comments_and_imports(tmp_path: Path) -> None:
    post = (
        "---\ntitle: 'Кот''s: день'\ndate: '2019-12-06 13:37:00'\ntags: [кот]\n---\n\n"
        "import Tabs from '@theme/Tabs';\n\nБыло *дело*.\n\n<!--truncate-->\n\n```lua\nprint('x')\n```\n\n"
        "> - ~~~~\n\n1. раз\n   два\n"
    )
    (said,), _ = read_text(post, tmp_path / "кот.md")
    assert said.text == "Было *дело*.\n\n> - ~~~~\n\n1. раз\n   два"
    assert (said.kind, said.title) == ("post", "Кот's: день")
    assert said.sent_at == calendar.timegm(datetime(2019, 12, 6, 13, 37).timetuple())


def test_a_post_is_dated_and_named_by_its_path_where_its_head_says_nothing(tmp_path: Path) -> None:
    blog = tmp_path / "blog"
    (blog / "2023" / "12-15-polling").mkdir(parents=True)
    (blog / "2023" / "12-15-polling" / "index.md").write_text("# Опрос\n\nТекст.\n", "utf-8")
    (blog / "2024-01-02-draft.md").write_text("---\ndraft: true\n---\nТекст.\n", "utf-8")
    (said,), dropped = read_paths(blog)
    assert (said.speaker, said.thread, said.title, said.text) == ("blog", "12-15-polling", "Опрос", "Текст.")
    assert said.sent_at == calendar.timegm(datetime(2023, 12, 15).timetuple())
    assert dropped == {"draft": 1}


@given(st.text(st.characters(codec="utf-8", exclude_characters="`~<\n"), max_size=50))
def test_a_line_of_markdown_without_code_is_kept_exactly(line: str) -> None:
    assert prose_of(f"а{line}б") == (f"а{line}б", [])


def test_files_of_a_folder_that_are_nobodys_words_are_dropped_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(PROSE, "utf-8")
    (tmp_path / ".hidden").write_text(PROSE, "utf-8")
    (tmp_path / "LICENSE").write_text("Apache", "utf-8")
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8")
    (tmp_path / "empty.txt").write_text("", "utf-8")
    (tmp_path / "noise").write_bytes(bytes(range(256)) * 9)
    (tmp_path / "table.txt").write_text("name,year\n" + "a,1\n" * 9, "utf-8")
    (tmp_path / "digits.txt").write_text("1 2 3\n4 5 6\n", "utf-8")
    (tmp_path / "package.json").write_text('{"name": "x"}', "utf-8")
    (tmp_path / "chat.txt").write_text("01/01/19, 11:25 - John: Hi\n01/01/19, 11:26 - Jane: Ho\n", "utf-8")
    kept, dropped = read_paths(tmp_path)
    assert len(kept) == 2
    assert dropped == {
        "readme or licence": 1,
        ".jpg file": 1,
        "empty file": 1,
        "binary file": 1,
        "table": 1,
        "text without words": 1,
        "other JSON": 1,
        "WhatsApp export": 1,
        "hidden file": 1,
    }


def test_what_lies_beside_an_export_is_no_source(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.txt").write_text(PROSE, "utf-8")
    (tmp_path / "b.txt").write_text(PROSE, "utf-8")
    (tmp_path / "result.json").write_text(
        '{"type": "personal_chat", "messages": [{"type": "message", "from": "a", "text": "b"}]}', "utf-8"
    )
    kept, dropped = read_paths(tmp_path)
    assert {said.text for said in kept} == {"b", *PROSE.splitlines()}
    assert dropped == {"attachment of a Telegram export": 1}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b" \n", "cannot be read: empty file"),
        ("a.txt", bytes(range(256)) * 9, "is not known (binary file)"),
        ("a.html", b'<!DOCTYPE html><div class="page_wrap">', "cannot be read: Telegram export in HTML"),
        (
            "a.json",
            b'{"type": "saved_messages", "id": 1, "messages": []}',
            "Telegram export without messages",
        ),
        ("a.json", b'[{"a": 1}]', "is not known (other JSON)"),
    ],
)
def test_a_named_file_that_cannot_be_read_is_an_error_with_a_hint(
    name: str, content: bytes, message: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SourceError) as caught:
        list(read([path]))
    assert message in caught.value.message
    assert str(path) in caught.value.message
    assert caught.value.hint


def test_a_path_that_is_missing_or_named_twice_or_empty_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(PROSE, "utf-8")
    (tmp_path / "empty").mkdir()
    for paths, message in (
        ([tmp_path / "no.txt"], "there is no file or folder"),
        ([tmp_path, tmp_path / "a.txt"], "is named twice"),
        ([tmp_path / "empty"], "there are no files"),
    ):
        with pytest.raises(SourceError, match=message):
            list(read(paths))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="this user may read everything")
def test_a_file_that_may_not_be_opened_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.touch(mode=0o200)
    with pytest.raises(SourceError, match="cannot be opened") as caught:
        list(read([path]))
    assert "chmod" in (caught.value.hint or "")


def test_seven_real_plays_become_replies(shared_data: Path) -> None:
    kept, dropped = read_paths(shared_data / "plays_ru")
    assert {said.kind for said in kept} == {"line"}
    assert sum("(" in said.text or ")" in said.text for said in kept) <= 1
    assert Counter(said.speaker_id for said in kept)["ХЛЕСТАКОВ"] >= 215
    assert len({said.thread for said in kept}) > 180
    assert set(dropped) == {"heading", "stage direction", "readme or licence"}


def test_five_real_authors_become_speakers(shared_data: Path) -> None:
    kept, dropped = read_paths(shared_data / "prose_ru")
    prose = [said for said in kept if said.kind == "prose"]
    assert {said.speaker for said in prose} == {"Chekhov", "Gogol", "Lermontov", "Pushkin", "Turgenev"}
    assert not any(f"[{number}]" in said.text for said in prose for number in range(1, 150))
    assert dropped["editor's note"] > 900
    assert sum(map(len, (said.text for said in prose))) > 7_000_000


def test_plays_among_the_books_of_an_author_are_plays(shared_data: Path) -> None:
    kept, _ = read_paths(shared_data / "prose_ru" / "Chekhov")
    plays = {said.thread.split(" / ")[0] for said in kept if said.kind == "line"}
    assert plays == {"Вишнёвый сад", "Три сестры"}
    assert sum(said.speaker_id == "ЛОПАХИН" for said in kept) == 101


def test_a_real_blog_becomes_dated_posts(shared_data: Path) -> None:
    kept, _ = read_paths(shared_data / "blog_ru")
    assert len(kept) > 80
    assert all(said.kind == "post" and said.title and said.sent_at and "```" not in said.text for said in kept)
    assert len({said.thread for said in kept}) == len(kept)


def test_what_is_readable_has_a_name() -> None:
    assert [source.name for source in SOURCES] == [
        *("Telegram export", "FB2 book", "EPUB book", "DOCX document", "PDF document", "feed", "web page"),
        *("post", "script", "prose"),
    ]


def test_a_title_before_a_name_is_part_of_it_and_a_place_is_no_speaker(tmp_path: Path) -> None:
    play = "MRS. ALVING. Not in the least, Pastor.\n\nMANDERS (aside). So then she knows.\n\nMR. HALE. Yes.\n\n" * 4
    kept, _ = read_text(play, tmp_path / "a.txt")
    assert Counter(said.speaker for said in kept) == {"MRS. ALVING": 4, "MANDERS": 4, "MR. HALE": 4}
    series = "Scene: A corridor.\nLeonard: Hi.\nSheldon: Hello.\nWith Minor Adjustments by: Eric\n" * 4
    kept, dropped = read_text(series, tmp_path / "b.txt")
    assert {said.speaker for said in kept} == {"Leonard", "Sheldon"}
    assert dropped == {"stage direction": 4, "credits": 4}


def test_what_only_begins_like_a_heading_or_ends_like_the_title_is_kept(tmp_path: Path) -> None:
    said = ["— Том!", "Том вздохнул.", "Том и Гек", "Book him.", "Это был его дом.", "Часть речи моей пропала,"]
    kept, dropped = read_text("\n".join([*said, PROSE * 9, "Том второй", "ЧАСТЬ II"]), tmp_path / "Дом.txt")
    assert [one.text for one in kept[: len(said)]] == said
    assert dropped == {"heading": 2}


def test_verse_that_begins_with_the_name_of_a_part_is_said(tmp_path: Path) -> None:
    speech = "АНЯ: Слушай.\nЧасть речи моей пропала,\nа это остаток речи.\n[вздыхает] Выход есть. [уходит]\n"
    speech += "БОРЯ: Да.\nАНЯ: Так.\nБОРЯ: Нет.\n"
    kept, _ = read_text("ДЕЙСТВИЕ ПЕРВОЕ\n" + speech * 4, tmp_path / "a.txt")
    assert kept[0].text == "Слушай.\nЧасть речи моей пропала,\nа это остаток речи.\nВыход есть."
    assert len({one.thread for one in kept}) == 1


def test_a_text_in_an_old_encoding_after_much_ascii_is_read(tmp_path: Path) -> None:
    content = ("English text goes on and on. " * 3000).encode() + ("Café, Renée, naïve. " * 50).encode("cp1252")
    decoded = decode(content)
    assert decoded is not None
    assert (decoded.broken, decoded.text.count("Café")) == (0, 50)


def test_a_zero_in_a_text_is_damage_and_no_other_encoding() -> None:
    assert decode(b"Hello wo\0rld") == ("Hello wo\ufffdrld", 1)
    book = PROSE.encode() * 9
    assert decode(book + b"\0") == (PROSE * 9 + "\ufffd", 1)
