"""What is known of a voice in the end: ``report.json`` in the voice's folder.

{"metrics": {name: {"value", "unit", "n", "low", "high", "better"}}, "recommended": true, "because": "...", ...}
"""

import math
from pathlib import Path
from typing import Literal

import msgspec

from manera.errors import EvaluationError
from manera.evaluation.intervals import Interval
from manera.files import replacing

REPORT_JSON = "report.json"
REPORT_HTML = "report.html"
AGAINST = "against"
"""What figures of another voice are named by, as in ``bits_per_byte.against.NAME``."""

Better = Literal["higher", "lower", "nearer 0.5", "neither"]


class Metric(msgspec.Struct, frozen=True):
    """A figure with its 95 % interval; n counts what it was measured on, in the words of ``unit_of_n``. What belongs to
    one conversation was drawn again together.

    value, low and high are None where there was too little to tell.
    """

    value: float | None
    unit: str
    n: int
    low: float | None
    high: float | None
    better: Better
    unit_of_n: str = "conversations"


class Report(msgspec.Struct, frozen=True):
    """Everything measured; ``not_measured`` says for each part that is missing why it is.

    recommended is None where the gate could not be asked.
    """

    voice: str
    kind: str
    created_at: str
    manera_version: str
    seed: int
    fast: bool
    metrics: dict[str, Metric]
    recommended: bool | None
    because: str
    not_measured: dict[str, str]
    compared_with: tuple[str, ...]
    seconds: float
    format: int = 1


def metric(found: Interval, unit: str, n: int, better: Better, unit_of_n: str = "conversations") -> Metric:
    """Write an interval down as a metric."""
    value, low, high = (float(part) if math.isfinite(part) else None for part in found)
    return Metric(value, unit, n, low, high, better, unit_of_n)


def count(value: float, unit: str, n: int, better: Better, unit_of_n: str = "conversations") -> Metric:
    """Write down a figure that was counted whole, and so has no interval."""
    return Metric(float(value), unit, n, None, None, better, unit_of_n)


def write_report(report: Report, folder: Path) -> Path:
    """Write ``report.json``; return its path."""
    path = folder / REPORT_JSON
    with replacing(path) as unfinished:
        unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(report)))
    return path


def read_report(folder: Path) -> Report | None:
    """Read a voice's report; None when it was never evaluated. Raises EvaluationError for a file that is no report."""
    path = folder / REPORT_JSON
    try:
        return msgspec.json.decode(path.read_bytes(), type=Report)
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise EvaluationError(f"{path} is not a report: {error}", f"manera evaluate {folder.name}") from error
