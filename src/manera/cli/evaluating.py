"""``manera evaluate``: a voice measured, its report written and shown."""

from collections.abc import Sequence
from pathlib import Path

from manera.cli import console
from manera.errors import SettingsError
from manera.evaluation.evaluate import Evaluated, evaluate, items, pairs, store
from manera.evaluation.opening import Options
from manera.evaluation.report.blind_page import read_votes, write_blind
from manera.evaluation.report.document import HEADLINE, Report
from manera.evaluation.report.items_page import holds_item_votes, read_item_votes, write_items
from manera.evaluation.report.metric import Metric, metric
from manera.evaluation.report.words import LANGUAGES, words_of
from manera.text.languages import language_of
from manera.voice.folder import voice_folder

PARTS = {
    "ladder": "scoring held-out text on every rung",
    "writing": "writing on held-out prompts",
    "likeness": "asking the verifier",
    "real_or_generated": "telling real texts from generated ones",
    "distances": "comparing lengths, marks and words",
    "rhythm": "comparing when they write",
    "copying": "looking for training text",
    "invented_words": "looking for words that do not exist",
    "personal_data": "looking for personal data",
    "canaries": "ranking planted secrets",
    "forgetting": "scoring general text",
    "topic": "asking whether it keeps to the topic",
    "dial": "turning the dial",
    "cost_of_training": "reading what training took",
    "energy_of_training": "reading what energy training took",
    "learning_curve": "training on a quarter, a half and all of the text",
    "cost_of_a_reply": "replying alone",
    "energy_of_a_reply": "reading what energy replies took",
}


def evaluate_voice(name: str, options: Options, language: str | None, as_json: bool) -> None:
    """Measure a voice, write both reports into its folder, and show the headline figures."""
    _require_language(language)
    for event in evaluate(name, options):
        if not isinstance(event, Evaluated):
            console.say(PARTS.get(event.name, words_of("en", "parts", event.name)))
            continue
        page = store(name, event, language or event.language)
        if as_json:
            console.result(event.report)
        else:
            _show(event.report, page)


def write_pairs(name: str, count: int, options: Options, language: str | None) -> None:
    """Write a page of pairs for people, and its key."""
    _require_language(language)
    shown = pairs(name, count, options)
    language = language or language_of(pair.real for pair in shown)
    page, key = write_blind(shown, voice_folder(name), language, options.seed)
    console.show(f"{len(shown)} pairs: {page}\nkey, for you alone: {key}")
    console.say(f"afterwards: manera evaluate {name} --votes votes.json")


def write_items_page(name: str, count: int, options: Options, language: str | None) -> None:
    """Write a page of single texts and pairs for people, and its key."""
    _require_language(language)
    written = items(name, count, options)
    language = language or language_of(one.single for one in written)
    page, key = write_items(written, count, voice_folder(name), language, options.seed)
    console.show(f"{count} items: {page}\nkey, for you alone: {key}")
    console.say(f"afterwards: manera evaluate {name} --votes votes.json")


def show_votes(name: str, votes: Path, as_json: bool) -> None:
    """Say what people answered on either page."""
    if holds_item_votes(votes):
        _show_item_votes(read_item_votes(votes, voice_folder(name)), as_json)
        return
    found, count = read_votes(votes, voice_folder(name))
    right = metric("votes.right", found, "share_of_right_answers", count, "nearer_half", "pairs")
    if as_json:
        console.result(right)
    else:
        console.show(
            f"people told {found.value:.0%} of {count} pairs (95 % interval {found.low:.0%} to {found.high:.0%}); "
            "50 % is a guess"
        )


def _show_item_votes(found: Sequence[Metric], as_json: bool) -> None:
    if as_json:
        console.result({one.id: one for one in found})
    else:
        console.show_table(("people's answers", "value", "95 % interval", "unit"), list(map(_row, found)))


def _require_language(language: str | None) -> None:
    if language is not None and language not in LANGUAGES:
        raise SettingsError(f"there is no page in {language!r}", f"--language {' or '.join(LANGUAGES)}")


def _show(report: Report, page: Path) -> None:
    rows = [_row(found) for name in HEADLINE if (found := report.metrics.get(name)) and found.value is not None]
    console.show_table(("held-out text only", "value", "95 % interval", "unit"), rows)
    for part, why in report.not_measured.items():
        console.show(f"not measured: {words_of('en', 'parts', part)}: {why.message}")
    console.show_verdict(report.recommended, report.because)
    console.show(f"report: {page}")


def _row(found: Metric) -> tuple[str, str, str, str]:
    """Write a figure for the table."""
    interval = f"{found.low:.3f} to {found.high:.3f}" if found.low is not None else ""
    return found.id, f"{found.value:.3f}", interval, words_of("en", "units", found.unit, found.parameters)
