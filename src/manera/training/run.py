"""A run while it goes on: its steps, its best point, what it has cost, and how it is saved and gone on with."""

import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
from numpy.typing import NDArray
from torch import Tensor

from manera.dataset.packing import Rows
from manera.errors import TrainingError
from manera.machine import ranks
from manera.machine.energy import EnergyMeter
from manera.model import packed
from manera.records import TrainingStep
from manera.training import checkpoint
from manera.training.checkpoint import Checkpoint, Writer
from manera.training.fitting import fit
from manera.training.forecast import MEASURED_STEPS, Forecast, forecast, seconds_of
from manera.training.held_out import scored_rows
from manera.training.loop import DivergedError, State
from manera.training.setup import Setup

_log = logging.getLogger(__name__)

_BEST = "best."


class Unsaved(msgspec.Struct, frozen=True):
    """A checkpoint that could not be written: the one before it stands, and the run goes on."""

    step: int
    reason: str


class Meter:
    """Seconds and joules of a run so far, with those of the processes before this one."""

    def __init__(self, seconds: float = 0.0, joules: float | None = 0.0) -> None:
        self._started = time.monotonic() - seconds
        self._earlier = joules
        self._energy = EnergyMeter()

    def seconds(self) -> float:
        """Return what went by."""
        return time.monotonic() - self._started

    def joules(self) -> float | None:
        """Return what was used; None where no counter can be read, or could be earlier."""
        used = self._energy.joules()
        return None if used is None or self._earlier is None else self._earlier + used


class Run:
    """The steps of one run, from a first step or from a checkpoint; stopped says why it ended before its plan did."""

    def __init__(self, setup: Setup, state: State, writer: Writer, begun: Checkpoint, meter: Meter) -> None:
        self.setup = setup
        self.state = state
        self.steps: list[TrainingStep] = []
        self.best: dict[str, Tensor] = {}
        self.kept_step = 0
        self.stopped: str | None = None
        self.can_go_on = False
        self._writer = writer
        self._begun = begun
        self._meter = meter

    @property
    def tokens(self) -> int:
        """Of all steps."""
        return sum(step.tokens for step in self.steps)

    @property
    def seconds(self) -> float:
        """Of all steps, without what was scored in between."""
        return sum(step.seconds for step in self.steps)

    def go_on(self, found: Checkpoint) -> None:
        """Take up where another process was; raise TrainingError where the text or the model is not what it was."""
        if found.rows_sha256 != self._begun.rows_sha256:
            raise _changed(found)
        tensors = checkpoint.read_tensors(self._writer.folder)
        try:
            self.state.load(found.position, tensors)
        except (KeyError, RuntimeError, ValueError) as error:
            raise _changed(found) from error
        self.best = {key.removeprefix(_BEST): tensor for key, tensor in tensors.items() if key.startswith(_BEST)}
        self.steps, self.kept_step = list(found.steps), found.kept_step

    def learn(self, tell: Callable[[TrainingStep], None]) -> Iterator[TrainingStep | Forecast | Unsaved]:
        """Pass the steps on, telling each; what ends them early is named in ``stopped``, if something can be kept.

        That is an interruption, or a loss that is no number.
        """
        dataset, earlier = self.setup.material.dataset, len(self.steps)
        validation = scored_rows(dataset, "validation")
        loop = fit(self.setup.model, dataset.rows["train"], validation, self.setup.planned, self._keep, self.state)
        try:
            for step in loop:
                self.steps.append(step)
                tell(step)
                _note(step)
                self._meter.joules()  # before its counters can have wrapped twice
                yield step
                measured = self.steps[earlier:]
                if len(measured) == MEASURED_STEPS or (self.state.is_over and len(measured) < MEASURED_STEPS):
                    yield self._forecast(measured)
                if self._writer.is_due():
                    yield from self._save()
        except KeyboardInterrupt:
            if not self.steps:
                raise
            self.stopped = f"stopped after step {len(self.steps)}"
            _log.info("%s", self.stopped)
            yield from self._save()
            self.can_go_on = self._writer.has_written()
            if not self.best:
                self._keep(self.steps[-1])
        except DivergedError as error:
            _log.error("%s", error.message)
            if not self.best:
                checkpoint.remove(self._writer.folder)
                raise
            self.stopped = error.message
        except (TrainingError, SystemExit, GeneratorExit):  # no memory for a row, or ended from outside
            for _ in self._save():
                pass
            raise

    def finish(self) -> None:
        """Forget how to go on, unless the run was interrupted."""
        if not self.can_go_on and not ranks.rank():
            checkpoint.remove_all(self._writer.folder)

    def _keep(self, step: TrainingStep) -> None:
        self.best, self.kept_step = self.setup.method.state(self.setup.model), step.step

    def _forecast(self, steps: Sequence[TrainingStep]) -> Forecast:
        model, held_out = self.setup.model, self.setup.material.dataset.rows["validation"]
        at_once = self.state.micro_batch.rows
        some = held_out.take(range(min(at_once, len(held_out))))
        scoring = seconds_of(lambda: packed.measure(model, some, at_once))
        told = forecast(self.setup, self.state, steps, self._meter.seconds(), scoring)
        _log.info("%s will take %.0f s and %.1f GB", self._begun.voice, told.seconds, told.peak_memory_bytes / 1e9)
        return told

    def _save(self) -> Iterator[Unsaved]:
        """Write down how to go on from the last step, unless one is half done."""
        if ranks.rank() or not self.state.is_whole or not self.state.step == len(self.steps) > 0:
            return
        reached = msgspec.structs.replace(
            self._begun,
            position=self.state.position(),
            steps=tuple(self.steps),
            kept_step=self.kept_step,
            seconds=self._meter.seconds(),
            joules=self._meter.joules(),
        )
        best = {f"{_BEST}{name}": tensor for name, tensor in self.best.items()}
        try:
            self._writer.write(reached, self.state.tensors() | best)
        except OSError as error:
            _log.warning("step %d could not be saved: %s", self.state.step, error)
            yield Unsaved(self.state.step, error.strerror or str(error))


def _note(step: TrainingStep) -> None:
    if step.rows_at_once is not None:
        _log.warning("memory ran out at step %d: now %d rows at once", step.step, step.rows_at_once)
    if step.validation_loss is not None:
        _log.info("step %d of %d: held-out loss %.4f", step.step, step.steps, step.validation_loss)


def _changed(found: Checkpoint) -> TrainingError:
    return TrainingError(
        f"the unfinished run {found.voice!r} cannot be gone on with: this version of manera makes other examples, or "
        "another model, of the same corpus",
        f"remove the run, then begin again: manera runs --remove {found.voice}",
    )


def hashed(rows: Rows) -> str:
    """Return the SHA-256 of packed rows."""
    digest = hashlib.sha256()
    arrays: list[NDArray[Any]] = [*rows.arrays(), *([] if rows.weights is None else [rows.weights])]
    for array in arrays:
        digest.update(str(array.shape).encode())
        digest.update(array.tobytes())
    if rows.weights is not None:
        digest.update(rows.weights.tobytes())
    return digest.hexdigest()
