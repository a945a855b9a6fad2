"""The loop put to a transformers model and packed rows."""

from collections.abc import Callable, Iterator
from functools import partial

from torch import nn

from manera.dataset.packing import Rows
from manera.model import packed
from manera.records import TrainingStep
from manera.training.loop import Plan, train


def fit(
    model: nn.Module, training: Rows, validation: Rows, plan: Plan, keep: Callable[[TrainingStep], None]
) -> Iterator[TrainingStep]:
    """Train what of a model requires gradients; the rest is as in ``loop.train``."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]

    def validate() -> float:
        return packed.measure(model, validation, plan.rows_per_micro_batch).nats_per_token

    yield from train(parameters, training, partial(packed.rows_nll, model), validate, plan, keep)
