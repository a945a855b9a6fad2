"""What is scored while a voice is trained: enough held-out text to tell one point from another, and no more.

A report scores all of it, and its intervals say what that leaves open.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from manera.dataset.building import Dataset
from manera.dataset.packing import Rows
from manera.records import SplitName
from manera.voice.manifest import Likelihood

if TYPE_CHECKING:
    from manera.model.likelihood import Nll
    from manera.training.setup import Setup

MAX_TOKENS = 8_192
"""Of validation text, and of test text. Two points that differ by 0.01 nats a token are told apart on as many."""


def scored_rows(dataset: Dataset, part: SplitName) -> Rows:
    """Return the rows of a part, or as many as hold ``MAX_TOKENS``, evenly spaced."""
    rows = dataset.rows[part]
    few = max(1, MAX_TOKENS // rows.input_ids.shape[1])
    if len(rows) <= few:
        return rows
    return rows.take(np.linspace(0, len(rows) - 1, few).round().astype(int))


def likelihood(
    setup: "Setup", with_adapter: bool, run: "Callable[[Callable[[int], Nll]], Nll] | None" = None
) -> Likelihood:
    """Score test text by a model, with what it has learned or without.

    run: calls what it is given with how many rows to score at once; by default as many as a micro-batch has. Where not
    all rows are scored, their bytes are taken to be in proportion to their tokens.
    """
    from manera.model import packed

    dataset = setup.material.dataset
    rows = scored_rows(dataset, "test")

    def score(rows_at_once: int) -> "Nll":
        return packed.measure(setup.model, rows, rows_at_once)

    with setup.method.measuring(setup.model, with_adapter):
        nll = run(score) if run else score(setup.planned.rows_per_micro_batch)
    share = rows.supervised_tokens / dataset.rows["test"].supervised_tokens
    return Likelihood(nll.perplexity, nll.bits_per_byte(dataset.scored_bytes["test"] * share))
