"""How far what was written is from the real texts in lengths, marks and words."""

from collections.abc import Iterator, Sequence

from manera.evaluation.asked import Task
from manera.evaluation.measures.distances import distances, message_lengths
from manera.evaluation.report.findings import Findings
from manera.evaluation.report.metric import Metric, metric
from manera.evaluation.written import Answers
from manera.records import ExampleKind


def measure(answers: Answers, earlier: Sequence[Task], kind: ExampleKind, seed: int) -> Iterator[Metric | Findings]:
    """Compare texts with the real ones, and earlier real ones with those."""
    texts = answers.texts()
    for who, made in {**texts, "real": [task.reply for task in earlier]}.items():
        groups = [task.conversation for task in earlier] if who == "real" else answers.conversations
        for name, found in distances(made, texts["real"], kind, groups, seed).items():
            yield metric(f"distance.{name}.{who}", found, "distance", len(made), "lower", "texts")
    yield Findings(
        message_lengths={who: [n for text in made for n in message_lengths(text)] for who, made in texts.items()}
    )
