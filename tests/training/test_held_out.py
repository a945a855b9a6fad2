"""How much held-out text is scored while a voice is trained."""

import numpy as np
import pytest

from manera.dataset.building import Dataset
from manera.dataset.packing import Rows
from manera.training.held_out import MAX_TOKENS, scored_rows

LENGTH = 512


def dataset_of(rows: int) -> Dataset:
    """Return a dataset whose validation rows are numbered by their first token."""
    ids = np.zeros((rows, LENGTH), np.int64)
    ids[:, 0] = np.arange(rows)
    held = Rows(ids, ids, ids, ids)
    return Dataset({}, {"validation": held}, {}, {})


@pytest.mark.parametrize("rows", [1, MAX_TOKENS // LENGTH], ids=["one row", "as many as may be"])
def test_little_text_is_scored_whole(rows: int) -> None:
    assert len(scored_rows(dataset_of(rows), "validation")) == rows


def test_of_much_text_as_much_is_scored_from_beginning_to_end() -> None:
    scored = scored_rows(dataset_of(1_000), "validation").input_ids[:, 0]
    assert len(scored) * LENGTH == MAX_TOKENS
    assert (scored[0], scored[-1]) == (0, 999)
    assert np.ptp(np.diff(scored)) <= 1
