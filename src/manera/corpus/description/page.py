"""A description as one page, made to be looked at: no script, no network, light and dark, and on paper."""

import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup

from manera import pages
from manera.corpus.description import drawings
from manera.corpus.description.facts import Description
from manera.corpus.description.typical import TypicalWord
from manera.corpus.description.words import BURST_NAMES, DAYS, HABITS, LENGTH_NAMES, PAGE, WAIT_NAMES
from manera.text.languages import Language

MAX_PIXELS, MIN_PIXELS = 44, 15


class Figure(NamedTuple):
    """One drawing with its title and what it shows; has_others: both sides are drawn."""

    title: str
    note: str
    svg: Markup
    has_others: bool = False


class SizedWord(NamedTuple):
    """A typical word, as large as it is sure."""

    word: TypicalWord
    pixels: int


def write_page(description: Description, path: Path) -> None:
    """Write the page; only its owner can read it."""
    words = PAGE[description.language]
    others = words[f"others_{description.compared_with}"]
    pages.write_page(
        path,
        Path(__file__).with_name("page.html"),
        d=description,
        t={name: text.format_map(_told(description, others)) for name, text in words.items()},
        others=others,
        habits=HABITS[description.language],
        figures=list(_figures(description)),
        timeline=Markup(drawings.timeline(description.months, words["time"])) if description.months else None,
        typical=_sized(description),
        dropped=_dropped(description),
        number=partial(_number, description.language),
    )


def _told(description: Description, others: str) -> dict[str, str]:
    ledger, number = description.ledger, partial(_number, description.language)
    hours, minutes = divmod(round(description.silence_seconds / 60), 60)
    units = ("ч", "мин") if description.language == "ru" else ("h", "min")
    parts = [f"{count} {unit}" for count, unit in zip((hours, minutes), units, strict=True) if count]
    return {
        "others": others,
        "silence": " ".join(parts),
        "kept": number(ledger.kept),
        "read": number(ledger.read),
        "kept_characters": number(ledger.characters.kept),
        "read_characters": number(ledger.characters.read),
    }


def _number(language: Language, value: int) -> str:
    return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}" if language == "ru" else ",")


def _figures(description: Description) -> Iterator[Figure]:
    words, language = PAGE[description.language], description.language
    told = _told(description, words[f"others_{description.compared_with}"])

    def figure(name: str, drawn: str, has_others: bool = False) -> Figure:
        return Figure(words[name], words[f"{name}_note"].format_map(told), Markup(drawn), has_others)

    if any(map(any, description.hours)):
        yield figure("hours", drawings.heat(description.hours, DAYS[language], words["hours"]))
    own, others = description.lengths
    yield figure("lengths", drawings.pairs(own, others, LENGTH_NAMES, words["lengths"]), has_others=True)
    for name, counts, names in (
        ("bursts", description.bursts, BURST_NAMES),
        ("waits", description.waits, WAIT_NAMES[language]),
    ):
        if total := sum(counts):
            yield figure(name, drawings.pairs([count / total for count in counts], None, names, words[name]))
    if len(description.zipf) > 1:
        yield figure("zipf", drawings.zipf(description.zipf, words["zipf"], words["rank"]))


def _sized(description: Description) -> list[SizedWord]:
    most = max((word.z for word in description.typical), default=1.0)
    room = MAX_PIXELS - MIN_PIXELS
    return [SizedWord(word, MIN_PIXELS + round(room * math.sqrt(word.z / most))) for word in description.typical]


def _dropped(description: Description) -> list[tuple[str, int, int, float]]:
    """Return reasons with records, characters, and their share of the largest."""
    ledger = description.ledger
    reasons = dict(ledger.dropped) | {reason: 0 for reason in ledger.characters.dropped if reason not in ledger.dropped}
    most = max([*reasons.values(), 1])
    ordered = sorted(reasons.items(), key=lambda one: -one[1])
    return [
        (reason, count, ledger.characters.dropped.get(reason, 0), round(100 * count / most, 1))
        for reason, count in ordered
    ]
