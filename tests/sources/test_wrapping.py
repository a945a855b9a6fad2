"""Books whose lines were broken at a width give the same paragraphs as those whose lines were not."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Literal

import pytest

from manera.records import SourceRecord, Utterance
from manera.sources import prose
from manera.sources.files import SourceFile
from manera.sources.wrapping import wrapping_of

Setting = Literal["blank lines", "indents", "neither"]

BOOKS = ("Pushkin/Капитанская дочка", "Turgenev/Отцы и дети", "Gogol/Тарас Бульба")
VOWELS = "аеёиоуыэюя"
# A word may be broken after a vowel before a consonant, two letters from either end.
BREAK = re.compile(rf"(?<=[^\W\d_][{VOWELS}])(?=[^\W\d_{VOWELS}][^\W\d_])", re.IGNORECASE)


def broken(paragraph: str, width: int, indent: int, hyphenate: bool) -> Iterator[str]:
    """Break a paragraph as a typesetter does: as much on a line as fits."""
    line = " " * indent
    for word in paragraph.split():
        space = " " if line.strip() else ""
        if len(line) + len(space) + len(word) > width and line.strip():
            head, tail = _parted(word, width - len(line) - len(space)) if hyphenate else ("", word)
            yield line + space + head if head else line
            line, word, space = "", tail, ""
        line += space + word
    yield line


def _parted(word: str, room: int) -> tuple[str, str]:
    """Part a word where it may be broken, or at a hyphen of its own, so that its head fits."""
    own = [place + 1 for place in range(len(word)) if word[place] == "-" and 0 < place < len(word) - 1]
    if fitting := [place for place in own if place <= room]:
        return word[: fitting[-1]], word[fitting[-1] :]
    places = [found.start() for found in BREAK.finditer(word) if found.start() + 1 <= room and not own]
    return (word[: places[-1]] + "-", word[places[-1] :]) if places else ("", word)


def set_in_lines(paragraphs: Sequence[str], width: int, setting: Setting, hyphenate: bool) -> str:
    lines: list[str] = []
    for paragraph in paragraphs:
        lines += broken(paragraph, width, 4 if setting == "indents" else 0, hyphenate)
        lines += [""] * (setting == "blank lines")
    return "\n".join(lines)


def read(text: str, title: str) -> list[str]:
    file = SourceFile(Path(f"{title}.txt"), title, title)
    records: Iterator[SourceRecord] = prose.read(file, text)
    return [" ".join(record.text.split()) for record in records if isinstance(record, Utterance)]


@cache
def book(path: Path) -> tuple[list[str], list[str]]:
    """Return the paragraphs of a file, and what is kept of it as it is."""
    text = path.read_text("utf-8")
    return [line for line in text.split("\n") if line.strip()], read(text, path.stem)


def differing(path: Path, width: int, setting: Setting, hyphenate: bool) -> float:
    """Return the share of paragraphs that came out otherwise."""
    paragraphs, expected = book(path)
    found = Counter(read(set_in_lines(paragraphs, width, setting, hyphenate), path.stem))
    return (Counter(expected) - found).total() / len(expected)


@pytest.mark.parametrize("hyphenate", [False, True], ids=["whole words", "hyphens"])
@pytest.mark.parametrize("setting", ["blank lines", "indents"])
@pytest.mark.parametrize("width", [60, 72, 100])
@pytest.mark.parametrize("name", BOOKS)
def test_a_book_broken_at_a_width_gives_the_same_paragraphs(
    name: str, width: int, setting: Setting, hyphenate: bool, shared_data: Path
) -> None:
    assert differing(shared_data / "prose_ru" / f"{name}.txt", width, setting, hyphenate) <= 0.01


@pytest.mark.parametrize("width", [60, 72, 100])
def test_where_only_last_lines_show_the_paragraphs_nine_in_ten_are_found(width: int, shared_data: Path) -> None:
    assert differing(shared_data / "prose_ru" / f"{BOOKS[1]}.txt", width, "neither", hyphenate=False) <= 0.1


def test_real_books_whose_lines_are_paragraphs_are_not_taken_for_broken(shared_data: Path) -> None:
    books = list((shared_data / "prose_ru").glob("*/*.txt"))
    broken_at = {path.stem: wrapping_of(path.read_text("utf-8").split("\n")) for path in books}
    assert {name for name, wrapping in broken_at.items() if wrapping} == {"Герой нашего времени"}


PARAGRAPH = (
    "The old gardener walked along the wall and counted the pears that the night had taken from him; there were more "
    "of them than he had feared, and fewer than he would tell his wife about, when he came home in the evening."
)


def wrapped(*paragraphs: str, width: int = 70) -> str:
    return "\n\n".join("\n".join(broken(paragraph, width, 0, hyphenate=False)) for paragraph in paragraphs)


def test_verse_keeps_its_lines_in_a_broken_book_and_alone() -> None:
    verse = "Then count the wall,\nAnd let the pears be spared,\nAnd none be told,"
    file = SourceFile(Path("a.txt"), "a", "a")
    records = prose.read(file, wrapped(*[PARAGRAPH] * 5) + "\n\n" + verse + "\n\n" + wrapped(PARAGRAPH))
    assert verse in [record.text for record in records if isinstance(record, Utterance)]
    assert read("\n".join([verse] * 9), "a") == verse.split("\n") * 9


@pytest.mark.parametrize("number", ["12", "- 12 -", "[12]", "— 12 —"])
def test_a_page_number_that_splits_a_sentence_goes_and_the_sentence_is_whole(number: str) -> None:
    text = wrapped(*[PARAGRAPH] * 5).replace("pears that the\nnight", f"pears that the\n\n{number}\n\nnight", 1)
    assert number in text
    assert read(text, "a") == [PARAGRAPH] * 5
    assert read(f"{PARAGRAPH}\n{PARAGRAPH[:112]}\n\n{number}\n\n{PARAGRAPH[112:]}\n", "a") == [PARAGRAPH] * 2


def test_words_keep_the_hyphens_that_the_text_writes_elsewhere() -> None:
    text = "\n".join(
        [
            "Он пришёл кое-как, и было ясно, что всё-таки кто-то ждал его приш-",
            "ествия, и конгрегация собралась; кое-как, да и то не сразу: кто-",
            "то из них, верно, сам не знал зачем, но пришествия ждал и он, и ко-",
            "нгрегация вся, до последнего из тех, которые стояли у самых дверей.",
        ]
    )
    assert read(text, "a") == [
        "Он пришёл кое-как, и было ясно, что всё-таки кто-то ждал его пришествия, и конгрегация собралась; кое-как, "
        "да и то не сразу: кто-то из них, верно, сам не знал зачем, но пришествия ждал и он, и конгрегация вся, "
        "до последнего из тех, которые стояли у самых дверей."
    ]


def test_a_mark_of_a_footnote_in_braces_goes() -> None:
    assert read(f"{PARAGRAPH[:-1]}{{7}}.\n{PARAGRAPH}", "a") == [PARAGRAPH] * 2
