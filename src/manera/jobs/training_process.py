"""What the process of a training, or of a report, does."""

import math
import shutil
import signal
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from manera import config, logs
from manera.bases import base_model
from manera.corpus.storage import open_corpus
from manera.errors import ManeraError
from manera.evaluation.budget import FAST, FULL
from manera.files import replacing
from manera.jobs.cards import Verdict, write_verdict
from manera.jobs.folder import STATE, Failure, read_record, told, write_record
from manera.jobs.running import wait_for
from manera.jobs.trainings import (
    CORPUS,
    RUN,
    STEPS,
    STOP,
    GrowthOrder,
    Order,
    PreferencesOrder,
    ReportOrder,
    State,
    TrainingOrder,
    before,
)
from manera.records import TrainingStep
from manera.training import presets
from manera.training.going_on import Growing, Grown, Preferred, Preferring
from manera.training.settings import TrainingConfig
from manera.voice.manifest import read_voice
from manera.voice.preferences import preferences_file

Event = TypeVar("Event")


class Journal:
    """Where a job writes down how far it is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = read_record(folder / STATE, State) or State(status="preparing")

    def note(self, **changed: object) -> None:
        """Write down what has changed."""
        self.state = msgspec.structs.replace(self.state, **changed)
        write_record(self.folder / STATE, self.state)


def run(folder: Path, order: Order) -> None:
    """Wait for the job's turn, do it, and write down how it ended."""
    journal = Journal(folder)
    try:
        with _interruptible():
            for earlier in before(folder):
                wait_for(earlier)
            if (folder / STOP).exists():
                raise KeyboardInterrupt
        with logs.kept("training", on_console=False):
            match order:
                case TrainingOrder():
                    _train(journal, order)
                case GrowthOrder() | PreferencesOrder():
                    _train_further(journal, order)
                case ReportOrder():
                    _report(journal, order.voice, order.fast)
    except KeyboardInterrupt:
        journal.note(status="stopped")
    except ManeraError as error:
        journal.note(status="failed", error=told(error, folder))
    except Exception as error:  # whoever follows it is told, and the process's own log says where
        why = Failure(f"it broke off by a fault of manera itself ({type(error).__name__})", "please report it")
        journal.note(status="failed", error=why)
        raise
    finally:
        for name in (CORPUS, RUN):
            shutil.rmtree(folder / name, ignore_errors=True)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let SIGINT raise KeyboardInterrupt in the block: outside of one it would lose what has been learned."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _train(journal: Journal, order: TrainingOrder) -> None:
    from manera.training.learn import Learned, Prepared, learn

    journal.note(status="preparing", base=order.base)
    settings = presets.resolve({"minutes": order.minutes})
    with _interruptible():
        base = Path(order.base_folder) if order.base_folder else base_model.prepare(name=order.base)
        corpus = open_corpus(journal.folder / CORPUS)
        events = learn(corpus, order.speaker, order.voice, settings, base, order.replace, folder=journal.folder / RUN)
        prepared = next(events)
    assert isinstance(prepared, Prepared)
    base_loss = math.log(prepared.base.perplexity)
    journal.note(status="training", trained_from=time.time(), steps=prepared.steps, base_loss=base_loss)
    _forget_steps(journal.folder, prepared.resumed_step)
    learned = _followed(events, journal.folder)
    assert isinstance(learned, Learned)
    journal.note(
        status="measuring",
        held_out=learned.held_out,
        tokens_per_second=learned.tokens_per_second,
        peak_memory_bytes=learned.peak_memory_bytes,
        was_stopped=learned.stopped is not None,
    )
    _measure(journal, order.voice, order.report)


def _train_further(journal: Journal, order: GrowthOrder | PreferencesOrder) -> None:
    """Go on from a voice; one that has changed is asked about anew, since its report was about what it was."""
    journal.note(status="preparing")
    settings = config.resolve(TrainingConfig, "training", {"minutes": order.minutes})
    with _interruptible():
        base = base_model.prepare_for(read_voice(order.voice).base)
        events = _going_on(journal.folder, order, settings, base)
        begun = next(events)
    assert isinstance(begun, Growing | Preferring)
    journal.note(status="training", trained_from=time.time(), steps=begun.steps)
    ended = _followed(events, journal.folder)
    assert isinstance(ended, Grown | Preferred)
    journal.note(
        grown=ended if isinstance(ended, Grown) else None, preferred=ended if isinstance(ended, Preferred) else None
    )
    if ended.refusal:
        journal.note(status="done", because=ended.because)
        return
    journal.note(status="measuring", held_out=read_voice(order.voice).held_out)
    _measure(journal, order.voice)


def _going_on(
    folder: Path, order: GrowthOrder | PreferencesOrder, settings: TrainingConfig, base: Path
) -> Generator[Growing | Preferring | TrainingStep | Grown | Preferred]:
    if isinstance(order, PreferencesOrder):
        from manera.training.preferring import prefer

        return prefer(order.voice, preferences_file(order.voice), settings, base)
    from manera.evaluation.measures.intervals import ratio
    from manera.training.growing import grow

    return grow(order.voice, open_corpus(folder / CORPUS), settings, base, ratio)


def _forget_steps(folder: Path, kept: int) -> None:
    """Leave out the steps that are done again, where the process before this one died."""
    with suppress(FileNotFoundError):
        lines = (folder / STEPS).read_bytes().splitlines(keepends=True)
        with replacing(folder / STEPS) as steps:
            steps.write_bytes(b"".join(lines[:kept]))


def _followed(events: Generator[Event], folder: Path) -> Event | None:
    """Write every step down, and return how it ended. To stop, a training keeps its best point so far.

    What goes on from a voice raises KeyboardInterrupt then.
    """
    encode = msgspec.json.Encoder().encode
    event = None
    with (folder / STEPS).open("ab") as steps:
        for event in events:
            if not isinstance(event, TrainingStep):
                continue
            steps.write(encode(event) + b"\n")
            steps.flush()
            if (folder / STOP).exists():
                event = events.throw(KeyboardInterrupt())
    return event


def _measure(journal: Journal, voice: str, report: bool = False) -> None:
    """Ask the gate, and make the report where one is wanted; being stopped once more leaves out the rest."""
    ended = "stopped" if journal.state.was_stopped else "done"
    try:
        with _interruptible():
            verdict = _verdict(voice)
        write_verdict(voice, verdict)
        journal.note(**msgspec.structs.asdict(verdict))
        if report and not journal.state.was_stopped:
            _report(journal, voice, fast=True)
    except KeyboardInterrupt:
        pass
    journal.note(status=ended)


def _verdict(voice: str) -> Verdict:
    """Ask the gate about a voice that has just been trained; where that cannot be done, the verdict says why."""
    from manera.evaluation.evaluate import recommend
    from manera.evaluation.report.verdict import because

    try:
        found = recommend(voice, is_origin_known=True)
    except ManeraError as error:
        return Verdict(None, error.message)
    return Verdict(found.recommended, because(found), found.outcome)


def _report(journal: Journal, voice: str, fast: bool) -> None:
    from manera.evaluation.evaluate import Evaluated, evaluate, store
    from manera.evaluation.opening import Options

    journal.note(status="measuring")
    with _interruptible():
        for event in evaluate(voice, Options(budget=FAST if fast else FULL)):
            if isinstance(event, Evaluated):
                store(voice, event, event.language)
                found = event.report
                journal.note(status="done", recommended=found.recommended, because=found.because, outcome=found.outcome)
