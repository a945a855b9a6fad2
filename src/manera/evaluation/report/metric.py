"""One figure of a report: its value, its unit, how sure it is, and what it was measured on."""

import math
from typing import Literal

import msgspec

from manera.evaluation.measures.intervals import Interval

Better = Literal["higher", "lower", "nearer_half", "neither"]


class Metric(msgspec.Struct, frozen=True, omit_defaults=True):
    """A figure with its 95 % interval. What belongs to one conversation was drawn again together.

    id: ``what.whose``, such as ``bits_per_byte.voice``. value, low, high: None where there was too little to tell.
    n: counts what ``of`` names. unit, better, of: ids, which ``words`` has words for. parameters: numbers that the
    unit's words name.
    """

    id: str
    value: float | None
    unit: str
    n: int
    low: float | None
    high: float | None
    better: Better
    of: str
    parameters: dict[str, int | float] = {}


def metric(
    id: str, found: Interval, unit: str, n: int, better: Better, of: str = "conversations", **parameters: int | float
) -> Metric:
    """Write an interval down as a metric."""
    value, low, high = (float(part) if math.isfinite(part) else None for part in found)
    return Metric(id, value, unit, n, low, high, better, of, parameters)


def count(
    id: str, value: float, unit: str, n: int, better: Better, of: str = "conversations", **parameters: int | float
) -> Metric:
    """Write down a figure that was counted whole, and so has no interval."""
    return Metric(id, float(value), unit, n, None, None, better, of, parameters)
