"""The author's own examples nearest to a prompt: what an untrained base is shown instead of being trained."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from manera.dataset.encoding import Encoder
from manera.evaluation.asked import Task
from manera.records import Example, ExampleKind, Message


class Retriever:
    """Training turns, found by the character n-grams of what they answer; built without looking at held-out text."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        self.tasks = list(tasks)
        self._vectorizer: Any = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True)
        asked = [task.asked for task in self.tasks]
        self._index = self._vectorizer.fit_transform(asked) if any(text.strip() for text in asked) else None

    def nearest(self, asked: str, count: int) -> list[Task]:
        """Return the most similar first; none where no training turn answers anything."""
        if self._index is None:
            return []
        similarity = (self._index @ self._vectorizer.transform([asked]).T).toarray()[:, 0]
        return [self.tasks[index] for index in np.argsort(-similarity, kind="stable")[:count]]

    def shown(
        self, asked: str, kind: ExampleKind, encoder: Encoder, count: int, room: int, but: Task | None = None
    ) -> list[int]:
        """Encode the nearest turns but one without a BOS, the nearest last, as many as fit the room."""
        ids: list[int] = []
        for task in [task for task in self.nearest(asked, count + 1) if task != but][:count]:
            one = _rendered(task, kind, encoder)
            if len(ids) + len(one) <= room:
                ids = one + ids
        return ids


def _rendered(task: Task, kind: ExampleKind, encoder: Encoder) -> list[int]:
    if kind == "continuation":
        return encoder.text(task.asked + task.reply + "\n\n")
    example = Example((Message("user", task.asked), Message("assistant", task.reply)))
    return encoder.example(example).input_ids[1:]
