"""What a description says of somebody is what they did; its page needs nothing and nobody, and shows text as text."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from commands import EXAMPLES, run
from manera.corpus.cleaning import Cleaning
from manera.corpus.description import words as page_words
from manera.corpus.description.facts import Description, describe
from manera.corpus.description.habits import HABITS, Tally
from manera.corpus.description.page import write_page
from manera.corpus.description.prompt import WORDINGS, persona_note
from manera.corpus.description.typical import typical_words, zipf
from manera.corpus.speakers import choose_speaker
from manera.corpus.storage import DESCRIPTION, open_corpus, write
from manera.records import Dropped, Owner, SourceRecord, Utterance
from manera.text.words import words

MONDAY = 4 * 86_400  # 1970-01-05


def talk() -> Iterator[SourceRecord]:
    """Three hundred times: Анна asks, and Кира answers in two messages after half a minute."""
    at = MONDAY + 9 * 3600
    for number in range(300):
        at += 3600 * 8
        yield said("Анна", "Кира, ты придёшь сегодня? Ответь, пожалуйста.", at, 3 * number)
        yield said("Кира", f"ну короче {number} 🐟", at + 30, 3 * number + 1)
        yield said("Кира", "может <b>да</b>)", at + 35, 3 * number + 2)
    yield Dropped("sticker", "r.json")


def said(speaker: str, text: str, at: int | None, place: int, kind: str = "message") -> Utterance:
    return Utterance(speaker, speaker, text, "чат", place, kind, "r.json", at, thread_id="chat1")  # type: ignore[arg-type]


def described(
    folder: Path, speaker: str, records: Iterator[SourceRecord], general: tuple[str, ...] = ()
) -> Description:
    write(records, folder, cleaning=Cleaning(keep_names=True))
    corpus = open_corpus(folder)
    return describe(corpus, choose_speaker(corpus.manifest, speaker), lambda language: general)


def test_it_says_when_how_much_and_in_which_words(tmp_path: Path) -> None:
    found = described(tmp_path / "c", "Кира", talk())
    assert (found.compared_with, found.language, found.kind) == ("corpus", "ru", "message")
    assert found.bursts == (0, 300, 0, 0, 0, 0)
    assert found.waits == (0, 300, 0, 0, 0, 0, 0, 0, 0)
    assert sum(map(sum, found.hours)) == 600
    assert sum(own for own, _ in found.months.values()) == 600
    assert sum(others for _, others in found.months.values()) == 300
    assert found.first == "1970-01-05"
    assert found.habits["lower_start"].own == 1
    assert found.habits["question"] == msgspec.convert({"own": 0.0, "others": 1.0}, type(found.habits["question"]))
    assert found.habits["smile"].own == 0
    assert found.emoji == {"🐟": 50.0}
    assert {"ну", "короче"} <= {word.word for word in found.typical}
    assert {"пожалуйста", "кира"} <= {word.word for word in found.avoided}
    assert found.examples[0].asked == "Кира, ты придёшь сегодня? Ответь, пожалуйста."
    assert found.ledger.dropped == {"sticker": 1}


def test_who_wrote_alone_is_compared_with_other_authors(tmp_path: Path) -> None:
    posts = (said("Я", f"Снег идёт, и мне радостно. Запись {number}.", None, number, "post") for number in range(40))
    found = described(tmp_path / "c", "Я", posts, ("Дождь лил весь день. Мне скучно!",) * 40)
    assert (found.compared_with, found.first, found.months, found.bursts) == ("general", None, {}, (0,) * 6)
    assert found.habits["exclamation"].others == 1
    assert {"весь", "день", "дождь"} <= {word.word for word in found.avoided}
    write_page(found, tmp_path / "page.html")


def test_what_stands_for_something_private_is_nobodys_manner(tmp_path: Path) -> None:
    """Neither among the words nor in what is quoted."""
    private = (
        *("короче, Аня опять спит", "короче, Петров опять пришёл", "короче, это Мишин кот"),
        *("короче, пиши на anna.k@mail.ru", "короче, карта 4111 1111 1111 1111", "короче, код домофона 4512"),
        *("короче, живу на ул. Садовой, д. 14", "короче, перевод 4111 1111 1111 1112"),
    )
    records: list[Utterance] = []
    for number in range(300):
        records.append(said("Борис", f"ну {number} ладно, пойдём потом", 600 * number, 2 * number))
        text = private[number % 16] if number % 16 < len(private) else f"короче я тут уже {number}"
        records.append(said("Кира", text, 600 * number + 60, 2 * number + 1))
    folder = tmp_path / "c"
    write([Owner("Кира", is_certain=True), *records], folder, cleaning=Cleaning())
    corpus = open_corpus(folder)
    kept = {word for one in corpus.utterances() for word in words(one.text)}
    found = describe(corpus, choose_speaker(corpus.manifest, "Кира"), lambda language: [])
    told = {word.word for word in (*found.typical, *found.avoided)}
    assert "короче" in told
    assert told & kept <= {word for one in records for word in words(one.text)}
    assert len(found.examples) > 3
    assert all(re.fullmatch(r"короче я тут уже \d+", text) for one in found.examples for text in one.answered)


def test_the_page_needs_nobody_and_shows_text_as_text(tmp_path: Path) -> None:
    write_page(described(tmp_path / "c", "Кира", talk()), tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "<script" not in page
    assert not re.search(r"(?:src|href)=|https?://|@import|url\(", page)
    assert "&lt;b&gt;да&lt;/b&gt;" in page
    assert "<b>да</b>" not in page
    assert (tmp_path / "page.html").stat().st_mode & 0o077 == 0
    for shown in ("Кира", "короче", "🐟", "sticker", "<svg"):
        assert shown in page


def test_words_are_typical_by_messages_not_by_repetition() -> None:
    own, others = Tally(), Tally()
    own.count("мяу " * 200)
    for _ in range(50):
        own.count("ну привет")
        others.count("да привет")
    found = typical_words(own.having, others.having, own.messages, others.messages)
    assert [word.word for word in found if word.z > 0] == ["ну"]
    assert [word.word for word in found if word.z < 0] == ["да"]


def test_zipf_is_told_at_ranks_that_are_evenly_spread() -> None:
    points = list(zipf({str(rank): 1000 // rank for rank in range(1, 501)}))
    assert points[0] == (1, 1000)
    assert points[-1][0] <= 500
    assert len(points) < 60
    assert points == sorted(set(points))


@pytest.mark.parametrize(
    ("text", "habits"),
    [
        ("ну да", {"lower_start", "bare_end"}),
        ("Да.", {"full_stop"}),
        ("Что?! НЕТ — стой, да…", {"question", "exclamation", "shouting", "dash", "comma", "ellipsis"}),
        ("да))\nнет 🙂", {"lower_start", "smile", "lines", "emoji"}),
        ("Да...", {"ellipsis"}),
    ],
)
def test_habits_are_what_they_are_called(text: str, habits: set[str]) -> None:
    assert {name for name, has in HABITS.items() if has(text)} == habits


def test_each_language_has_the_same_words() -> None:
    for by_language in (page_words.PAGE, page_words.HABITS):
        assert by_language["ru"].keys() == by_language["en"].keys()
    assert (
        page_words.HABITS["ru"].keys() == HABITS.keys() == WORDINGS["ru"].habits.keys() == WORDINGS["en"].habits.keys()
    )
    assert len(page_words.DAYS["ru"]) == len(page_words.DAYS["en"]) == 7


def test_the_note_has_the_rules_that_were_measured_and_examples(tmp_path: Path) -> None:
    note = persona_note(described(tmp_path / "c", "Кира", talk()))
    assert "Ты пишешь так, как пишет Кира." in note
    assert "- Часто (100%) шли несколько коротких сообщений подряд" in note
    assert "- Начинай со строчной буквы (100%)." in note
    assert "- Почти не задавай вопросов." in note
    assert "короче" in note
    assert "Слова, которых избегать: " in note
    assert "\nНа: Кира, ты придёшь сегодня?" in note
    assert "\n> может <b>да</b>)" in note


def test_the_command_writes_a_page_a_note_or_figures(tmp_path: Path) -> None:
    run("import", EXAMPLES / "chat-en", "--to", tmp_path / "c", home=tmp_path)
    shown = run("describe", tmp_path / "c", home=tmp_path)
    assert shown.stdout == f"page: {tmp_path / 'c' / DESCRIPTION}\n"
    note = run("describe", tmp_path / "c", "--prompt", home=tmp_path)
    assert note.stdout.startswith("You write as Dot Marlowe writes.")
    assert "think before you send it" in note.stderr
    figures = json.loads(run("describe", tmp_path / "c", "--speaker", "Hugh Pemberton", "--json", home=tmp_path).stdout)
    assert figures["speaker"]["name"] == "Hugh Pemberton"
    assert run("describe", tmp_path / "c", "--to", tmp_path / "no" / "x.html", home=tmp_path).returncode == 1
    assert run("import", EXAMPLES / "chat-en", "--to", tmp_path / "c", "--replace", home=tmp_path).returncode == 0
