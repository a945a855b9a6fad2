"""The whole evaluation: a voice in; each part as it begins, and at last the report, out."""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import msgspec

from manera.errors import ManeraError
from manera.evaluation.asked import Task
from manera.evaluation.budget import FAST, for_pairs
from manera.evaluation.general_text import GENERAL
from manera.evaluation.measures.gate import Verdict
from manera.evaluation.measures.spread import spread
from manera.evaluation.opening import Opened, Options, open_voice
from manera.evaluation.parts import (
    against,
    canaries,
    copying,
    cost,
    dial,
    distances,
    forgetting,
    invented_words,
    ladder,
    learning_curve,
    likeness,
    personal_data,
    real_or_generated,
    rhythm,
    topic,
    writing,
)
from manera.evaluation.reasons import NotMeasuredError
from manera.evaluation.report.document import AGAINST, Missing, Report, missing, page_in, write_report
from manera.evaluation.report.findings import Findings, SideBySide
from manera.evaluation.report.items_page import Written
from manera.evaluation.report.metric import Metric
from manera.evaluation.report.page import write_page
from manera.evaluation.report.verdict import because
from manera.evaluation.report.words import LANGUAGES
from manera.evaluation.voice_dataset import read_canaries, read_part
from manera.evaluation.writing import Writer
from manera.generation.engine import Engine
from manera.voice.folder import voice_folder
from manera.voice.manifest import Voice, read_steps

WRITERS = 3
"""Who writes items: the voice in one draft, in the best of several, and the person."""

SHOWN_MESSAGES = 4
"""Of what stood before an item, so many messages at most."""


class Part(NamedTuple):
    """A part of an evaluation: its id, and what it measures with the values that are opened for it."""

    name: str
    measure: Callable[[Opened], Iterator[Metric | Findings]]


class Evaluated(NamedTuple):
    """A report and its findings. language: the author's."""

    voice: Voice
    report: Report
    findings: Findings
    language: str


def _ladder(opened: Opened, is_origin_known: bool = False) -> Iterator[Metric | Findings]:
    stretches, prefixes, model = opened.stretches, opened.prefixes, opened.model
    places = None if is_origin_known else opened.places_read
    tokens = opened.budget.scored_tokens
    return ladder.measure(stretches, prefixes, model, tokens, opened.seed, places)


def _personal_data(opened: Opened) -> Iterator[Metric]:
    training = opened.dataset.training
    yield from personal_data.in_training(training)
    yield from personal_data.repeated(training, opened.answers, opened.seed)


def _forgetting(opened: Opened) -> Iterator[Metric]:
    texts = list(GENERAL) if opened.budget.ranked else [f"general-{opened.language}"]
    return forgetting.measure(texts, opened.encoders.voice, opened.model)


def _topic(opened: Opened) -> Iterator[Metric]:
    ranked = opened.budget.ranked
    if not ranked:
        raise NotMeasuredError("topic_needs_more_texts", "evaluate without --fast")
    if opened.voice.kind == "dialogue":
        return topic.true_replies(spread(opened.tasks, ranked), opened.encoders, opened.model, opened.seed)
    return topic.prompts_found(opened.answers, opened.seed)


def _dial(opened: Opened) -> Iterator[Metric]:
    if not opened.budget.dial_tokens:
        raise NotMeasuredError("dial_takes_longer", "evaluate without --fast")
    encoder = opened.encoders.voice
    stretches = opened.stretches.held_out(encoder, opened.budget.dial_tokens)
    yield from dial.scored(stretches, encoder, opened.model, opened.language, opened.seed)
    tasks = spread(opened.tasks, opened.budget.dial_texts)
    written = dial.write(tasks, opened.prompts, encoder, opened.writer)
    yield from dial.judged(written, tasks, opened.judge, opened.source, opened.seed)


def _canaries(opened: Opened) -> Iterator[Metric]:
    planted, candidates = read_canaries(opened.voice), opened.budget.canaries
    return canaries.measure(planted, opened.encoders, opened.model, opened.voice.recipe.seed, candidates, opened.seed)


def _learning_curve(opened: Opened) -> Iterator[Metric]:
    voice, stretches, tokens = opened.voice, opened.stretches, opened.budget.scored_tokens
    validation = read_part(voice, "validation")
    return learning_curve.measure(voice, opened.base, stretches, validation, tokens, opened.seed)


def _against(name: str) -> Part:
    def measure(opened: Opened) -> Iterator[Metric]:
        tokens, seed = opened.budget.scored_tokens, opened.seed
        return against.measure(name, opened.voice, opened.base, opened.stretches, tokens, seed)

    return Part(f"{AGAINST}.{name}", measure)


LEARNING_CURVE = Part("learning_curve", _learning_curve)
PARTS = (
    Part("ladder", _ladder),
    Part("writing", lambda opened: writing.measure(opened.answers, opened.voice.kind, opened.seed)),
    Part("likeness", lambda opened: likeness.measure(opened.judge, opened.answers, opened.seed)),
    Part("real_or_generated", lambda opened: real_or_generated.measure(opened.answers, opened.seed)),
    Part("distances", lambda opened: distances.measure(opened.answers, opened.earlier, opened.voice.kind, opened.seed)),
    Part("rhythm", lambda opened: rhythm.measure(opened.voice.name, opened.seed)),
    Part("copying", lambda opened: copying.measure(opened.answers, opened.source, opened.seed)),
    Part("invented_words", lambda opened: invented_words.measure(opened.answers, opened.dataset.training, opened.seed)),
    Part("personal_data", _personal_data),
    Part("canaries", _canaries),
    Part("forgetting", _forgetting),
    Part("topic", _topic),
    Part("dial", _dial),
    Part("cost_of_training", lambda opened: cost.of_training(opened.voice)),
    Part("energy_of_training", lambda opened: cost.energy_of_training(opened.voice)),
    Part("cost_of_a_reply", lambda opened: cost.of_a_reply(opened.replies, opened.seed)),
    Part("energy_of_a_reply", lambda opened: cost.energy_of_a_reply(opened.replies)),
)
"""In the order they run; another metric is another line here."""


def evaluate(name: str, options: Options = Options(), parts: Sequence[Part] = PARTS) -> Generator[Part | Evaluated]:
    """Measure everything that can be; what cannot says why not in the report.

    Raises ModelError where there is no such voice or base.
    """
    started = time.monotonic()
    opened = open_voice(name, options)
    metrics: dict[str, Metric] = {}
    not_measured: dict[str, Missing] = {}
    findings = Findings()
    if not options.curve:
        not_measured[LEARNING_CURVE.name] = missing(NotMeasuredError("curve_not_asked_for"))
    for part in (*parts, *([LEARNING_CURVE] if options.curve else []), *map(_against, options.against)):
        yield part
        try:
            for found in part.measure(opened):
                if isinstance(found, Metric):
                    metrics[found.id] = found
                else:
                    findings = findings.joined(found)
        except ManeraError as error:
            not_measured[part.name] = missing(error)
    report = _report(opened, metrics, not_measured, findings, time.monotonic() - started)
    yield Evaluated(opened.voice, report, findings, opened.language)


def _report(
    opened: Opened,
    metrics: dict[str, Metric],
    not_measured: dict[str, Missing],
    findings: Findings,
    seconds: float,
) -> Report:
    """Put together what was found, with the budget that it was found with."""
    verdict, refused = findings.verdict, not_measured.get("ladder")
    return Report(
        voice=opened.voice.name,
        kind=opened.voice.kind,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        manera_version=version("manera"),
        seed=opened.seed,
        budget=opened.budget,
        metrics=metrics,
        recommended=verdict.recommended if verdict else None,
        because=because(verdict) if verdict else refused.message if refused else "",
        not_measured=not_measured,
        compared_with=tuple(findings.others),
        seconds=seconds,
        outcome=verdict.outcome if verdict else None,
        synthetic=opened.voice.synthetic,
    )


def store(name: str, evaluated: Evaluated, language: str) -> Path:
    """Write both reports into the voice's folder, and the page in every language beside it; return the page's path."""
    voice, report, findings, _ = evaluated
    folder, steps = voice_folder(name), read_steps(name)
    write_report(report, folder)
    for other in LANGUAGES:
        write_page(report, findings, voice.persona.name, steps, folder, other, page_in(other))
    return write_page(report, findings, voice.persona.name, steps, folder, language)


def recommend(name: str, options: Options = Options(budget=FAST), is_origin_known: bool = False) -> Verdict:
    """Ask the gate alone whether a voice is worth having; nothing is written, so no engine is opened.

    is_origin_known: for a voice that has just been trained here, which is not asked whether it knows its own text.
    """
    return verdict_of(open_voice(name, options), is_origin_known)


def recommended(name: str, is_origin_known: bool = False) -> tuple[bool | None, str]:
    """Ask the gate, and why it says so; None where it cannot be asked."""
    try:
        verdict = recommend(name, is_origin_known=is_origin_known)
    except ManeraError as error:
        return None, error.message
    return verdict.recommended, because(verdict)


def verdict_of(opened: Opened, is_origin_known: bool = False) -> Verdict:
    """Ask the gate about the model as it is now."""
    found = _ladder(opened, is_origin_known)
    return next(one.verdict for one in found if isinstance(one, Findings) and one.verdict)


def pairs(name: str, count: int, options: Options = Options()) -> list[SideBySide]:
    """Write on so many held-out prompts for people to judge: the voice's texts beside what was really written."""
    return open_voice(name, replace(options, budget=for_pairs(count))).answers.side_by_side()


def items(name: str, count: int, options: Options) -> list[Written]:
    """Write on held-out prompts for people to judge: in one draft, and the best of ``options.drafts``.

    Where there are too few prompts for so many items, they are written on again with other seeds.
    """
    opened = open_voice(name, replace(options, budget=for_pairs(count)))
    found: list[Written] = []
    missing_items = count
    with opened.writer.open_engine() as engine:
        while missing_items > 0:
            of_each = WRITERS if not found else WRITERS - 1  # what is real is shown once
            tasks = spread(opened.tasks, -(-missing_items // of_each))
            writer = opened.writer._replace(seed=options.seed + len(found))
            found += _written_twice(opened, writer, engine, tasks, with_real=not found)
            missing_items -= of_each * len(tasks)
    return found


def _written_twice(
    opened: Opened, writer: Writer, engine: Engine, tasks: Sequence[Task], with_real: bool
) -> Iterator[Written]:
    """Write in one draft and in several, of which the first is the same."""
    prompts = opened.prompts.of(opened.encoders.voice, tasks)
    alone = writer._replace(sampling=msgspec.structs.replace(writer.sampling, drafts=1))
    single, best = (one.write(engine, 1.0, prompts, opened.wrap) for one in (alone, writer))
    for task, one, other in zip(tasks, single, best, strict=True):
        asked = [message.content for message in task.messages[-SHOWN_MESSAGES:]]
        yield Written(asked, one.text, other.text, task.reply if with_real else None)
