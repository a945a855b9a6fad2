"""Dates that a messenger wrote for people to read."""

import calendar
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache

_CENTURY = 2000


class DayOrder:
    """Learns from the dates of a file, as they follow each other, whether the day or the month comes first.

    A number above twelve is a day; where there is none, the order is taken in which time runs backwards less often.
    is_likely_american: whether the month comes first where neither tells.
    """

    def __init__(self) -> None:
        self.is_likely_american = False
        self._days = 0
        self._months = 0
        self._backwards = [0, 0]
        self._last = [(0, 0, 0), (0, 0, 0)]

    def add(self, first: int, second: int, year: int) -> None:
        """Take the next date of the file into account."""
        self._days += first > 12
        self._months += second > 12
        for order, date in enumerate(((year, second, first), (year, first, second))):
            self._backwards[order] += date < self._last[order]
            self._last[order] = date

    @property
    def month_first(self) -> bool:
        """Tell whether the month comes before the day."""
        if self._days != self._months:
            return self._months > self._days
        day_first, month_first = self._backwards
        return self.is_likely_american if day_first == month_first else month_first < day_first


def date_of(numbers: Iterable[int], month_first: bool) -> tuple[int, int, int]:
    """Return year, month and day of three numbers; a year of four digits may come first."""
    first, second, third = numbers
    if first > 99:
        return first, second, third
    year = third if third > 99 else _CENTURY + third
    return (year, first, second) if month_first else (year, second, first)


@lru_cache(maxsize=1 << 10)
def midnight(year: int, month: int, day: int) -> int | None:
    """Return when a day begins, in Unix seconds; None when there is no such day."""
    try:
        return calendar.timegm(datetime(year, month, day).timetuple())
    except ValueError:
        return None


def seconds_of_day(hour: int, minute: int, second: int, half: str | None) -> int | None:
    """Return seconds since midnight; half is ``a`` or ``p`` of a clock with twelve hours. None for no such time."""
    if half:
        if hour > 12:
            return None
        hour = hour % 12 + (12 if half.lower() == "p" else 0)
    return (hour * 60 + minute) * 60 + second if hour < 24 and minute < 60 and second < 60 else None
