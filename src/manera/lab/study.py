"""A study: every trial of a search, kept by Optuna in a journal file or in a database, for any number of processes.

<home>/lab/<name>/study.journal        one line of JSON for everything that happened
                 /tokenizers/          each made once, for all trials
"""

import hashlib
import os
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import optuna
import psutil
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from manera import config
from manera.errors import StoreError, TrainingError
from manera.lab.settings import Kind, LabSettings
from manera.lab.texts import TextSplits
from manera.lab.training import LabStep
from manera.voice.folder import name_for

if sys.platform != "win32":
    import fcntl

JOURNAL = "study.journal"
SILENT_TIMES = 10
"""A trial of another machine that has run for so many times its budget, and an hour, is taken for dead."""

_POSTGRES = ("postgres://", "postgresql://")
_FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)

State = Literal["finished", "given up", "failed"]


class Result(msgspec.Struct, frozen=True):
    """What a model came to. bits_per_byte: of the validation text, which it is chosen by; the test text's is shown.

    sample: what it writes. kept_seconds: when its best point was reached.
    """

    bits_per_byte: float
    test_bits_per_byte: float
    parameters: int
    tokens: int
    seconds: float
    kept_seconds: float
    is_overfitted: bool
    sample: str


class Tried(msgspec.Struct, frozen=True):
    """One trial that has ended: given up where others of its kind had come further; reason: why it failed."""

    number: int
    state: State
    settings: LabSettings
    curve: tuple[LabStep, ...] = ()
    result: Result | None = None
    reason: str | None = None
    is_floor: bool = False

    @property
    def kind(self) -> Kind:
        """What was tried."""
        return self.settings.kind

    @property
    def lowest(self) -> float | None:
        """The fewest bits per byte of validation text that it had."""
        if self.result:
            return self.result.bits_per_byte
        return min((step.bits_per_byte for step in self.curve if step.bits_per_byte is not None), default=None)


class Owner(msgspec.Struct, frozen=True):
    """Which process a trial runs in."""

    host: str
    process: int
    started: float

    @classmethod
    def this(cls) -> "Owner":
        """Name this process."""
        return cls(socket.gethostname(), os.getpid(), psutil.Process().create_time())

    def is_gone(self) -> bool | None:
        """Tell whether the process has ended; None where it is another machine's."""
        if self.host != socket.gethostname():
            return None
        try:
            return bool(abs(psutil.Process(self.process).create_time() - self.started) > 1)
        except psutil.NoSuchProcess:
            return True


class Study:
    """A study that is open. seconds: that each trial has."""

    def __init__(self, name: str, opened: optuna.Study) -> None:
        self.name, self.optuna = name, opened

    @property
    def folder(self) -> Path:
        """Where what belongs to it lies on this machine."""
        return study_folder(self.name)

    @property
    def seconds(self) -> float:
        return float(self.optuna.user_attrs["seconds"])

    def tried(self) -> list[Tried]:
        """Return the trials that have ended, in order."""
        ended = self.optuna.get_trials(deepcopy=False, states=_FINISHED)
        return [msgspec.convert(one.user_attrs["tried"], Tried) for one in ended if "tried" in one.user_attrs]

    def count(self, before: int | None = None) -> int:
        """Count the trials that count: those that ended, those that run; before: of smaller numbers alone."""
        return len(self.counted(before))

    def counted(self, before: int | None = None) -> list[FrozenTrial]:
        """Return these, but neither those that a killed process left nor the floor."""
        return [
            one
            for one in self.optuna.get_trials(deepcopy=False)
            if one.state != TrialState.WAITING
            and not {"left", "is_floor"} & set(one.user_attrs)
            and (before is None or one.number < before)
        ]

    def free_those_of_dead_processes(self) -> None:
        """End trials whose process was killed, and let each be done again, once."""
        for one in self.optuna.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if _is_dead(one, self.seconds):
                self._free(one)

    def _free(self, one: FrozenTrial) -> None:
        storage = self.optuna._storage
        settings = one.user_attrs.get("settings")
        try:
            if "again" in one.user_attrs and settings:
                killed = Tried(
                    one.number,
                    "failed",
                    msgspec.convert(settings, LabSettings),
                    reason="its process was killed twice: too little memory?",
                )
                storage.set_trial_user_attr(one._trial_id, "tried", msgspec.to_builtins(killed))
                again = False
            else:
                storage.set_trial_user_attr(one._trial_id, "left", True)
                again = bool(settings) and "is_floor" not in one.user_attrs
            freed = storage.set_trial_state_values(one._trial_id, TrialState.FAIL)
        except (RuntimeError, KeyError):  # another process was quicker
            return
        if freed and again:
            kept = {"again": one.number, "kind": one.user_attrs["kind"], "seed": one.user_attrs["seed"]}
            self.optuna.enqueue_trial(one.params, user_attrs=kept)


def study_folder(name: str) -> Path:
    """Return where a study lies."""
    return config.home() / "lab" / name_for(name)


def fingerprint_of(texts: TextSplits) -> str:
    """Tell one corpus from another, with its splits."""
    digest = hashlib.sha256()
    for part in texts:
        for text in part:
            digest.update(text.encode() + b"\x00")
        digest.update(b"\x01")
    return digest.hexdigest()


def open_study(name: str, texts: TextSplits, seconds: float, storage: str | None = None) -> Study:
    """Open a study, or begin it; one that was begun keeps the seconds that each of its trials has.

    storage: an URL of a database. Raises TrainingError where it is of another corpus, StoreError where it cannot be
    opened.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    kept = _storage(name, storage)
    try:
        opened = optuna.create_study(study_name=name_for(name), storage=kept, load_if_exists=True)
        own = fingerprint_of(texts)
        known = opened.user_attrs
        if known.get("texts", own) != own:
            raise TrainingError(
                f"the study {name!r} is of another corpus, or another speaker: their figures would not compare",
                f"give this one a name of its own: --name {name_for(name)}-2",
            )
        if "seconds" not in known:
            opened.set_user_attr("texts", own)
            opened.set_user_attr("seconds", seconds)
    except SQLAlchemyError as error:
        raise StoreError(
            f"the study cannot be kept in the database: {str(error).splitlines()[0]}", "see --storage", storage
        ) from error
    except (ValueError, KeyError) as error:
        raise StoreError(
            f"{study_folder(name) / JOURNAL} is damaged: {error}", "take another --name, or move that file away"
        ) from error
    return Study(name, opened)


def _storage(name: str, url: str | None) -> BaseStorage:
    if url is None:
        folder = study_folder(name)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        journal = folder / JOURNAL
        journal.touch(mode=0o600)
        lock = None if sys.platform == "win32" else _Lock(journal)
        return JournalStorage(JournalFileBackend(str(journal), lock_obj=lock))  # type: ignore[arg-type]
    for short in _POSTGRES:
        if url.startswith(short):
            url = f"postgresql+psycopg://{url.removeprefix(short)}"
    try:
        return RDBStorage(url, engine_kwargs={"poolclass": NullPool})  # no connection outlives what it was opened for
    except (ImportError, ValueError, SQLAlchemyError) as error:
        raise StoreError(
            f"the database of --storage cannot be opened: {str(error).splitlines()[0]}",
            'write postgresql://USER:PASSWORD@HOST/DATABASE, and: pip install "manera[lab,postgres]"',
        ) from error


class _Lock:
    """A lock that ends with its process; what a killed one had half written is taken away by the next."""

    def __init__(self, journal: Path) -> None:
        self.journal = journal
        self.held: Any = None

    def acquire(self) -> bool:
        """Wait for it."""
        self.held = self.journal.open("r+b")
        fcntl.flock(self.held, fcntl.LOCK_EX)
        written = self.held.seek(0, os.SEEK_END)
        if written:
            self.held.seek(-1, os.SEEK_END)
            if self.held.read(1) != b"\n":
                self.held.seek(0)
                self.held.truncate(self.held.read().rfind(b"\n") + 1)
        return True

    def release(self) -> None:
        """Give it back."""
        self.held.close()


def _is_dead(one: FrozenTrial, seconds: float) -> bool:
    begun = one.datetime_start.timestamp() if one.datetime_start else 0.0
    silent = time.time() - begun
    if "owner" not in one.user_attrs:
        return silent > 60
    gone = msgspec.convert(one.user_attrs["owner"], Owner).is_gone()
    return silent > SILENT_TIMES * seconds + 3600 if gone is None else gone


def best_of_each_kind(tried: Sequence[Tried]) -> dict[Kind, Tried]:
    """Return the finished trial of each kind with the fewest bits per byte of validation text, best first."""
    best: dict[Kind, Tried] = {}
    for one in tried:
        if one.result and (one.kind not in best or (one.lowest or 0.0) < (best[one.kind].lowest or 0.0)):
            best[one.kind] = one
    return dict(sorted(best.items(), key=lambda item: item[1].lowest or 0.0))
