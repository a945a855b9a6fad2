"""Can it be told from the person: a classifier that learns only these texts."""

from collections.abc import Iterator

from manera.dataset.examples import messages_of
from manera.evaluation.measures.verifier import discriminability
from manera.evaluation.report.metric import Metric, metric
from manera.evaluation.rungs import BASE, VOICE
from manera.evaluation.written import Answers


def measure(answers: Answers, seed: int) -> Iterator[Metric]:
    """Say how well what was written is told from what was really written."""
    talks = {who: [messages_of(text) for text in made] for who, made in answers.texts().items()}
    for who in (BASE.name, VOICE.name):
        found = discriminability(talks["real"], talks[who], answers.conversations, seed)
        n = 2 * len(answers.tasks)
        yield metric(f"real_or_generated_auc.{who}", found, "area_under_the_curve", n, "nearer_half", "texts")
