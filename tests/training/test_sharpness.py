"""The temperature that is chosen for a voice."""

from pathlib import Path

import pytest
import torch
from torch import nn

from adapted import adapted_model, random_rows
from manera.dataset.packing import Rows
from manera.model import packed
from manera.training.sharpness import MAX_NATS, MAX_ROWS, TEMPERATURES, choose
from tiny import PIECES


@pytest.fixture(scope="module")
def rows() -> Rows:
    return random_rows(PIECES, [40] * 40, 64)


def surer(base: Path, factor: float) -> nn.Module:
    """Return a model whose logits are multiplied."""
    model = adapted_model(base)
    with torch.no_grad():
        model.get_parameter("model.norm.weight").add_(1).mul_(factor).sub_(1)  # Gemma adds 1 to it
    return model


def test_the_lowest_temperature_is_chosen_that_costs_little(tiny_base: Path, rows: Rows) -> None:
    chosen = []
    for factor in (0.1, 0.5, 1.0, 2.0):
        model = surer(tiny_base, factor)
        found = choose(model, rows, 4)
        some = rows.take(range(MAX_ROWS))
        costs = [nll.nats_per_token for nll in packed.measure_tempered(model, some, 4, TEMPERATURES)]
        cheap = [t for t, cost in zip(TEMPERATURES, costs, strict=True) if cost <= costs[-1] + MAX_NATS]
        assert found.temperature == min(cheap)
        assert found.nats_per_token_at_1 == pytest.approx(packed.measure(model, some, 4).nats_per_token, rel=1e-4)
        assert found.tokens == some.supervised_tokens
        chosen.append(found.temperature)
    assert chosen == sorted(chosen)
    assert chosen[0] == TEMPERATURES[0] < chosen[-1]  # the surer a model is of what is wrong, the less it is sharpened
