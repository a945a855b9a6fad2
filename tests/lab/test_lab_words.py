"""What is counted of a text's words, and the page of it."""

import itertools
from html.parser import HTMLParser
from pathlib import Path

import pytest

from lab_texts import TEXT
from manera.errors import CorpusError
from manera.lab import pages
from manera.lab.settings import settings_for
from manera.lab.sizes import Size, choose, sweep
from manera.lab.texts import split_text
from manera.lab.words import count_words


def test_words_are_counted_without_case() -> None:
    counted = count_words("it", ["Кот и кот. Пёс, и ещё КОТ! " * 40])
    assert (counted.words, counted.different, counted.once) == (280, 4, 0)
    assert counted.common[:2] == (("кот", 120), ("и", 80))
    assert counted.coverage == ((4, 1.0),)
    assert counted.zipf == ((1, 120), (2, 80), (3, 40), (4, 40))


def test_coverage_and_growth_go_up_to_the_whole() -> None:
    counted = count_words("play", [TEXT])
    assert counted.coverage[-1] == (counted.different, 1.0)
    assert counted.growth[-1] == (counted.words, counted.different)
    shares = [share for _, share in counted.coverage]
    assert shares == sorted(shares)
    assert 0.4 < counted.once / counted.different < 0.8


def test_a_text_without_spaces_is_named() -> None:
    with pytest.raises(CorpusError) as refusal:
        count_words("it", ["абвгдежз" * 3000])
    assert "no spaces part them" in refusal.value.message
    assert "--kind character" in (refusal.value.hint or "")


def test_a_text_of_few_words_is_named() -> None:
    with pytest.raises(CorpusError, match="fewer than 200"):
        count_words("it", [TEXT[:200]])


class _Loads(HTMLParser):
    """Collects what a page would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [str(value) for name, value in attrs if name in ("src", "href")]


def test_the_page_of_two_texts_is_self_contained(tmp_path: Path) -> None:
    both = [count_words("one <b>", [TEXT[:15_000]]), count_words("two", [TEXT[15_000:]])]
    pages.write_words(tmp_path / "words.html", both)
    page = (tmp_path / "words.html").read_text("utf-8")
    loads = _Loads()
    loads.feed(page)
    assert loads.found == []
    assert "one &lt;b&gt;" in page
    assert page.count("<svg ") == 3
    assert page.count('class="line series-1"') == 3
    assert (tmp_path / "words.html").stat().st_mode & 0o777 == 0o600


def size(vocabulary: int, seen: float, bits: float) -> Size:
    return Size(vocabulary, 1000, seen, 3.0, bits, 1000)


@pytest.mark.parametrize(
    ("tried", "chosen"),
    [
        ([size(300, 1.0, 1.5), size(1000, 0.95, 1.3), size(4000, 0.5, 1.2)], 1000),
        ([size(300, 1.0, 1.3), size(1000, 0.95, 1.298)], 300),
        ([size(300, 0.5, 1.3), size(1000, 0.3, 1.2)], 300),
    ],
    ids=["seen too little", "within a hair", "none is borne"],
)
def test_a_size_is_chosen_by_the_rule(tried: list[Size], chosen: int) -> None:
    assert choose(tried).vocabulary == chosen


def test_a_sweep_ends_where_the_text_bears_no_more(tmp_path: Path) -> None:
    tried = [one.size for one in sweep(split_text(TEXT), "bpe", (300, 500, 1500), model="ngram")]
    assert [one.vocabulary for one in tried] == [300, 500]
    assert [one.is_borne for one in tried] == [True, False]
    assert all(a.bytes_per_token < b.bytes_per_token for a, b in itertools.pairwise(tried))
    pages.write_sizes(tmp_path / "sizes.html", settings_for("ngram"), 20, tried)
    assert f"Chosen: {choose(tried).vocabulary:,}." in (tmp_path / "sizes.html").read_text("utf-8")
