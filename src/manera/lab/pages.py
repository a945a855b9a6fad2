"""Pages of the lab: self-contained, light and dark, for a screen of any width and for paper."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup

from manera.lab.drawings import Points, over_logarithms
from manera.lab.settings import LabSettings
from manera.lab.sizes import HAIR, SEEN, SHARE_SEEN, Size, choose
from manera.lab.words import Words
from manera.pages import write_page


class Figure(NamedTuple):
    """One drawing, what it shows, and whose lines are in it."""

    title: str
    note: str
    svg: Markup
    names: Sequence[str]


class Table(NamedTuple):
    """Rows under columns; chosen: which of them is marked. is_prose: cells are sentences, and go over several lines."""

    title: str
    note: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    chosen: int | None = None
    is_prose: bool = False


class Sample(NamedTuple):
    """What a model wrote, under its name."""

    name: str
    text: str


def figure(
    title: str,
    note: str,
    series: Mapping[str, Points],
    axis: str,
    is_share: bool = False,
    log_y: bool = True,
    is_joined: bool = True,
) -> Figure:
    """Draw lines, or dots, over a logarithmic axis."""
    drawn = over_logarithms(series, title, axis, is_share, log_y, is_joined=is_joined)
    return Figure(title, note, Markup(drawn), list(series))


def write(
    path: Path,
    title: str,
    about: str,
    figures: Sequence[Figure],
    tables: Sequence[Table],
    verdict: str = "",
    samples: Sequence[Sample] = (),
) -> None:
    """Write a page; only its owner can read it. verdict: what stands out at its top."""
    write_page(
        path,
        Path(__file__).with_name("page.html"),
        title=title,
        about=about,
        figures=figures,
        tables=tables,
        verdict=verdict,
        samples=samples,
    )


def write_words(path: Path, counted: Sequence[Words]) -> None:
    """Write the page of one text's words, or of several laid over each other."""
    names = " and ".join(one.name for one in counted)

    def lines(part: str) -> Mapping[str, Points]:
        return {one.name: getattr(one, part) for one in counted}

    figures = [
        figure(
            "Zipf's law",
            "How often a word comes, over its rank: nearly a straight line, whoever wrote it.",
            lines("zipf"),
            "rank of the word",
        ),
        figure(
            "What a vocabulary covers",
            "Share of the running words that are among the most frequent ones.",
            lines("coverage"),
            "words in the vocabulary",
            is_share=True,
        ),
        figure(
            "New words never end",
            "Different words after so many running ones: why a vocabulary of words is never complete.",
            lines("growth"),
            "running words",
        ),
    ]
    columns = ("text", "characters", "words", "different", "seen once", "share seen once")
    rows = [
        (
            one.name,
            *(f"{n:,}" for n in (one.characters, one.words, one.different, one.once)),
            f"{one.once / one.different:.0%}",
        )
        for one in counted
    ]
    about = (
        "A word that was seen once cannot be learned: the larger their share, the more a vocabulary of pieces (BPE, "
        "Unigram) has to gain over one of words."
    )
    numbers = Table("In numbers", "Words are counted without case; numbers are none.", columns, rows)
    write(path, f"Words of {names}", about, figures, [numbers, _most_frequent(counted)])


def _most_frequent(counted: Sequence[Words]) -> Table:
    """Put the most frequent words of the texts side by side."""
    columns = ["rank", *(column for one in counted for column in (one.name, "times"))]
    rows = []
    for rank, words in enumerate(zip(*(one.common for one in counted), strict=False), 1):
        rows.append([str(rank), *(cell for word, times in words for cell in (word, f"{times:,}"))])
    return Table("Most frequent", "Mostly words of grammar, whoever wrote it.", columns, rows)


def write_sizes(path: Path, settings: LabSettings, seconds: float, tried: Sequence[Size]) -> None:
    """Write the page of a sweep over vocabularies; settings: of the model that each was tried with."""
    chosen = choose(tried)
    rule = (
        f"Of the sizes of which at least {SHARE_SEEN:.0%} of the tokens come {SEEN} times or more in the training "
        f"text, the one with the fewest held-out bits per byte; of those within {HAIR} of it the smallest. "
        f"Each was tried with a {settings.kind} of {seconds:.0f} seconds."
    )

    def line(part: str) -> Mapping[str, Points]:
        return {part: [(one.vocabulary, getattr(one, part)) for one in tried]}

    axis = "tokens in the vocabulary"
    figures = [
        figure("Held-out bits per byte", "Lower is better.", line("bits_per_byte"), axis, log_y=False),
        figure(
            "Tokens seen often enough",
            f"Share of the vocabulary that comes {SEEN} times or more.",
            line("seen"),
            axis,
            is_share=True,
        ),
        figure("Bytes per token", "How much text a token holds.", line("bytes_per_token"), axis, log_y=False),
    ]
    columns = ("tokens", "bits per byte", "seen often enough", "bytes per token", "training tokens", "parameters")
    rows = [
        (
            f"{one.vocabulary:,}",
            f"{one.bits_per_byte:.3f}",
            f"{one.seen:.0%}",
            f"{one.bytes_per_token:.2f}",
            f"{one.tokens:,}",
            f"{one.parameters:,}",
        )
        for one in tried
    ]
    table = Table("All sizes", f"Chosen: {chosen.vocabulary:,}.", columns, rows, list(tried).index(chosen))
    write(path, f"How many tokens: {chosen.vocabulary:,}", rule, figures, [table])
