"""The whole of learning: a corpus and a speaker in, a voice on disk out, facts on the way."""

import dataclasses
import logging
from collections.abc import Callable, Generator
from pathlib import Path

import msgspec

from manera.bases import base_model
from manera.corpus.speakers import choose_speaker
from manera.corpus.storage import Corpus
from manera.errors import TrainingError
from manera.machine import ranks
from manera.machine.memory import peak_memory_bytes
from manera.model import packed
from manera.records import ExampleKind, MethodName, Precision, SplitName, TrainingStep
from manera.training import checkpoint, instructions, sharding
from manera.training.checkpoint import Checkpoint, Writer
from manera.training.fitting import state_of
from manera.training.forecast import (
    BYTES_PER_TRAINED_PARAMETER,
    Forecast,
    fit_into_memory,
    free_bytes,
    kept_bytes,
    require_disk,
    require_memory_for_weights,
)
from manera.training.held_out import likelihood
from manera.training.instructions import Ask
from manera.training.loop import State, rows_read
from manera.training.material import seen, unread
from manera.training.pictures import told_to_tensorboard
from manera.training.result import Outcome, require_free, write_voice_folder
from manera.training.run import Meter, Run, Unsaved, hashed
from manera.training.settings import TrainingConfig
from manera.training.setup import Setup, set_up
from manera.training.sharpness import choose
from manera.voice.folder import DATASET, voice_folder
from manera.voice.instructions import read_made
from manera.voice.manifest import Cost, HeldOut, Likelihood

_log = logging.getLogger(__name__)


class Prepared(msgspec.Struct, frozen=True):
    """What training is about to do; dropped counts what was left out since the import, by reason.

    canaries: how many secrets are planted; copies: of each among the training rows. resumed_step: after which it goes
    on, 0 where it begins. trained_parameters: how many change; trained_bytes: what that takes beside the model itself.
    weights: of the example that counts least, and of the one that counts most. replayed: share of general text among
    what is learned. views: in how many ways a post is asked for; questions: posts that a question was made for;
    rewrites: pairs of a plain draft and the person's text.
    """

    voice: str
    kind: ExampleKind
    persona: str
    examples: dict[SplitName, int]
    tokens: dict[SplitName, int]
    dropped: dict[str, int]
    precision: Precision
    compiled: bool
    steps: int
    canaries: int
    copies: int
    base: Likelihood
    resumed_step: int = 0
    method: MethodName = "lora"
    trained_parameters: int = 0
    trained_bytes: int = 0
    weights: tuple[float, float] = (1.0, 1.0)
    replayed: float = 0.0
    views: int = 1
    questions: int = 0
    rewrites: int = 0


class Learned(msgspec.Struct, frozen=True):
    """What became of it; seconds and tokens_per_second are of the training steps alone.

    stopped says why it ended before its plan did, if it did; can_go_on: whether it can be gone on with.
    """

    voice: str
    kind: ExampleKind
    held_out: HeldOut
    tokens_per_second: float
    seconds: float
    peak_memory_bytes: int
    steps: int
    kept_step: int
    stopped: str | None
    can_go_on: bool = False


Event = Prepared | TrainingStep | Forecast | Unsaved | Learned


def learn(
    corpus: Corpus,
    requested: str | None,
    name: str,
    config: TrainingConfig,
    base: Path,
    replace: bool = False,
    resume: bool = False,
    folder: Path | None = None,
    ask: Ask | None = None,
) -> Generator[Event]:
    """Train a voice on a base folder and write the voice's folder whole or not at all.

    Where a run of the same was broken off, it goes on, to the same losses; with ``resume`` it must. folder: where it is
    kept while it is unfinished, by default the voice's own. ask: has a model make questions and drafts, where the
    settings want them; without, there are those that were made before. Interrupted (KeyboardInterrupt) after the first
    step, or diverging after a validation, it keeps the best point so far and says so in ``stopped``; an interrupted run
    can be gone on with all the same, and then replaces that voice.
    Raises ManeraError: too little text, a name that is taken, an unfinished run of something else, a loss that is no
    number.
    """
    require_free(name, replace or resume)
    folder = folder or checkpoint.run_folder(name)
    speaker = choose_speaker(corpus.manifest, requested).speaker_id
    origin = checkpoint.origin_of(corpus, speaker, base_model.read(base), config)
    with checkpoint.alone(folder), told_to_tensorboard(config.tensorboard) as tell:
        found = checkpoint.read(folder)
        if found:
            checkpoint.require_same(found, origin)
        elif resume:
            raise TrainingError(f"there is no unfinished run {name!r}", "leave out --resume; manera runs lists them")
        require_memory_for_weights(base)
        meter = Meter(found.seconds, found.joules) if found else Meter()
        replaced = read_made(voice_folder(name) / DATASET)
        make = instructions.maker(folder, ask, replaced)
        setup = set_up(corpus, speaker, found.decided(config) if found else config, base, make)
        made = tuple(dict.fromkeys([*replaced, *read_made(folder)]))
        setup = dataclasses.replace(setup, material=dataclasses.replace(setup.material, made=made))
        learned = yield from _learn(name, setup, origin, found, Writer(folder, config.checkpoint_seconds), meter, tell)
    yield learned


def _learn(
    name: str,
    setup: Setup,
    origin: checkpoint.Origin,
    found: Checkpoint | None,
    writer: Writer,
    meter: Meter,
    tell: Callable[[TrainingStep], None],
) -> Generator[Event, None, Learned]:
    rows = setup.material.dataset.rows
    state = state_of(setup.model, setup.planned)
    at_once = state.micro_batch
    require_disk(setup, state)
    if not sharding.is_wanted():  # what is borrowed for a layer would be taken for what is kept
        _fit_into_memory(setup, state)
    before = found.before if found else likelihood(setup, False, at_once.run)
    begun = Checkpoint(checkpoint.VERSION, name, origin, setup.precision, setup.compiled, hashed(rows["train"]), before)
    run = Run(setup, state, writer, begun, meter)
    if found:
        run.go_on(found)
    yield _prepared(name, setup, before, len(run.steps))
    _log.info("%s is trained on %s, from step %d of %d", name, origin.base.id, len(run.steps), setup.planned.steps)
    yield from run.learn(tell)
    if not run.best:
        raise TrainingError("held-out loss was never a number", "train with a lower learning rate")
    setup.method.load_state(setup.model, run.best)
    held_out = HeldOut(base=before, voice=likelihood(setup, True, at_once.run))
    with setup.method.measuring(setup.model, True):
        sharpness = at_once.run(lambda rows_at_once: choose(setup.model, rows["validation"], rows_at_once))
    recipe = setup.recipe(len(run.steps), run.kept_step)
    material = seen(setup.material, setup.copies * recipe.rows_read / recipe.rows)
    read = rows_read(len(rows["train"]), setup.planned, run.kept_step)
    cost = Cost(meter.seconds(), run.tokens, peak_memory_bytes(), meter.joules())
    outcome = Outcome(held_out, sharpness, cost, run.best, run.steps, unread(material, read))
    if not ranks.rank():
        write_voice_folder(name, material, recipe, outcome)
    run.finish()
    return Learned(
        voice=name,
        kind=setup.material.kind,
        held_out=held_out,
        tokens_per_second=run.tokens / run.seconds,
        seconds=run.seconds,
        peak_memory_bytes=peak_memory_bytes(),
        steps=len(run.steps),
        kept_step=run.kept_step,
        stopped=run.stopped,
        can_go_on=run.can_go_on,
    )


def _fit_into_memory(setup: Setup, state: State) -> None:
    """Let as many rows go through at once as fit, beside the gradients and moments that come with the first step."""
    one = setup.material.dataset.rows["train"].take([0])
    kept = kept_bytes(setup.model, lambda: packed.rows_nll(setup.model, one))
    free = free_bytes(setup.device)
    left = None if free is None else free - setup.trained_parameters * BYTES_PER_TRAINED_PARAMETER
    fit_into_memory(state, kept, setup.material.max_length, left)


def _prepared(name: str, setup: Setup, before: Likelihood, resumed_step: int) -> Prepared:
    material = setup.material
    weights = [example.weight for example in material.dataset.examples["train"]]
    return Prepared(
        voice=name,
        kind=material.kind,
        persona=material.speaker.name,
        examples={part: len(made) for part, made in material.dataset.examples.items()},
        tokens={part: rows.tokens for part, rows in material.dataset.rows.items()},
        dropped=material.dropped,
        precision=setup.precision,
        compiled=setup.compiled,
        steps=setup.planned.steps,
        canaries=len(material.canaries),
        copies=setup.copies if material.canaries else 0,
        base=before,
        resumed_step=resumed_step,
        method=setup.config.method,
        trained_parameters=setup.trained_parameters,
        trained_bytes=setup.trained_parameters * BYTES_PER_TRAINED_PARAMETER,
        weights=(min(weights), max(weights)),
        replayed=material.replayed,
        views=material.dataset.rows["train"].ways,
        questions=material.questions,
        rewrites=len(material.rewrites),
    )
