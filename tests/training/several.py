"""What each process of a training by several does: ``torchrun several.py HOME CORPUS BASE``."""

import os
import sys
from pathlib import Path

import torch

from adapted import adapted_model, random_rows
from manera.corpus.storage import open_corpus
from manera.machine import ranks
from manera.training import sharding
from manera.training.fitting import fit, state_of
from manera.training.learn import learn
from manera.training.loop import Plan
from manera.training.settings import TrainingConfig
from tiny import PIECES

SETTINGS = TrainingConfig(
    precision="float32",
    compile="off",
    rank=4,
    alpha=8,
    max_length=192,
    batch_tokens=800,
    micro_batch_tokens=192,
    epochs=3,
    learning_rate=3e-3,
    checkpoint_seconds=0,
    threads=1,
)


def first_gradients(base: Path) -> tuple[float, float | None, list[torch.Tensor]]:
    """Make one step; return its loss, the held-out loss after it, and the gradients that it was made by."""
    model = adapted_model(base)
    if sharding.is_wanted():
        sharding.shard(model)
    rows = random_rows(PIECES, [30, 60, 45, 64, 12] * 4, 64)
    planned = Plan(1, 5, 1, steps_per_validation=1, learning_rate=1e-3)
    state = state_of(model, planned)
    seen: list[torch.Tensor] = []
    state.optimizer.register_step_pre_hook(
        lambda *_: seen.extend(one.grad.clone() for one in state.parameters if one.grad is not None)
    )
    (step,) = fit(model, rows, rows.take(range(7)), planned, lambda step: None, state)
    return step.loss, step.validation_loss, seen


def main(home: str, corpus: str, base: str) -> None:
    """Leave the gradients in ``home``, and the voice."""
    os.environ["MANERA_HOME"] = home
    torch.set_num_threads(1)
    found = first_gradients(Path(base))
    if not ranks.rank():
        torch.save(found, Path(home) / "gradients.pt")
    list(learn(open_corpus(Path(corpus)), "user1", "both", SETTINGS, Path(base)))


if __name__ == "__main__":
    main(*sys.argv[1:])
