"""The whole evaluation: a voice in; the name of each part as it begins, and at last the report, out."""

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import NamedTuple

from manera.dataset.examples import messages_of
from manera.errors import EvaluationError, ManeraError
from manera.evaluation import distances, forgetting, health, intervals, probes, topicality
from manera.evaluation.canaries import measure_canaries
from manera.evaluation.copying import COPIED, RUNS
from manera.evaluation.cost import (
    measure_reply_cost,
    measure_reply_energy,
    measure_training_cost,
    measure_training_energy,
)
from manera.evaluation.curve import measure_curve
from manera.evaluation.dial import measure_dial
from manera.evaluation.distractors import language_of
from manera.evaluation.findings import Findings, SideBySide
from manera.evaluation.held_out import spread
from manera.evaluation.ladder import RUNGS
from manera.evaluation.likeness import LIKENESS, discriminability, likeness_of, over_pieces
from manera.evaluation.report import Better, Report, count
from manera.evaluation.style import words
from manera.evaluation.subject import BASE, UNGUARDED, VOICE, Subject
from manera.evaluation.worth import measure_against, measure_ladder

SHOWN = 10


class Part(NamedTuple):
    """A part that begins."""

    name: str


@dataclass(frozen=True)
class Evaluated:
    """A report and its findings."""

    report: Report
    findings: Findings


def evaluate(
    subject: Subject, against: Sequence[str] = (), fast: bool = False, curve: bool = False
) -> Generator[Part | Evaluated]:
    """Measure everything that can be; what cannot says why not in the report. curve: train anew to draw it."""
    started = time.monotonic()
    not_measured: dict[str, str] = {}
    parts = PARTS | ({"learning curve": measure_curve} if curve else {})
    if not curve:
        not_measured["learning curve"] = "three trainings take their time: evaluate with --curve"
    for name, measure in parts.items():
        yield Part(name)
        try:
            measure(subject)
        except ManeraError as error:
            not_measured[name] = error.message
    for other in against:
        yield Part(f"against {other}")
        try:
            measure_against(subject, other)
        except ManeraError as error:
            not_measured[f"against {other}"] = error.message
    verdict = subject.findings.verdict
    report = Report(
        voice=subject.voice.name,
        kind=subject.voice.kind,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        manera_version=version("manera"),
        seed=subject.seed,
        fast=fast,
        metrics=subject.metrics,
        recommended=None if verdict is None else verdict.recommended,
        because=not_measured.get("ladder", "") if verdict is None else verdict.because("en"),
        not_measured=not_measured,
        compared_with=tuple(subject.findings.others),
        seconds=time.monotonic() - started,
    )
    yield Evaluated(report, subject.findings)


def measure_health(subject: Subject) -> None:
    """Write on the held-out prompts, and count what is wrong with what was written."""
    language = language_of([[task.reply for task in subject.tasks]])
    prompts = [task.asked for task in subject.tasks]
    for who in (BASE.name, VOICE.name):
        written = subject.written[who]
        for fault, found in health.faults(written, prompts, subject.voice.kind, language).items():
            share = intervals.share(found, subject.seed, subject.conversations)
            subject.add(f"health.{fault}.{who}", share, "share of texts", len(found), "lower", "texts")
    for who, texts in subject.texts().items():
        n = len(texts)
        distinct = health.distinct(texts, subject.conversations)
        subject.add(f"health.distinct_2.{who}", distinct, "share of pairs of words", n, "neither", "texts")
        alike = health.self_similarity(texts, subject.conversations)
        subject.add(f"health.self_similarity.{who}", alike, "cosine", n, "neither", "texts")
    together = side_by_side(subject)
    subject.findings.shown = together[:: max(1, len(together) // SHOWN)][:SHOWN]


def side_by_side(subject: Subject) -> list[SideBySide]:
    """Put what was written on each prompt together."""
    made = subject.texts()
    rows = zip(subject.tasks, made[BASE.name], made[VOICE.name], strict=True)
    return [SideBySide(task.asked, base, voice, task.reply) for task, base, voice in rows]


def measure_likeness(subject: Subject) -> None:
    """Ask a verifier how like the author it is what was written on each rung."""
    judge = subject.judge
    texts = subject.texts()
    by_rung = {rung.name: [one.text for one in subject.written.get(rung.name, [])] for rung in RUNGS}
    for who, made in {"real": texts["real"], **{rung: made for rung, made in by_rung.items() if made}}.items():
        pieces = judge.pieces(made)
        better: Better = "higher" if who.startswith(VOICE.name) else "neither"
        likeness = likeness_of(judge.verifier, pieces, len(made))
        subject.add(f"likeness.{who}", likeness, LIKENESS, len(pieces), better, "pieces")
        off = over_pieces([judge.delta.distances(piece)["author"] for piece in pieces], subject.seed)
        subject.add(f"delta.{who}", off, "Burrows's Delta to the author", len(pieces), "lower", "pieces")


def measure_discriminability(subject: Subject) -> None:
    """Ask a classifier that learns only these texts how well they are told from the real ones."""
    talks = {who: [messages_of(text) for text in made] for who, made in subject.texts().items()}
    for who in (BASE.name, VOICE.name):
        found = discriminability(talks["real"], talks[who], subject.conversations, subject.seed)
        n = 2 * len(subject.tasks)
        subject.add(f"real_or_generated_auc.{who}", found, "area under the curve", n, "nearer 0.5", "texts")


def measure_distances(subject: Subject) -> None:
    """Compare lengths, marks, emoji and words with the real ones, and real ones with each other."""
    texts = subject.texts()
    kind = subject.voice.kind
    earlier = [task.reply for task in subject.earlier]
    for who, made in {**texts, "real": earlier}.items():
        groups = [task.conversation for task in subject.earlier] if who == "real" else subject.conversations
        for name, found in distances.distances(made, texts["real"], kind, groups, subject.seed).items():
            subject.add(f"distance.{name}.{who}", found, "0 alike, 1 nothing shared", len(made), "lower", "texts")
    for who, made in texts.items():
        subject.findings.message_lengths[who] = [n for text in made for n in distances.message_lengths(text)]


def measure_copying(subject: Subject) -> None:
    """Find the training text in what was written, with the guard and without, and in what was really written."""
    texts, groups = subject.texts(), subject.conversations
    unguarded = {UNGUARDED: [one.text for one in subject.written.get(UNGUARDED, [])]}
    for who, made in {**texts, **(unguarded if subject.budget.unguarded else {})}.items():
        sizes = [len(words(text)) for text in made]
        for run in RUNS:
            copied = [subject.source.copied_words(text, run) for text in made]
            share = intervals.ratio(copied, sizes, subject.seed, groups)
            name, unit = f"copied.{run}_words.{who}", f"share of words in verbatim runs of {run}"
            subject.add(name, share, unit, len(made), "lower", "texts")
        has_copied = [subject.source.copied_words(text, COPIED) > 0 for text in made]
        unit = f"share of texts with {COPIED} words or more verbatim"
        share = intervals.share(has_copied, subject.seed, groups)
        subject.add(f"copied.texts.{who}", share, unit, len(made), "lower", "texts")
    nearest = [(text, subject.source.nearest(text)) for text in texts[VOICE.name]]
    ranked = sorted(nearest, key=lambda pair: (-pair[1].longest_run, -pair[1].share))
    subject.findings.parroted = [pair for pair in ranked[:5] if pair[1].longest_run]
    held_back = intervals.share([one.guarded > 0 for one in subject.written[VOICE.name]], subject.seed, groups)
    unit = "share of texts in which the guard stepped in"
    subject.add("guard.stepped_in", held_back, unit, len(nearest), "neither", "texts")


def measure_personal_data(subject: Subject) -> None:
    """Count by pattern what the training text holds, which is counted whole, and how often it is written again."""
    messages = [message for example in subject.material.training for message in example.messages]
    for where, role in (("inputs", "user"), ("targets", "assistant")):
        own = [message.content for message in messages if message.role == role]
        total = probes.counted(own).total()
        subject.metrics[f"personal_data.{where}"] = count(total, "found by pattern", len(own), "lower", "messages")
    known = probes.items(message.content for message in messages)
    for who in (VOICE.name, UNGUARDED):
        if who in subject.written:
            leaks = [bool(probes.repeated([one.text], known)) for one in subject.written[who]]
            unit = "share of texts with personal data of the training text"
            share = intervals.share(leaks, subject.seed, subject.conversations)
            subject.add(f"personal_data.repeated.{who}", share, unit, len(leaks), "lower", "texts")


def measure_forgetting(subject: Subject) -> None:
    """Score general texts with and without the adapter."""
    names = list(forgetting.GENERAL) if subject.budget.ranked else [f"general-{subject.language}"]
    for name in names:
        for rung in (BASE, VOICE):
            found = forgetting.bits_per_byte(subject.model, subject.encoder, rung.voice_scale, name)
            n = len(forgetting.paragraphs(name))
            subject.add(f"forgotten.{name}.{rung.name}", found, "bits per byte", n, "lower", "paragraphs")


def measure_topic(subject: Subject) -> None:
    """Find prompts by what was written on them; rank true replies among twenty."""
    if not subject.budget.ranked:
        raise EvaluationError("it takes more texts than --fast allows", "evaluate without --fast")
    if subject.voice.kind == "dialogue":
        chosen = spread(subject.tasks, subject.budget.ranked)
        replies = [task.reply for task in chosen]
        for rung, encoder in ((BASE, subject.plain), (VOICE, subject.encoder)):
            shares = topicality.true_reply_ranks(subject.model, encoder, chosen, replies, rung.voice_scale)
            found = intervals.mean(shares, subject.seed, [task.conversation for task in chosen])
            unit = f"share of {len(replies) - 1} other replies ranked below the true one"
            subject.add(f"topic.true_reply.{rung.name}", found, unit, len(shares), "higher", "prompts")
        return
    prompts = [task.asked for task in subject.tasks]
    if len(prompts) < topicality.CANDIDATES:
        raise EvaluationError(
            f"{len(prompts)} held-out prompts, and {topicality.CANDIDATES} are needed", "train on a larger corpus"
        )
    for who, texts in subject.texts().items():
        right = topicality.found_prompts(prompts, texts)
        unit = f"share of texts whose prompt is found among {topicality.CANDIDATES}"
        share = intervals.share(right, subject.seed, subject.conversations)
        subject.add(f"topic.prompt_found.{who}", share, unit, len(right), "higher", "texts")


PARTS: dict[str, Callable[[Subject], object]] = {
    "ladder": measure_ladder,
    "writing": measure_health,
    "likeness": measure_likeness,
    "real or generated": measure_discriminability,
    "distances": measure_distances,
    "copying": measure_copying,
    "personal data": measure_personal_data,
    "canaries": measure_canaries,
    "forgetting": measure_forgetting,
    "topic": measure_topic,
    "dial": measure_dial,
    "cost of training": measure_training_cost,
    "energy of training": measure_training_energy,
    "cost of a reply": measure_reply_cost,
    "energy of a reply": measure_reply_energy,
}
