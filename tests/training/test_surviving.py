"""Runs that are killed, run out of memory or disk, or meet a loss that is no number: what they lose is nothing."""

import multiprocessing
import os
import random
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
import torch

from adapted import adapted_model, random_rows
from jobs_home import export
from manera.corpus.storage import Corpus, open_corpus, write
from manera.errors import TrainingError
from manera.files import read_records
from manera.records import TrainingStep
from manera.sources.reading import read
from manera.training import checkpoint
from manera.training.fitting import fit, state_of
from manera.training.learn import Event, Learned, Prepared, learn
from manera.training.loop import DivergedError, MicroBatch, Plan
from manera.training.run import Unsaved
from manera.training.settings import TrainingConfig
from manera.voice import adapter
from manera.voice.folder import voices_folder
from tiny import PIECES

KILLS, EPOCHS = 10, 12
SETTINGS: dict[str, Any] = {
    "precision": "float32",
    "compile": "off",
    "rank": 4,
    "alpha": 8,
    "dropout": 0.1,
    "max_length": 192,
    "batch_tokens": 400,
    "epochs": EPOCHS,
    "patience": 50,
    "learning_rate": 3e-3,
    "checkpoint_seconds": 0,
    "threads": 1,
}
FORKS = multiprocessing.get_context("forkserver")


@pytest.fixture(scope="module", autouse=True)
def preloaded() -> None:
    """Let each process that is killed begin with torch loaded."""
    FORKS.set_forkserver_preload(["manera.training.learn", __name__])


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MANERA_HOME", str(tmp_path))
    return tmp_path


def chat(folder: Path, messages: int) -> Corpus:
    (folder / "result.json").write_bytes(export(messages))
    write(read([folder / "result.json"]), folder / "corpus")
    return open_corpus(folder / "corpus")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return chat(tmp_path_factory.mktemp("chat"), 64)


def run(corpus: Corpus, base: Path, voice: str = "anna", resume: bool = False, **changed: Any) -> list[Event]:
    return list(learn(corpus, "user1", voice, TrainingConfig(**(SETTINGS | changed)), base, resume=resume))


def losses(voice: str) -> list[tuple[int, float, float | None]]:
    steps = read_records(voices_folder() / voice / "training.jsonl", TrainingStep)
    return [(step.step, step.loss, step.validation_loss) for step in steps]


def weights(voice: str) -> bytes:
    return (voices_folder() / voice / adapter.WEIGHTS).read_bytes()


def train_here(home: str, corpus: str, base: str, told: Connection) -> None:
    """Train in a process of its own, telling each step."""
    os.environ["MANERA_HOME"] = home
    torch.set_num_threads(1)
    for event in learn(open_corpus(Path(corpus)), "user1", "anna", TrainingConfig(**SETTINGS), Path(base)):
        if isinstance(event, Prepared):
            told.send(event.resumed_step)
        elif isinstance(event, TrainingStep):
            told.send(event.step)


def killed_at(step: int | None, home: Path, corpus: Corpus, base: Path) -> list[int]:
    """Train in a process, kill it at a step, and return what it told."""
    listens, tells = FORKS.Pipe(duplex=False)
    process = FORKS.Process(target=train_here, args=(str(home), str(corpus.folder), str(base), tells))
    process.start()
    tells.close()
    told: list[int] = []
    try:
        while step is None or not told or told[-1] < step:
            told.append(listens.recv())
        process.kill()
    except EOFError:
        assert step is None, "it has ended before it was killed"
    process.join()
    return told


@pytest.mark.slow
def test_a_run_killed_at_ten_random_steps_has_the_losses_of_one_that_was_not(
    home: Path, corpus: Corpus, tiny_base: Path
) -> None:
    prepared, *_ = run(corpus, tiny_base, "unbroken")
    assert isinstance(prepared, Prepared)
    for step in sorted(random.Random(7).sample(range(2, prepared.steps), KILLS)):
        assert killed_at(step, home, corpus, tiny_base)[-1] >= step
        assert not (voices_folder() / "anna").exists()
    begun_at, *rest = killed_at(None, home, corpus, tiny_base)
    assert 0 < begun_at < rest[-1] == prepared.steps
    assert losses("anna") == losses("unbroken")
    assert weights("anna") == weights("unbroken")
    assert not list((home / "runs").iterdir())


def test_an_interrupted_run_goes_on_to_the_losses_of_one_that_was_not(corpus: Corpus, tiny_base: Path) -> None:
    run(corpus, tiny_base, "unbroken")
    events = learn(corpus, "user1", "anna", TrainingConfig(**(SETTINGS | {"checkpoint_seconds": 1000})), tiny_base)
    while not (isinstance(event := next(events), TrainingStep) and event.step == 5):
        pass
    stopped = events.throw(KeyboardInterrupt)
    assert isinstance(stopped, Learned)
    assert stopped.can_go_on
    assert [(found.voice, found.position.step) for found in checkpoint.unfinished()] == [("anna", 5)]
    with pytest.raises(Exception, match="there is a voice 'anna' already"):
        run(corpus, tiny_base)
    prepared, first, *_ = run(corpus, tiny_base, resume=True, checkpoint_seconds=1)  # it may be saved more often
    assert isinstance(prepared, Prepared)
    assert isinstance(first, TrainingStep)
    assert (prepared.resumed_step, first.step) == (5, 6)
    assert (losses("anna"), weights("anna")) == (losses("unbroken"), weights("unbroken"))
    assert checkpoint.unfinished() == []
    with pytest.raises(TrainingError, match="no unfinished run 'anna'"):
        run(corpus, tiny_base, resume=True)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # torch's compiler warns of its own parts
@pytest.mark.parametrize(
    ("precision", "compiled"), [("float32", "off"), ("bfloat16", "off"), ("int8", "off"), ("float32", "on")]
)
def test_two_runs_of_the_same_are_the_same_bit_by_bit(
    corpus: Corpus, tiny_base: Path, precision: str, compiled: str
) -> None:
    for voice in ("once", "again"):
        run(corpus, tiny_base, voice, precision=precision, compile=compiled, epochs=1)
    assert weights("once") == weights("again")


def broken_off(corpus: Corpus, base: Path, step: int = 3) -> None:
    events = learn(corpus, "user1", "anna", TrainingConfig(**SETTINGS), base)
    while not (isinstance(event := next(events), TrainingStep) and event.step == step):
        pass
    events.close()


def test_a_run_of_something_else_is_named(corpus: Corpus, tiny_base: Path, tmp_path: Path) -> None:
    broken_off(corpus, tiny_base)
    with pytest.raises(TrainingError, match="another corpus") as caught:
        run(chat(tmp_path, 66), tiny_base)
    assert "manera runs --remove anna" in str(caught.value.hint)
    with pytest.raises(TrainingError, match="its rank is 4, not 8; its seed is 0, not 1"):
        run(corpus, tiny_base, rank=8, seed=1)
    with pytest.raises(TrainingError, match="its speaker is 'user1', not 'user2'"):
        list(learn(corpus, "user2", "anna", TrainingConfig(**SETTINGS), tiny_base))
    assert checkpoint.unfinished()[0].position.step == 3


def test_a_checkpoint_that_cannot_be_read_is_named(corpus: Corpus, tiny_base: Path) -> None:
    broken_off(corpus, tiny_base)
    file = checkpoint.run_folder("anna") / checkpoint.FILE
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(TrainingError, match="cannot be read") as caught:
        run(corpus, tiny_base)
    assert "manera runs --remove anna" in str(caught.value.hint)


def test_two_processes_do_not_train_the_same_voice(corpus: Corpus, tiny_base: Path) -> None:
    events = learn(corpus, "user1", "anna", TrainingConfig(**SETTINGS), tiny_base)
    next(events)
    with pytest.raises(TrainingError, match="another process is training 'anna'"):
        run(corpus, tiny_base)
    events.close()


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """Let no file grow above a size, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_the_last_checkpoint_whole(corpus: Corpus, tiny_base: Path) -> None:
    run(corpus, tiny_base, "unbroken")
    events = learn(corpus, "user1", "anna", TrainingConfig(**SETTINGS), tiny_base)
    while not checkpoint.unfinished():
        next(events)
    saved = (checkpoint.run_folder("anna") / checkpoint.FILE).read_bytes()
    with full_disk(10_000):
        unsaved = next(event for event in events if isinstance(event, Unsaved))
        events.close()
    assert "File too large" in unsaved.reason
    assert (checkpoint.run_folder("anna") / checkpoint.FILE).read_bytes() == saved
    assert {path.name for path in checkpoint.run_folder("anna").iterdir()} == {checkpoint.FILE, "losses.svg", "lock"}
    run(corpus, tiny_base)
    assert (losses("anna"), weights("anna")) == (losses("unbroken"), weights("unbroken"))


ROWS = 64


def steps_of(base: Path, room: int | None = None) -> list[TrainingStep]:
    """Make two steps, with so much memory more than the process has when it begins them."""
    model = adapted_model(base)
    rows = random_rows(PIECES, [192] * ROWS, 192)
    planned = Plan(2, ROWS, ROWS, steps_per_validation=2, learning_rate=1e-3)
    steps = fit(model, rows, rows, planned, lambda step: None)
    if room is not None:
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + room, resource.RLIM_INFINITY))
    return list(steps)


def short_of_memory(base: str, room: int, tells: Connection) -> None:
    torch.set_num_threads(1)
    tells.send(steps_of(Path(base), room))


def with_room(base: Path, room: int) -> list[TrainingStep]:
    listens, tells = FORKS.Pipe(duplex=False)
    process = FORKS.Process(target=short_of_memory, args=(str(base), room, tells))
    process.start()
    tells.close()
    told: list[TrainingStep] = listens.recv()
    process.join()
    return told


def test_less_memory_means_fewer_rows_at_once_and_the_same_losses(tiny_base: Path) -> None:
    told = with_room(tiny_base, 100_000_000)
    assert told[0].rows_at_once is not None
    assert told[0].rows_at_once < ROWS
    expected = steps_of(tiny_base)
    assert [step.loss for step in told] == pytest.approx([step.loss for step in expected], rel=1e-5)
    assert told[1].validation_loss == pytest.approx(expected[1].validation_loss, rel=1e-4)
    assert all(step.rows_at_once is None for step in expected)


def test_too_little_memory_for_one_row_is_told() -> None:
    tried = []

    def work(rows: int) -> None:
        tried.append(rows)
        torch.empty(2**50)  # a real refusal of torch's allocator

    with pytest.raises(TrainingError, match="memory ran out, even with one row"):
        MicroBatch(6).run(work)
    assert tried == [6, 3, 1]


def test_a_loss_that_is_no_number_names_its_step_and_rows(tiny_base: Path) -> None:
    model = adapted_model(tiny_base)
    rows = random_rows(PIECES, [64] * 8, 64)
    poisoned = int(rows.input_ids[5, 3])
    rows.input_ids[rows.input_ids == poisoned] = 0
    rows.input_ids[5, 3] = poisoned
    with torch.no_grad():
        model.get_parameter("model.embed_tokens.weight")[poisoned] = float("nan")
    # the head is tied, and would make every loss no number: give it weights of its own
    head = model.get_parameter("model.embed_tokens.weight").detach().nan_to_num()
    model.get_submodule("lm_head").weight = torch.nn.Parameter(head, requires_grad=False)
    planned = Plan(4, 2, 2, steps_per_validation=10, learning_rate=1e-3)
    with pytest.raises(DivergedError, match=r"the loss became nan at step \d, in rows 5 of the training text"):
        list(fit(model, rows, rows, planned, lambda step: None))


def test_a_state_that_was_saved_is_the_state_that_is_loaded(tiny_base: Path) -> None:
    rows = random_rows(PIECES, [64] * 8, 64)
    planned = Plan(6, 2, 2, steps_per_validation=2, learning_rate=1e-3)
    model = adapted_model(tiny_base)
    state = state_of(model, planned)
    steps = fit(model, rows, rows, planned, lambda step: None, state)
    for _ in range(3):
        next(steps)
    position, tensors = state.position(), {name: tensor.clone() for name, tensor in state.tensors().items()}
    rest = [(step.step, step.loss, step.validation_loss) for step in steps]
    other = adapted_model(tiny_base)
    loaded = state_of(other, planned)
    loaded.load(position, tensors)
    assert loaded.position().step == 3
    again = [(step.step, step.loss, step.validation_loss) for step in fit(other, rows, rows, planned, print, loaded)]
    assert again == rest
