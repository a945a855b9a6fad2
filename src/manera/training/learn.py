"""The whole of learning: a corpus and a speaker in, a voice on disk out, facts on the way."""

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import msgspec
from torch import Tensor

from manera.corpus.storage import Corpus
from manera.errors import TrainingError
from manera.machine.energy import EnergyMeter
from manera.machine.memory import peak_memory_bytes
from manera.model import packed
from manera.model.likelihood import Nll
from manera.records import ExampleKind, Precision, SplitName, TrainingStep
from manera.training.fitting import fit
from manera.training.loop import rows_read
from manera.training.material import seen, unread
from manera.training.result import Outcome, require_free, write_voice_folder
from manera.training.settings import TrainingConfig
from manera.training.setup import Setup, set_up
from manera.training.sharpness import choose
from manera.voice.manifest import Cost, HeldOut, Likelihood


class Prepared(msgspec.Struct, frozen=True):
    """What training is about to do; dropped counts what was left out since the import, by reason.

    canaries: how many secrets are planted; copies: of each among the training rows. weights: of the example that counts
    least, and of the one that counts most. replayed: share of general text among what is learned.
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
    weights: tuple[float, float] = (1.0, 1.0)
    replayed: float = 0.0


class Learned(msgspec.Struct, frozen=True):
    """What became of it; seconds and tokens_per_second are of the training steps alone.

    stopped says why it ended before its plan did, if it did.
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


@dataclass
class _Run:
    """What happened so far, and the adapter at its lowest held-out loss."""

    steps: list[TrainingStep] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)
    kept_step: int = 0
    stopped: str | None = None

    @property
    def tokens(self) -> int:
        """Of all steps."""
        return sum(step.tokens for step in self.steps)

    @property
    def seconds(self) -> float:
        """Of all steps, without what was scored in between."""
        return sum(step.seconds for step in self.steps)


def learn(
    corpus: Corpus,
    requested: str | None,
    name: str,
    config: TrainingConfig,
    base: Path,
    replace: bool = False,
) -> Generator[Prepared | TrainingStep | Learned]:
    """Train a voice on a base folder and write the voice's folder whole or not at all.

    Interrupted (KeyboardInterrupt) after the first step, or diverging after a validation, it keeps the best point
    so far and says so in ``stopped``.
    Raises ManeraError: too little text, a name that is taken, a loss that is no number.
    """
    require_free(name, replace)
    started, energy = time.monotonic(), EnergyMeter()
    setup = set_up(corpus, requested, config, base)
    before = _held_out(setup, with_adapter=False)
    yield _prepared(name, setup, before)
    run = _Run()
    keep = partial(_keep, run, setup)
    rows = setup.material.dataset.rows
    loop = fit(setup.model, rows["train"], rows["validation"], setup.planned, keep)
    yield from _until_stopped(_metered(loop, energy), run, keep)
    if not run.best:
        raise TrainingError("held-out loss was never a number", "train with a lower learning rate")
    setup.method.load_state(setup.model, run.best)
    held_out = HeldOut(base=before, voice=_held_out(setup))
    with setup.method.measuring(setup.model, True):
        sharpness = choose(setup.model, rows["validation"], setup.planned.rows_per_micro_batch)
    recipe = setup.recipe(len(run.steps), run.kept_step)
    material = seen(setup.material, setup.copies * recipe.rows_read / recipe.rows)
    read = rows_read(len(rows["train"]), setup.planned, run.kept_step)
    cost = Cost(time.monotonic() - started, run.tokens, peak_memory_bytes(), energy.joules())
    outcome = Outcome(held_out, sharpness, cost, run.best, run.steps, unread(material, read))
    write_voice_folder(name, material, recipe, outcome)
    yield Learned(
        voice=name,
        kind=material.kind,
        held_out=held_out,
        tokens_per_second=run.tokens / run.seconds,
        seconds=run.seconds,
        peak_memory_bytes=peak_memory_bytes(),
        steps=len(run.steps),
        kept_step=run.kept_step,
        stopped=run.stopped,
    )


def _prepared(name: str, setup: Setup, before: Likelihood) -> Prepared:
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
        weights=(min(weights), max(weights)),
        replayed=material.replayed,
    )


def _metered(loop: Iterator[TrainingStep], energy: EnergyMeter) -> Iterator[TrainingStep]:
    """Read the meter at every step, before its counters can have wrapped twice."""
    for step in loop:
        energy.joules()
        yield step


def _held_out(setup: Setup, with_adapter: bool = True) -> Likelihood:
    dataset = setup.material.dataset
    with setup.method.measuring(setup.model, with_adapter):
        nll: Nll = packed.measure(setup.model, dataset.rows["test"], setup.planned.rows_per_micro_batch)
    return Likelihood(nll.perplexity, nll.bits_per_byte(dataset.scored_bytes["test"]))


def _keep(run: _Run, setup: Setup, step: TrainingStep) -> None:
    run.best, run.kept_step = setup.method.state(setup.model), step.step


def _until_stopped(
    loop: Iterator[TrainingStep], run: _Run, keep: Callable[[TrainingStep], None]
) -> Iterator[TrainingStep]:
    """Pass the steps on; an interruption or a loss that is no number ends them, where something can be kept."""
    try:
        for step in loop:
            run.steps.append(step)
            yield step
    except KeyboardInterrupt:
        if not run.steps:
            raise
        run.stopped = f"stopped after step {len(run.steps)}"
        if not run.best:
            keep(run.steps[-1])
    except TrainingError as error:
        if not run.best:
            raise
        run.stopped = error.message
