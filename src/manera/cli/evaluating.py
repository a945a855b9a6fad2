"""``manera evaluate``: a voice measured, its report written and shown."""

import sys
from pathlib import Path

from manera.cli import console
from manera.errors import SettingsError
from manera.evaluation.blind import read_votes, write_blind
from manera.evaluation.distractors import language_of
from manera.evaluation.evaluate import Part, evaluate, side_by_side
from manera.evaluation.page import WORDS, write_page
from manera.evaluation.report import Report, metric, write_report
from manera.evaluation.subject import open_subject
from manera.voice.folder import voice_folder
from manera.voice.manifest import read_steps

PARTS = {
    "ladder": "scoring held-out text on every rung",
    "writing": "writing on held-out prompts",
    "likeness": "asking the verifier",
    "real or generated": "telling real texts from generated ones",
    "distances": "comparing lengths, marks and words",
    "copying": "looking for training text",
    "personal data": "looking for personal data",
    "canaries": "ranking planted secrets",
    "forgetting": "scoring general text",
    "topic": "asking whether it keeps to the topic",
    "dial": "turning the dial",
    "cost of training": "reading what training took",
    "energy of training": "reading what energy training took",
    "learning curve": "training on a quarter, a half and all of the text",
    "cost of a reply": "replying alone",
    "energy of a reply": "reading what energy replies took",
}
SHOWN = (
    "bits_per_byte.base",
    "bits_per_byte.base + examples",
    "bits_per_byte.voice",
    "likeness.base",
    "likeness.voice",
    "likeness.real",
    "real_or_generated_auc.voice",
    "copied.8_words.voice",
    "copied.8_words.real",
    "health.never_stopped.voice",
)


def evaluate_voice(
    name: str,
    against: list[str],
    fast: bool,
    curve: bool,
    seed: int,
    language: str | None,
    urls: list[str],
    as_json: bool,
) -> None:
    """Measure a voice, write both reports into its folder, and show the headline figures."""
    _require_language(language)
    subject = open_subject(name, fast, seed, urls=urls)
    for event in evaluate(subject, against, fast, curve):
        if isinstance(event, Part):
            console.say(PARTS.get(event.name, event.name))
            continue
        folder = voice_folder(name)
        write_report(event.report, folder)
        persona = subject.voice.persona.name
        page = write_page(event.report, event.findings, persona, read_steps(name), folder, language or subject.language)
        if as_json:
            console.result(event.report)
        else:
            _show(event.report, page)


def write_pairs(name: str, pairs: int, seed: int, language: str | None, urls: list[str]) -> None:
    """Write a page of pairs for people, and its key."""
    _require_language(language)
    subject = open_subject(name, seed=seed, urls=urls)
    subject.budget = subject.budget._replace(texts=pairs, words=sys.maxsize, unguarded=False, rung_texts=0)
    shown = side_by_side(subject)
    page, key = write_blind(shown, voice_folder(name), language or language_of([[pair.real for pair in shown]]), seed)
    console.show(f"{len(shown)} pairs: {page}\nkey, for you alone: {key}")
    console.say(f"afterwards: manera evaluate {name} --votes votes.json")


def show_votes(name: str, votes: Path, as_json: bool) -> None:
    """Say how often people were right."""
    found, count = read_votes(votes, voice_folder(name))
    right = metric(found, "share of right answers", count, "nearer 0.5", "pairs")
    if as_json:
        console.result(right)
    else:
        console.show(
            f"people told {found.value:.0%} of {count} pairs (95 % interval {found.low:.0%} to {found.high:.0%}); "
            "50 % is a guess"
        )


def _require_language(language: str | None) -> None:
    if language is not None and language not in WORDS:
        raise SettingsError(f"there is no page in {language!r}", f"--language {' or '.join(WORDS)}")


def _show(report: Report, page: Path) -> None:
    rows = [
        (
            name,
            f"{found.value:.3f}",
            f"{found.low:.3f} to {found.high:.3f}" if found.low is not None else "",
            found.unit,
        )
        for name in SHOWN
        if (found := report.metrics.get(name)) and found.value is not None
    ]
    console.show_table(("held-out text only", "value", "95 % interval", "unit"), rows)
    for part, why in report.not_measured.items():
        console.show(f"not measured: {part}: {why}")
    console.show_verdict(report.recommended, report.because)
    console.show(f"report: {page}")
