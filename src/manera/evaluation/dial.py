"""The dial: the voice turned up from nothing to one and a half."""

import numpy as np

from manera.errors import EvaluationError
from manera.evaluation import forgetting, intervals, scoring
from manera.evaluation.copying import RUNS
from manera.evaluation.findings import DialPoint
from manera.evaluation.held_out import spread
from manera.evaluation.ladder import BITS
from manera.evaluation.likeness import LIKENESS, likeness_of
from manera.evaluation.style import words
from manera.evaluation.subject import Subject

DIAL = (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5)


def measure_dial(subject: Subject) -> None:
    """Score and write at every setting, and recommend the one at which held-out text is likeliest."""
    if not subject.budget.dial_tokens:
        raise EvaluationError("the dial takes longer than --fast allows", "evaluate without --fast")
    stretches = subject.stretches(subject.encoder, subject.budget.dial_tokens)
    sizes = [one.bytes for one in stretches]
    groups = [one.conversation for one in stretches]
    bits = np.array([scoring.nats(subject.model, [one.encoded for one in stretches], scale) * BITS for scale in DIAL])
    for scale, own in zip(DIAL, bits, strict=True):
        found = intervals.ratio(own, sizes, subject.seed, groups)
        subject.add(f"dial.bits_per_byte.{scale:g}", found, "bits per byte", len(sizes), "lower", "stretches")
        general = f"general-{subject.language}"
        forgotten = forgetting.bits_per_byte(subject.model, subject.encoder, scale, general)
        n = len(forgetting.paragraphs(general))
        subject.add(f"dial.forgotten.{scale:g}", forgotten, "bits per byte", n, "lower", "paragraphs")
        subject.findings.dial.append(DialPoint(scale, found.value, forgotten.value))
    of_each = np.array([bits[:, np.equal(groups, group)].sum(-1) for group in np.unique(groups)]).T
    best = intervals.statistic(
        of_each.shape[1], lambda drawn: np.array(DIAL)[of_each[:, drawn].sum(-1).argmin(0)], subject.seed
    )
    subject.add("dial.recommended", best, "voice_scale", len(sizes), "neither", "stretches")
    made = _written(subject)
    for index, point in enumerate(subject.findings.dial):
        likeness, copied = _judged(subject, point.voice_scale, made[point.voice_scale])
        subject.findings.dial[index] = point._replace(likeness=likeness, copied=copied)


def _written(subject: Subject) -> dict[float, list[str]]:
    """Write on some of the tasks at every setting, without the guard, which would hide what leaks."""
    prompts = subject.prompts(subject.encoder, spread(subject.tasks, subject.budget.dial_texts))
    with subject.engine() as engine:
        return {scale: [one.text for one in subject.write(engine, scale, prompts)] for scale in DIAL}


def _judged(subject: Subject, scale: float, texts: list[str]) -> tuple[float, float]:
    """Say how like the author it is what was written at one setting, and how much of it is copied."""
    pieces = subject.judge.pieces(texts)
    likeness = likeness_of(subject.judge.verifier, pieces, len(texts))
    subject.add(f"dial.likeness.{scale:g}", likeness, LIKENESS, len(pieces), "higher", "pieces")
    run = RUNS[0]
    shares = [subject.source.copied_words(text, run) for text in texts]
    groups = [task.conversation for task in spread(subject.tasks, subject.budget.dial_texts)]
    copied = intervals.ratio(shares, [len(words(text)) for text in texts], subject.seed, groups)
    unit = f"share of words in verbatim runs of {run}"
    subject.add(f"dial.copied.{scale:g}", copied, unit, len(texts), "lower", "texts")
    return likeness.value, copied.value
