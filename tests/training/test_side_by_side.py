"""benchmarks/learning.py: a run beside others learns what the loop alone teaches it."""

from dataclasses import replace
from pathlib import Path

import pytest

from adapted import random_rows
from learning import Adapters, Recipe, Text, plan_of, train
from manera.bases import base_model
from manera.dataset.packing import with_context
from manera.model import packed
from manera.training import lora
from manera.training.fitting import fit
from tiny import PIECES

PLAIN = Recipe(learning_rate=5e-3, batch_tokens=128, context_weight=0.3, rank=4, alpha=8)
OTHERS = (Recipe(learning_rate=1e-2, batch_tokens=128, context_weight=0, rank=4, alpha=8, dropout=0.5, noise=5),)


def test_a_run_beside_others_has_the_losses_of_the_loop(tiny_base: Path) -> None:
    rows = random_rows(PIECES, [30, 60, 45, 64, 12] * 2, 64)
    text = Text("text", "dialogue", dict.fromkeys(("train", "validation", "test"), rows), {})
    planned = plan_of(text, PLAIN, 6)

    model = base_model.load(tiny_base)
    packed.use_matrix_attention(model)
    lora.add_adapter(model, 4, 8, "float32", seed=1)
    steps = list(fit(model, with_context(rows, 0.3), rows, replace(planned, seed=1), lambda step: None))
    alone = [(step.step, step.validation_loss) for step in steps if step.validation_loss is not None]

    model = base_model.load(tiny_base)
    packed.use_matrix_attention(model)
    lora.add_adapter(model, 1, 1, "float32", seed=0)
    other, beside = train(model, Adapters(model), text, [*OTHERS, PLAIN], [2, 1], 6)
    assert [step for step, _ in beside.curve] == [step for step, _ in alone]
    assert [nats for _, nats in beside.curve] == pytest.approx([nats for _, nats in alone], rel=1e-4)
    assert other.curve != beside.curve
