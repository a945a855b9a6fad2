"""Chats that are text files: a heading with a date, a time and a sender, then what was written."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from manera.records import count_characters
from manera.sources.dates import DayOrder, date_of, midnight, seconds_of_day
from manera.sources.files import SourceFile
from manera.sources.text_lines import open_lines

DAY = r"(?P<first>\d{1,4})[./-] ?(?P<second>\d{1,2})[./-] ?(?P<third>\d{2,4})\.?"
TIME = (
    r"(?:klo |um )?(?P<hour>\d{1,2})[:.](?P<minute>\d{2})(?:[:.](?P<seconds>\d{2}))?"
    r"(?:[ \u202f\u00a0]?(?P<half>[ap])\.?[ \u202f\u00a0]?m\.?)?"
)
"""A heading's pattern holds both of them, and a group named sender, which is None for a notice."""
_AROUND_NAMES = "\u200e\u200f\u202a\u202c\u2068\u2069 \u00a0\u202f"


class ChatMessage(NamedTuple):
    """One message as it stands: sender is None for a notice, heading counts the characters before its text."""

    sent_at: int | None
    sender: str | None
    heading: int
    text: str


def messages(file: SourceFile, pattern: re.Pattern[str], mended: Counter[str]) -> Iterator[ChatMessage]:
    """Yield what each heading begins, with the lines that follow it; first what stands before them all, if anything."""
    month_first = _month_first(file, pattern)
    begun = ChatMessage(None, None, 0, "")
    lines: list[str] = []
    with open_lines(file, mended) as all_lines:
        for line in all_lines:
            found = pattern.match(line)
            sent_at = _sent_at(found, month_first) if found else None
            if found is None or sent_at is None:
                lines.append(line)
                continue
            if begun.sent_at is not None or any(lines):
                yield begun._replace(text="\n".join(lines))
            sender = found["sender"] and found["sender"].strip(_AROUND_NAMES)
            begun = ChatMessage(sent_at, sender, count_characters(found[0]), "")
            lines = [line[found.end() :]]
    if begun.sent_at is not None or any(lines):
        yield begun._replace(text="\n".join(lines).rstrip("\n"))


def _month_first(file: SourceFile, pattern: re.Pattern[str]) -> bool:
    """Tell how the dates of a file are meant: «3/12/24, 6:05 PM» is America's way where nothing else shows it."""
    order = DayOrder()
    with open_lines(file, Counter()) as lines:
        headings = (found for line in lines if (found := pattern.match(line)))
        for heading in headings:
            order.is_likely_american = "/" in heading[0] and heading["half"] is not None
            if len(heading["first"]) < len("2024"):
                order.add(int(heading["first"]), int(heading["second"]), int(heading["third"]))
    return order.month_first


def _sent_at(heading: re.Match[str], month_first: bool) -> int | None:
    numbers = (int(heading["first"]), int(heading["second"]), int(heading["third"]))
    day = midnight(*date_of(numbers, month_first))
    clock = (int(heading["hour"]), int(heading["minute"]), int(heading["seconds"] or 0))
    seconds = seconds_of_day(*clock, heading["half"])
    return None if day is None or seconds is None else day + seconds
