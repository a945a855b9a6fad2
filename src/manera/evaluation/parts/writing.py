"""Does it write at all: faults of what was written on held-out prompts, and how varied it is."""

from collections.abc import Iterator

from manera.evaluation.measures import faults, intervals
from manera.evaluation.report.findings import Findings
from manera.evaluation.report.metric import Metric, metric
from manera.evaluation.rungs import BASE, VOICE
from manera.evaluation.written import Answers
from manera.records import ExampleKind
from manera.text.languages import language_of

SHOWN = 10


def measure(answers: Answers, kind: ExampleKind, seed: int) -> Iterator[Metric | Findings]:
    """Count what is wrong with what was written, and how much of it is alike."""
    language = language_of([task.reply for task in answers.tasks])
    prompts = [task.asked for task in answers.tasks]
    for who in (BASE.name, VOICE.name):
        written = answers.written[who]
        cut_off = [one.reason == "length" for one in written]
        for fault, found in faults.faults(answers.texts_of(who), cut_off, prompts, kind, language).items():
            share = intervals.share(found, seed, answers.conversations)
            yield metric(f"health.{fault}.{who}", share, "share_of_texts", len(found), "lower", "texts")
    for who, texts in answers.texts().items():
        n = len(texts)
        distinct = faults.distinct(texts, answers.conversations)
        yield metric(f"health.distinct_2.{who}", distinct, "share_of_pairs_of_words", n, "neither", "texts")
        alike = faults.self_similarity(texts, answers.conversations)
        yield metric(f"health.self_similarity.{who}", alike, "cosine", n, "neither", "texts")
    together = answers.side_by_side()
    yield Findings(side_by_side=together[:: max(1, len(together) // SHOWN)][:SHOWN])
