"""Are its words words: the share of those that neither the author nor a dictionary knows."""

from collections.abc import Iterator, Sequence

from manera.evaluation.measures import intervals
from manera.evaluation.measures.invented import Lexicon, judged
from manera.evaluation.report.metric import Metric, metric
from manera.evaluation.written import Answers
from manera.records import Example


def measure(answers: Answers, training: Sequence[Example], seed: int) -> Iterator[Metric]:
    """Count invented words in what was written and in what was really written, where typing errors count too."""
    read = [message.content for example in training for message in example.messages]
    asked = [message.content for task in answers.tasks for message in task.messages]
    lexicon = Lexicon([*read, *asked])
    for who, texts in answers.texts().items():
        found = [len(lexicon.invented(text)) for text in texts]
        words = [len(judged(text)) for text in texts]
        share = intervals.ratio(found, words, seed, answers.conversations)
        yield metric(f"invented_words.{who}", share, "share_of_words_unknown", sum(words), "lower", "words")
