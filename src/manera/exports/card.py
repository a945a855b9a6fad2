"""The model card of a repository: what the manifest and the report say, and nothing about who was learned from."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from manera.bases.catalogue import CATALOGUE
from manera.evaluation.report.document import AGAINST, read_report
from manera.evaluation.report.metric import Metric
from manera.evaluation.report.words import words_of
from manera.exports.parity import Check
from manera.exports.readme import readme
from manera.voice.manifest import Voice
from manera.voice.recipe import Recipe

_ORIGINS = {base.name: f"license: {base.licence}\nbase_model: {base.origin}\n" for base in CATALOGUE}


def card(voice: Voice, folder: Path, checks: Sequence[Check]) -> str:
    """Write the card; the voice's folder may hold a report."""
    page = readme(voice, "hub", checks)
    return f"{_header(voice)}{page}\n{_held_out(voice)}{_sampling(voice)}{_report(folder)}\n{_limits(voice.recipe)}"


def _header(voice: Voice) -> str:
    languages = "".join(f"- {language}\n" for language in voice.base.languages)
    synthetic = "- synthetic\n" if voice.synthetic else ""
    return (
        f"---\n{_ORIGINS.get(voice.base.id, '')}library_name: transformers\npipeline_tag: text-generation\n"
        f"language:\n{languages}tags:\n- manera\n- {voice.recipe.method}\n{synthetic}---\n\n"
    )


def _held_out(voice: Voice) -> str:
    rows = "".join(
        f"| {name} | {figures.perplexity:.1f} | {figures.bits_per_byte:.3f} |\n"
        for name, figures in (("untuned base", voice.held_out.base), ("voice", voice.held_out.voice))
    )
    return f"## Held-out text\n\n| lower is better | perplexity | bits per byte |\n|---|---|---|\n{rows}"


def _sampling(voice: Voice) -> str:
    drawn = {name: value for name, value in msgspec.to_builtins(voice.sampling).items() if value is not None}
    told = f"\n## Sampling\n\n{', '.join(f'{name} {value:g}' for name, value in drawn.items())}.\n"
    if voice.sharpness is None:
        return told
    chosen = voice.sharpness
    return (
        f"{told}\nThe temperature was chosen on {chosen.tokens:,} tokens of validation text: "
        f"{chosen.nats_per_token:.3f} nats per token at {chosen.temperature:g}, "
        f"{chosen.nats_per_token_at_1:.3f} at 1.\n"
    )


def _report(folder: Path) -> str:
    report = read_report(folder)
    if report is None:
        return ""
    own = {name: metric for name, metric in report.metrics.items() if AGAINST not in name.split(".")}
    rows = "".join(_row(metric) for metric in own.values() if metric.value is not None)
    told = f"\n## Report\n\n| | value | interval | n | better |\n|---|---|---|---|---|\n{rows}"
    if report.recommended is None:
        return told
    return f"{told}\n{'Recommended' if report.recommended else 'Not recommended'}: {report.because}\n"


def _row(metric: Metric) -> str:
    interval = "" if metric.low is None or metric.high is None else f"{metric.low:.4g} to {metric.high:.4g}"
    unit, better = words_of("en", "units", metric.unit, metric.parameters), words_of("en", "better", metric.better)
    return f"| {metric.id} | {metric.value:.4g} {unit} | {interval} | {metric.n:,} | {better} |\n"


def _limits(recipe: Recipe) -> str:
    return (
        "## Limits\n\nIt catches a manner; it does not reason, and the facts it writes are made up. A small model can "
        "recite what it has learned: do not publish a voice of private messages. It is not the person, and whoever "
        f"talks to it has to be told so. {_how(recipe)}, seed {recipe.seed}.\n"
    )


def _how(recipe: Recipe) -> str:
    return "All weights trained" if recipe.method == "full" else f"Rank {recipe.rank}, alpha {recipe.alpha:g}"
