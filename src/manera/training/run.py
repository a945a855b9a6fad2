"""A run while it goes on: its steps, its best point, what it has cost, and how it is saved and gone on with."""

import hashlib
import time
from collections.abc import Iterator

import msgspec
from torch import Tensor

from manera.dataset.packing import Rows
from manera.errors import TrainingError
from manera.machine.energy import EnergyMeter
from manera.records import TrainingStep
from manera.training import checkpoint
from manera.training.checkpoint import Checkpoint, Writer
from manera.training.fitting import fit, state_of
from manera.training.loop import DivergedError
from manera.training.setup import Setup

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

    def __init__(self, setup: Setup, writer: Writer, begun: Checkpoint, meter: Meter) -> None:
        self.setup = setup
        self.state = state_of(setup.model, setup.planned)
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

    def learn(self) -> Iterator[TrainingStep | Unsaved]:
        """Pass the steps on; an interruption or a loss that is no number ends them, where something can be kept."""
        rows = self.setup.material.dataset.rows
        loop = fit(self.setup.model, rows["train"], rows["validation"], self.setup.planned, self._keep, self.state)
        try:
            for step in loop:
                self.steps.append(step)
                self._meter.joules()  # before its counters can have wrapped twice
                yield step
                if self._writer.is_due():
                    yield from self._save()
        except KeyboardInterrupt:
            if not self.steps:
                raise
            self.stopped = f"stopped after step {len(self.steps)}"
            yield from self._save()
            self.can_go_on = True
            if not self.best:
                self._keep(self.steps[-1])
        except DivergedError as error:
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
        if not self.can_go_on:
            checkpoint.remove(self._writer.folder)

    def _keep(self, step: TrainingStep) -> None:
        self.best, self.kept_step = self.setup.method.state(self.setup.model), step.step

    def _save(self) -> Iterator[Unsaved]:
        """Write down how to go on from the last step, unless one is half done."""
        if not self.state.is_whole or not self.state.step == len(self.steps) > 0:
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
            yield Unsaved(self.state.step, error.strerror or str(error))


def _changed(found: Checkpoint) -> TrainingError:
    return TrainingError(
        f"the unfinished run {found.voice!r} cannot be gone on with: this version of manera makes other examples, or "
        "another model, of the same corpus",
        f"remove the run, then begin again: manera runs --remove {found.voice}",
    )


def hashed(rows: Rows) -> str:
    """Return the SHA-256 of packed rows."""
    digest = hashlib.sha256()
    for array in rows.arrays():
        digest.update(str(array.shape).encode())
        digest.update(array.tobytes())
    if rows.weights is not None:
        digest.update(rows.weights.tobytes())
    return digest.hexdigest()
