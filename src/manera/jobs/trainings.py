"""Voices trained, trained further and measured, one after another: what is asked for, how far it is, how it is stopped.

trainings/<id>/order.json     an Order
              /state.json     State, from when its turn has come
              /steps.jsonl    one TrainingStep a line
              /stop           there when it is to end
              /corpus/        what is learned from, until it is
              /run/           how to go on should the process die, until it has learned
"""

import math
import os
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from manera.corpus.manifest import Speaker
from manera.corpus.speakers import find_speakers
from manera.corpus.storage import MANIFEST, UTTERANCES, Corpus
from manera.errors import JobError, ModelError
from manera.evaluation.measures.gate import Outcome
from manera.files import read_records, replacing_folder
from manera.jobs.folder import (
    ORDER,
    STATE,
    Failure,
    Tenant,
    UnknownJobError,
    find_folder,
    job_folders,
    jobs_folder,
    new_id,
    read_record,
    write_record,
)
from manera.jobs.running import alone, is_running, locked, send, start
from manera.records import TrainingStep
from manera.training import checkpoint
from manera.training.going_on import Grown, Preferred
from manera.training.result import require_free
from manera.voice.folder import name_for, voice_folder
from manera.voice.manifest import HeldOut, read_voice

TRAININGS = "trainings"
STEPS, STOP, CORPUS, RUN = "steps.jsonl", "stop", "corpus", "run"
MAX_DEATHS = 3
"""A process that died so often would die again."""

MAX_POINTS = 200
_DIED = Failure(
    "it broke off: its process was ended, or the machine had no memory left for it",
    "close other programs, or choose a smaller base, and begin again",
)

Status = Literal["queued", "preparing", "training", "measuring", "stopping", "done", "failed", "stopped"]
Kind = Literal["training", "report", "growth", "preferences"]
ENDED: frozenset[Status] = frozenset({"done", "failed", "stopped"})


class TakenError(JobError):
    """There is a voice of this name, or it is being made."""


class TrainingOrder(msgspec.Struct, frozen=True, tag="training"):
    """A voice to be trained: from whose words, on which base, for how long at most; base_folder where it is ready.

    report: whether the fast report is made in the end.
    """

    tenant: Tenant
    created_ns: int
    voice: str
    speaker: str
    base: str
    base_folder: str | None
    minutes: float | None
    replace: bool
    report: bool = False


class ReportOrder(msgspec.Struct, frozen=True, tag="report"):
    """A voice to be measured."""

    tenant: Tenant
    created_ns: int
    voice: str
    fast: bool


class GrowthOrder(msgspec.Struct, frozen=True, tag="growth"):
    """A voice to go on from what is new in a corpus."""

    tenant: Tenant
    created_ns: int
    voice: str
    minutes: float | None


class PreferencesOrder(msgspec.Struct, frozen=True, tag="preferences"):
    """A voice to go on from what people preferred of its replies."""

    tenant: Tenant
    created_ns: int
    voice: str
    minutes: float | None


Order = TrainingOrder | ReportOrder | GrowthOrder | PreferencesOrder
_KINDS: dict[type[Order], Kind] = {
    TrainingOrder: "training",
    ReportOrder: "report",
    GrowthOrder: "growth",
    PreferencesOrder: "preferences",
}


class State(msgspec.Struct, frozen=True, kw_only=True):
    """How far a job is; what is not yet known is None. trained_from: Unix seconds of the first step's beginning.

    deaths: how often its process died and was begun again; restarted_ns: when it was, for the last time.
    """

    status: Status
    deaths: int = 0
    restarted_ns: int = 0
    error: Failure | None = None
    trained_from: float | None = None
    steps: int | None = None
    base_loss: float | None = None
    base: str | None = None
    tokens_per_second: float | None = None
    peak_memory_bytes: int | None = None
    held_out: HeldOut | None = None
    was_stopped: bool = False
    recommended: bool | None = None
    because: str | None = None
    outcome: Outcome | None = None
    grown: Grown | None = None
    preferred: Preferred | None = None


class Training(msgspec.Struct, frozen=True, kw_only=True):
    """A training, or a report, as its owner sees it.

    position: how many are before it in the queue. losses in nats, per token of the voice's own words, or per pair of
    replies; at most 200 points, each [step, loss]. because: of what has changed what the gate said of it, else why
    nothing has changed. grown, preferred: what came of going on from a voice, on new text or on preferences.
    """

    id: str
    kind: Kind
    voice: str
    status: Status
    position: int
    step: int
    steps: int | None
    loss: float | None
    validation_loss: float | None
    base_loss: float | None
    tokens_per_second: float | None
    seconds: float | None
    seconds_left: float | None
    losses: list[list[float]]
    validation_losses: list[list[float]]
    error: Failure | None
    held_out: HeldOut | None
    recommended: bool | None
    because: str | None
    outcome: Outcome | None
    grown: Grown | None
    preferred: Preferred | None
    created_at: str


def speaker_of(corpus: Corpus, requested: str | None) -> Speaker:
    """Return whose words are learned: by default the owner's of the export, or the only speaker's. Raises JobError."""
    manifest = corpus.manifest
    wanted = requested or manifest.owner or (manifest.speakers[0].speaker_id if len(manifest.speakers) == 1 else "")
    found = find_speakers(manifest.speakers, wanted)
    if len(found) != 1:
        names = ", ".join(f"{speaker.name} ({speaker.speaker_id})" for speaker in manifest.speakers[:5])
        raise JobError(f"say whose words are learned: {wanted!r} is not one of them", f"speakers: {names}")
    return found[0]


def begin_training(
    tenant: Tenant,
    corpus: Corpus,
    *,
    speaker: str | None,
    voice: str | None,
    base: tuple[str, Path | None],
    minutes: float | None,
    replace: bool,
    report: bool,
) -> Training:
    """Put a training into the queue and start its process, which waits for its turn. Raises JobError, TakenError.

    The corpus is taken along: what becomes of the upload from now on does not matter.
    """
    chosen = speaker_of(corpus, speaker)
    name = voice or name_for(chosen.name)
    try:
        voice_folder(name)
    except ModelError as error:
        raise JobError(error.message, error.hint) from error
    try:
        require_free(name, replace)
    except ModelError as error:
        raise TakenError(error.message, "choose another name, or let it be replaced") from error

    def order(created_ns: int) -> TrainingOrder:
        id, folder = base
        place = str(folder) if folder else None
        return TrainingOrder(tenant, created_ns, name, chosen.speaker_id, id, place, minutes, replace, report)

    return _begin(order, name, lambda folder: _take_along(corpus, folder / CORPUS))


def begin_growth(tenant: Tenant, voice: str, corpus: Corpus, minutes: float | None) -> Training:
    """Put the learning of what is new in a corpus into the queue. Raises JobError, TakenError.

    The corpus is taken along, as for a training.
    """
    persona = read_voice(voice).persona
    if not find_speakers(corpus.manifest.speakers, persona.speaker_id):
        raise JobError(f"{persona.name} says nothing in this upload", f"export anew what {voice!r} was trained on")
    return _begin(
        lambda created_ns: GrowthOrder(tenant, created_ns, voice, minutes),
        voice,
        lambda folder: _take_along(corpus, folder / CORPUS),
    )


def begin_preferences(tenant: Tenant, voice: str, minutes: float | None) -> Training:
    """Put the learning of a voice's preferences into the queue. Raises TakenError."""
    return _begin(lambda created_ns: PreferencesOrder(tenant, created_ns, voice, minutes), voice, lambda _: None)


def begin_report(tenant: Tenant, voice: str, fast: bool) -> Training:
    """Put the measuring of a voice into the queue. Raises TakenError where it is being measured already."""
    return _begin(lambda created_ns: ReportOrder(tenant, created_ns, voice, fast), voice, lambda _: None)


def _begin(order: Callable[[int], Order], voice: str, fill: Callable[[Path], None]) -> Training:
    id = new_id()
    folder = jobs_folder(TRAININGS) / id
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with alone(folder.parent / "lock"):  # so that each knows all that are before it
        if any(other.voice == voice and not _has_ended(job) for job, other in unfinished().items()):
            raise TakenError(f"the voice {voice!r} is in work already", "wait until that is done, or stop it")
        placed = order(time.time_ns())
        with replacing_folder(folder) as new:
            write_record(new / ORDER, placed)
            fill(new)
            lock = locked(new)
    start(folder, lock, lambda: _see_off(folder))
    return read_training(id, placed.tenant)


def _see_off(folder: Path) -> None:
    """Clear up after a job's process, or begin it again where it has died."""
    if _has_ended(folder) or not _go_on(folder):
        _clear(folder)


def _has_ended(folder: Path) -> bool:
    """Tell whether a job has written down how it ended; its process may take some seconds more to close."""
    state = read_record(folder / STATE, State)
    return state is not None and state.status in ENDED


def _go_on(folder: Path) -> bool:
    """Begin a training's process again where it died and left how to go on; tell whether one lives now."""
    with alone(folder.parent / "lock"):
        if is_running(folder):
            return True
        state = read_record(folder / STATE, State)
        has_run = (folder / RUN / checkpoint.FILE).exists()
        if state is None or not has_run or state.deaths + 1 >= MAX_DEATHS or (folder / STOP).exists():
            return False
        again = msgspec.structs.replace(state, status="queued", deaths=state.deaths + 1, restarted_ns=time.time_ns())
        write_record(folder / STATE, again)
        lock = locked(folder)
    start(folder, lock, lambda: _see_off(folder))
    return True


def unfinished() -> dict[Path, Order]:
    """Return the jobs whose processes live, in the order of their turns."""
    found = {folder: order for folder in job_folders(TRAININGS) if is_running(folder) and (order := _order(folder))}
    return dict(sorted(found.items(), key=lambda item: _turn(*item)))


def before(folder: Path) -> list[Path]:
    """Return the jobs whose turn comes earlier."""
    order = _order(folder)
    own = order and _turn(folder, order)
    return [other for other, placed in unfinished().items() if own and _turn(other, placed) < own]


def _turn(folder: Path, order: Order) -> tuple[int, str]:
    """Return what a job's turn goes by: when it was asked for, or begun again."""
    state = read_record(folder / STATE, State)
    return max(order.created_ns, state.restarted_ns if state else 0), folder.name


def list_trainings(tenant: Tenant) -> list[Training]:
    """Return somebody's trainings and reports, the newest first."""
    own = {folder: order for folder in job_folders(TRAININGS) if (order := _order(folder)) and order.tenant == tenant}
    newest_first = sorted(own.items(), key=lambda item: -item[1].created_ns)
    return [_read(folder, order) for folder, order in newest_first]


def read_training(id: str, tenant: Tenant) -> Training:
    """Return a training or a report as it is now; raise UnknownJobError."""
    return _read(*_own(id, tenant))


def stop_training(id: str, tenant: Tenant) -> Training:
    """Let a training end with the best point so far; one that waits is cancelled. Raises UnknownJobError.

    One that goes on from a voice leaves it as it was.
    """
    folder, order = _own(id, tenant)
    if is_running(folder):
        (folder / STOP).touch(mode=0o600)
        send(folder, signal.SIGINT)  # it may be waiting; between steps it looks by itself
    return _read(folder, order)


def speeds(base: str) -> list[State]:
    """Return how the finished trainings on a base went, the newest last: how fast this machine is."""
    found = [(_order(folder), read_record(folder / STATE, State)) for folder in job_folders(TRAININGS)]
    done = [(order.created_ns, state) for order, state in found if order and state and state.base == base]
    return [state for _, state in sorted(done, key=lambda item: item[0]) if state.tokens_per_second]


def _own(id: str, tenant: Tenant) -> tuple[Path, Order]:
    folder = find_folder(TRAININGS, id)
    order = _order(folder)
    if order is None or order.tenant != tenant:
        raise UnknownJobError(f"there is nothing called {id!r} in {TRAININGS}")
    return folder, order


def _order(folder: Path) -> Order | None:
    try:
        order: Order = msgspec.json.decode((folder / ORDER).read_bytes(), type=Order)
    except FileNotFoundError:
        return None
    return order


def _read(folder: Path, order: Order) -> Training:
    running = is_running(folder)  # before its state is read: what ends in between has written it
    queued_behind = len(before(folder)) if running else 0
    state = read_record(folder / STATE, State) or State(status="queued" if queued_behind else "preparing")
    is_stopping = (folder / STOP).exists()
    if not running and state.status not in ENDED and _go_on(folder):
        return _read(folder, order)
    if not running and state.status not in ENDED:
        _clear(folder)
        state = msgspec.structs.replace(
            state, status="stopped" if is_stopping else "failed", error=None if is_stopping else _DIED
        )
    elif is_stopping and state.status not in ENDED:
        state = msgspec.structs.replace(state, status="stopping")
    steps = _steps(folder)
    last = steps[-1] if steps else None
    validated: list[list[float]] = [
        [step.step, step.validation_loss] for step in steps if step.validation_loss is not None
    ]
    seconds = _seconds(folder, state) if last else None
    learned_seconds = sum(step.seconds for step in steps)
    total = last.steps if last else state.steps
    return Training(
        id=folder.name,
        kind=_KINDS[type(order)],
        voice=order.voice,
        status=state.status,
        position=queued_behind if state.status == "queued" else 0,
        step=last.step if last else 0,
        steps=total,
        loss=last.loss if last else None,
        validation_loss=validated[-1][1] if validated else None,
        base_loss=state.base_loss,
        tokens_per_second=sum(step.tokens for step in steps) / learned_seconds if learned_seconds else None,
        seconds=seconds,
        seconds_left=(last.steps - last.step) * seconds / last.step
        if last and seconds is not None and state.status == "training"
        else None,
        losses=_thinned([[step.step, step.loss] for step in steps]),
        validation_losses=_thinned(validated),
        error=state.error,
        held_out=state.held_out,
        recommended=state.recommended,
        because=state.because,
        outcome=state.outcome,
        grown=state.grown,
        preferred=state.preferred,
        created_at=datetime.fromtimestamp(order.created_ns / 1e9, UTC).isoformat(timespec="seconds"),
    )


def _steps(folder: Path) -> list[TrainingStep]:
    """Return the steps so far; the last line may be half written."""
    steps = []
    with suppress(FileNotFoundError, msgspec.DecodeError):
        for step in read_records(folder / STEPS, TrainingStep):
            steps.append(step)
    return steps


def _seconds(folder: Path, state: State) -> float | None:
    """Return how long it has learned, up to its last step."""
    return None if state.trained_from is None else max(0.0, (folder / STEPS).stat().st_mtime - state.trained_from)


def _thinned(points: list[list[float]]) -> list[list[float]]:
    """Leave out points evenly; the last stays."""
    every = math.ceil(len(points) / MAX_POINTS) or 1
    return points[::-every][::-1]


def _take_along(corpus: Corpus, folder: Path) -> None:
    folder.mkdir(mode=0o700)
    for name in (MANIFEST, UTTERANCES):
        try:
            os.link(corpus.folder / name, folder / name)
        except OSError:  # another disk, or one without links
            shutil.copy2(corpus.folder / name, folder / name)


def _clear(folder: Path) -> None:
    for name in (CORPUS, RUN):
        shutil.rmtree(folder / name, ignore_errors=True)
