"""The sentence that says why a voice is recommended or refused."""

import math

from manera.evaluation.measures.gate import Verdict
from manera.evaluation.measures.intervals import Interval
from manera.evaluation.report.words import words_of


def because(verdict: Verdict, language: str = "en", named: bool = False) -> str:
    """Say why, in Russian or English; named: with the names that the page has for rungs."""
    rungs = {"trained": verdict.trained, "untrained": verdict.untrained}
    figures = {"difference": verdict.difference, "knowledge": verdict.knowledge}
    return words_of(
        language,
        "verdicts",
        verdict.outcome,
        {side: words_of(language, "writers", rung) if named else rung for side, rung in rungs.items()}
        | {name: _told(found, language) for name, found in figures.items() if found is not None},
    )


def _told(found: Interval, language: str) -> str:
    """Write a difference with its interval; one stretch alone has none."""
    unit, interval = (words_of(language, "verdicts", name) for name in ("unit", "interval"))
    bounds = f", {interval} {found.low:+.3f} … {found.high:+.3f}" if math.isfinite(found.low) else ""
    return f"{found.value:+.3f} {unit}{bounds}"
