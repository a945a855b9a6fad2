"""An unfinished run on disk, from which the same command goes on.

runs/<voice>/checkpoint.safetensors    one file, replaced whole: the tensors, and a Checkpoint in its header
            /instructions.jsonl        what a model made for it: a training that goes on asks for nothing twice
            /answers.jsonl             what a server answered to that end, and what it took
            /losses.svg                a picture of its losses so far
            /lock                      locked as long as the process that trains lives
"""

import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from safetensors import SafetensorError, safe_open

from manera import config
from manera.bases.base_model import BaseModel
from manera.corpus.storage import Corpus
from manera.errors import TrainingError
from manera.files import locked, replacing
from manera.machine import ranks
from manera.records import Precision, TrainingStep
from manera.training import pictures
from manera.training.position import Position
from manera.training.settings import TrainingConfig
from manera.voice.folder import INSTRUCTIONS, voice_folder
from manera.voice.manifest import Likelihood

if TYPE_CHECKING:
    from torch import Tensor

FILE = "checkpoint.safetensors"
ANSWERS = "answers.jsonl"
HEADER = "manera"
VERSION = 1

MAX_SHARE = 0.02
"""Of the time, that writing checkpoints may take: one that takes long is written seldom."""

WITHOUT_EFFECT = {
    "threads",
    "micro_batch_tokens",
    "checkpoint_seconds",
    "tensorboard",
    "instructions_from",
    "instructions_model",
}
"""Settings with which a run may be gone on with, whatever they were before."""


class Origin(msgspec.Struct, frozen=True):
    """What a run is of: with another corpus, speaker, base or setting it would be another run."""

    corpus: str
    speaker: str
    base: BaseModel
    settings: dict[str, object]

    def differs_in(self, other: "Origin") -> list[str]:
        """Say what another one has instead: nothing where a run of this one can be gone on with."""
        found = ["it is of another corpus"] if self.corpus != other.corpus else []
        if self.speaker != other.speaker:
            found.append(f"its speaker is {self.speaker!r}, not {other.speaker!r}")
        if self.base.differs_in(other.base):
            found.append(f"its base is {self.base.id} ({self.base.revision[:12]}), not {other.base.id}")
        names = sorted(self.settings.keys() | other.settings.keys())
        pairs = ((name, self.settings.get(name), other.settings.get(name)) for name in names)
        return found + [f"its {name} is {mine}, not {theirs}" for name, mine, theirs in pairs if mine != theirs]


class Checkpoint(msgspec.Struct, frozen=True):
    """How far a run is. precision, compiled: what was decided; before: the untuned base's held-out figures.

    rows_sha256: of the training rows. seconds, joules: what the run has cost, with what was done around the steps.
    """

    version: int
    voice: str
    origin: Origin
    precision: Precision
    compiled: bool
    rows_sha256: str
    before: Likelihood
    position: Position = Position()
    steps: tuple[TrainingStep, ...] = ()
    kept_step: int = 0
    seconds: float = 0.0
    joules: float | None = None

    def decided(self, settings: TrainingConfig) -> TrainingConfig:
        """Settle what this run has decided: measured once more, it might come out otherwise."""
        return settings.model_copy(update={"precision": self.precision, "compile": "on" if self.compiled else "off"})


def origin_of(corpus: Corpus, speaker: str, base: BaseModel, settings: TrainingConfig) -> Origin:
    """Return what a run is of."""
    return Origin(corpus.manifest.fingerprint, speaker, base, settings.model_dump(mode="json", exclude=WITHOUT_EFFECT))


def run_folder(name: str) -> Path:
    """Return where the unfinished run of a voice lies, or would lie."""
    return config.home() / "runs" / voice_folder(name).name


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep a run's folder to those that train it together; it goes where nothing is left in it."""
    if ranks.rank():  # the first has it
        yield
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with ExitStack() as kept:
        try:
            kept.enter_context(locked(folder))
        except BlockingIOError as error:
            raise TrainingError(
                f"another process is training {folder.name!r}", "wait for it, or choose another name"
            ) from error
        try:
            yield
        finally:
            if not any((folder / name).exists() for name in (FILE, INSTRUCTIONS, ANSWERS)):
                shutil.rmtree(folder, ignore_errors=True)


def read(folder: Path) -> Checkpoint | None:
    """Return how far an unfinished run is; None where there is none. Raises TrainingError."""
    try:
        with safe_open(folder / FILE, "np") as file:
            return msgspec.json.decode(file.metadata()[HEADER], type=Checkpoint)
    except FileNotFoundError:
        return None
    except (SafetensorError, KeyError, TypeError, msgspec.DecodeError, OSError) as error:
        raise TrainingError(
            f"the unfinished run {folder.name!r} cannot be read: {error}",
            f"remove it, then begin again: manera runs --remove {folder.name}",
        ) from error


def read_tensors(folder: Path) -> "dict[str, Tensor]":
    """Return what ``Writer.write`` was given."""
    with safe_open(folder / FILE, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def require_same(found: Checkpoint, wanted: Origin) -> None:
    """Raise TrainingError where a run is not the one that is wanted."""
    differences = found.origin.differs_in(wanted)
    if differences:
        name = found.voice
        raise TrainingError(
            f"the unfinished run {name!r}, broken off after step {found.position.step}, cannot be gone on with: "
            + "; ".join(differences),
            f"remove it: manera runs --remove {name}, or train under another name: --name {name}-2",
        )


def unfinished() -> list[Checkpoint]:
    """Return the runs that can be gone on with, in the order of their names; those that cannot be read are left out."""
    found = []
    for file in sorted((config.home() / "runs").glob(f"*/{FILE}")):
        with suppress(TrainingError):
            found.append(read(file.parent))
    return [checkpoint for checkpoint in found if checkpoint]


def remove(folder: Path) -> None:
    """Forget how far an unfinished run is."""
    (folder / FILE).unlink(missing_ok=True)


def remove_all(folder: Path) -> None:
    """Forget an unfinished run, and what a model made for it."""
    remove(folder)
    (folder / INSTRUCTIONS).unlink(missing_ok=True)
    (folder / ANSWERS).unlink(missing_ok=True)


class Writer:
    """Writes checkpoints, so seldom that they cost a fiftieth of the time at most."""

    def __init__(self, folder: Path, seconds_between: float) -> None:
        self.folder = folder
        self._seconds_between = seconds_between
        self._due = time.monotonic() + seconds_between

    def is_due(self) -> bool:
        """Tell whether it is time for the next."""
        return ranks.rank() == 0 and time.monotonic() >= self._due

    def has_written(self) -> bool:
        """Tell whether there is a checkpoint, of this process or of one before."""
        return (self.folder / FILE).exists()

    def write(self, checkpoint: Checkpoint, tensors: "Mapping[str, Tensor]") -> None:
        """Replace the last one, whole or not at all, and wait until it is on the disk. Raises OSError."""
        from safetensors.torch import save_file  # loads torch, which who only reads does without

        started = time.monotonic()
        header = {HEADER: msgspec.json.encode(checkpoint).decode()}
        try:
            with replacing(self.folder / FILE) as unfinished:
                ready = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
                save_file(ready, unfinished, header)
                with unfinished.open("r+b") as written:
                    os.fsync(written.fileno())
            with replacing(self.folder / "losses.svg") as unfinished:
                unfinished.write_text(pictures.losses(checkpoint.steps), "utf-8")
        except SafetensorError as error:  # it has no errno to tell a full disk by
            raise OSError(str(error)) from error
        finally:
            ended = time.monotonic()
            self._due = ended + max(self._seconds_between, (ended - started) / MAX_SHARE)
