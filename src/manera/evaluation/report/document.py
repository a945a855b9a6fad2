"""What is known of a voice in the end: ``report.json`` in the voice's folder.

{"metrics": {id: {"id", "value", "unit", "n", "low", "high", "better", "of"}}, "recommended": true, "because": "...",
 "not_measured": {part: {"reason": id, "parameters": {...}, "message": "..."}}, "budget": {...}, "format": 2, ...}
"""

from pathlib import Path
from typing import Any

import msgspec

from manera.errors import EvaluationError, ManeraError
from manera.evaluation.budget import FAST, FULL, Budget
from manera.evaluation.measures.gate import Outcome
from manera.evaluation.reasons import NotMeasuredError, Parameters
from manera.evaluation.report.metric import Metric
from manera.files import replacing

REPORT_JSON = "report.json"
REPORT_HTML = "report.html"
AGAINST = "against"
"""What figures of another voice are named by, as in ``bits_per_byte.against.NAME``."""

HEADLINE = (
    "bits_per_byte.base",
    "bits_per_byte.base + examples",
    "bits_per_byte.voice",
    "likeness.base",
    "likeness.voice",
    "likeness.real",
    "real_or_generated_auc.voice",
    "copied.8_words.voice",
    "copied.8_words.real",
    "invented_words.voice",
    "invented_words.real",
    "health.never_stopped.voice",
)
"""What is shown of a report first."""

FORMAT = 2


class Missing(msgspec.Struct, frozen=True):
    """Why a part was not measured: in English, and as the id of a reason with its parameters.

    reason: None for an error of another floor, whose words are shown as they are.
    """

    message: str
    reason: str | None = None
    parameters: Parameters = {}


class Report(msgspec.Struct, frozen=True):
    """Everything measured; ``not_measured`` says for each part that is missing why it is.

    budget: how much was measured. recommended, outcome: None where the gate could not be asked. synthetic: the models
    that wrote what the voice has learned, and what it is held against.
    """

    voice: str
    kind: str
    created_at: str
    manera_version: str
    seed: int
    budget: Budget
    metrics: dict[str, Metric]
    recommended: bool | None
    because: str
    not_measured: dict[str, Missing]
    compared_with: tuple[str, ...]
    seconds: float
    format: int = FORMAT
    outcome: Outcome | None = None
    synthetic: tuple[str, ...] = ()


def page_in(language: str) -> str:
    """Name the page in a language."""
    return f"report.{language}.html"


def missing(error: ManeraError) -> Missing:
    """Write down why a part could not be measured."""
    if isinstance(error, NotMeasuredError):
        return Missing(error.message, error.reason.id, error.reason.parameters)
    return Missing(error.message)


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
        found = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
        return msgspec.convert(_of_format_1(found) if found.get("format") == 1 else found, Report)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise EvaluationError(f"{path} is not a report: {error}", f"manera evaluate {folder.name}") from error


class _Format1(msgspec.Struct, frozen=True):
    """What changed since: reasons were sentences, metrics did not know their names, the budget was fast or not."""

    metrics: dict[str, dict[str, Any]]
    not_measured: dict[str, str]
    fast: bool


def _of_format_1(report: dict[str, Any]) -> dict[str, Any]:
    """Read what was written before units and reasons had ids; its sentences are shown as they are."""
    old = msgspec.convert(report, _Format1)
    return {
        **report,
        "metrics": {id: _metric_of_format_1(id, found) for id, found in old.metrics.items()},
        "not_measured": {part: {"message": why} for part, why in old.not_measured.items()},
        "budget": msgspec.to_builtins(FAST if old.fast else FULL),
    }


def _metric_of_format_1(id: str, found: dict[str, Any]) -> dict[str, Any]:
    better = found.get("better")
    return {
        **found,
        "id": id,
        "of": found.get("unit_of_n", "conversations"),
        "better": "nearer_half" if better == "nearer 0.5" else better,
    }
