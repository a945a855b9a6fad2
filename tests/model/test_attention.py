"""Attention by matrix products: transformers' own, over rows in which examples do not see each other."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from adapted import logits, random_rows
from manera.bases import base_model
from manera.dataset.encoding import Encoded
from manera.dataset.packing import pack
from manera.model import attention, packed
from tiny import PIECES, SLIDING_WINDOW

LONG = 3 * SLIDING_WINDOW


@pytest.fixture(scope="module")
def model(tiny_base: Path) -> nn.Module:
    model: nn.Module = base_model.load(tiny_base)
    packed.use_matrix_attention(model)
    return model


def tokens(count: int, seed: int = 0) -> list[int]:
    found: list[int] = torch.randint(7, PIECES, (count,), generator=torch.Generator().manual_seed(seed)).tolist()
    return found


def hidden(model: nn.Module, examples: list[list[int]], length: int) -> Tensor:
    rows = pack([Encoded(ids, ids) for ids in examples], length)
    with torch.no_grad():
        return packed.hidden_states(model, packed.to_batch(rows))


@pytest.mark.parametrize("own", ["eager", "sdpa"])
def test_matrix_attention_is_transformers_own(tiny_base: Path, model: nn.Module, own: str) -> None:
    ids = tokens(LONG)
    theirs = base_model.load(tiny_base)
    theirs.set_attn_implementation(own)
    with torch.no_grad():
        expected = theirs(torch.tensor([ids])).logits[0]
    torch.testing.assert_close(logits(model, ids), expected, atol=2e-4, rtol=1e-4)


def test_packed_examples_do_not_see_each_other(model: nn.Module) -> None:
    examples = [tokens(LONG, 1), tokens(SLIDING_WINDOW, 2), tokens(9, 3)]
    total = sum(map(len, examples)) + 5  # and some padding
    together = hidden(model, examples, total)[0]
    start = 0
    for ids in examples:
        alone = hidden(model, [ids], len(ids))[0]
        torch.testing.assert_close(together[start : start + len(ids)], alone, atol=1e-4, rtol=1e-4)
        start += len(ids)


def test_a_token_does_not_see_what_follows_it(model: nn.Module) -> None:
    ids = tokens(40)
    changed = [*ids[:30], *tokens(10, 9)]
    torch.testing.assert_close(hidden(model, [ids], 40)[0, :30], hidden(model, [changed], 40)[0, :30])


def test_the_sliding_window_counts_the_token_itself() -> None:
    segments = torch.tensor([[1, 1, 1, 1, 2, 2, 0]])
    visible = attention.packed_mask(segments, 2, torch.float32)[0, 0] == 0
    assert visible.int().tolist() == [
        [1, 0, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0, 0],
        [0, 1, 1, 0, 0, 0, 0],
        [0, 0, 1, 1, 0, 0, 0],
        [0, 0, 0, 0, 1, 0, 0],
        [0, 0, 0, 0, 1, 1, 0],
        [0, 0, 0, 0, 0, 0, 1],
    ]


def test_without_a_window_the_whole_past_of_the_example_is_visible() -> None:
    segments = torch.tensor([[1, 1, 1, 2, 2]])
    for window in (None, 5, 99):
        visible = attention.packed_mask(segments, window, torch.float32)[0, 0] == 0
        assert visible.sum(1).tolist() == [1, 2, 3, 1, 2]


def test_both_layers_of_the_tiny_model_slide(model: nn.Module) -> None:
    ids = tokens(LONG)
    far = [*tokens(1, 5), *ids[1:]]
    last, changed = hidden(model, [ids], LONG)[0, -1], hidden(model, [far], LONG)[0, -1]
    torch.testing.assert_close(last, changed)  # two windows reach back less than LONG


def test_padding_rows_are_never_scored(model: nn.Module) -> None:
    rows = random_rows(PIECES, [30, 20, 25, 31, 8], 32)
    assert len(rows) == 4
    alone = packed.measure(model, rows, 1)
    for rows_per_batch in (2, 3, 4, 7):
        scored = packed.measure(model, rows, rows_per_batch)
        assert scored.tokens == alone.tokens == rows.supervised_tokens
        assert scored.nats == pytest.approx(alone.nats, rel=1e-5)
