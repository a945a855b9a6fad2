"""A voice goes on from what people preferred of its replies, as far as the person's own text lets it.

It stays the person's: what they wrote and the voice never learned may become hardly less likely, else the pairs have
gone too far, and the point before is kept.
"""

import math
import time
from collections.abc import Generator, Sequence
from functools import partial
from pathlib import Path

import msgspec
from torch import nn

from manera.errors import TrainingError
from manera.model import packed
from manera.records import TrainingStep
from manera.training.again import Further, Keep, material_of, require_fitting, set_up_again, write_further
from manera.training.going_on import MIN_PAIRS, REFUSALS, Preferred, Preferring, Refusal
from manera.training.loop import Plan, State, plan, train
from manera.training.preference import Pairs, Replies, encode_pair, margins, pack_pairs, preference_loss, with_reference
from manera.training.result import require_free
from manera.training.settings import TrainingConfig
from manera.training.setup import Setup
from manera.voice.dataset import read_unread
from manera.voice.manifest import read_voice
from manera.voice.preferences import preferences_file, read_pairs

HELD_OUT_FROM, HELD_OUT_EVERY = 40, 5
"""Of so many pairs every fifth is held out, and the best point chosen on these; else on what is learned."""

MAX_NATS = 0.02
"""What a token of the person's validation text may cost more: it keeps 98 % of its probability."""

RATE_SHARE = 0.1
"""Of the peak rate at which the voice was trained at first."""

EPOCHS, PAIRS_PER_STEP, VALIDATIONS_PER_EPOCH, PATIENCE = 3.0, 8, 2, 2


def prefer(
    name: str, path: Path, config: TrainingConfig, base: Path, into: str | None = None, replace: bool = False
) -> Generator[Preferring | TrainingStep | Preferred]:
    """Train a voice on a file of pairs, and write its folder whole or not at all.

    into: another name to write it under; then the voice itself stays as it is. Interrupted, it leaves everything as it
    was. Raises ManeraError: a file without pairs, too few of them, a voice of running prose, a name that is taken.
    """
    require_free(into or name, replace or into in (None, name))
    voice = read_voice(name)
    require_fitting(voice, config)
    if voice.kind == "continuation":
        raise TrainingError(
            f"the voice {name!r} continues running text, and has no replies to prefer",
            "preferences are for voices of chats, plays and posts",
        )
    began = int(time.time())
    given = read_pairs(path)
    material = material_of(voice, base)
    replies = [both for one in given if (both := encode_pair(one, voice, material.encoder))]
    if len(replies) < MIN_PAIRS:
        raise TrainingError(
            f"{path} has {len(replies)} preferences that can be learned, and {MIN_PAIRS} are needed",
            "go on giving replies thumbs, or correcting them",
        )
    setup = set_up_again(material, voice, config, RATE_SHARE)
    learned, chosen_on = _divided(setup.model, replies)
    planned = _planned(setup, learned)
    yield Preferring(
        voice=name,
        pairs=sum(None not in both for both in replies),
        liked=sum(both[1] is None for both in replies),
        disliked=sum(both[0] is None for both in replies),
        left_out=len(given) - len(replies),
        held_out=len(replies) - len(learned),
        steps=planned.steps,
    )
    further = Further(setup)
    before = _text_nats(setup)
    yield from further.learn(partial(_loop, setup, learned, chosen_on, before + MAX_NATS, planned))
    leads = margins(setup.model, chosen_on)
    refusal: Refusal | None = None if further.kept_step else "text_unlikely"
    if refusal is None:
        recipe = msgspec.structs.replace(
            voice.recipe,
            preferences=voice.recipe.preferences + len(replies),
            preferred_at=began if path == preferences_file(name) else voice.recipe.preferred_at,
        )
        write_further(into or name, voice, further, recipe, read_unread(name))
    yield Preferred(
        voice=into or name,
        margin=sum(leads) / len(leads),
        preferred=sum(lead > 0 for lead in leads) / len(leads),
        nats_before=before,
        nats_after=_text_nats(setup),
        steps=len(further.steps),
        kept_step=further.kept_step,
        seconds=further.seconds,
        refusal=refusal,
        because=refusal and REFUSALS[refusal],
    )


def _divided(model: nn.Module, replies: Sequence[Replies]) -> tuple[Pairs, Pairs]:
    """Return the pairs that are learned, and those that the best point is chosen on: the same, where there are few."""
    length = max(sum(len(one.input_ids) for one in both if one) for both in replies)
    pairs = with_reference(model, pack_pairs(replies, length))
    if len(pairs) < HELD_OUT_FROM:
        return pairs, pairs
    learned = [place for place in range(len(pairs)) if place % HELD_OUT_EVERY]
    return pairs.take(learned), pairs.take(range(0, len(pairs), HELD_OUT_EVERY))


def _planned(setup: Setup, learned: Pairs) -> Plan:
    length = learned.input_ids.shape[1]
    config, own = setup.config, setup.planned
    return plan(
        rows=len(learned),
        row_length=length,
        batch_tokens=PAIRS_PER_STEP * length,
        micro_batch_tokens=own.rows_per_micro_batch * setup.material.max_length,
        epochs=config.epochs or EPOCHS,
        validations_per_epoch=VALIDATIONS_PER_EPOCH,
        learning_rate=own.learning_rate,
        seconds=own.seconds,
        patience=PATIENCE,
        seed=own.seed,
    )


def _loop(
    setup: Setup, learned: Pairs, chosen_on: Pairs, most: float, planned: Plan, keep: Keep
) -> Generator[TrainingStep]:
    """Train until the person's own text costs more than ``most`` nats a token, or the pairs teach no more."""
    model = setup.model

    def validate(_: int) -> float:
        if _text_nats(setup) > most:
            return math.inf
        return sum(math.log1p(math.exp(-lead)) for lead in margins(model, chosen_on)) / len(chosen_on)

    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    loss = partial(preference_loss, model)
    yield from train(State(parameters, planned), learned, loss, validate, planned, keep)


def _text_nats(setup: Setup) -> float:
    rows = setup.material.dataset.rows["validation"]
    return packed.measure(setup.model, rows, setup.planned.rows_per_micro_batch).nats_per_token
