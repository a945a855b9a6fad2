"""The loop put to a transformers model and packed rows."""

from collections.abc import Callable, Iterator
from functools import partial

from torch import nn

from manera.dataset.packing import Rows
from manera.machine import ranks
from manera.model import packed
from manera.model.likelihood import Nll
from manera.records import TrainingStep
from manera.training.loop import Plan, State, own_share, train


def state_of(model: nn.Module, plan: Plan) -> State:
    """Return the state before the first step: of what of a model requires gradients."""
    return State([parameter for parameter in model.parameters() if parameter.requires_grad], plan)


def fit(
    model: nn.Module,
    training: Rows,
    validation: Rows,
    plan: Plan,
    keep: Callable[[TrainingStep], None],
    state: State | None = None,
) -> Iterator[TrainingStep]:
    """Train what of a model requires gradients, from a state of it, by default the first; else as ``loop.train``."""

    own = own_share(validation)

    def validate(rows_at_once: int) -> float:
        nats, tokens = ranks.total(packed.measure(model, own, rows_at_once))
        return Nll(nats, int(tokens)).nats_per_token

    yield from train(state or state_of(model, plan), training, partial(packed.rows_nll, model), validate, plan, keep)
