"""What a voice is, in a few figures: from its manifest and its report.

voices/<name>/verdict.json     what the gate said after the training, until there is a report
"""

import msgspec

from manera.errors import ManeraError
from manera.evaluation.measures.gate import Outcome
from manera.evaluation.report.document import HEADLINE, Report, read_report
from manera.evaluation.report.metric import Metric
from manera.evaluation.report.words import words_of
from manera.files import replacing
from manera.jobs.folder import read_record
from manera.jobs.preferences import count_new
from manera.records import ExampleKind
from manera.training.going_on import MIN_PAIRS
from manera.voice.folder import KNOWN, RHYTHM, voice_folder
from manera.voice.manifest import HeldOut, Voice, read_voice
from manera.voice.prompts import held_out_prompts
from manera.voice.stale import Stale, read_stale

VERDICT = "verdict.json"


class Verdict(msgspec.Struct, frozen=True):
    """Whether a voice is worth having, and why; None where it could not be asked."""

    recommended: bool | None
    because: str
    outcome: Outcome | None = None


class Measured(msgspec.Struct, frozen=True):
    """A figure and its 95 % interval."""

    value: float | None
    low: float | None
    high: float | None


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """A voice in short. bytes: on disk. can_talk: it is served here, and can be used.

    stale: set where it has learned from what was forgotten since.
    preferences: thumbs, corrections and guesses that it has not learned; preferences_needed: how many it takes.
    can_grow: it can tell what is new in a newer export. synthetic: the models that wrote what it has learned.
    """

    id: str
    persona: str
    kind: ExampleKind
    base: str
    languages: tuple[str, ...]
    created_at: str
    instruction: str | None
    held_out: HeldOut
    recommended: bool | None
    because: str | None
    outcome: Outcome | None
    likeness: Measured | None
    copied: Measured | None
    has_report: bool
    bytes: int
    has_rhythm: bool
    can_talk: bool
    stale: Stale | None
    preferences: int
    preferences_needed: int
    can_grow: bool
    synthetic: tuple[str, ...] = ()


class Headline(msgspec.Struct, frozen=True):
    """A figure of the report, its unit in words."""

    id: str
    value: float
    low: float | None
    high: float | None
    unit: str


class CardWithHeadline(Card, frozen=True, kw_only=True):
    """A voice, the first figures of its report, and prompts to try it with that it has not learned."""

    headline: list[Headline]
    prompts: list[str]


def card(name: str, can_talk: bool) -> Card:
    """Read a voice's card; raise ModelError where there is no such voice."""
    return _card(read_voice(name), name, can_talk, _report(name))


def card_with_headline(name: str, can_talk: bool, language: str) -> CardWithHeadline:
    """Read a voice's card, its headline with units in a language, and prompts; raise ModelError."""
    report = _report(name)
    fields = msgspec.structs.asdict(_card(read_voice(name), name, can_talk, report))
    return CardWithHeadline(**fields, headline=_headline(report, language), prompts=_prompts(name))


def write_verdict(name: str, verdict: Verdict) -> None:
    """Keep what the gate said with the voice."""
    path = voice_folder(name) / VERDICT
    with replacing(path) as unfinished:
        unfinished.write_bytes(msgspec.json.encode(verdict))


def _card(voice: Voice, name: str, can_talk: bool, report: Report | None) -> Card:
    folder = voice_folder(name)
    verdict = report or read_record(folder / VERDICT, Verdict)
    return Card(
        id=name,
        persona=voice.persona.name,
        kind=voice.kind,
        base=voice.base.id,
        languages=voice.base.languages,
        created_at=voice.created_at,
        instruction=voice.instruction,
        held_out=voice.held_out,
        recommended=verdict.recommended if verdict else None,
        because=verdict.because if verdict else None,
        outcome=verdict.outcome if verdict else None,
        likeness=_measured(report, "likeness.voice"),
        copied=_measured(report, "copied.8_words.voice"),
        has_report=report is not None,
        bytes=sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()),
        has_rhythm=(folder / RHYTHM).is_file(),
        can_talk=can_talk,
        stale=read_stale(name),
        preferences=_preferences(voice, name),
        preferences_needed=MIN_PAIRS,
        can_grow=(folder / KNOWN).is_file(),
        synthetic=voice.synthetic,
    )


def _preferences(voice: Voice, name: str) -> int:
    """Count what can be learned; none in a file that its owner has broken, which a training will name."""
    try:
        return count_new(voice, name)
    except (OSError, msgspec.DecodeError):
        return 0


def _report(name: str) -> Report | None:
    """Return a voice's report; none where it is broken, since a voice works without it."""
    try:
        return read_report(voice_folder(name))
    except ManeraError:
        return None


def _measured(report: Report | None, id: str) -> Measured | None:
    found: Metric | None = report.metrics.get(id) if report else None
    return Measured(found.value, found.low, found.high) if found else None


def _headline(report: Report | None, language: str) -> list[Headline]:
    metrics = [report.metrics[id] for id in HEADLINE if id in report.metrics] if report else []
    return [
        Headline(one.id, one.value, one.low, one.high, words_of(language, "units", one.unit, one.parameters))
        for one in metrics
        if one.value is not None
    ]


def _prompts(name: str) -> list[str]:
    try:
        return held_out_prompts(name)
    except (OSError, msgspec.DecodeError):
        return []  # the voice came without its dataset
