"""A search: settings of every kind tried in turn, each with an equal budget, by any number of processes."""

import multiprocessing
import signal
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from typing import Any, Literal

import msgspec
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState
from tokenizers import Tokenizer

from manera.errors import SettingsError, TrainingError
from manera.files import replacing
from manera.lab import space, tokenizers
from manera.lab.settings import KINDS, Budget, Kind, LabSettings, TokenizerKind, settings_for
from manera.lab.study import Owner, Result, Study, Tried, open_study
from manera.lab.texts import TextSplits
from manera.lab.training import LabStep, Trained, train
from manera.lab.writing import write
from manera.machine.memory import is_out_of_memory

SamplerName = Literal["tpe", "random"]
SAMPLERS: tuple[SamplerName, ...] = ("tpe", "random")

STARTING_TRIALS = 10
"""Drawn at random before TPE has enough to go by."""

FLOOR_ORDER = 5
PATIENT_SHARE = 0.3
"""Of its budget that every trial has before it can be given up."""

ENOUGH_OTHERS = 3
"""Trials of the kind that have come as far, before one can be given up."""

SAMPLE_CHARACTERS = 400
ROUNDS = 3
"""How often processes are started anew where some were killed."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is searched, and for how long.

    minutes: after which no new trial begins. seconds: of each trial; None: its share of the minutes.
    """

    kinds: tuple[Kind, ...]
    pieces: tuple[TokenizerKind, ...] = ("character", "bpe")
    trials: int = 64
    minutes: float = 30
    seconds: float | None = None
    sampler: SamplerName = "tpe"
    workers: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        unknown = [kind for kind in self.kinds if kind not in KINDS]
        if unknown or not self.kinds:
            raise SettingsError(f"no kind {', '.join(unknown) or 'was named'}", f"kinds: {', '.join(KINDS)}")
        if self.sampler not in SAMPLERS:
            raise SettingsError(f"no sampler {self.sampler!r}", f"samplers: {', '.join(SAMPLERS)}")
        for name in ("trials", "minutes", "workers"):
            if getattr(self, name) <= 0:
                raise SettingsError(f"{name} = {getattr(self, name)} cannot be used", "give a number above 0")

    @property
    def seconds_each(self) -> float:
        """How long a trial learns."""
        return self.seconds or self.minutes * 60 * self.workers / self.trials


def search(name: str, texts: TextSplits, plan: Plan, storage: str | None = None) -> Iterator[Tried]:
    """Go on with a study until it has its trials or the time is up, yielding each trial as it ends.

    Whatever else joins the study, on this machine or another, is yielded too. A trial that fails is kept with its
    reason. Raises TrainingError, StoreError.
    """
    ends = time.time() + plan.minutes * 60
    study = open_study(name, texts, plan.seconds_each, storage)
    told = {one.number for one in study.tried()}

    def news() -> Iterator[Tried]:
        for one in study.tried():
            if one.number not in told:
                told.add(one.number)
                yield one

    for _ in _floors(study, texts, plan):
        yield from news()
    for _ in range(ROUNDS):
        study.free_those_of_dead_processes()
        if study.count() >= plan.trials or time.time() >= ends:
            return
        if plan.workers == 1:
            for _ in work(study, texts, plan, ends):
                yield from news()
        else:
            for _ in _in_processes(name, texts, plan, storage, ends):
                yield from news()
        yield from news()


def work(study: Study, texts: TextSplits, plan: Plan, ends: float) -> Iterator[None]:
    """Do one trial after another, as one of any number of processes; ends: the time after which none begins."""
    parent = multiprocessing.parent_process()
    sizes = space.vocabularies(sum(len(text.encode()) for text in texts.train))
    while time.time() < ends and (parent is None or parent.is_alive()):
        study.free_those_of_dead_processes()
        if study.count() >= plan.trials and not study.optuna.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            return
        trial = study.optuna.ask()
        trial.set_user_attr("owner", msgspec.to_builtins(Owner.this()))
        before = study.counted(trial.number)
        if len(before) >= plan.trials and "again" not in trial.user_attrs:
            trial.set_user_attr("left", True)  # other processes began the last ones meanwhile
            study.optuna.tell(trial, state=TrialState.FAIL)
            return
        kind = trial.user_attrs.get("kind") or _next_kind(before, plan.kinds)
        seed = trial.user_attrs.get("seed") or plan.seed * 100_003 + trial.number
        trial.set_user_attr("kind", kind)
        trial.set_user_attr("seed", seed)
        study.optuna.sampler = _sampler(plan, seed)
        settings = space.draw(trial, kind, plan.pieces, sizes, seed)
        trial.set_user_attr("settings", msgspec.to_builtins(settings))
        _try(study, trial, settings, texts)
        yield


def _next_kind(before: list[FrozenTrial], kinds: tuple[Kind, ...]) -> Kind:
    """Choose the kind that was tried least, so that all are tried equally often."""
    counted = Counter(one.user_attrs.get("kind") for one in before)
    return min(kinds, key=lambda kind: counted[kind])


def _sampler(plan: Plan, seed: int) -> BaseSampler:
    """Return a sampler for one trial: what it draws follows from its seed and the trials before."""
    if plan.sampler == "random":
        return RandomSampler(seed=seed)
    return TPESampler(seed=seed, n_startup_trials=STARTING_TRIALS)


def _try(study: Study, trial: Any, settings: LabSettings, texts: TextSplits, is_floor: bool = False) -> None:
    """Train one model, and keep what it came to or why it failed."""
    curve: list[LabStep] = []
    others = [one for one in study.tried() if one.kind == settings.kind]
    try:
        tokenizer = _tokenizer(study, settings, texts)
        budget = Budget(seconds=study.seconds)
        steps = train(texts, settings, budget, tokenizer, keeps_best=False)
        for event in steps:
            if isinstance(event, Trained):
                kept = _kept(trial.number, event, texts, is_floor)
                break
            if event.bits_per_byte is not None:
                curve.append(event)
                trial.report(event.bits_per_byte, len(curve))
                if is_behind(curve, others, study.seconds):
                    steps.close()
                    kept = Tried(trial.number, "given up", settings, tuple(curve))
                    break
    except TrainingError as error:
        kept = Tried(trial.number, "failed", settings, tuple(curve), reason=error.message)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        kept = Tried(trial.number, "failed", settings, tuple(curve), reason="memory ran out")
    trial.set_user_attr("tried", msgspec.to_builtins(kept))
    if kept.state == "finished":
        study.optuna.tell(trial, kept.lowest)
    else:
        study.optuna.tell(trial, state=TrialState.PRUNED)  # one that failed too: so the sampler keeps away from it


def is_behind(curve: list[LabStep], others: list[Tried], seconds: float) -> bool:
    """Tell whether a trial, its first part done, is above the median of its kind at the same time."""
    now = curve[-1].seconds
    if now < PATIENT_SHARE * seconds:
        return False
    as_far = [lowest for one in others if (lowest := _lowest_by(one, now)) is not None]
    lowest = min(step.bits_per_byte for step in curve if step.bits_per_byte is not None)
    return len(as_far) >= ENOUGH_OTHERS and lowest > statistics.median(as_far)


def _lowest_by(one: Tried, seconds: float) -> float | None:
    """Return the fewest bits per byte that a trial had by then; None where it was given up before."""
    if not one.curve or (one.state != "finished" and one.curve[-1].seconds < seconds):
        return None
    had = [step.bits_per_byte for step in one.curve if step.bits_per_byte is not None and step.seconds <= seconds]
    return min(had, default=None)


def _kept(number: int, trained: Trained, texts: TextSplits, is_floor: bool) -> Tried:
    is_counted = trained.settings.kind == "ngram"
    curve = () if is_counted else trained.curve
    result = Result(
        bits_per_byte=trained.bits_per_byte,
        test_bits_per_byte=trained.measured(texts.test),
        parameters=trained.parameters,
        tokens=trained.tokens,
        seconds=trained.seconds,
        kept_seconds=next((one.seconds for one in curve if one.step == trained.kept_step), trained.seconds),
        is_overfitted=trained.is_overfitted,
        sample=write(trained, SAMPLE_CHARACTERS, trained.settings.seed),
    )
    return Tried(number, "finished", trained.settings, curve, result, is_floor=is_floor)


def _floors(study: Study, texts: TextSplits, plan: Plan) -> Iterator[None]:
    """Count an n-gram over each tokenizer, once in a study: what every model has to pass."""
    if any(one.is_floor for one in study.tried()):
        return
    sizes = space.vocabularies(sum(len(text.encode()) for text in texts.train))
    for pieces in plan.pieces:
        for size in (
            (sizes[0], sizes[len(sizes) // 2])[: len(set(sizes[:2]))] if pieces in tokenizers.SIZED else (None,)
        ):
            settings = settings_for("ngram", tokenizer=pieces, vocabulary=size, context=FLOOR_ORDER)
            trial = study.optuna.ask()
            trial.set_user_attr("owner", msgspec.to_builtins(Owner.this()))
            trial.set_user_attr("is_floor", True)
            _try(study, trial, settings, texts, is_floor=True)
            yield


def _tokenizer(study: Study, settings: LabSettings, texts: TextSplits) -> Tokenizer:
    """Return a tokenizer of the study, made by the first trial that needs it."""
    size = settings.vocabulary if settings.tokenizer in tokenizers.SIZED else 0
    path = study.folder / "tokenizers" / f"{settings.tokenizer}-{size}.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        made = tokenizers.learn(settings.tokenizer, texts.train, size)
        with replacing(path) as unfinished:
            unfinished.write_text(made.to_str(), "utf-8")
    return Tokenizer.from_file(str(path))


def _in_processes(name: str, texts: TextSplits, plan: Plan, storage: str | None, ends: float) -> Iterator[None]:
    """Start the workers and wait for them, awake once a second; end them where nobody waits any more."""
    spawn = multiprocessing.get_context("spawn")
    started = [spawn.Process(target=_worker, args=(name, texts, plan, storage, ends)) for _ in range(plan.workers)]
    try:
        for process in started:
            process.start()
        yield from _awaited(started)
    finally:
        for process in started:
            if process.is_alive():
                process.terminate()
        for process in started:
            if process.pid is not None:
                process.join()


def _awaited(started: list[SpawnProcess]) -> Iterator[None]:
    while running := [process.sentinel for process in started if process.is_alive()]:
        wait(running, timeout=1)
        yield


def _worker(name: str, texts: TextSplits, plan: Plan, storage: str | None, ends: float) -> None:
    """Be one of several processes of a search, each with its share of the cores."""
    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process ends them all
    torch.set_num_threads(max(1, torch.get_num_threads() // plan.workers))
    study = open_study(name, texts, plan.seconds_each, storage)
    for _ in work(study, texts, plan, ends):
        pass


def best_command(tried: Tried, corpus: str, seconds: float) -> str:
    """Return how a model of a trial becomes a voice."""
    chosen = tried.settings
    flags = {
        "kind": chosen.kind,
        "tokenizer": chosen.tokenizer,
        "vocab": chosen.vocabulary if chosen.tokenizer in tokenizers.SIZED else None,
        "width": chosen.width,
        "layers": chosen.layers,
        "context": chosen.context,
        "learning-rate": f"{chosen.learning_rate:.3g}",
        "dropout": f"{chosen.dropout:.2g}",
        "batch": chosen.batch,
        "seed": chosen.seed,
        "minutes": f"{max(10.0, seconds / 60):g}",
    }
    told = (
        flags if chosen.kind != "ngram" else {name: flags[name] for name in ("kind", "tokenizer", "vocab", "context")}
    )
    return f"manera lab train {corpus} " + " ".join(f"--{name} {one}" for name, one in told.items() if one is not None)
