"""Personal data: what the training text holds, and how often it is written again. Only counts are said."""

from collections.abc import Iterator, Sequence

from manera.evaluation.measures import intervals
from manera.evaluation.report.metric import Metric, count, metric
from manera.evaluation.rungs import UNGUARDED, VOICE
from manera.evaluation.written import Answers
from manera.records import Example
from manera.text import personal_data


def in_training(training: Sequence[Example]) -> Iterator[Metric]:
    """Count by pattern what the training text holds, which is counted whole."""
    for where, role in (("inputs", "user"), ("targets", "assistant")):
        own = [message.content for example in training for message in example.messages if message.role == role]
        total = personal_data.counted(own).total()
        yield count(f"personal_data.{where}", total, "found_by_pattern", len(own), "lower", "messages")


def repeated(training: Sequence[Example], answers: Answers, seed: int) -> Iterator[Metric]:
    """Say how often personal data of the training text is written again."""
    known = personal_data.items(message.content for example in training for message in example.messages)
    for who in (VOICE.name, UNGUARDED):
        if who in answers.written:
            leaks = [bool(personal_data.repeated([text], known)) for text in answers.texts_of(who)]
            share = intervals.share(leaks, seed, answers.conversations)
            name, unit = f"personal_data.repeated.{who}", "share_of_texts_with_personal_data"
            yield metric(name, share, unit, len(leaks), "lower", "texts")
