"""The report as one page: no script, no network, light and dark, and on paper; in Russian or English."""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup

from manera import drawing, pages
from manera.evaluation.measures.intervals import Interval
from manera.evaluation.report import charts
from manera.evaluation.report.document import AGAINST, REPORT_HTML, Missing, Report
from manera.evaluation.report.findings import Findings
from manera.evaluation.report.metric import Metric
from manera.evaluation.report.verdict import because
from manera.evaluation.report.words import LANGUAGES, words_of
from manera.records import TrainingStep

TEMPLATES = Path(__file__).parents[1] / "texts"
SMOOTHED = 40
"""Points of a long run's losses."""

DIALS = {
    "dial": {"dial_own": "bits_per_byte", "dial_general": "forgotten"},
    "heard": {"heard_likeness": "likeness", "heard_copied": "copied"},
}
"""What is drawn over the settings of the dial: the words of each line, and its metrics' name."""


class Tile(NamedTuple):
    """One figure in large type."""

    name: str
    value: str
    note: str


class Figure(NamedTuple):
    """One drawing with its title, what it shows, and the colours of its series."""

    title: str
    note: str
    svg: Markup
    key: tuple[tuple[str, str], ...] = ()


def write_page(
    report: Report,
    findings: Findings,
    persona: str,
    steps: Sequence[TrainingStep],
    folder: Path,
    language: str,
    name: str = REPORT_HTML,
) -> Path:
    """Write ``report.html``, or the page by another name; return its path."""
    words = LANGUAGES[language]["page"]
    path = folder / name
    pages.write_page(
        path,
        TEMPLATES / "report.html",
        language=language,
        t=words,
        persona=persona,
        report=report,
        because=_because(report, findings, language),
        findings=findings,
        tiles=list(_tiles(report, words)),
        figures=list(_figures(report, findings, steps, language)),
        number=number,
        words=partial(words_of, language),
        why=partial(_why, language),
    )
    return path


def _because(report: Report, findings: Findings, language: str) -> str:
    if findings.verdict:
        return because(findings.verdict, language, named=True)
    refused = report.not_measured.get("ladder")
    return _why(language, refused) if refused else report.because


def _why(language: str, missing: Missing) -> str:
    """Say why something was not measured; an error of another floor in its own words."""
    return words_of(language, "reasons", missing.reason, missing.parameters) if missing.reason else missing.message


def number(value: float | None) -> str:
    """Write three figures after the point, and nothing for nothing."""
    return "" if value is None else f"{value:.3f}".rstrip("0").rstrip(".") or "0"


def _tiles(report: Report, words: Mapping[str, str]) -> Iterator[Tile]:
    base, voice = (report.metrics.get(f"bits_per_byte.{who}") for who in ("base", "voice"))
    if base and voice and base.value and voice.value:
        share = 1 - voice.value / base.value
        note = f"{words['tile_gain_note']}: {base.value:.2f} → {voice.value:.2f}"
        yield Tile(words["tile_gain"], f"{share:.0%}".replace("%", "\u00a0%"), note)
    before, after = (report.metrics.get(f"perplexity.{who}") for who in ("base", "voice"))
    if before and after and before.value and after.value:
        note = f"{words['tile_perplexity_note']}: {before.value:,.1f}".replace(",", "\u00a0")
        yield Tile(words["tile_perplexity"], f"{after.value:,.1f}".replace(",", "\u00a0"), note)
    likeness, ceiling = (report.metrics.get(f"likeness.{who}") for who in ("voice", "real"))
    if likeness and ceiling and likeness.value is not None and ceiling.value is not None:
        yield Tile(words["tile_likeness"], f"{likeness.value:.2f}", f"{words['of_real']}: {ceiling.value:.2f}")
    curve = report.metrics.get("real_or_generated_auc.voice")
    if curve and curve.value is not None:
        yield Tile(words["tile_auc"], f"{curve.value:.2f}", words["tile_auc_note"])
    copied, real = (report.metrics.get(f"copied.8_words.{who}") for who in ("voice", "real"))
    if copied and real and copied.value is not None and real.value is not None:
        note = f"{words['tile_copied_note']} — {real.value:.1%}".replace("%", "\u00a0%")
        yield Tile(words["tile_copied"], f"{copied.value:.1%}".replace("%", "\u00a0%"), note)


def _figures(report: Report, findings: Findings, steps: Sequence[TrainingStep], language: str) -> Iterator[Figure]:
    words, writers = LANGUAGES[language]["page"], LANGUAGES[language]["writers"]
    if ladder := _named(report, "bits_per_byte."):
        yield _intervals("ladder", {_rung(rung, language): (found, rung) for rung, found in ladder.items()}, words, 3)
    likeness = _named(report, "likeness.")
    if rows := {writers[who]: (likeness[who], who) for who in ("real", "voice", "base") if who in likeness}:
        yield _intervals("likeness", rows, words, 2)
    if findings.message_lengths:
        lengths = {writers[who]: findings.message_lengths[who] for who in ("real", "base", "voice")}
        drawn = charts.histograms(lengths, words["lengths"], words["axis_words"])
        yield Figure(words["lengths"], words["lengths_note"], Markup(drawn))
    held_out = [(float(step.step), step.validation_loss) for step in steps if step.validation_loss is not None]
    if held_out:
        losses = {"held_out_loss": held_out, "train_loss": _smoothed(steps)}
        yield _curves("training", losses, words, words["axis_steps"])
    if learned := _named(report, "learning_curve."):
        untrained = [(0.0, one.value) for name, one in ladder.items() if name == "base" and one.value is not None]
        points = [(float(one.parameters["words"]), one.value) for one in learned.values() if one.value is not None]
        drawn = drawing.curves({words["held_out_loss"]: untrained + points}, words["curve"], words["axis_amount"])
        yield Figure(words["curve"], words["curve_note"], Markup(drawn))
    for figure, names in DIALS.items():
        series = {label: _of_dial(report, name) for label, name in names.items()}
        if all(series.values()):
            yield _curves(figure, series, words, "voice_scale")


def _intervals(name: str, rows: Mapping[str, tuple[Metric, str]], words: Mapping[str, str], digits: int) -> Figure:
    """Draw figures below each other, each in the colour of who wrote."""
    drawn = {label: (_interval(found), _colour(who)) for label, (found, who) in rows.items()}
    return Figure(words[name], words[f"{name}_note"], Markup(charts.intervals(drawn, words[name], digits)))


def _curves(
    name: str, series: Mapping[str, Sequence[tuple[float, float]]], words: Mapping[str, str], axis: str
) -> Figure:
    """Draw two lines, and the key to their colours."""
    drawn = drawing.curves({words[label]: points for label, points in series.items()}, words[name], axis)
    key = tuple((words[label], colour) for label, colour in zip(series, ("real", "base"), strict=True))
    return Figure(words[name], words[f"{name}_note"], Markup(drawn), key)


def _named(report: Report, prefix: str) -> dict[str, Metric]:
    """Return the metrics that were measured of a name, by the rest of it."""
    return {
        id.removeprefix(prefix): found
        for id, found in report.metrics.items()
        if id.startswith(prefix) and found.value is not None
    }


def _of_dial(report: Report, name: str) -> list[tuple[float, float]]:
    """Return what was measured at each setting of the dial."""
    found = _named(report, f"dial.{name}.")
    return [(float(scale), one.value) for scale, one in found.items() if one.value is not None]


def _rung(id: str, language: str) -> str:
    """Name a rung, or another voice beside it."""
    return words_of(language, "parts" if id.startswith(f"{AGAINST}.") else "writers", id)


def _colour(who: str) -> str:
    return who if who == "real" else "base" if who.startswith("base") else "voice"


def _smoothed(steps: Sequence[TrainingStep]) -> list[tuple[float, float]]:
    """Average losses over stretches, so that a long run is some forty points."""
    size = max(1, len(steps) // SMOOTHED)
    stretches = (steps[start : start + size] for start in range(0, len(steps), size))
    return [(float(stretch[-1].step), sum(step.loss for step in stretch) / len(stretch)) for stretch in stretches]


def _interval(found: Metric) -> Interval:
    return Interval(*(math.nan if part is None else part for part in (found.value, found.low, found.high)))
